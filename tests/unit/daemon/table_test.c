/* Tables for people: what stands where, how wide, and what can not get out of its cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/table.h"

static const struct table_column columns[] = {{"NAME", "name", CELL_TEXT}, {"COUNT", "count", CELL_NUMBER},
                                              {"AGE", "age", CELL_SPAN},   {"SHARE", "share", CELL_SHARE},
                                              {"NOTE", "note", CELL_TEXT}, {.title = NULL}};

static void check(const char *rows_text, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    json_t *rows = json_loads(rows_text, 0, NULL);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(rows);
    assert_non_null(out);
    table_print(out, columns, rows);
    fclose(out);
    assert_string_equal(text, expected);
    json_decref(rows);
    free(text);
}

static void cells_are_as_wide_as_their_widest(void **state)
{
    (void)state;
    check("[]", "NAME  COUNT  AGE  SHARE  NOTE\n");
    check("[{\"name\": \"stripe\", \"count\": 1234567, \"age\": 250, \"share\": 0.0254, \"note\": \"n\"},"
          " {\"name\": \"w\", \"count\": 2, \"age\": -3600, \"share\": 1, \"note\": \"longer than its "
          "title\"}]",
          "NAME      COUNT     AGE   SHARE  NOTE\n"
          "stripe  1234567  4m 10s    2.5%  n\n"
          "w             2     -1h  100.0%  longer than its title\n");
}

static void what_is_lacking_is_a_dash(void **state)
{
    (void)state;
    check("[{}, {\"name\": null, \"note\": \"\", \"age\": null, \"count\": {}}]",
          "NAME  COUNT  AGE  SHARE  NOTE\n"
          "-         -    -      -  -\n"
          "-         -    -      -  -\n");
}

static void numbers_texts_and_truths_are_themselves(void **state)
{
    (void)state;
    check("[{\"name\": true, \"count\": \"12.30\", \"note\": false},"
          " {\"name\": 9223372036854775807, \"count\": 0.5}]",
          "NAME                 COUNT  AGE  SHARE  NOTE\n"
          "yes                  12.30    -      -  no\n"
          "9223372036854775807    0.5    -      -  -\n");
}

static void widths_are_of_characters(void **state)
{
    (void)state;
    check("[{\"name\": \"\\u6c11\\u751f\\u00e9\", \"count\": 1}, {\"name\": \"abcde\", \"count\": 2}]",
          "NAME   COUNT  AGE  SHARE  NOTE\n"
          "\xe6\xb0\x91\xe7\x94\x9f\xc3\xa9        1    -      -  -\n"
          "abcde      2    -      -  -\n");
}

/* A note or a channel's answer forges no row, colours nothing and turns no line around. */
static void nothing_leaves_its_cell(void **state)
{
    (void)state;
    check("[{\"name\": \"a\\nb\\tc\", \"note\": \"\\u001b[31m\\u009b2J\\u202egnp\\u007f\"}]",
          "NAME         COUNT  AGE  SHARE  NOTE\n"
          "a\\x0ab\\x09c      -    -      -  \\x1b[31m\\xc2\\x9b2J\\xe2\\x80\\xaegnp\\x7f\n");
}

static void spans_have_two_units(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{0, "0s"},        {59, "59s"},        {60, "1m"},      {61, "1m 1s"},      {3599, "59m 59s"},
                 {3600, "1h"},     {3659, "1h"},       {7380, "2h 3m"}, {86399, "23h 59m"}, {86400, "1d"},
                 {90000, "1d 1h"}, {31536000, "365d"}, {-61, "-1m 1s"}, {-1, "-1s"},        {172859, "2d"}};
    char text[SPAN_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        span_format(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
    span_format(INT64_MAX, text); /* fits */
    assert_string_equal(text, "106751991167300d 15h");
    span_format(INT64_MIN, text);
    assert_string_equal(text, "-106751991167300d 15h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_as_wide_as_their_widest),
        cmocka_unit_test(what_is_lacking_is_a_dash),
        cmocka_unit_test(numbers_texts_and_truths_are_themselves),
        cmocka_unit_test(widths_are_of_characters),
        cmocka_unit_test(nothing_leaves_its_cell),
        cmocka_unit_test(spans_have_two_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
