/* Array literals: what they look like, and that a real server reads back exactly what was put in, whatever it
 * is. */
#include "line.h"

#include "io/pg_array.h"

static struct place place;
static struct line line;

static int server_start(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    line_open(&line, place.conninfo, true);
    return 0;
}

static int server_stop(void **state)
{
    (void)state;
    line_close(&line);
    place_leave(&place);
    return 0;
}

static void test_literals(void **state)
{
    struct pg_array array = {0};
    (void)state;
    pg_array_start(&array);
    assert_string_equal(pg_array_end(&array), "{}");
    pg_array_start(&array);
    pg_array_number(&array, INT64_MIN);
    pg_array_null(&array);
    pg_array_number(&array, 7);
    assert_string_equal(pg_array_end(&array), "{-9223372036854775808,NULL,7}");
    pg_array_start(&array);
    pg_array_truth(&array, true);
    pg_array_truth(&array, false);
    assert_string_equal(pg_array_end(&array), "{t,f}");
    pg_array_start(&array);
    pg_array_text(&array, "plain");
    pg_array_text(&array, NULL);
    pg_array_text(&array, "NULL");
    pg_array_text(&array, "");
    pg_array_text(&array, "a\"b\\c");
    assert_string_equal(pg_array_end(&array), "{\"plain\",NULL,\"NULL\",\"\",\"a\\\"b\\\\c\"}");
    pg_array_finish(&array);
}

static const char *const hostile[] = {
    "plain",
    "",
    " ",
    "NULL",
    "null",
    "\"",
    "\\",
    "\\\\",
    "\"\"",
    "\\\"",
    "{",
    "}",
    "{}",
    "{{1,2},{3,4}}",
    ",",
    ",,",
    "a,b",
    "a\nb",
    "\r\n",
    "\t",
    "\x01\x1f\x7f",
    "'",
    "''",
    "$1",
    "%s",
    "--",
    "; DROP TABLE x",
    "掉单",
    "é€😀",
    "ends in backslash\\",
    "\"quoted\"",
    "{\"a\": [1, \"\\u0000\"]}",
    "[0:1]={1,2}",
    "E'\\x00'",
    NULL,
};
#define HOSTILE_COUNT ((int)(sizeof(hostile) / sizeof(hostile[0])))

STATEMENT(element, 2, "SELECT coalesce(encode(convert_to(($1::text[])[$2::int], 'UTF8'), 'hex'), 'null')");
STATEMENT(count_elements, 1, "SELECT cardinality($1::text[]) || ' ' || array_ndims($1::text[])");

static struct reply ask_element(const char *literal, int place_in_array)
{
    char index[16];
    const char *values[] = {literal, index};
    struct reply reply = {.line = &line};
    snprintf(index, sizeof(index), "%d", place_in_array);
    assert_int_equal(pg_call(line.pg, &element, values, on_reply, &reply), 0);
    line_until(&line, &reply.turn, 1);
    return reply;
}

static void test_a_server_reads_back_what_was_put_in(void **state)
{
    struct pg_array array = {0};
    char expected[256];
    (void)state;
    pg_array_start(&array);
    for (int i = 0; i < HOSTILE_COUNT; i++)
        pg_array_text(&array, hostile[i]);
    const char *literal = pg_array_end(&array);
    snprintf(expected, sizeof(expected), "%d 1", HOSTILE_COUNT);
    assert_string_equal(ask(&line, &count_elements, literal).text, expected);
    for (int i = 0; i < HOSTILE_COUNT; i++) {
        char *end = expected;
        for (const char *c = hostile[i]; c && *c; c++)
            end += sprintf(end, "%02x", (unsigned char)*c);
        *end = '\0';
        assert_string_equal(ask_element(literal, i + 1).text, hostile[i] ? expected : "null");
    }
    pg_array_finish(&array);
}

static void test_a_buffer_grows_and_is_used_again(void **state)
{
    struct pg_array array = {0};
    (void)state;
    for (int round = 0; round < 3; round++) {
        pg_array_start(&array);
        for (int i = 0; i < 5000; i++)
            pg_array_text(&array, "0123456789\"0123456789");
        const char *literal = pg_array_end(&array);
        assert_int_equal(strlen(literal), 5000 * 25 + 1);
        assert_string_equal(ask(&line, &count_elements, literal).text, "5000 1");
    }
    pg_array_finish(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_a_server_reads_back_what_was_put_in),
        cmocka_unit_test(test_a_buffer_grows_and_is_used_again),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
