/* Inside the metrics: what metrics.c and metrics_database.c share. Nobody else includes this. */
#ifndef MAKEGOOD_METRICS_INNER_H
#define MAKEGOOD_METRICS_INNER_H

#include "daemon/metric_text.h"
#include "daemon/metrics.h"

/* What the database said last. */
void metrics_database_write(struct metric_text *text, const struct metrics_seen *seen);

#endif
