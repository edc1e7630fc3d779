/* Guard: halts a channel when too large a share of its recent answers would park orders in doubt, because
 * then our reading of the channel is wrong, not the orders (correctness 20). Pure. */
#ifndef MAKEGOOD_GUARD_H
#define MAKEGOOD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define GUARD_WINDOW 64 /* recent answers that count */
#define GUARD_LEAST  16 /* answers before it says anything */

struct guard {
    uint64_t doubts; /* a bit per recent answer */
    int answers;     /* at most GUARD_WINDOW */
    bool halted;
};

/* True when this answer halted the channel. percent 0: never. */
bool guard_saw(struct guard *guard, bool doubt, int percent);

#endif
