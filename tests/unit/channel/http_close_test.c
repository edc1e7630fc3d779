/* Closing by the declarative channel: what is asked, and that what is answered is only told. */
#include "fixture.h"

static const char *canceled[] = {"canceled"};
static const char *late[] = {"late"};
static const char *ok_status[] = {"200"};
static const char *no_content[] = {"204"};
static struct http_condition_spec is_canceled = {.at = "/status", .is = canceled, .is_count = 1};
static struct http_condition_spec is_late = {.at = "/error", .is = late, .is_count = 1};
static struct http_rule_spec rules[] = {
    {.name = "canceled",
     .evidence = "closed",
     .http = ok_status,
     .http_count = 1,
     .when = &is_canceled,
     .when_count = 1},
    {.name = "gone", .evidence = "closed", .http = no_content, .http_count = 1},
    {.name = "late", .evidence = "paid", .when = &is_late, .when_count = 1},
};
static struct http_header_spec headers[] = {{.name = "Idempotency-Key", .value = "{order_no}-cancel"}};

static struct http_channel_spec closing_spec(void)
{
    struct http_channel_spec spec = fixture_spec();
    spec.auth = "bearer";
    spec.secret = "topsecret";
    spec.close = (struct http_close_spec){.url = "https://a.example/{number}/cancel",
                                          .headers = headers,
                                          .header_count = COUNT(headers),
                                          .rules = rules,
                                          .rule_count = COUNT(rules)};
    return spec;
}

static void it_is_asked_with_the_same_credentials(void **state)
{
    (void)state;
    struct http_channel_spec spec = closing_spec();
    struct channel *channel = fixture_channel(&spec);
    struct request request;
    const char *why;
    bool key = false, credentials = false;
    assert_true(channel->can_close);
    assert_int_equal(channel->kind->build_close(channel, &fixture_order, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.url, "https://a.example/P1/cancel");
    assert_string_equal(request.asked, "POST https://a.example/P1/cancel");
    for (int i = 0; i < request.header_count; i++) {
        key = key || strcmp(request.headers[i], "Idempotency-Key: A1-cancel") == 0;
        credentials = credentials || strcmp(request.headers[i], "Authorization: Bearer topsecret") == 0;
    }
    assert_true(key && credentials);
    request_finish(&request);
    assert_int_equal(channel->kind->build(channel, &fixture_order, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.url, "https://a.example/P1"); /* the query stays as it is */
    assert_string_equal(request.method, "GET");
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void without_a_section_it_can_not(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    struct channel *channel = fixture_channel(&spec);
    assert_false(channel->can_close);
    channel->kind->destroy(channel);
}

static void an_answer_is_told_by_its_own_rules(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum evidence_kind kind;
        const char *rule;
    } cases[] = {
        {200, "{\"id\":\"P1\",\"status\":\"canceled\"}", EVIDENCE_CLOSED, "canceled"},
        {204, "", EVIDENCE_CLOSED, "gone"},
        {400, "{\"error\":\"late\"}", EVIDENCE_PAID, "late"},
        {200, "{\"id\":\"P1\",\"status\":\"ok\"}", EVIDENCE_UNMATCHED,
         ""}, /* the query's rules are not asked */
        {200, "<html>", EVIDENCE_GARBAGE, ""},
        {401, "{}", EVIDENCE_UNAUTHORIZED, ""},
        {429, "", EVIDENCE_RATE_LIMITED, ""},
        {500, "", EVIDENCE_SERVER_ERROR, ""},
    };
    struct http_channel_spec spec = closing_spec();
    struct channel *channel = fixture_channel(&spec);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct response response = {.http_status = cases[i].status,
                                    .body = cases[i].body,
                                    .body_bytes = strlen(cases[i].body),
                                    .content_type = "",
                                    .trusted = true};
        struct evidence evidence;
        channel->kind->interpret_close(channel, &fixture_order, &fixture_moment, &response, &evidence);
        if (evidence.kind != cases[i].kind || strcmp(evidence.rule, cases[i].rule) != 0)
            fail_msg("%d %s: %s by \"%s\"", cases[i].status, cases[i].body, evidence_kind_text(evidence.kind),
                     evidence.rule);
        assert_false(evidence.has_amount);
        response.trusted = false;
        channel->kind->interpret_close(channel, &fixture_order, &fixture_moment, &response, &evidence);
        assert_int_equal(evidence.kind, EVIDENCE_UNTRUSTED);
    }
    channel->kind->destroy(channel);
}

static void faults_are_told_in_its_section(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct http_channel_spec spec = closing_spec();
        struct fixture_blame fixture;
        struct channel *channel;
        static const char *const keys[] = {"close.url", "close.method", "close.rules", "close.url"};
        static const char *const words[] = {"https", "no method", "no rule yields closed",
                                            "holds the secret"};
        fixture_blame_init(&fixture);
        if (i == 0)
            spec.close.url = "http://a.example/{number}";
        else if (i == 1)
            spec.close.method = "PUT";
        else if (i == 2)
            spec.close.rule_count = 0;
        else
            spec.close.url = "https://a.example/topsecret";
        fixture.blame.error = http_channel_create(&channel, &spec, "", &fixture.faults);
        fixture_blame_check(&fixture, keys[i], words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_with_the_same_credentials),
        cmocka_unit_test(without_a_section_it_can_not),
        cmocka_unit_test(an_answer_is_told_by_its_own_rules),
        cmocka_unit_test(faults_are_told_in_its_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
