/* Evaluating rules. Compiled elsewhere (rules_compile.c), used by the workers. Total: what is not there does
 * not match. */
#include "channel/rules.h"

#include "channel/json.h"

bool kind_is_payment(enum evidence_kind kind)
{
    return kind == EVIDENCE_PAID || kind == EVIDENCE_PAID_FLAGGED || kind == EVIDENCE_REFUNDED;
}

bool kind_is_answer(enum evidence_kind kind)
{
    return evidence_class(kind) == EVIDENCE_ANSWER;
}

struct tally {
    const struct condition *condition;
    unsigned elements;
    unsigned matches;
};

static bool value_matches(const struct condition *condition, const json_t *value)
{
    if (!condition->is.count)
        return json_is_there(value);
    for (unsigned i = 0; value && i < condition->is.count; i++)
        if (json_value_is(value, condition->is.items[i]))
            return true;
    return false;
}

/* An element without the value counts as one that does not match. */
static bool tally_add(void *self, const json_t *element)
{
    struct tally *tally = self;
    tally->elements++;
    tally->matches += value_matches(tally->condition, pointer_find(&tally->condition->at, element));
    return true;
}

static bool condition_holds(const struct condition *condition, const json_t *answer)
{
    struct tally tally = {.condition = condition};
    pointer_each(&condition->over, answer, tally_add, &tally);
    if (condition->match == MATCH_NONE)
        return tally.matches == 0;
    return tally.matches > 0 && (condition->match == MATCH_ANY || tally.matches == tally.elements);
}

enum evidence_kind kind_of_status(int http_status)
{
    static const struct {
        int least;
        int most;
        enum evidence_kind kind;
    } rows[] = {
        {429, 429, EVIDENCE_RATE_LIMITED}, {401, 401, EVIDENCE_UNAUTHORIZED},
        {403, 403, EVIDENCE_UNAUTHORIZED}, {408, 408, EVIDENCE_SERVER_ERROR},
        {500, 599, EVIDENCE_SERVER_ERROR}, {300, 399, EVIDENCE_UNMATCHED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (http_status >= rows[i].least && http_status <= rows[i].most)
            return rows[i].kind;
    return EVIDENCE_NONE;
}

/* A status that is an error by itself carries an answer only where the rule names that very status: neither
 * silence nor a class is leave enough (correctness 19). */
static bool status_matches(const struct rule *rule, int http_status)
{
    bool doubtful = kind_is_answer(rule->kind) && kind_of_status(http_status) != EVIDENCE_NONE;
    for (unsigned i = 0; i < rule->http_count; i++) {
        const struct status_range *range = &rule->http[i];
        if (http_status >= range->least && http_status <= range->most)
            if (!doubtful || range->least == range->most)
                return true;
    }
    return rule->http_count == 0 && !doubtful;
}

static bool rule_holds(const struct rule *rule, int http_status, const json_t *answer)
{
    if (!status_matches(rule, http_status) || (rule->when_count && !answer))
        return false;
    for (unsigned i = 0; i < rule->when_count; i++)
        if (!condition_holds(&rule->when[i], answer))
            return false;
    return true;
}

const struct rule *rules_find(const struct rules *rules, int http_status, const json_t *answer)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (rule_holds(&rules->items[i], http_status, answer))
            return &rules->items[i];
    return NULL;
}
