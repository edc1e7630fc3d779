/* Refusing rules that could settle an order without proof. The golden cases under refused/ hold the rest. */
#include "channel/rules.h"

#include "fixture.h"

static struct http_condition_spec there = {.at = "/a"};
static struct http_condition_spec absent = {.at = "/a", .match = "none"};

/* The rule comes second, after one for paid; the fault is at rules[1].KEY. */
static void refuse(struct http_rule_spec rule, const char *key, const char *words)
{
    struct http_channel_spec spec = fixture_spec();
    struct http_rule_spec specs[] = {spec.rules[0], rule};
    struct fixture_blame fixture;
    struct rules rules;
    spec.rules = specs;
    spec.rule_count = 2;
    fixture_blame_init(&fixture);
    rules_compile(&rules, &spec, &fixture.blame);
    rules_finish(&rules);
    fixture_blame_check(&fixture, key, words);
}

static void answers_need_a_positive_condition(void **state)
{
    (void)state;
    static const char *const kinds[] = {"paid", "paid_flagged", "closed", "pending", "not_found"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        refuse((struct http_rule_spec){.evidence = kinds[i]}, "rules[1].evidence",
               "HTTP status or absence alone");
        refuse((struct http_rule_spec){.evidence = kinds[i], .when = &absent, .when_count = 1},
               "rules[1].evidence", "HTTP status or absence alone");
        refuse((struct http_rule_spec){.evidence = kinds[i], .when = &there, .when_count = 1}, NULL, NULL);
    }
}

static void faults_of_a_channel_need_none(void **state)
{
    (void)state;
    static const char *const kinds[] = {"rate_limited", "unauthorized", "server_error"};
    for (size_t i = 0; i < COUNT(kinds); i++)
        refuse((struct http_rule_spec){.evidence = kinds[i]}, NULL, NULL);
}

static void only_evidence_that_a_rule_can_give(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "none",        "unaskable", "unknown_state", "timeout",   "unreachable", "untrusted", "unauthentic",
        "other_order", "unmatched", "garbage",       "too_large", "PAID",        "",          NULL};
    for (size_t i = 0; i < COUNT(kinds); i++)
        refuse((struct http_rule_spec){.evidence = kinds[i]}, "rules[1].evidence", "is no evidence");
}

static void refunded_needs_the_amount_returned(void **state)
{
    (void)state;
    refuse((struct http_rule_spec){.evidence = "refunded", .when = &there, .when_count = 1},
           "rules[1].evidence", "answer.refunded");
}

static void statuses_are_numbers_or_classes(void **state)
{
    (void)state;
    static const char *good[] = {"100", "599", "2xx", "404"};
    static const char *const bad[] = {"099", "600", "2x0", "xx", "20", "2000", "2Xx", "-20", " 20", ""};
    refuse((struct http_rule_spec){.evidence = "server_error", .http = good, .http_count = 4}, NULL, NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *http[] = {bad[i]};
        refuse((struct http_rule_spec){.evidence = "server_error", .http = http, .http_count = 1},
               "rules[1].http[0]", "HTTP status");
    }
}

static void names_are_unique(void **state)
{
    (void)state;
    refuse((struct http_rule_spec){.name = "paid", .evidence = "rate_limited"}, "rules[1].name",
           "both named");
    refuse((struct http_rule_spec){.name = "a b", .evidence = "rate_limited"}, "rules[1].name", "1 to 48");
}

static void conditions_say_where_and_how(void **state)
{
    (void)state;
    struct http_condition_spec nowhere = {.match = "any"};
    struct http_condition_spec nohow = {.at = "/a", .match = "most"};
    refuse((struct http_rule_spec){.evidence = "rate_limited", .when = &nowhere, .when_count = 1},
           "rules[1].when[0]", "needs at");
    refuse((struct http_rule_spec){.evidence = "rate_limited", .when = &nohow, .when_count = 1},
           "rules[1].when[0].match", "any, all or none");
}

static void payments_need_order_amount_and_currency(void **state)
{
    (void)state;
    for (int missing = 0; missing < 3; missing++) {
        struct http_channel_spec spec = fixture_spec();
        struct fixture_blame fixture;
        struct rules rules;
        if (missing == 0)
            spec.answer_number = NULL;
        else if (missing == 1)
            spec.amount.at = "";
        else
            spec.answer_currency = NULL;
        fixture_blame_init(&fixture);
        rules_compile(&rules, &spec, &fixture.blame);
        rules_finish(&rules);
        fixture_blame_check(&fixture, "rules[0].evidence",
                            "a rule that yields paid without order, amount and currency checks is refused");
    }
}

static void something_must_yield_paid(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    struct fixture_blame fixture;
    struct rules rules;
    spec.rule_count = 0;
    fixture_blame_init(&fixture);
    rules_compile(&rules, &spec, &fixture.blame);
    rules_finish(&rules);
    fixture_blame_check(&fixture, "rules", "no rule yields paid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_need_a_positive_condition),
        cmocka_unit_test(faults_of_a_channel_need_none),
        cmocka_unit_test(only_evidence_that_a_rule_can_give),
        cmocka_unit_test(refunded_needs_the_amount_returned),
        cmocka_unit_test(statuses_are_numbers_or_classes),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(conditions_say_where_and_how),
        cmocka_unit_test(payments_need_order_amount_and_currency),
        cmocka_unit_test(something_must_yield_paid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
