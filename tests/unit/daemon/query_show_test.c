/* What a person and a script are shown of one question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/query_show.h"

#define SECRET "canary-5ecret"

static bool is_told_by(const struct channel *channel, const char *text)
{
    (void)channel;
    return strstr(text, SECRET) != NULL;
}

static const struct channel_kind kind = {.name = "test", .is_told_by = is_told_by};
static const struct channel channel = {.kind = &kind, .name = "shop"};
static const struct policy policy = {.channel = "shop",
                                     .schedule = {{5000, 90000}, 2},
                                     .jitter_percent = 20,
                                     .error_first_ms = 3000,
                                     .error_max_ms = 9000,
                                     .unknown_limit = 3,
                                     .retry_after_max_ms = 60000,
                                     .horizon_ms = 86400000};

static void request_give(struct query *query)
{
    const struct request request = {.method = (char[]){"POST"},
                                    .url = (char[]){"https://a.example/q?key=0123456789"},
                                    .headers = {(char[]){"Authorization: Bearer " SECRET}},
                                    .header_count = 1,
                                    .body = (char[]){"n=1"},
                                    .body_bytes = 3};
    assert_int_equal(request_copy(&query->request, &request), 0);
}

static void answer_give(struct query *query, const char *body)
{
    const struct response response = {.http_status = 200,
                                      .body = body,
                                      .body_bytes = strlen(body),
                                      .content_type = "application/json",
                                      .trusted = true};
    assert_int_equal(kept_copy(&query->answer, &response), 0);
}

/* Paid, 12.34 CNY; nobody said what the order costs. */
static struct query *query_make(void)
{
    struct query *query = calloc(1, sizeof(*query));
    assert_non_null(query);
    query->channel = &channel;
    query->trial.policy = &policy;
    query->trial.order = (struct lost_order){.number = "pi_1", .left_ms = NO_END, .claims = 1};
    query->trial.evidence = (struct evidence){.kind = EVIDENCE_PAID,
                                              .authentic = true,
                                              .has_amount = true,
                                              .amount_minor = 1234,
                                              .currency = "CNY",
                                              .rule = "settled",
                                              .http_status = 200,
                                              .latency_ms = 7};
    request_give(query);
    answer_give(query, "{\"id\":\"pi_1\"}");
    return query;
}

static void query_drop(struct query *query)
{
    request_finish(&query->request);
    kept_finish(&query->answer);
    free(query);
}

/* To be freed. */
static char *shown(struct query *query, bool colours)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    trial_decide(&query->trial);
    query_show(out, colours, query, "makegood.yaml");
    fclose(out);
    return text;
}

/* And drops the query. */
static void check_shown(struct query *query, const char *part)
{
    char *text = shown(query, false);
    if (!strstr(text, part))
        fail_msg("it does not say \"%s\": %s", part, text);
    assert_null(strstr(text, SECRET));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "\nNothing was written: "));
    free(text);
    query_drop(query);
}

static struct query *query_costing(int64_t minor, const char *currency)
{
    struct query *query = query_make();
    query->trial.has_amount = true;
    query->trial.order.amount_minor = minor;
    snprintf(query->trial.order.currency, CURRENCY_BYTES, "%s", currency);
    return query;
}

static struct query *query_of(enum evidence_kind evidence)
{
    struct query *query = query_make();
    query->trial.evidence.kind = evidence;
    query->trial.evidence.has_amount = false;
    return query;
}

static void verdicts_are_sentences(void **state)
{
    (void)state;
    check_shown(query_make(), "it would be paid, if the order's amount is 12.34 CNY\n");
    check_shown(query_make(), "not checked      the amount; say it as --amount");
    check_shown(query_costing(1234, "CNY"), "it would be paid\n");
    check_shown(
        query_costing(1235, "CNY"),
        "it would be parked as amount_mismatch: the channel's amount is 12.34 CNY, the order's 12.35 CNY\n");
    check_shown(
        query_costing(1234, "JPY"),
        "it would be parked as currency_mismatch: the channel's amount is 12.34 CNY, the order's 1234 JPY\n");
    check_shown(query_of(EVIDENCE_PENDING), "it would be asked again in 90s\n"); /* no jitter in a trial */
    check_shown(query_of(EVIDENCE_TIMEOUT), "it would be asked again in 3s\n");
    check_shown(query_of(EVIDENCE_CLOSED), "it would be closed\n");
    struct query *query = query_make();
    query->trial.evidence.merchant_differs = true;
    check_shown(query, "it would be parked as merchant_mismatch: the answer names another merchant or app\n");
}

/* Law 1 holds for trials as well. */
static void what_is_not_authentic_is_no_answer(void **state)
{
    (void)state;
    struct query *query = query_make();
    query->trial.evidence.authentic = false;
    check_shown(query, "by the rule      unauthentic (of doc/decide.md)");
}

static void what_was_taken_over_is_not_kept(void **state)
{
    (void)state;
    struct query *query = query_make();
    trial_decide(&query->trial);
    assert_int_equal(query->trial.verdict.kind, VERDICT_PAID);
    assert_int_equal(query->trial.order.amount_minor, 0);
    assert_string_equal(query->trial.order.currency, "");
    query_drop(query);
}

static void requests_are_shown(void **state)
{
    (void)state;
    check_shown(query_make(),
                "  POST https://a.example/q?key=0123***[10]\n  Authorization: Bearer cana***[13]\n\n  n=1\n");
    struct query *query = query_make();
    request_finish(&query->request);
    check_shown(query, "Request\n  nothing was sent\n");
}

static void answers_are_shown(void **state)
{
    (void)state;
    check_shown(query_make(), "  HTTP 200 after 7 ms, 13 bytes\n  Content-Type: application/json\n\n  {\n    "
                              "\"id\": \"pi_1\"\n  }\n");
    struct query *query = query_make();
    kept_finish(&query->answer);
    check_shown(query, "Answer\n  none that is whole\n");
    query = query_make();
    kept_finish(&query->answer);
    answer_give(query, "<p>\x1b[2J\r\nbad\n\n");
    check_shown(query, "\n  <p>\\x1b[2J\n  bad\n  \n\nEvidence");
}

static void long_answers_are_cut(void **state)
{
    (void)state;
    enum { CHARACTERS = 4000 }; /* of three bytes each; 8192 is within the 2731st */
    static char body[3 * CHARACTERS + 1];
    for (int i = 0; i < CHARACTERS; i++)
        memcpy(body + 3 * i, "\xe6\x94\xaf", 3);
    struct query *query = query_make();
    kept_finish(&query->answer);
    answer_give(query, body);
    char *text = shown(query, false);
    assert_int_equal(strspn(text + strcspn(text, "\xe6"), "\xe6\x94\xaf"), 2730 * 3);
    assert_non_null(strstr(text, "(cut here, of 12000 bytes; --json or --save has all of it)"));
    free(text);
    json_t *object = query_json(query);
    assert_int_equal(json_string_length(json_object_get(json_object_get(object, "answer"), "body")), 12000);
    json_decref(object);
    query_drop(query);
}

static void colours_are_only_added(void **state)
{
    (void)state;
    struct query *query = query_make();
    char *plain = shown(query, false);
    char *coloured = shown(query, true);
    assert_non_null(strstr(coloured, "\x1b[1;32mpaid, if"));
    char *to = coloured;
    for (const char *from = coloured; *from; from++) {
        if (*from == '\x1b')
            from = strchr(from, 'm');
        else
            *to++ = *from;
    }
    *to = '\0';
    assert_string_equal(coloured, plain);
    free(plain);
    free(coloured);
    query_drop(query);
}

static void what_was_saved_is_told(void **state)
{
    (void)state;
    struct query *query = query_make();
    strcpy(query->saved, "answers/x");
    check_shown(query, "Saved in answers/x, for your eyes only (mode 0600)");
    query = query_make();
    strcpy(query->saved, "answers/x");
    check_shown(query, "makegood replay -c makegood.yaml answers/x\n");
}

static void scripts_get_the_same(void **state)
{
    const char *sentence, *method, *header, *body, *kind_text;
    int amount, checked, written;
    (void)state;
    struct query *query = query_make();
    trial_decide(&query->trial);
    json_t *object = query_json(query);
    assert_int_equal(
        json_unpack(object, "{s:{s:s, s:[s], s:s}, s:{s:{s:s}}, s:{s:s, s:i}, s:{s:s, s:b}, s:b, s:n}",
                    "request", "method", &method, "headers", &header, "body", &body, "answer", "body", "id",
                    &body, "evidence", "kind", &kind_text, "amount_minor", &amount, "verdict", "sentence",
                    &sentence, "amount_checked", &checked, "written", &written, "saved"),
        0);
    assert_string_equal(method, "POST");
    assert_string_equal(header, "Authorization: Bearer cana***[13]");
    assert_string_equal(body, "pi_1");
    assert_string_equal(kind_text, "paid");
    assert_int_equal(amount, 1234);
    assert_string_equal(sentence, "paid, if the order's amount is 12.34 CNY");
    assert_false(checked);
    assert_false(written);
    char *text = json_dumps(object, 0);
    assert_null(strstr(text, SECRET));
    free(text);
    json_decref(object);
    query_drop(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_sentences),
        cmocka_unit_test(what_is_not_authentic_is_no_answer),
        cmocka_unit_test(what_was_taken_over_is_not_kept),
        cmocka_unit_test(requests_are_shown),
        cmocka_unit_test(answers_are_shown),
        cmocka_unit_test(long_answers_are_cut),
        cmocka_unit_test(colours_are_only_added),
        cmocka_unit_test(what_was_saved_is_told),
        cmocka_unit_test(scripts_get_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
