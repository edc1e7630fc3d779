/* Writing metrics: see metric_text.h. Knows the two formats, and no metric. */
#include "daemon/metric_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_BYTES 32

bool metric_wants_open(const char *accept)
{
    return strstr(accept, "application/openmetrics-text") != NULL;
}

void metric_family(struct metric_text *text, enum metric_kind kind, const char *name, const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const char *total = kind == METRIC_COUNTER && !text->open ? "_total" : "";
    text->name = name;
    text->kind = kind;
    fprintf(text->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, total, help, name, total, kinds[kind]);
}

/* --- samples ------------------------------------------------------------------------------------------------- */

static void label_write(struct metric_text *text, const char *name, const char *value)
{
    fprintf(text->out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            fputs("\\n", text->out);
        else if (*value == '"' || *value == '\\')
            fprintf(text->out, "\\%c", *value);
        else
            fputc(*value, text->out);
    }
    fputc('"', text->out);
}

static void sample_write(struct metric_text *text, const char *value, va_list labels)
{
    const char *separator = "{";
    fprintf(text->out, "%s%s", text->name, text->kind == METRIC_COUNTER ? "_total" : "");
    for (const char *name; (name = va_arg(labels, const char *)); separator = ",") {
        fputs(separator, text->out);
        label_write(text, name, va_arg(labels, const char *));
    }
    fprintf(text->out, "%s %s\n", *separator == ',' ? "}" : "", value);
}

void metric_decimal(struct metric_text *text, const char *value, ...)
{
    va_list labels;
    va_start(labels, value);
    sample_write(text, value, labels);
    va_end(labels);
}

void metric_count(struct metric_text *text, uint64_t value, ...)
{
    char decimal[DECIMAL_BYTES];
    va_list labels;
    va_start(labels, value);
    snprintf(decimal, sizeof(decimal), "%" PRIu64, value);
    sample_write(text, decimal, labels);
    va_end(labels);
}

void metric_number(struct metric_text *text, int64_t value, ...)
{
    char decimal[DECIMAL_BYTES];
    va_list labels;
    va_start(labels, value);
    snprintf(decimal, sizeof(decimal), "%" PRId64, value);
    sample_write(text, decimal, labels);
    va_end(labels);
}

/* 1500 -> 1.5; at least one digit on either side, as OpenMetrics wants it in bounds. */
static void seconds_format(int64_t value_ms, char out[DECIMAL_BYTES])
{
    uint64_t size_ms = value_ms < 0 ? 0 - (uint64_t)value_ms : (uint64_t)value_ms;
    snprintf(out, DECIMAL_BYTES, "%s%" PRIu64 ".%03d", value_ms < 0 ? "-" : "", size_ms / 1000,
             (int)(size_ms % 1000));
    size_t length = strlen(out);
    for (int i = 0; i < 2 && out[length - 1] == '0'; i++)
        out[--length] = '\0';
}

void metric_seconds(struct metric_text *text, int64_t value_ms, ...)
{
    char decimal[DECIMAL_BYTES];
    va_list labels;
    va_start(labels, value_ms);
    seconds_format(value_ms, decimal);
    sample_write(text, decimal, labels);
    va_end(labels);
}

void metric_durations(struct metric_text *text, const struct histogram *histogram, const char *label,
                      const char *value)
{
    uint64_t sum = 0;
    char bound[DECIMAL_BYTES] = "+Inf";
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        sum += histogram->counts[i];
        if (i < HISTOGRAM_BOUNDS)
            seconds_format(histogram_bounds_ms[i], bound);
        fprintf(text->out, "%s_bucket{", text->name);
        label_write(text, label, value);
        fprintf(text->out, ",le=\"%s\"} %" PRIu64 "\n", i < HISTOGRAM_BOUNDS ? bound : "+Inf", sum);
    }
    seconds_format((int64_t)histogram->sum_ms, bound);
    fprintf(text->out, "%s_sum{", text->name);
    label_write(text, label, value);
    fprintf(text->out, "} %s\n%s_count{", bound, text->name);
    label_write(text, label, value);
    fprintf(text->out, "} %" PRIu64 "\n", sum);
}

void metric_end(struct metric_text *text)
{
    if (text->open)
        fputs("# EOF\n", text->out);
}
