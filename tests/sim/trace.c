/* The trace of a world: its last lines, and a hash of all of them that tells whether two runs were the same.
 * One thread; called by every part of the simulator; prints only when asked to. */
#include <inttypes.h>
#include <stdio.h>

#include "sim.h"

enum reading { NUMBER, EVIDENCE, VERDICT, REASON, OUTCOME, FAILURE, NOTE };

struct wording {
    const char *text;
    const char *a;
    enum reading a_reading;
    const char *b;
    enum reading b_reading;
};

static const struct wording wordings[] = {
#define X(name, text) {"= " text, "", NUMBER, "extra", NUMBER},
    EVENT_LIST(X)
#undef X
#define X(name, text, a, a_reading, b, b_reading) {text, a, a_reading, b, b_reading},
        TRACE_LIST(X)
#undef X
};

static void value_print(const char *label, enum reading reading, int64_t value)
{
    switch (reading) {
    case EVIDENCE:
        printf("  %s %s", label, evidence_kind_text((enum evidence_kind)value));
        break;
    case VERDICT:
        printf("  %s %s", label, verdict_kind_text((enum verdict_kind)value));
        break;
    case REASON:
        printf("  %s '%s'", label, park_reason_text((enum park_reason)value));
        break;
    case OUTCOME:
        printf("  %s %s", label, outcome_text((enum outcome)value));
        break;
    case FAILURE:
        printf("  %s %s", label, failure_text((enum failure)value));
        break;
    case NOTE:
        printf("  %s %s", label, note_kind_text((enum note_kind)value));
        break;
    case NUMBER:
        printf("  %s %" PRId64, label, value);
        break;
    }
}

static void line_print(const struct trace_line *line)
{
    const struct wording *wording = &wordings[line->kind];
    printf("%9" PRId64 "  node %2" PRId64 "  subject %3" PRId64 "  %s", line->at, line->node, line->subject,
           wording->text);
    if (*wording->a)
        value_print(wording->a, wording->a_reading, line->a);
    value_print(wording->b, wording->b_reading, line->b);
    printf("\n");
}

static void trace_mix(struct trace *trace, int64_t value)
{
    trace->hash = (trace->hash ^ (uint64_t)value) * 0x100000001b3u;
    trace->hash ^= trace->hash >> 29;
}

static void line_add(struct world *world, struct trace_line line)
{
    struct trace *trace = &world->trace;
    trace->kept[trace->count++ % TRACE_KEPT] = line;
    const int64_t values[] = {line.at, line.kind, line.node, line.subject, line.a, line.b};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        trace_mix(trace, values[i]);
    if (trace->print)
        line_print(&line);
}

void trace_event(struct world *world, const struct event *event)
{
    line_add(world,
             (struct trace_line){world->now, (int)event->kind, event->node, event->subject, 0, event->extra});
}

void trace_add(struct world *world, enum trace_kind kind, int64_t node, int64_t subject, int64_t a, int64_t b)
{
    line_add(world, (struct trace_line){world->now, (int)EVENTS + (int)kind, node, subject, a, b});
}

void trace_print_tail(const struct world *world)
{
    const struct trace *trace = &world->trace;
    uint64_t first = trace->count > TRACE_KEPT ? trace->count - TRACE_KEPT : 0;
    for (uint64_t i = first; i < trace->count; i++)
        line_print(&trace->kept[i % TRACE_KEPT]);
}
