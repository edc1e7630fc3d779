/* Configured headers. */
#include "channel/header.h"

#include "fixture.h"

static void names_are_tokens(void **state)
{
    (void)state;
    assert_true(header_name_is_token("X-Api_Key.2~"));
    static const char *const bad[] = {"", "X A", "X:", "X\r\n", "\xc3\xa9", "X(", "X\"", "X/"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(header_name_is_token(bad[i]));
    char name[70];
    memset(name, 'x', sizeof(name));
    name[64] = '\0';
    assert_true(header_name_is_token(name));
    name[64] = 'x';
    name[65] = '\0';
    assert_false(header_name_is_token(name));
}

static void values_are_clean(void **state)
{
    (void)state;
    assert_true(header_value_is_clean("a b;c=\"~\""));
    static const char *const bad[] = {"",     " ",    " a",    "a ",       "a\tb",
                                      "a\rb", "a\nb", "a\x7f", "\xc3\xa9", "\x01"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(header_value_is_clean(bad[i]));
}

static void the_transports_headers_are_ours(void **state)
{
    (void)state;
    assert_true(header_name_is_ours("host") && header_name_is_ours("CONTENT-LENGTH"));
    assert_true(header_name_is_ours("Transfer-Encoding") && header_name_is_ours("Accept-Encoding"));
    assert_false(header_name_is_ours("Accept") || header_name_is_ours("Content-Type"));
}

static void headers_are_found_without_case(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    struct headers headers;
    struct http_header_spec items[] = {{"X-One", "1"}, {"accept", "text/json"}};
    struct http_channel_spec spec = {.headers = items, .header_count = 2};
    fixture_blame_init(&fixture);
    headers_compile(&headers, &spec, &fixture.blame);
    assert_true(headers_have(&headers, "Accept") && headers_have(&headers, "x-one"));
    assert_false(headers_have(&headers, "X-On"));
    headers_finish(&headers);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void a_line_is_written(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    struct headers headers;
    struct http_header_spec item = {"X-Order", "no {order_no} of {currency}"};
    struct http_channel_spec spec = {.headers = &item, .header_count = 1};
    struct template_values values = {.order = &fixture_order, .moment = &fixture_moment};
    struct request request = {0};
    const char *why = "";
    fixture_blame_init(&fixture);
    headers_compile(&headers, &spec, &fixture.blame);
    assert_int_equal(header_add(&headers.items[0], &values, &request, &why), 0);
    assert_string_equal(request.headers[0], "X-Order: no A1 of EUR");
    struct lost_order bad = fixture_order;
    bad.order_no[0] = '\n';
    values.order = &bad;
    assert_int_equal(header_add(&headers.items[0], &values, &request, &why), -EINVAL);
    assert_int_equal(request.header_count, 1);
    request_finish(&request);
    headers_finish(&headers);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void bad_headers_are_told(void **state)
{
    (void)state;
    static const struct {
        struct http_header_spec header;
        const char *key;
        const char *words;
    } rows[] = {{{NULL, "a"}, "headers[0].name", "consists of"},
                {{"X", NULL}, "headers[0].value", "neither empty"},
                {{"Host", "a"}, "headers[0].name", "own to set"},
                {{"AUTHORIZATION", "a"}, "headers[0].name", "auth"},
                {{"X", "{secret}"}, "headers[0].value", "secret_file"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct headers headers;
        struct http_header_spec item = rows[i].header;
        struct http_channel_spec spec = {.headers = &item, .header_count = 1};
        fixture_blame_init(&fixture);
        headers_compile(&headers, &spec, &fixture.blame);
        headers_finish(&headers);
        fixture_blame_check(&fixture, rows[i].key, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_are_clean),
        cmocka_unit_test(the_transports_headers_are_ours),
        cmocka_unit_test(headers_are_found_without_case),
        cmocka_unit_test(a_line_is_written),
        cmocka_unit_test(bad_headers_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
