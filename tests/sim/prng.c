/* Chance from one seed (splitmix64). One thread; called by everything in the simulator; never reads a clock.
 */
#include "sim.h"

uint64_t prng_next(struct prng *prng)
{
    uint64_t z = prng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t prng_between(struct prng *prng, int64_t low, int64_t high)
{
    return low + (int64_t)(prng_next(prng) % (uint64_t)(high - low + 1));
}

bool prng_chance(struct prng *prng, int percent)
{
    return prng_between(prng, 0, 99) < percent;
}
