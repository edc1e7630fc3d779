/* Evaluating rules. */
#include "channel/rules.h"

#include "fixture.h"

/* Does one condition hold? */
static bool holds(const char *over, const char *at, const char *match, const char *const *is,
                  unsigned is_count, const char *answer)
{
    struct fixture_blame fixture;
    const char *texts[4] = {0};
    memcpy(texts, is, is_count * sizeof(*is));
    struct http_condition_spec when[] = {
        {.over = over, .at = at, .match = match, .is = texts, .is_count = is_count}, {.at = "/always"}};
    struct http_rule_spec rule = {.evidence = "paid", .when = when, .when_count = 2};
    struct http_channel_spec spec = fixture_spec();
    struct rules rules;
    json_t *json = fixture_json(answer);
    json_object_set_new(json, "always", json_true());
    spec.rules = &rule;
    fixture_blame_init(&fixture);
    rules_compile(&rules, &spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    bool found = rules_find(&rules, 200, json) != NULL;
    rules_finish(&rules);
    json_decref(json);
    return found;
}
#define HOLDS(over, at, match, answer, ...)                                                                 \
    holds(over, at, match, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})), \
          answer)
#define EXISTS(over, at, match, answer) holds(over, at, match, (const char *const[]){""}, 0, answer)

static void a_value_is_one_of(void **state)
{
    (void)state;
    assert_true(HOLDS(NULL, "/s", NULL, "{\"s\":\"b\"}", "a", "b"));
    assert_true(HOLDS(NULL, "/s", "any", "{\"s\":7}", "7"));
    assert_true(HOLDS(NULL, "/s", "any", "{\"s\":null}", "null"));
    assert_true(HOLDS("/s", NULL, "all", "{\"s\":false}", "false"));
    assert_false(HOLDS(NULL, "/s", NULL, "{\"s\":\"c\"}", "a", "b"));
    assert_false(HOLDS(NULL, "/s", NULL, "{}", "null"));
    assert_false(HOLDS(NULL, "/s", NULL, "{\"s\":[\"a\"]}", "a"));
    assert_false(HOLDS(NULL, "/s", NULL, "{\"s\":7.0}", "7"));
}

static void existence_is_there_and_not_null(void **state)
{
    (void)state;
    assert_true(EXISTS(NULL, "/s", NULL, "{\"s\":[]}"));
    assert_true(EXISTS(NULL, "/s", NULL, "{\"s\":\"\"}"));
    assert_false(EXISTS(NULL, "/s", NULL, "{\"s\":null}"));
    assert_false(EXISTS(NULL, "/s", NULL, "{}"));
    assert_true(EXISTS(NULL, "/s", "none", "{\"s\":null}"));
    assert_true(EXISTS(NULL, "/s", "none", "{}"));
    assert_false(EXISTS(NULL, "/s", "none", "{\"s\":0}"));
}

static void arrays_match_any_all_none(void **state)
{
    (void)state;
    const char *mixed = "{\"l\":[{\"s\":\"a\"},{\"s\":\"b\"}]}";
    const char *same = "{\"l\":[{\"s\":\"a\"},{\"s\":\"a\"}]}";
    const char *gap = "{\"l\":[{\"s\":\"a\"},{}]}";
    const char *empty = "{\"l\":[]}";
    assert_true(HOLDS("/l/*", "/s", "any", mixed, "a"));
    assert_false(HOLDS("/l/*", "/s", "all", mixed, "a"));
    assert_true(HOLDS("/l/*", "/s", "all", mixed, "a", "b"));
    assert_true(HOLDS("/l/*", "/s", "all", same, "a"));
    assert_false(HOLDS("/l/*", "/s", "all", gap, "a"));
    assert_true(HOLDS("/l/*", "/s", "any", gap, "a"));
    assert_false(HOLDS("/l/*", "/s", "none", mixed, "a"));
    assert_true(HOLDS("/l/*", "/s", "none", same, "b"));
    assert_false(HOLDS("/l/*", "/s", "any", empty, "a"));
    assert_false(HOLDS("/l/*", "/s", "all", empty, "a"));
    assert_true(HOLDS("/l/*", "/s", "none", empty, "a"));
    assert_true(HOLDS("/l/*", "/s", "none", "{}", "a"));
}

static void the_first_rule_that_holds_wins(void **state)
{
    (void)state;
    const char *two_hundred[] = {"200", "404"};
    const char *server[] = {"5xx"};
    struct http_condition_spec a = {.at = "/a"};
    struct http_rule_spec specs[] = {
        {.evidence = "server_error", .http = server, .http_count = 1},
        {.evidence = "paid", .http = two_hundred, .http_count = 2, .when = &a, .when_count = 1},
        {.name = "later", .evidence = "pending", .when = &a, .when_count = 1},
        {.name = "rest", .evidence = "rate_limited"},
    };
    struct http_channel_spec spec = fixture_spec();
    struct fixture_blame fixture;
    struct rules rules;
    json_t *with = fixture_json("{\"a\":1}");
    json_t *without = fixture_json("{}");
    spec.rules = specs;
    spec.rule_count = COUNT(specs);
    fixture_blame_init(&fixture);
    rules_compile(&rules, &spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    assert_string_equal(rules_find(&rules, 500, with)->name, "rules[0]");
    assert_string_equal(rules_find(&rules, 599, NULL)->name, "rules[0]");
    assert_string_equal(rules_find(&rules, 200, with)->name, "rules[1]");
    assert_string_equal(rules_find(&rules, 404, with)->name, "rules[1]");
    assert_string_equal(rules_find(&rules, 201, with)->name, "later");
    assert_string_equal(rules_find(&rules, 200, without)->name, "rest");
    assert_string_equal(rules_find(&rules, 200, NULL)->name, "rest");
    rules.count = 3;
    assert_null(rules_find(&rules, 200, without));
    assert_null(rules_find(&rules, 200, NULL)); /* no condition holds about a body that could not be read */
    assert_null(rules_find(&rules, 600, without));
    rules.count = 4;
    rules_finish(&rules);
    json_decref(with);
    json_decref(without);
}

/* An error that says paid is an error, unless the rule names its very status (correctness 19). */
static void an_answer_does_not_come_as_an_error(void **state)
{
    (void)state;
    const char *classes[] = {"2xx", "3xx", "4xx", "5xx"};
    const char *very[] = {"401", "500"};
    struct http_condition_spec a = {.at = "/a"};
    struct http_rule_spec specs[] = {
        {.name = "named",
         .evidence = "not_found",
         .http = very,
         .http_count = 2,
         .when = &a,
         .when_count = 1},
        {.name = "class", .evidence = "paid", .http = classes, .http_count = 4, .when = &a, .when_count = 1},
        {.name = "silent", .evidence = "closed", .when = &a, .when_count = 1},
        {.name = "fault", .evidence = "rate_limited"},
    };
    static const int errors[] = {300, 302, 399, 403, 408, 429, 501, 503, 599};
    struct http_channel_spec spec = fixture_spec();
    struct fixture_blame fixture;
    struct rules rules;
    json_t *answer = fixture_json("{\"a\":1}");
    spec.rules = specs;
    spec.rule_count = COUNT(specs);
    fixture_blame_init(&fixture);
    rules_compile(&rules, &spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    for (size_t i = 0; i < COUNT(errors); i++)
        assert_string_equal(rules_find(&rules, errors[i], answer)->name, "fault");
    assert_string_equal(rules_find(&rules, 401, answer)->name, "named");
    assert_string_equal(rules_find(&rules, 500, answer)->name, "named");
    assert_string_equal(rules_find(&rules, 204, answer)->name, "class");
    assert_string_equal(rules_find(&rules, 404, answer)->name, "class");
    assert_string_equal(rules_find(&rules, 100, answer)->name, "silent");
    rules_finish(&rules);
    json_decref(answer);
}

static void kinds_have_their_needs(void **state)
{
    (void)state;
    assert_true(kind_is_payment(EVIDENCE_PAID) && kind_is_payment(EVIDENCE_PAID_FLAGGED));
    assert_true(kind_is_payment(EVIDENCE_REFUNDED) && !kind_is_payment(EVIDENCE_CLOSED));
    assert_true(kind_is_answer(EVIDENCE_NOT_FOUND) && !kind_is_answer(EVIDENCE_RATE_LIMITED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_one_of),         cmocka_unit_test(existence_is_there_and_not_null),
        cmocka_unit_test(arrays_match_any_all_none), cmocka_unit_test(the_first_rule_that_holds_wins),
        cmocka_unit_test(kinds_have_their_needs),    cmocka_unit_test(an_answer_does_not_come_as_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
