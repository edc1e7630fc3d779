/* Building and interpreting, beside the golden cases: totality, ownership, several threads. */
#include <pthread.h>

#include "fixture.h"

static struct evidence interpret(const struct channel *channel, int status, const char *body, size_t length)
{
    struct evidence found;
    memset(&found, 0xa5, sizeof(found));
    struct response response = {
        .http_status = status, .body = body, .body_bytes = length, .content_type = "", .trusted = true};
    channel->kind->interpret(channel, &fixture_order, &fixture_moment, &response, &found);
    return found;
}

#define PAID "{\"id\":\"P1\",\"status\":\"ok\",\"amount\":1234,\"currency\":\"EUR\"}"

static void a_fresh_evidence_is_written_whole(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    struct channel *channel = fixture_channel(&spec);
    struct evidence found = interpret(channel, 500, NULL, 0);
    assert_int_equal(found.kind, EVIDENCE_SERVER_ERROR);
    assert_true(found.authentic && !found.merchant_differs && !found.has_amount && !found.has_refunded);
    assert_true(found.amount_minor == 0 && found.refunded_minor == 0);
    assert_true(!*found.currency && !*found.channel_number && !*found.code && !*found.rule &&
                !*found.body_digest);
    channel->kind->destroy(channel);
}

static bool is_error(int status)
{
    return status / 100 == 3 || status / 100 == 5 || status == 401 || status == 403 || status == 408 ||
           status == 429;
}

static void any_status_with_any_body_has_an_outcome(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", PAID, "<html>", "{}", "[]", "{\"id\":\"P2\"}"};
    struct http_channel_spec spec = fixture_spec();
    struct channel *channel = fixture_channel(&spec);
    for (int status = -1; status < 1000; status++) {
        for (size_t i = 0; i < COUNT(bodies); i++) {
            struct evidence found = interpret(channel, status, bodies[i], strlen(bodies[i]));
            assert_true(found.kind > EVIDENCE_UNASKABLE && found.kind < EVIDENCE_KINDS);
            assert_true((found.kind == EVIDENCE_PAID) == (i == 1 && !is_error(status)));
        }
    }
    channel->kind->destroy(channel);
}

static void the_cap_is_the_channels(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    spec.transport.body_max_bytes = (int64_t)strlen(PAID);
    struct channel *channel = fixture_channel(&spec);
    assert_int_equal(interpret(channel, 200, PAID, strlen(PAID)).kind, EVIDENCE_PAID);
    assert_int_equal(interpret(channel, 200, PAID " ", strlen(PAID) + 1).kind, EVIDENCE_TOO_LARGE);
    channel->kind->destroy(channel);
}

/* Members and depth far beyond what a provider sends, under a generous cap. */
static void bombs_are_read_or_refused_in_time(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    spec.transport.body_max_bytes = 8 << 20;
    struct channel *channel = fixture_channel(&spec);
    struct draft draft = {0};
    char member[32];
    draft_say(&draft, "{");
    for (int i = 0; i < 100000; i++) {
        snprintf(member, sizeof(member), "\"k%d\":%d,", i, i);
        draft_say(&draft, member);
    }
    draft_say(&draft, &PAID[1]);
    char *many = draft_take(&draft);
    assert_int_equal(interpret(channel, 200, many, strlen(many)).kind, EVIDENCE_PAID);
    free(many);
    char *deep = malloc(4 << 20);
    assert_non_null(deep);
    memset(deep, '[', 4 << 20);
    assert_int_equal(interpret(channel, 200, deep, 4 << 20).kind, EVIDENCE_GARBAGE);
    free(deep);
    channel->kind->destroy(channel);
}

static void a_body_need_not_end_in_nul(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    struct channel *channel = fixture_channel(&spec);
    size_t length = strlen(PAID);
    char *exact = malloc(length);
    assert_non_null(exact);
    memcpy(exact, PAID, length);
    assert_int_equal(interpret(channel, 200, exact, length).kind, EVIDENCE_PAID);
    free(exact);
    channel->kind->destroy(channel);
}

static void what_is_asked_is_cut_and_without_the_query(void **state)
{
    (void)state;
    char url[600] = "https://a.example/";
    memset(url + 18, 'p', 400);
    memcpy(url + 418, "?key=1", 7);
    struct http_channel_spec spec = fixture_spec();
    struct request request;
    const char *why;
    spec.url = url;
    struct channel *channel = fixture_channel(&spec);
    assert_int_equal(channel->kind->build(channel, &fixture_order, &fixture_moment, &request, &why), 0);
    assert_int_equal(strlen(request.asked), ASKED_BYTES - 1);
    assert_int_equal(strlen(request.url), 424);
    assert_null(strchr(request.asked, '?'));
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void the_most_headers_fit(void **state)
{
    (void)state;
    struct http_header_spec headers[20];
    static char names[20][8];
    struct http_channel_spec spec = fixture_spec();
    struct request request;
    const char *why;
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(names[i]), "X-%d", i);
        headers[i] = (struct http_header_spec){names[i], "v"};
    }
    spec.method = "POST";
    spec.body = "{}";
    spec.headers = headers;
    spec.header_count = 20;
    spec.auth = "bearer";
    spec.secret = "s";
    struct channel *channel = fixture_channel(&spec);
    assert_int_equal(channel->kind->build(channel, &fixture_order, &fixture_moment, &request, &why), 0);
    assert_int_equal(request.header_count, REQUEST_HEADERS_MAX);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void *use(void *self)
{
    const struct channel *channel = self;
    for (int i = 0; i < 300; i++) {
        struct request request;
        const char *why;
        int error = channel->kind->build(channel, &fixture_order, &fixture_moment, &request, &why);
        if (error || strcmp(request.body, "{\"a\":[\"P1\",1,null]}") != 0)
            return NULL;
        request_finish(&request);
        if (interpret(channel, 200, PAID, strlen(PAID)).kind != EVIDENCE_PAID)
            return NULL;
    }
    return self;
}

static void several_threads_may_use_one_channel(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    pthread_t threads[4];
    spec.method = "POST";
    spec.body = "{\"a\":[\"{number}\",1,null]}";
    spec.auth = "hmac-sha256";
    spec.auth_header = "S";
    spec.auth_text = "{body}";
    spec.secret = "s";
    struct channel *channel = fixture_channel(&spec);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, channel), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *finished;
        assert_int_equal(pthread_join(threads[i], &finished), 0);
        assert_ptr_equal(finished, channel);
    }
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_evidence_is_written_whole),
        cmocka_unit_test(any_status_with_any_body_has_an_outcome),
        cmocka_unit_test(the_cap_is_the_channels),
        cmocka_unit_test(bombs_are_read_or_refused_in_time),
        cmocka_unit_test(a_body_need_not_end_in_nul),
        cmocka_unit_test(what_is_asked_is_cut_and_without_the_query),
        cmocka_unit_test(the_most_headers_fit),
        cmocka_unit_test(several_threads_may_use_one_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
