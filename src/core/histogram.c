/* Histograms of durations. Pure; owned by the engine's lanes. */
#include "makegood/histogram.h"

const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = {10,   25,   50,   100,   250,   500,
                                                       1000, 2500, 5000, 10000, 30000, 60000};

void histogram_add(struct histogram *histogram, int64_t duration_ms)
{
    int place = 0;
    while (place < HISTOGRAM_BOUNDS && duration_ms > histogram_bounds_ms[place])
        place++;
    histogram->counts[place]++;
    histogram->sum_ms += duration_ms > 0 ? (uint64_t)duration_ms : 0;
}
