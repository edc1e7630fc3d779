/* OAuth 2.0 client credentials of the declarative channel: what is asked, what is a token, what is not (RFC 6749). */
#include "fixture.h"

static struct http_channel_spec granted_spec(void)
{
    struct http_channel_spec spec = fixture_spec();
    spec.auth = "oauth2";
    spec.auth_user = "Aladdin";
    spec.auth_token_url = "https://a.example/token";
    spec.secret = "open sesame";
    return spec;
}

static const char *header_of(const struct request *request, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < request->header_count; i++)
        if (strncmp(request->headers[i], name, length) == 0 && request->headers[i][length] == ':')
            return request->headers[i] + length + 2;
    return NULL;
}

static void the_token_is_asked_for_by_basic_and_form(void **state)
{
    (void)state;
    struct http_channel_spec spec = granted_spec();
    struct request request;
    const char *why;
    spec.auth_scope = "a b/c";
    struct channel *channel = fixture_channel(&spec);
    assert_true(channel->needs_grant);
    assert_int_equal(channel->kind->build_grant(channel, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.url, "https://a.example/token");
    assert_string_equal(request.asked, "POST https://a.example/token");
    assert_string_equal(request.body, "grant_type=client_credentials&scope=a%20b%2Fc");
    assert_string_equal(header_of(&request, "Authorization"),
                        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617, 2 */
    assert_string_equal(header_of(&request, "Content-Type"), "application/x-www-form-urlencoded");
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void questions_carry_the_token(void **state)
{
    (void)state;
    struct http_channel_spec spec = granted_spec();
    struct request request;
    const char *why;
    struct channel *channel = fixture_channel(&spec);
    struct moment moment = fixture_moment;
    assert_int_equal(channel->kind->build(channel, &fixture_order, &moment, &request, &why), -EINVAL);
    assert_string_equal(why, "there is no access token");
    moment.token = "T1";
    assert_int_equal(channel->kind->build(channel, &fixture_order, &moment, &request, &why), 0);
    assert_string_equal(header_of(&request, "Authorization"), "Bearer T1");
    request_finish(&request);
    channel->kind->destroy(channel);
}

/* status, body, lifetime in ms (0: no grant), the fault then */
static const struct {
    int status;
    const char *body;
    int64_t lifetime_ms;
    enum evidence_kind kind;
} answers[] = {
    {200, "{\"access_token\":\"T1\",\"token_type\":\"Bearer\",\"expires_in\":32400}", 32400000,
     EVIDENCE_NONE},
    {200, "{\"access_token\":\"T1\",\"token_type\":\"bearer\"}", 300000, EVIDENCE_NONE},
    {200, "{\"access_token\":\"T1\"}", 300000, EVIDENCE_NONE},
    {200, "{\"access_token\":\"T1\",\"expires_in\":999999999999}", 2592000000, EVIDENCE_NONE},
    {200, "{\"access_token\":\"T1\",\"expires_in\":0}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":\"T1\",\"expires_in\":-5}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":\"T1\",\"token_type\":\"mac\"}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":\"T1\\r\\nX-Evil: 1\"}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":\"\"}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":1}", 0, EVIDENCE_GARBAGE},
    {200, "{\"access_token\":\"T1\",\"access_token\":\"T2\"}", 0, EVIDENCE_GARBAGE},
    {200, "[]", 0, EVIDENCE_GARBAGE},
    {200, "<html>log in</html>", 0, EVIDENCE_GARBAGE},
    {201, "{\"access_token\":\"T1\"}", 0, EVIDENCE_GARBAGE},
    {400, "{\"error\":\"invalid_client\"}", 0, EVIDENCE_UNAUTHORIZED},
    {401, "{\"access_token\":\"T1\"}", 0, EVIDENCE_UNAUTHORIZED},
    {429, "", 0, EVIDENCE_RATE_LIMITED},
    {503, "", 0, EVIDENCE_SERVER_ERROR},
};

static void an_answer_is_a_token_or_a_fault(void **state)
{
    (void)state;
    struct http_channel_spec spec = granted_spec();
    struct channel *channel = fixture_channel(&spec);
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct response response = {.http_status = answers[i].status,
                                    .body = answers[i].body,
                                    .body_bytes = strlen(answers[i].body),
                                    .content_type = "",
                                    .trusted = true};
        struct evidence evidence = {.kind = EVIDENCE_NONE};
        struct grant grant = {.lifetime_ms = 0};
        bool granted = channel->kind->interpret_grant(channel, &response, &grant, &evidence);
        if (granted != (answers[i].lifetime_ms > 0) || grant.lifetime_ms != answers[i].lifetime_ms ||
            (!granted && evidence.kind != answers[i].kind))
            fail_msg("%d %s: %s", answers[i].status, answers[i].body, evidence_kind_text(evidence.kind));
        assert_string_equal(granted ? grant.token : "T1", "T1");
        assert_string_equal(evidence.body_digest, ""); /* nothing of a token goes into the audit */
        response.trusted = false;
        assert_false(channel->kind->interpret_grant(channel, &response, &grant, &evidence));
    }
    channel->kind->destroy(channel);
}

static void a_token_too_long_is_none(void **state)
{
    (void)state;
    static char body[GRANT_TOKEN_BYTES + 64];
    struct http_channel_spec spec = granted_spec();
    struct channel *channel = fixture_channel(&spec);
    struct evidence evidence;
    static struct grant grant;
    int length = snprintf(body, sizeof(body), "{\"access_token\":\"%0*d\"}", GRANT_TOKEN_BYTES, 1);
    struct response response = {
        .http_status = 200, .body = body, .body_bytes = (size_t)length, .content_type = "", .trusted = true};
    assert_false(channel->kind->interpret_grant(channel, &response, &grant, &evidence));
    assert_int_equal(evidence.kind, EVIDENCE_GARBAGE);
    channel->kind->destroy(channel);
}

static void faulty_specifications(void **state)
{
    (void)state;
    static const struct {
        const char *user, *url, *key, *words;
    } cases[] = {
        {NULL, "https://a.example/token", "auth.user", "needs auth.user"},
        {"me", NULL, "auth.token_url", "https://"},
        {"me", "http://a.example/token", "auth.token_url", "https"},
        {"me", "https://a.example/{number}", "auth.token_url", "without {"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_channel_spec spec = granted_spec();
        struct fixture_blame fixture;
        struct channel *channel;
        fixture_blame_init(&fixture);
        spec.auth_user = cases[i].user;
        spec.auth_token_url = cases[i].url;
        fixture.blame.error = http_channel_create(&channel, &spec, "", &fixture.faults);
        fixture_blame_check(&fixture, cases[i].key, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_is_asked_for_by_basic_and_form),
        cmocka_unit_test(questions_carry_the_token),
        cmocka_unit_test(an_answer_is_a_token_or_a_fault),
        cmocka_unit_test(a_token_too_long_is_none),
        cmocka_unit_test(faulty_specifications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
