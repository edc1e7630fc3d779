/* Every text of every enum is read back as its value, texts are unique, and what hangs on a value is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "makegood/engine.h"
#include "makegood/verdict.h"

/* One list: its values in order, with the texts that the header gives them. */
struct list {
    const char *name;
    const char *const *texts;
    int count;
    const char *(*text_of)(int value);
    bool (*parse)(const char *text, int *out);
};

#define TEXT_OF(id, text, ...) text,
#define LIST_OF(name, LIST)                                   \
    static const char *const name##_list[] = {LIST(TEXT_OF)}; \
    static const char *name##_word(int value)                 \
    {                                                         \
        return name##_text((enum name)value);                 \
    }                                                         \
    static bool name##_read(const char *text, int *out)       \
    {                                                         \
        enum name value = (enum name) * out;                  \
        bool found = name##_parse(text, &value);              \
        *out = (int)value;                                    \
        return found;                                         \
    }

LIST_OF(evidence_kind, EVIDENCE_KIND_LIST)
LIST_OF(verdict_kind, VERDICT_KIND_LIST)
LIST_OF(park_reason, PARK_REASON_LIST)
LIST_OF(outcome, OUTCOME_LIST)
LIST_OF(job_state, JOB_STATE_LIST)
LIST_OF(failure, FAILURE_LIST)
LIST_OF(note_kind, NOTE_LIST)

#define ENTRY(name)                                                                                       \
    {                                                                                                     \
#name, name##_list, (int)(sizeof(name##_list) / sizeof(name##_list[0])), name##_word, name##_read \
    }
static const struct list lists[] = {ENTRY(evidence_kind), ENTRY(verdict_kind), ENTRY(park_reason),
                                    ENTRY(outcome),       ENTRY(job_state),    ENTRY(failure),
                                    ENTRY(note_kind)};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

static void every_text_is_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < LISTS; i++)
        for (int value = 0; value < lists[i].count; value++) {
            int again = -1;
            assert_string_equal(lists[i].text_of(value), lists[i].texts[value]);
            assert_true(lists[i].parse(lists[i].texts[value], &again));
            if (again != value) /* also: no text stands twice */
                fail_msg("%s '%s' is read back as '%s'", lists[i].name, lists[i].texts[value],
                         lists[i].text_of(again));
        }
}

static void texts_are_one_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < LISTS; i++)
        for (int value = 0; value < lists[i].count; value++) {
            const char *text = lists[i].texts[value];
            if (strspn(text, "abcdefghijklmnopqrstuvwxyz_") != strlen(text))
                fail_msg("%s '%s' is not one lower-case word", lists[i].name, text);
        }
}

static void unknown_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"PAID", "paid ", " paid", "pai", "paidd", "nonsense", "0", "1"};
    for (size_t i = 0; i < LISTS; i++)
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            int value = 1;
            assert_false(lists[i].parse(texts[j], &value));
            assert_int_equal(value, 1); /* untouched */
        }
}

static void evidence_falls_in_its_class(void **state)
{
    (void)state;
#define X(id, text, class, meaning) assert_int_equal(evidence_class(EVIDENCE_##id), EVIDENCE_##class);
    EVIDENCE_KIND_LIST(X)
#undef X
    assert_int_equal(evidence_class(EVIDENCE_TIMEOUT), EVIDENCE_FAULT);
    assert_int_equal(evidence_class(EVIDENCE_NOT_FOUND), EVIDENCE_ANSWER);
    assert_int_equal(evidence_class(EVIDENCE_UNASKABLE), EVIDENCE_LOCAL);
}

static void doubts_are_those_of_the_list(void **state)
{
    (void)state;
#define X(id, text, doubt, sentence) assert_int_equal(park_reason_is_doubt(PARK_##id), (doubt) != 0);
    PARK_REASON_LIST(X)
#undef X
}

static void notes_have_priorities_of_syslog(void **state)
{
    (void)state;
#define X(id, text, priority) assert_int_equal(note_priority(NOTE_##id), priority);
    NOTE_LIST(X)
#undef X
    for (int i = 0; i < (int)NOTES; i++)
        assert_in_range(note_priority((enum note_kind)i), 0, 7);
}

static void sqlstates_fall_in_their_class(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum failure failure;
    } cases[] = {
        {"22P05", FAILURE_ROW},    {"23505", FAILURE_ROW},    {"P0001", FAILURE_ROW},
        {"45000", FAILURE_ROW},    {"09000", FAILURE_ROW},    {"21000", FAILURE_ROW},
        {"08006", FAILURE_LATER},  {"25006", FAILURE_LATER},  {"40001", FAILURE_LATER},
        {"40P01", FAILURE_LATER},  {"53100", FAILURE_LATER},  {"53300", FAILURE_LATER},
        {"55P03", FAILURE_LATER},  {"57014", FAILURE_LATER},  {"57P01", FAILURE_LATER},
        {"58030", FAILURE_LATER},  {"42883", FAILURE_SCHEMA}, {"42501", FAILURE_SCHEMA},
        {"25001", FAILURE_SCHEMA}, {"XX000", FAILURE_SCHEMA}, {"", FAILURE_SCHEMA},
        {"2", FAILURE_SCHEMA},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (failure_of_sqlstate(cases[i].sqlstate) != cases[i].failure)
            fail_msg("SQLSTATE '%s' is taken for '%s'", cases[i].sqlstate,
                     failure_text(failure_of_sqlstate(cases[i].sqlstate)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_is_read_back),       cmocka_unit_test(texts_are_one_word),
        cmocka_unit_test(unknown_texts_are_refused),     cmocka_unit_test(evidence_falls_in_its_class),
        cmocka_unit_test(doubts_are_those_of_the_list),  cmocka_unit_test(notes_have_priorities_of_syslog),
        cmocka_unit_test(sqlstates_fall_in_their_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
