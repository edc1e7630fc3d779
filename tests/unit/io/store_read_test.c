/* Rows that nobody should ever have written: each is told with a reason, none is believed, none crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/store_read.h"

#define COLUMNS      17
#define TOLD_COLUMNS 18

static const char *const good[COLUMNS] = {"7",
                                          "0b5e0bd7-2b5c-4d34-a1c5-6f6d9a3b8e10",
                                          "1760000000123456",
                                          "A1|b*c_-",
                                          "stripe",
                                          "pi_123",
                                          "{\"a\": 1}",
                                          "1234",
                                          "CNY",
                                          "card",
                                          "60000",
                                          "-5",
                                          "check",
                                          "1",
                                          "2",
                                          "3",
                                          "4"};

static PGresult *rows_of(const char *const *values, int columns, int rows)
{
    PGresAttDesc attributes[TOLD_COLUMNS] = {0};
    static char name[] = "x";
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < columns; i++)
        attributes[i].name = name;
    assert_true(PQsetResultAttrs(result, columns, attributes));
    for (int i = 0; i < rows * columns; i++) {
        char *copy = values[i] ? strdup(values[i]) : NULL;
        assert_true(PQsetvalue(result, i / columns, i % columns, copy, copy ? (int)strlen(copy) : -1));
        free(copy);
    }
    return result;
}

static const char *read_with(int column, const char *value, struct lost_order *out)
{
    const char *values[COLUMNS];
    memcpy(values, good, sizeof(values));
    if (column >= 0)
        values[column] = value;
    PGresult *rows = rows_of(values, COLUMNS, 1);
    assert_true(claim_is_readable(rows));
    const char *why = order_read(rows, 0, out);
    PQclear(rows);
    return why;
}

/* claim_told() says one thing more. */
static void test_how_late(void **state)
{
    static const struct {
        const char *text;
        int64_t late_ms; /* -1: refused */
    } cases[] = {{"0", 0}, {"86400000", 86400000},      {"-1", -1}, {NULL, -1},
                 {"", -1}, {"9223372036854775807", -1}, {"x", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *values[TOLD_COLUMNS];
        struct lost_order order = {.late_ms = -7};
        memcpy(values, good, sizeof(good));
        values[COLUMNS] = cases[i].text;
        PGresult *rows = rows_of(values, TOLD_COLUMNS, 1);
        assert_true(claim_is_readable(rows));
        const char *why = order_read(rows, 0, &order);
        if (cases[i].late_ms < 0)
            assert_string_equal(why, "it was not due");
        else
            assert_null(why);
        assert_true(cases[i].late_ms < 0 || order.late_ms == cases[i].late_ms);
        PQclear(rows);
    }
}

static void test_a_good_row(void **state)
{
    struct lost_order order;
    (void)state;
    assert_null(read_with(-1, NULL, &order));
    assert_int_equal(order.late_ms, 0);
    assert_int_equal(order.attempt_id, 7);
    assert_string_equal(order.token, good[1]);
    assert_int_equal(order.claimed_us, 1760000000123456);
    assert_string_equal(order.order_no, "A1|b*c_-");
    assert_string_equal(order.channel, "stripe");
    assert_string_equal(order.number, "pi_123");
    assert_string_equal(order.channel_data, "{\"a\": 1}");
    assert_int_equal(order.amount_minor, 1234);
    assert_string_equal(order.currency, "CNY");
    assert_string_equal(order.method, "card");
    assert_int_equal(order.age_ms, 60000);
    assert_int_equal(order.left_ms, -5);
    assert_int_equal(order.phase, PHASE_CHECK);
    assert_int_equal(order.answers, 1);
    assert_int_equal(order.errors, 2);
    assert_int_equal(order.unknowns, 3);
    assert_int_equal(order.claims, 4);
}

static void test_nulls_that_mean_none(void **state)
{
    struct lost_order order;
    (void)state;
    assert_null(read_with(5, NULL, &order));
    assert_string_equal(order.number, "");
    assert_null(read_with(6, NULL, &order));
    assert_string_equal(order.channel_data, "");
    assert_null(read_with(9, NULL, &order));
    assert_string_equal(order.method, "");
    assert_null(read_with(11, NULL, &order));
    assert_true(order.left_ms == NO_END);
}

static void test_bad_rows_are_told(void **state)
{
    static char long_data[CHANNEL_DATA_BYTES + 1], long_number[NUMBER_BYTES + 1];
    memset(long_data, 'x', sizeof(long_data) - 1);
    memset(long_number, 'x', sizeof(long_number) - 1);
    const struct {
        int column;
        const char *value;
        const char *told;
    } bad[] = {
        {0, NULL, "attempt_id"},
        {0, "x", "attempt_id"},
        {1, NULL, "token"},
        {1, "not-a-uuid", "token"},
        {1, "------------------------------------", "token"},
        {2, "12:30", "claim time"},
        {3, NULL, "order_no"},
        {3, "../etc/passwd", "order_no"},
        {3, "A1\r\nX-Evil: 1", "order_no"},
        {3, long_number, "order_no"},
        {4, "Stripe", "channel"},
        {4, "", "channel"},
        {5, "a b", "number"},
        {5, long_number, "number"},
        {6, long_data, "channel_data"},
        {7, "0", "amount_minor"},
        {7, "-1", "amount_minor"},
        {7, "12.34", "amount_minor"},
        {7, NULL, "amount_minor"},
        {7, "9223372036854775808", "amount_minor"},
        {8, "cny", "currency"},
        {8, "CN", "currency"},
        {8, NULL, "currency"},
        {9, "123456789012345678901234567890123", "method"},
        {10, NULL, "age"},
        {11, "infinity", "expiry"},
        {12, "over", "phase"},
        {12, NULL, "phase"},
        {13, "-1", "counters"},
        {14, "2147483648", "counters"},
        {15, "", "counters"},
        {16, NULL, "counters"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lost_order order;
        const char *why = read_with(bad[i].column, bad[i].value, &order);
        if (!why || !strstr(why, bad[i].told))
            fail_msg("column %d as \"%s\": %s", bad[i].column, bad[i].value, why ? why : "read");
    }
}

static void test_other_columns_are_not_a_claim(void **state)
{
    PGresult *rows = rows_of(good, COLUMNS - 1, 1);
    (void)state;
    assert_false(claim_is_readable(rows));
    PQclear(rows);
}

static const char *outcomes_of(const char *const *values, int rows, int asked, enum outcome *outcomes,
                               enum park_reason *reasons)
{
    PGresult *result = rows_of(values, 4, rows);
    const char *why = outcomes_read(result, asked, outcomes, reasons);
    PQclear(result);
    return why;
}

static void test_outcomes(void **state)
{
    static const char *const fine[] = {"1",        "1",          "applied", "",  "2",    "2",
                                       "conflict", "paid_twice", "3",       "3", "busy", ""};
    static const char *const together[] = {"1", "2", "applied", "", "3", "3", "fenced", ""};
    static const char *const backwards[] = {"1", "2", "applied", "", "3", "2", "applied", ""};
    static const char *const gap[] = {"1", "1", "applied", "", "3", "3", "applied", ""};
    static const char *const swapped[] = {"2", "2", "applied", "", "1", "1", "applied", ""};
    static const char *const unknown[] = {"1", "1", "eaten", ""};
    static const char *const unknown_reason[] = {"1", "1", "conflict", "mood"};
    static const char *const no_reason[] = {"1", "1", "conflict", ""};
    static const char *const idle_reason[] = {"1", "1", "applied", "paid_twice"};
    static const char *const null[] = {"1", "1", NULL, NULL};
    enum outcome outcomes[3];
    enum park_reason reasons[3];
    (void)state;
    assert_null(outcomes_of(fine, 3, 3, outcomes, reasons));
    assert_int_equal(outcomes[0], OUTCOME_APPLIED);
    assert_int_equal(outcomes[1], OUTCOME_CONFLICT);
    assert_int_equal(reasons[1], PARK_PAID_TWICE);
    assert_int_equal(outcomes[2], OUTCOME_BUSY);
    assert_int_equal(reasons[2], PARK_NOTHING);
    assert_null(outcomes_of(together, 2, 3, outcomes, reasons));
    assert_int_equal(outcomes[0], OUTCOME_APPLIED);
    assert_int_equal(outcomes[1], OUTCOME_APPLIED);
    assert_int_equal(outcomes[2], OUTCOME_FENCED);
    assert_non_null(outcomes_of(together, 1, 3, outcomes, reasons));
    assert_non_null(outcomes_of(together, 2, 2, outcomes, reasons));
    assert_non_null(outcomes_of(backwards, 2, 3, outcomes, reasons));
    assert_non_null(outcomes_of(gap, 2, 3, outcomes, reasons));
    assert_non_null(outcomes_of(fine, 3, 2, outcomes, reasons));
    assert_non_null(outcomes_of(fine, 2, 3, outcomes, reasons));
    assert_non_null(outcomes_of(swapped, 2, 2, outcomes, reasons));
    assert_non_null(outcomes_of(unknown, 1, 1, outcomes, reasons));
    assert_non_null(outcomes_of(unknown_reason, 1, 1, outcomes, reasons));
    assert_non_null(outcomes_of(no_reason, 1, 1, outcomes, reasons));
    assert_non_null(outcomes_of(idle_reason, 1, 1, outcomes, reasons));
    assert_non_null(outcomes_of(null, 1, 1, outcomes, reasons));
}

static void test_backlog(void **state)
{
    static const char *const fine[] = {"10000", "3", "0"};
    static const char *const bad[] = {"10000", NULL, "0"};
    struct backlog backlog;
    (void)state;
    PGresult *rows = rows_of(fine, 3, 1);
    assert_null(backlog_read(rows, &backlog));
    assert_int_equal(backlog.waiting, 10000);
    assert_int_equal(backlog.parked, 3);
    PQclear(rows);
    rows = rows_of(bad, 3, 1);
    assert_non_null(backlog_read(rows, &backlog));
    PQclear(rows);
    rows = rows_of(fine, 3, 0);
    assert_non_null(backlog_read(rows, &backlog));
    PQclear(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_row),
        cmocka_unit_test(test_how_late),
        cmocka_unit_test(test_nulls_that_mean_none),
        cmocka_unit_test(test_bad_rows_are_told),
        cmocka_unit_test(test_other_columns_are_not_a_claim),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_backlog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
