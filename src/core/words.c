/* The texts of every enum, from their one list. Pure; any thread. */
#include <assert.h>
#include <string.h>

#include "makegood/engine.h"
#include "makegood/verdict.h"

static int text_find(const char *const *texts, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return i;
    return -1;
}

#define TEXT_OF(id, text, ...) text,

#define ENUM_DEFINE(name, list, count)                         \
    static const char *const name##_texts[] = {list(TEXT_OF)}; \
    const char *name##_text(enum name value)                   \
    {                                                          \
        assert((int)value >= 0 && (int)value < (int)(count));  \
        return name##_texts[value];                            \
    }                                                          \
    bool name##_parse(const char *text, enum name *out)        \
    {                                                          \
        int found = text_find(name##_texts, (count), text);    \
        if (found >= 0)                                        \
            *out = (enum name)found;                           \
        return found >= 0;                                     \
    }

ENUM_DEFINE(evidence_kind, EVIDENCE_KIND_LIST, EVIDENCE_KINDS)
ENUM_DEFINE(verdict_kind, VERDICT_KIND_LIST, VERDICT_KINDS)
ENUM_DEFINE(park_reason, PARK_REASON_LIST, PARK_REASONS)
ENUM_DEFINE(outcome, OUTCOME_LIST, OUTCOMES)
ENUM_DEFINE(job_state, JOB_STATE_LIST, JOB_STATES)
ENUM_DEFINE(failure, FAILURE_LIST, FAILURES)
ENUM_DEFINE(note_kind, NOTE_LIST, NOTES)

enum evidence_class evidence_class(enum evidence_kind kind)
{
    static const enum evidence_class classes[] = {
#define X(id, text, class, meaning) EVIDENCE_##class,
        EVIDENCE_KIND_LIST(X)
#undef X
    };
    assert((int)kind >= 0 && kind < EVIDENCE_KINDS);
    return classes[kind];
}

bool park_reason_is_doubt(enum park_reason reason)
{
    static const bool doubts[] = {
#define X(id, text, doubt, sentence) doubt,
        PARK_REASON_LIST(X)
#undef X
    };
    assert((int)reason >= 0 && reason < PARK_REASONS);
    return doubts[reason];
}

int note_priority(enum note_kind kind)
{
    static const int priorities[] = {
#define X(id, text, priority) priority,
        NOTE_LIST(X)
#undef X
    };
    assert((int)kind >= 0 && kind < NOTES);
    return priorities[kind];
}

enum failure failure_of_sqlstate(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum failure failure;
    } classes[] = {
        {"22", FAILURE_ROW},      {"23", FAILURE_ROW},   {"P0", FAILURE_ROW},   {"08", FAILURE_LATER},
        {"25006", FAILURE_LATER}, {"40", FAILURE_LATER}, {"53", FAILURE_LATER}, {"55", FAILURE_LATER},
        {"57", FAILURE_LATER},    {"58", FAILURE_LATER},
    };
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].failure;
    return FAILURE_SCHEMA;
}
