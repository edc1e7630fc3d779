/* Strict reading of JSON. */
#include "fixture.h"

static bool loads(const char *bytes, size_t length, size_t max)
{
    json_t *json = json_load_strict(bytes, length, max);
    bool loaded = json != NULL;
    json_decref(json);
    return loaded;
}

static void objects_and_arrays_are_read(void **state)
{
    (void)state;
    static const char *const good[] = {"{}", "[]", " {\"a\":[1,2.5,\"x\",null,true]} \n",
                                       "{\"a\":\"\\ud83d\\ude00\"}",
                                       "[9223372036854775807,-9223372036854775808]"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(loads(good[i], strlen(good[i]), 100));
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "1",
                                      "\"x\"",
                                      "null",
                                      "{",
                                      "{}}",
                                      "{} {}",
                                      "{\"a\":1,\"a\":1}",
                                      "{\"a\":{\"b\":1,\"\\u0062\":1}}",
                                      "[01]",
                                      "[1e400]",
                                      "[-1e400]",
                                      "[NaN]",
                                      "[Infinity]",
                                      "[9223372036854775808]",
                                      "[-9223372036854775809]",
                                      "[\"\\u0000\"]",
                                      "{\"\\u0000\":1}",
                                      "[\"\\ud800\"]",
                                      "[\"\\udc00\"]",
                                      "\xef\xbb\xbf{}",
                                      "[\"\xff\"]",
                                      "[\"\xc0\xaf\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[\"\n\"]",
                                      "[1,]",
                                      "['x']",
                                      "[\"\\x41\"]",
                                      "[+1]",
                                      "[.5]",
                                      "[1.]",
                                      "<html></html>"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (loads(bad[i], strlen(bad[i]), 100))
            fail_msg("read: %s", bad[i]);
}

static void a_nul_is_refused_anywhere(void **state)
{
    (void)state;
    assert_false(loads("{}\0", 3, 100));
    assert_false(loads("\0{}", 3, 100));
    assert_false(loads("[\"a\0b\"]", 7, 100));
}

static void the_size_is_capped(void **state)
{
    (void)state;
    assert_true(loads("[1,2,3]", 7, 7));
    assert_false(loads("[1,2,3]", 7, 6));
}

static char *nested(size_t depth, char open, char close)
{
    char *text = malloc(2 * depth);
    assert_non_null(text);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    return text;
}

static void the_depth_is_capped(void **state)
{
    (void)state;
    char *fine = nested(JSON_DEPTH_MAX, '[', ']');
    char *deep = nested(JSON_DEPTH_MAX + 1, '[', ']');
    char *bomb = nested(1000000, '[', ']');
    assert_true(loads(fine, 2 * JSON_DEPTH_MAX, 100));
    assert_false(loads(deep, 2 * JSON_DEPTH_MAX + 2, 100));
    assert_false(loads(bomb, 2000000, 10000000));
    assert_false(loads(bomb, 1000000, 10000000));
    free(fine);
    free(deep);
    free(bomb);
}

static void brackets_in_strings_are_no_depth(void **state)
{
    (void)state;
    const char *hidden = "[\"[[[[[[[[[[[[[[[[[[[[[{{{{{{{{\\\"[[[[[[[[\"]";
    const char *open =
        "[\"\\\\\",[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]"; /* the escape hides no quote */
    assert_true(loads(hidden, strlen(hidden), 100));
    assert_false(loads(open, strlen(open), 100));
}

static void a_hundred_thousand_members_are_read_in_time(void **state)
{
    (void)state;
    struct draft draft = {0};
    char member[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(member, sizeof(member), "%c\"k%d\":%d", i ? ',' : '{', i, i);
        draft_say(&draft, member);
    }
    draft_say(&draft, "}");
    char *text = draft_take(&draft);
    assert_true(loads(text, strlen(text), 10000000));
    assert_false(loads(text, strlen(text), 65536));
    free(text);
}

static void scalars_have_a_text(void **state)
{
    (void)state;
    json_t *json =
        fixture_json("[\"x\", 12, -0, true, false, null, 1.0, [], {}, \"\", -9223372036854775808]");
    static const char *const texts[] = {
        "x", "12", "0", "true", "false", NULL, NULL, NULL, NULL, "", "-9223372036854775808"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char scratch[JSON_NUMBER_BYTES];
        const char *text = json_value_text(json_array_get(json, i), scratch);
        assert_true((text == NULL) == (texts[i] == NULL));
        if (text)
            assert_string_equal(text, texts[i]);
    }
    char scratch[JSON_NUMBER_BYTES];
    assert_null(json_value_text(NULL, scratch));
    json_decref(json);
}

static void values_are_compared_as_texts(void **state)
{
    (void)state;
    json_t *json = fixture_json("[\"12\", 12, null, 12.0, true]");
    assert_true(json_value_is(json_array_get(json, 0), "12"));
    assert_true(json_value_is(json_array_get(json, 1), "12"));
    assert_false(json_value_is(json_array_get(json, 1), "012"));
    assert_true(json_value_is(json_array_get(json, 2), "null"));
    assert_false(json_value_is(json_array_get(json, 2), ""));
    assert_false(json_value_is(json_array_get(json, 3), "12"));
    assert_false(json_value_is(json_array_get(json, 4), "1"));
    assert_false(json_value_is(NULL, "null"));
    assert_true(json_is_there(json_array_get(json, 0)));
    assert_false(json_is_there(json_array_get(json, 2)));
    assert_false(json_is_there(NULL));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_arrays_are_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_nul_is_refused_anywhere),
        cmocka_unit_test(the_size_is_capped),
        cmocka_unit_test(the_depth_is_capped),
        cmocka_unit_test(brackets_in_strings_are_no_depth),
        cmocka_unit_test(a_hundred_thousand_members_are_read_in_time),
        cmocka_unit_test(scalars_have_a_text),
        cmocka_unit_test(values_are_compared_as_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
