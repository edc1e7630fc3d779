/* Guard against a wrong reading of a channel. Pure; owned by a lane of the engine. */
#include "core/guard.h"

bool guard_saw(struct guard *guard, bool doubt, int percent)
{
    guard->doubts = guard->doubts << 1 | (doubt ? 1 : 0);
    if (guard->answers < GUARD_WINDOW)
        guard->answers++;
    if (guard->halted || percent == 0 || guard->answers < GUARD_LEAST)
        return false;
    guard->halted = __builtin_popcountll(guard->doubts) * 100 > percent * guard->answers;
    return guard->halted;
}
