/* The sweep over many seeds. */
#ifndef SWEEP_H
#define SWEEP_H

#include "sim.h"

#define FAILURES_SHOWN 3 /* per process */

struct tally {
    uint64_t failed;
    uint64_t events;
    uint64_t queries;
    int64_t virtual_ms;
    int64_t drained_ms;  /* the longest after the faults */
    int drained_percent; /* of its bound, the largest share */
    uint64_t hash;
    uint64_t endings[ROW_STATES]; /* by enum row_state */
};

/* False when an invariant was broken; prints it. */
bool seed_holds(uint64_t seed, struct tally *tally);
/* Shares the seeds among the cores. False when one failed, or a process died. */
bool sweep_run(uint64_t first, uint64_t count, struct tally *out);

#endif
