/* Pointers: RFC 6901 and stars. */
#include "channel/pointer.h"
#include "fixture.h"

static struct pointer compiled(const char *text, bool stars)
{
    struct fixture_blame fixture;
    struct pointer pointer;
    fixture_blame_init(&fixture);
    pointer_compile(&pointer, text, stars, "key", &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    return pointer;
}

/* The examples of RFC 6901, section 5. */
static void the_examples_of_the_rfc(void **state)
{
    (void)state;
    json_t *json =
        fixture_json("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
                     "\"k\\\"l\":6,\" \":7,\"m~n\":8}");
    static const char *const paths[] = {"/",     "/a~1b", "/c%d", "/e^f", "/g|h",
                                        "/i\\j", "/k\"l", "/ ",   "/m~0n"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct pointer pointer = compiled(paths[i], false);
        const json_t *found = pointer_find(&pointer, json);
        assert_true(json_is_integer(found) && json_integer_value(found) == (json_int_t)i);
        pointer_finish(&pointer);
    }
    struct pointer whole = compiled("", false);
    assert_ptr_equal(pointer_find(&whole, json), json);
    assert_false(pointer_is_given(&whole));
    struct pointer element = compiled("/foo/1", false);
    assert_string_equal(json_string_value(pointer_find(&element, json)), "baz");
    assert_true(pointer_is_given(&element));
    pointer_finish(&element);
    json_decref(json);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    json_t *json = fixture_json("{\"a\":[1,2],\"0\":\"zero\",\"s\":\"text\",\"n\":null}");
    static const char *const paths[] = {"/b",
                                        "/a/2",
                                        "/a/-",
                                        "/a/00",
                                        "/a/01",
                                        "/a/-1",
                                        "/a/x",
                                        "/s/0",
                                        "/n/0",
                                        "/a/0/0",
                                        "/A",
                                        "/a/4294967296",
                                        "/a/99999999999999999999"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct pointer pointer = compiled(paths[i], false);
        assert_null(pointer_find(&pointer, json));
        pointer_finish(&pointer);
    }
    struct pointer member = compiled("/0", false);
    assert_string_equal(json_string_value(pointer_find(&member, json)), "zero");
    pointer_finish(&member);
    json_decref(json);
}

struct sum {
    json_int_t total;
    int left;
};

static bool add(void *self, const json_t *value)
{
    struct sum *sum = self;
    sum->total = sum->total * 10 + json_integer_value(value);
    return --sum->left != 0;
}

static json_int_t digits(const char *path, const char *text, int stop_after, bool *out_finished)
{
    json_t *json = fixture_json(text);
    struct pointer pointer = compiled(path, true);
    struct sum sum = {.left = stop_after};
    *out_finished = pointer_each(&pointer, json, add, &sum);
    pointer_finish(&pointer);
    json_decref(json);
    return sum.total;
}

static void stars_visit_every_element_in_order(void **state)
{
    (void)state;
    bool finished;
    assert_int_equal(digits("/*", "[1,2,3]", -1, &finished), 123);
    assert_int_equal(digits("/a/*/b/*",
                            "{\"a\":[{\"b\":[1,2]},{\"c\":0},{\"b\":[]},{\"b\":{\"0\":9}},{\"b\":[3]}]}", -1,
                            &finished),
                     123);
    assert_int_equal(digits("/*", "{\"*\":7}", -1, &finished), 0); /* of an object: no elements */
    assert_int_equal(digits("/a", "{\"a\":5}", -1, &finished), 5);
    assert_true(finished);
}

static size_t elements(const char *path, const char *text)
{
    struct pointer pointer = compiled(path, true);
    json_t *json = fixture_json(text);
    size_t count = pointer_elements(&pointer, json);
    json_decref(json);
    pointer_finish(&pointer);
    return count;
}

static void elements_count_without_their_value(void **state)
{
    (void)state;
    assert_int_equal(elements("/l/*/id", "{\"l\":[{\"id\":1},{},null,7]}"), 4);
    assert_int_equal(elements("/l/*/m/*", "{\"l\":[{\"m\":[1,2]},{},{\"m\":[3]}]}"), 3);
    assert_int_equal(elements("/l/*/id", "{\"l\":[]}"), 0);
    assert_int_equal(elements("/id", "{\"id\":1}"), 0);
}

static void a_visit_may_stop(void **state)
{
    (void)state;
    bool finished;
    assert_int_equal(digits("/*/*", "[[1,2],[3,4]]", 3, &finished), 123);
    assert_false(finished);
}

static void bad_pointers_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool stars;
        const char *words;
    } rows[] = {{"a", true, "begin with"},   {" /a", true, "begin with"}, {"/~", true, "RFC 6901"},
                {"/a~2", true, "RFC 6901"},  {"/a~", true, "RFC 6901"},   {"/a/*/b", false, "every element"},
                {"/~x/~0", true, "RFC 6901"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct pointer pointer;
        fixture_blame_init(&fixture);
        pointer_compile(&pointer, rows[i].text, rows[i].stars, "key", &fixture.blame);
        pointer_finish(&pointer);
        fixture_blame_check(&fixture, "key", rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(stars_visit_every_element_in_order),
        cmocka_unit_test(elements_count_without_their_value),
        cmocka_unit_test(a_visit_may_stop),
        cmocka_unit_test(bad_pointers_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
