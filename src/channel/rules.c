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

static bool status_matches(const struct rule *rule, int http_status)
{
    for (unsigned i = 0; i < rule->http_count; i++)
        if (http_status >= rule->http[i].least && http_status <= rule->http[i].most)
            return true;
    return rule->http_count == 0;
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
