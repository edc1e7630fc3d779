/* URL templates, their checks and their parts. */
#include "channel/url.h"

#include "fixture.h"

static void refuse(const char *text, bool plain, const char *words)
{
    struct fixture_blame fixture;
    struct template template;
    fixture_blame_init(&fixture);
    url_compile(&template, text, plain, "url", &fixture.blame);
    template_finish(&template);
    fixture_blame_check(&fixture, "url", words);
}

static void accept(const char *text, bool plain)
{
    struct fixture_blame fixture;
    struct template template;
    fixture_blame_init(&fixture);
    url_compile(&template, text, plain, "url", &fixture.blame);
    template_finish(&template);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void https_goes_anywhere(void **state)
{
    (void)state;
    static const char *const good[] = {"https://a.example",        "https://a.example/",
                                       "https://a.example:8443/x", "https://a.example?x={number}",
                                       "https://[2001:db8::1]/x",  "https://[::1]:1/x",
                                       "https://10.0.0.1/x",       "https://a-b.example/%5Bx%5d?a=b&c=~d",
                                       "https://a.example:65535/"};
    for (size_t i = 0; i < COUNT(good); i++)
        accept(good[i], false);
}

static void plain_http_goes_to_loopback_when_allowed(void **state)
{
    (void)state;
    static const char *const loopback[] = {"http://127.0.0.1/", "http://127.9.9.9:80/x",
                                           "http://localhost:8080/{number}", "http://[::1]:8080/"};
    static const char *const other[] = {"http://127.evil.com/",  "http://127.0.0.1.evil.com/",
                                        "http://localhost.com/", "http://10.0.0.1/",
                                        "http://[::2]/",         "http://0.0.0.0/",
                                        "http://127.1/",         "http://[::ffff:127.0.0.1]/",
                                        "http://LOCALHOST/"};
    for (size_t i = 0; i < COUNT(loopback); i++) {
        accept(loopback[i], true);
        refuse(loopback[i], false, "allow_plain_http");
    }
    for (size_t i = 0; i < COUNT(other); i++)
        refuse(other[i], true, "loopback");
}

static void the_host_is_literal_and_valid(void **state)
{
    (void)state;
    refuse("https://{data.h}/", false, "host");
    refuse("https://a.example{data.h}/", false, "host");
    refuse("https://a.example:{number}/", false, "host");
    refuse("https://u@a.example/", false, "user information");
    refuse("https://a.example@evil.com", false, "user information");
    refuse("https:///x", false, "host or port");
    refuse("https://?x", false, "host or port");
    refuse("https://a.example:/", false, "host or port");
    refuse("https://a.example:0/", false, "host or port");
    refuse("https://a.example:65536/", false, "host or port");
    refuse("https://a.example:123456/", false, "host or port");
    refuse("https://a.example:8x/", false, "host or port");
    refuse("https://a_b.example/", false, "host or port");
    refuse("https://[zz]/", false, "host or port");
    refuse("HTTPS://a.example/", false, "small letters");
    refuse("https:/a.example/", false, "https://");
    refuse("{number}", false, "https://");
    refuse("", false, "missing");
    refuse(NULL, false, "missing");
}

static void the_text_is_encoded(void **state)
{
    (void)state;
    refuse("https://a.example/a b", false, "0x20");
    refuse("https://a.example/?a[]=b", false, "0x5b");
    refuse("https://a.example/%", false, "0x25");
    refuse("https://a.example/%4", false, "0x25");
    refuse("https://a.example/#x", false, "fragment");
    refuse("https://a.example/\"", false, "0x22");
    refuse("https://a.example/{{x}}", false, "0x7b");
    refuse("https://a.example/\r\n", false, "0x0d");
    refuse("https://a.example/a/../b", false, "segment");
    refuse("https://a.example/./b", false, "segment");
    refuse("https://a.example/..?x", false, "segment");
    accept("https://a.example/a..b/...?x=/../", false);
}

static int build(const char *text, const char *data, char **out, const char **why)
{
    struct fixture_blame fixture;
    struct template template;
    json_t *json = fixture_json(data);
    struct template_values values = {.order = &fixture_order, .moment = &fixture_moment, .data = json};
    fixture_blame_init(&fixture);
    url_compile(&template, text, false, "url", &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    *why = "";
    *out = NULL;
    int error = url_build(&template, &values, out, why);
    template_finish(&template);
    json_decref(json);
    return error;
}

static void values_can_not_leave_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        const char *url;
    } rows[] = {{"{\"v\":\"a/../b\"}", "https://a.example/x/a%2F..%2Fb/y"},
                {"{\"v\":\"?q#f@h:1\"}", "https://a.example/x/%3Fq%23f%40h%3A1/y"},
                {"{\"v\":\"...\"}", "https://a.example/x/.../y"},
                {"{\"v\":\"%2e%2e\"}", "https://a.example/x/%252e%252e/y"},
                {"{\"v\":\"..\"}", NULL},
                {"{\"v\":\".\"}", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *url;
        const char *why;
        int error = build("https://a.example/x/{data.v}/y", rows[i].data, &url, &why);
        assert_int_equal(error, rows[i].url ? 0 : -EINVAL);
        if (rows[i].url)
            assert_string_equal(url, rows[i].url);
        else
            assert_non_null(strstr(why, "segment"));
        free(url);
    }
}

static void dots_in_a_query_are_fine(void **state)
{
    (void)state;
    char *url;
    const char *why;
    assert_int_equal(build("https://a.example/x?y=/{data.v}/", "{\"v\":\"..\"}", &url, &why), 0);
    assert_string_equal(url, "https://a.example/x?y=/../");
    free(url);
}

static void a_url_has_parts(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *path;
        const char *query;
    } rows[] = {{"https://h", "/", ""},
                {"https://h/", "/", ""},
                {"https://h?a=b", "/", "a=b"},
                {"https://h/p/q", "/p/q", ""},
                {"https://h/p?a=/b?c", "/p", "a=/b?c"},
                {"https://h/p?", "/p", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t length;
        const char *path = url_path(rows[i].url, &length);
        assert_int_equal(length, strlen(rows[i].path));
        assert_memory_equal(path, rows[i].path, length);
        assert_string_equal(url_query(rows[i].url), rows[i].query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_goes_anywhere),
        cmocka_unit_test(plain_http_goes_to_loopback_when_allowed),
        cmocka_unit_test(the_host_is_literal_and_valid),
        cmocka_unit_test(the_text_is_encoded),
        cmocka_unit_test(values_can_not_leave_their_place),
        cmocka_unit_test(dots_in_a_query_are_fine),
        cmocka_unit_test(a_url_has_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
