/* The golden suite: every folder of tests/golden/cases is one test. Runs from the project's folder; another
 * folder of cases may be given as the argument. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "case.h"

#define CASES_MAX   1000
#define CASES_LEAST 150 /* a suite that finds fewer was run from the wrong folder */

/* Members of an object that are looked up are counted, so that a misspelt expectation fails. */
static json_t *expected(json_t *object, const char *name, size_t *used)
{
    json_t *value = json_object_get(object, name);
    *used += value != NULL;
    return value;
}

static void check_text(json_t *object, const char *name, const char *found, bool always, size_t *used)
{
    json_t *value = expected(object, name, used);
    if (value || always)
        assert_string_equal(found, value ? json_string_value(value) : "");
}

static void check_flag(json_t *object, const char *name, bool found, bool usually, size_t *used)
{
    json_t *value = expected(object, name, used);
    assert_int_equal(found, value ? json_is_true(value) : usually);
}

static void check_amount(json_t *object, const char *name, bool has, int64_t found, size_t *used)
{
    json_t *value = expected(object, name, used);
    assert_int_equal(has, value != NULL);
    assert_true(found == json_integer_value(value));
}

static void check_evidence(struct golden *golden, json_t *want)
{
    struct evidence found = {.latency_ms = 7, .retry_after_ms = 8, .asked = "left alone"};
    size_t used = 0;
    golden->channel->kind->interpret(golden->channel, &golden->order, &golden->moment, &golden->response,
                                     &found);
    check_text(want, "kind", evidence_kind_text(found.kind), true, &used);
    check_flag(want, "authentic", found.authentic, true, &used);
    check_flag(want, "merchant_differs", found.merchant_differs, false, &used);
    check_amount(want, "amount_minor", found.has_amount, found.amount_minor, &used);
    check_amount(want, "refunded_minor", found.has_refunded, found.refunded_minor, &used);
    check_text(want, "currency", found.currency, true, &used);
    check_text(want, "channel_number", found.channel_number, true, &used);
    check_text(want, "rule", found.rule, false, &used);
    check_text(want, "code", found.code, false, &used);
    check_text(want, "body_digest", found.body_digest, false, &used);
    assert_int_equal(strlen(found.body_digest), golden->response.body_bytes ? 64 : 0);
    assert_true(found.latency_ms == 7 && found.retry_after_ms == 8 && strcmp(found.asked, "left alone") == 0);
    assert_int_equal(used, json_object_size(want));
}

static void check_headers(const struct request *found, json_t *want)
{
    assert_int_equal(found->header_count, json_array_size(want));
    for (int i = 0; i < found->header_count; i++)
        assert_string_equal(found->headers[i], json_string_value(json_array_get(want, (size_t)i)));
}

static void check_request(struct golden *golden, json_t *want)
{
    struct request found;
    const char *why;
    size_t used = 0;
    int error = golden->channel->kind->build(golden->channel, &golden->order, &golden->moment, &found, &why);
    if (error)
        fail_msg("unaskable: %s", why);
    check_text(want, "method", found.method, true, &used);
    check_text(want, "url", found.url, true, &used);
    check_text(want, "asked", found.asked, true, &used);
    check_text(want, "body", found.body ? found.body : "", true, &used);
    assert_int_equal(found.body_bytes, found.body ? strlen(found.body) : 0);
    check_headers(&found, expected(want, "headers", &used));
    assert_int_equal(used, json_object_size(want));
    request_finish(&found);
}

static void check_unaskable(struct golden *golden, json_t *want)
{
    struct request found;
    const char *why = NULL;
    int error = golden->channel->kind->build(golden->channel, &golden->order, &golden->moment, &found, &why);
    assert_int_equal(error, -EINVAL);
    assert_non_null(strstr(why, json_string_value(want)));
    assert_null(found.url);
}

static bool fault_is_told(const struct faults *faults, const char *path, const char *says)
{
    for (size_t i = 0; i < faults->count; i++)
        if (strcmp(faults->items[i].path, path) == 0 && strstr(faults->items[i].text, says))
            return true;
    return false;
}

static void check_faults(struct golden *golden, json_t *want)
{
    size_t i;
    json_t *fault;
    assert_null(golden->channel);
    json_array_foreach(want, i, fault)
    {
        const char *path = json_string_value(json_object_get(fault, "path"));
        const char *says = json_string_value(json_object_get(fault, "says"));
        if (!fault_is_told(&golden->faults, path, says))
            fail_msg("no fault at %s says \"%s\"", path, says);
    }
    assert_int_equal(golden->faults.count, json_array_size(want));
}

static void check_case(void **state)
{
    struct golden golden;
    size_t used = 0;
    golden_load(&golden, *state);
    json_t *faults = expected(golden.expect, "faults", &used);
    json_t *evidence = expected(golden.expect, "evidence", &used);
    json_t *request = expected(golden.expect, "request", &used);
    json_t *unaskable = expected(golden.expect, "unaskable", &used);
    assert_true(used > 0);
    expected(golden.expect, "trusted", &used);
    expected(golden.expect, "note", &used);
    assert_int_equal(used, json_object_size(golden.expect));
    for (size_t i = 0; !faults && i < golden.faults.count; i++)
        fail_msg("refused: %s: %s", golden.faults.items[i].path, golden.faults.items[i].text);
    if (faults)
        check_faults(&golden, faults);
    if (evidence)
        check_evidence(&golden, evidence);
    if (request)
        check_request(&golden, request);
    if (unaskable)
        check_unaskable(&golden, unaskable);
    golden_finish(&golden);
}

struct suite {
    struct CMUnitTest tests[CASES_MAX];
    size_t count;
};

static void suite_add(void *self, const char *folder)
{
    struct suite *suite = self;
    char *name = strdup(folder);
    if (!name || suite->count == CASES_MAX)
        abort();
    suite->tests[suite->count++] =
        (struct CMUnitTest){.name = name, .test_func = check_case, .initial_state = name};
}

int main(int argc, char **argv)
{
    static struct suite suite;
    golden_walk(argc > 1 ? argv[1] : "tests/golden/cases", suite_add, &suite);
    if (argc == 1 && suite.count < CASES_LEAST) {
        fprintf(stderr, "only %zu cases found; run from the project's folder\n", suite.count);
        return 1;
    }
    int failed = _cmocka_run_group_tests("golden", suite.tests, suite.count, NULL, NULL);
    for (size_t i = 0; i < suite.count; i++)
        free(suite.tests[i].initial_state);
    return failed != 0; /* a count could wrap to zero as an exit code */
}
