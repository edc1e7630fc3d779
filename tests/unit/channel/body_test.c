/* Bodies: JSON documents whose strings are templates, and forms. */
#include "channel/body.h"

#include "fixture.h"

static const struct money_form form;

static int build(const char *text, const char *type, const char *data, char **out, const char **why)
{
    struct fixture_blame fixture;
    struct body body;
    json_t *json = fixture_json(data);
    struct http_channel_spec spec = {.method = "POST", .body = text, .body_type = type};
    struct template_values values = {
        .order = &fixture_order, .moment = &fixture_moment, .form = &form, .data = json};
    fixture_blame_init(&fixture);
    body_compile(&body, &spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    int error = body_build(&body, &values, out, why);
    body_finish(&body);
    json_decref(json);
    return error;
}

static void check(const char *text, const char *type, const char *data, const char *expected)
{
    char *out;
    const char *why;
    assert_int_equal(build(text, type, data, &out, &why), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void a_json_body_keeps_its_shape(void **state)
{
    (void)state;
    check("{ \"b\": 1, \"a\": [true, null, 1.5, {}, [], \"x\"], \"{number}\": \"\" }", NULL, "{}",
          "{\"b\":1,\"a\":[true,null,1.5,{},[],\"x\"],\"{number}\":\"\"}");
    check("[\"{number}\", {\"n\": [\"{order_no}-{amount_minor}\"]}, \"{{}}\"]", "json", "{}",
          "[\"P1\",{\"n\":[\"A1-1234\"]},\"{}\"]");
}

static void no_value_ends_its_string(void **state)
{
    (void)state;
    check("{\"a\":\"<{data.v}>\",\"b\":\"{data.v}\"}", "json", "{\"v\":\"\\\"},{\\\\ 单\"}",
          "{\"a\":\"<\\\"},{\\\\ 单>\",\"b\":\"\\\"},{\\\\ 单\"}");
    check("a={data.v}&b={data.v}", "form", "{\"v\":\"1&c=2 +%\"}",
          "a=1%26c%3D2%20%2B%25&b=1%26c%3D2%20%2B%25");
}

static void a_value_that_is_missing_is_told(void **state)
{
    (void)state;
    char *out;
    const char *why = "";
    assert_int_equal(
        build("{\"a\":[\"{number}\",\"{data.v}\"],\"z\":\"{number}\"}", "json", "{}", &out, &why), -EINVAL);
    assert_null(out);
    assert_int_equal(build("a={data.v}", "form", "{}", &out, &why), -EINVAL);
    assert_null(out);
}

static void no_body_is_no_text(void **state)
{
    (void)state;
    char *out = (char *)1;
    const char *why;
    assert_int_equal(build(NULL, NULL, "{}", &out, &why), 0);
    assert_null(out);
}

static void the_kind_has_a_type_and_needs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *type;
        const char *content_type;
        bool needs_data;
    } rows[] = {{NULL, "json", NULL, false},
                {"{}", NULL, "application/json", false},
                {"{\"a\":[\"x\",\"{data.v}\"]}", NULL, "application/json", true},
                {"a=b", "form", "application/x-www-form-urlencoded", false},
                {"a={data.v}", "form", "application/x-www-form-urlencoded", true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct body body;
        struct http_channel_spec spec = {.method = "POST", .body = rows[i].text, .body_type = rows[i].type};
        fixture_blame_init(&fixture);
        body_compile(&body, &spec, &fixture.blame);
        const char *type = body_content_type(&body);
        assert_true(type == rows[i].content_type || strcmp(type, rows[i].content_type) == 0);
        assert_int_equal(body_needs_data(&body), rows[i].needs_data);
        body_finish(&body);
        fixture_blame_check(&fixture, NULL, NULL);
    }
}

static void bad_bodies_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *text;
        const char *type;
        const char *key;
        const char *words;
    } rows[] = {{"GET", "{}", NULL, "body", "GET"},
                {NULL, "{}", NULL, "body", "GET"},
                {"POST", "", NULL, "body", "JSON"},
                {"POST", "{number}", NULL, "body", "JSON"},
                {"POST", "{\"a\":1,\"a\":2}", NULL, "body", "JSON"},
                {"POST", "[\"{x}\"]", NULL, "body", "unknown"},
                {"POST", "a b", "form", "body", "0x20"},
                {"POST", "a={secret}", "form", "body", "secret_file"},
                {"POST", NULL, "xml", "body_type", "json or form"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct body body;
        struct http_channel_spec spec = {
            .method = rows[i].method, .body = rows[i].text, .body_type = rows[i].type};
        fixture_blame_init(&fixture);
        body_compile(&body, &spec, &fixture.blame);
        body_finish(&body);
        fixture_blame_check(&fixture, rows[i].key, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_body_keeps_its_shape),     cmocka_unit_test(no_value_ends_its_string),
        cmocka_unit_test(a_value_that_is_missing_is_told), cmocka_unit_test(no_body_is_no_text),
        cmocka_unit_test(the_kind_has_a_type_and_needs),   cmocka_unit_test(bad_bodies_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
