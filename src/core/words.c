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
ENUM_DEFINE(phase, PHASE_LIST, PHASES)
ENUM_DEFINE(source_kind, SOURCE_KIND_LIST, SOURCE_KINDS)
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

bool verdict_puts_off(enum verdict_kind kind)
{
    return kind == VERDICT_RETRY || kind == VERDICT_CLOSE;
}

bool verdict_goes_on(const struct verdict *verdict, enum phase phase)
{
    bool enters_tail = verdict->kind == VERDICT_CLOSED && verdict->phase == PHASE_TAIL && phase != PHASE_TAIL;
    return verdict_puts_off(verdict->kind) || enters_tail;
}

bool verdict_ends(enum verdict_kind kind)
{
    return kind == VERDICT_PAID || kind == VERDICT_REFUNDED || kind == VERDICT_CLOSED;
}

const char *park_reason_sentence(enum park_reason reason)
{
    static const char *const sentences[] = {
#define X(id, text, doubt, sentence) sentence,
        PARK_REASON_LIST(X)
#undef X
    };
    return sentences[reason];
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

/* Beside PostgreSQL's own data errors, what a shop's trigger may raise by the standard's classes and by the custom
 * of 45: such a refusal is about the row it was raised for. */
enum failure failure_of_sqlstate(const char *sqlstate)
{
    static const char *const rows[] = {"22", "23", "P0", "09", "21", "27", "38", "39", "44", "45"};
    static const char *const later[] = {"08", "25006", "40", "53", "55", "57", "58"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strncmp(sqlstate, rows[i], strlen(rows[i])) == 0)
            return FAILURE_ROW;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (strncmp(sqlstate, later[i], strlen(later[i])) == 0)
            return FAILURE_LATER;
    return FAILURE_SCHEMA;
}
