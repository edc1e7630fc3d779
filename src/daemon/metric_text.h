/* Writing metrics: Prometheus' text format 0.0.4, and OpenMetrics 1.0.0. Pure; any thread. */
#ifndef MAKEGOOD_METRIC_TEXT_H
#define MAKEGOOD_METRIC_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "makegood/histogram.h"

#define METRIC_TYPE      "text/plain; version=0.0.4; charset=utf-8"
#define METRIC_TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_text {
    FILE *out;
    bool open; /* OpenMetrics */
    const char *name;
    enum metric_kind kind;
};

/* Does a scraper's Accept header ask for OpenMetrics? */
bool metric_wants_open(const char *accept);

/* A family of metrics; its samples follow. A counter's name is given without _total. */
void metric_family(struct metric_text *text, enum metric_kind kind, const char *name, const char *help);

/* Samples. Labels are names and values in turn, ended by NULL; values of any bytes. */
void metric_count(struct metric_text *text, uint64_t value, ...) __attribute__((sentinel));
void metric_number(struct metric_text *text, int64_t value, ...) __attribute__((sentinel));
void metric_seconds(struct metric_text *text, int64_t value_ms, ...) __attribute__((sentinel));
/* value: a decimal number, as it is written. */
void metric_decimal(struct metric_text *text, const char *value, ...) __attribute__((sentinel));
void metric_durations(struct metric_text *text, const struct histogram *histogram, const char *label,
                      const char *value);

void metric_end(struct metric_text *text);

#endif
