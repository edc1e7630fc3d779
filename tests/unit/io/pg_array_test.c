/* Arrays in binary: a real server reads back exactly what was put in, whatever it is, and would have sent the
 * very same bytes; what is no text, or of another type, it refuses. */
#include "line.h"

#include "io/pg_array.h"

static struct place place;
static struct line line;
static struct pg_array array;

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
    pg_array_finish(&array);
    line_close(&line);
    place_leave(&place);
    return 0;
}

static struct pg_value value_of(struct pg_array *from)
{
    struct pg_value value;
    assert_true(pg_array_end(from, &value));
    assert_true(value.binary);
    return value;
}

/* What the server reads, as its literal; and that its own binary form of that is ours, byte for byte. */
#define READS(type)                                                                                     \
    STATEMENT(type##_reads, 2,                                                                          \
              "SELECT CASE WHEN array_send($1::" #type "[]) = $2::bytea THEN '' ELSE 'unlike ' END || " \
              "$1::" #type "[]::text")
READS(bool);
READS(int8);
READS(int4);
READS(text);
READS(uuid);

static void check_reads(const struct pg_statement *statement, const char *literal)
{
    struct pg_value value = value_of(&array);
    const struct pg_value values[] = {value, value};
    struct reply reply = ask_with(&line, statement, values);
    assert_string_equal(reply.message, "");
    assert_string_equal(reply.text, literal);
}

static void test_numbers(void **state)
{
    (void)state;
    pg_array_start(&array, PG_INT8);
    pg_array_number(&array, INT64_MIN);
    pg_array_null(&array);
    pg_array_number(&array, -1);
    pg_array_number(&array, 0);
    pg_array_number(&array, 0x0102030405060708);
    pg_array_number(&array, INT64_MAX);
    check_reads(&int8_reads, "{-9223372036854775808,NULL,-1,0,72623859790382856,9223372036854775807}");
    pg_array_start(&array, PG_INT4);
    pg_array_number(&array, INT32_MIN);
    pg_array_number(&array, -1);
    pg_array_number(&array, 0x01020304);
    pg_array_null(&array);
    pg_array_number(&array, INT32_MAX);
    check_reads(&int4_reads, "{-2147483648,-1,16909060,NULL,2147483647}");
}

static void test_truths(void **state)
{
    (void)state;
    pg_array_start(&array, PG_BOOL);
    pg_array_truth(&array, true);
    pg_array_null(&array);
    pg_array_truth(&array, false);
    check_reads(&bool_reads, "{t,NULL,f}");
}

static void test_uuids(void **state)
{
    (void)state;
    pg_array_start(&array, PG_UUID);
    pg_array_uuid(&array, "01234567-89ab-cdef-fedc-ba9876543210");
    pg_array_uuid(&array, "00000000-0000-0000-0000-000000000000");
    pg_array_null(&array);
    pg_array_uuid(&array, "ffffffff-ffff-ffff-ffff-ffffffffffff");
    check_reads(&uuid_reads,
                "{01234567-89ab-cdef-fedc-ba9876543210,00000000-0000-0000-0000-000000000000,NULL,"
                "ffffffff-ffff-ffff-ffff-ffffffffffff}");
}

static void test_texts(void **state)
{
    (void)state;
    pg_array_start(&array, PG_TEXT);
    pg_array_text(&array, "plain");
    pg_array_text(&array, NULL);
    pg_array_text(&array, "NULL");
    pg_array_text(&array, "");
    pg_array_text(&array, "a\"b\\c");
    pg_array_text(&array, "掉单😀");
    check_reads(&text_reads, "{plain,NULL,\"NULL\",\"\",\"a\\\"b\\\\c\",掉单😀}");
}

static void test_nothing_and_only_nulls(void **state)
{
    static const struct {
        enum pg_type type;
        const struct pg_statement *reads;
    } types[] = {{PG_BOOL, &bool_reads},
                 {PG_INT8, &int8_reads},
                 {PG_INT4, &int4_reads},
                 {PG_TEXT, &text_reads},
                 {PG_UUID, &uuid_reads}};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        pg_array_start(&array, types[i].type);
        pg_array_null(&array);
        pg_array_null(&array);
        check_reads(types[i].reads, "{NULL,NULL}");
        pg_array_start(&array, types[i].type);
        check_reads(types[i].reads, "{}");
    }
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
    "\xf4\x8f\xbf\xbf", /* the last code point */
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

static struct reply ask_element(struct pg_value value, int place_in_array)
{
    char index[16];
    snprintf(index, sizeof(index), "%d", place_in_array);
    const struct pg_value values[] = {value, pg_text(index)};
    return ask_with(&line, &element, values);
}

static void test_a_server_reads_back_what_was_put_in(void **state)
{
    char expected[256];
    (void)state;
    pg_array_start(&array, PG_TEXT);
    for (int i = 0; i < HOSTILE_COUNT; i++)
        pg_array_text(&array, hostile[i]);
    struct pg_value value = value_of(&array);
    snprintf(expected, sizeof(expected), "%d 1", HOSTILE_COUNT);
    assert_string_equal(ask_with(&line, &count_elements, &value).text, expected);
    for (int i = 0; i < HOSTILE_COUNT; i++) {
        char *end = expected;
        for (const char *c = hostile[i]; c && *c; c++)
            end += sprintf(end, "%02x", (unsigned char)*c);
        *end = '\0';
        assert_string_equal(ask_element(value, i + 1).text, hostile[i] ? expected : "null");
    }
}

/* The elements' lengths let nothing pass that quoting would have caught: each is judged for itself. */
static void test_what_is_no_text_is_refused(void **state)
{
    static const char *const wrong[] = {
        "\xff\xfe",         /* no UTF-8 at all */
        "half \xe6\x8e",    /* cut in mid-character; the rest must not come from the next element */
        "\x89",             /* only the rest of one */
        "\xc0\x80",         /* a NUL in disguise */
        "\xed\xa0\x80",     /* half of a UTF-16 pair */
        "\xf4\x90\x80\x80", /* beyond the last code point */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        pg_array_start(&array, PG_TEXT);
        pg_array_text(&array, "before");
        pg_array_text(&array, wrong[i]);
        pg_array_text(&array, "after");
        struct pg_value value = value_of(&array);
        struct reply reply = ask_with(&line, &count_elements, &value);
        assert_false(reply.ok);
        assert_string_equal(reply.sqlstate, "22021");
        assert_int_equal(reply.failure, FAILURE_ROW);
    }
    assert_int_equal(line.downs, 0);
}

/* As from a schema of another version. */
static void test_another_type_is_refused(void **state)
{
    (void)state;
    pg_array_start(&array, PG_INT4);
    pg_array_number(&array, 7);
    struct pg_value value = value_of(&array);
    const struct pg_value values[] = {value, value};
    struct reply reply = ask_with(&line, &int8_reads, values);
    assert_string_equal(reply.sqlstate, "42804");
    assert_int_equal(reply.failure, FAILURE_SCHEMA);
}

static void test_a_buffer_grows_and_is_used_again(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        pg_array_start(&array, PG_TEXT);
        for (int i = 0; i < 5000; i++)
            pg_array_text(&array, "0123456789\"0123456789");
        struct pg_value value = value_of(&array);
        assert_int_equal(value.length, 20 + 5000 * (4 + 21));
        assert_string_equal(ask_with(&line, &count_elements, &value).text, "5000 1");
        assert_string_equal(ask_element(value, 5000).text, "303132333435363738392230313233343536373839");
    }
    pg_array_start(&array, PG_TEXT); /* of the large one nothing is left */
    pg_array_text(&array, "one");
    check_reads(&text_reads, "{one}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_truths),
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_nothing_and_only_nulls),
        cmocka_unit_test(test_a_server_reads_back_what_was_put_in),
        cmocka_unit_test(test_what_is_no_text_is_refused),
        cmocka_unit_test(test_another_type_is_refused),
        cmocka_unit_test(test_a_buffer_grows_and_is_used_again),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
