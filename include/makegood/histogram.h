/* How long something took, by buckets: for metrics. Pure. */
#ifndef MAKEGOOD_HISTOGRAM_H
#define MAKEGOOD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 12

/* What is at most so long is counted in the bucket of the same place; longer: in the last one. */
extern const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1];
    uint64_t sum_ms;
};

void histogram_add(struct histogram *histogram, int64_t duration_ms);

#endif
