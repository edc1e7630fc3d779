/* The shop's door: track and resolve (sql/002_shop.sql). */
#include "db.h"

#include <stdlib.h>

#include "makegood/money.h"

static void a_tracked_attempt_is_due_after_its_channels_first_delay(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SELECT makegood.announce('{announced}', '{5000}')");
    db_do(db,
          "SELECT makegood.track('S1', 'announced', 100, 'CNY'), makegood.track('S1', 'unheard', 100, 'CNY'),"
          " makegood.track('S1', 'told', 100, 'CNY', p_due_in => '1 hour')");
    static const char delay[] =
        "SELECT extract(epoch FROM due_at - created_at)::int FROM makegood.lost_order "
        "WHERE order_no = 'S1' AND channel = '%s'";
    assert_int_equal(db_number(db, delay, "announced"), 5);
    assert_int_equal(db_number(db, delay, "unheard"), 30);
    assert_int_equal(db_number(db, delay, "told"), 3600);
    db_do(db, "SELECT makegood.announce('{other,announced}', '{1,7000}')");
    assert_int_equal(db_number(db, "SELECT first_delay_ms FROM makegood.channel WHERE name = 'announced'"),
                     7000);
    PQfinish(db);
}

static void what_can_not_be_tracked_is_raised_with_its_mend(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"NULL, 'c', 1, 'CNY'", "order number is missing; give"},
        {"'', 'c', 1, 'CNY'", "order number '' can not be sent"},
        {"'a b', 'c', 1, 'CNY'", "use 1 to 64 of"},
        {"E'a\\n', 'c', 1, 'CNY'", "can not be sent"},
        {"'a/../b', 'c', 1, 'CNY'", "can not be sent"},
        {"'x''; DROP TABLE makegood.lost_order; --', 'c', 1, 'CNY'", "can not be sent"},
        {"repeat('a', 65), 'c', 1, 'CNY'", "can not be sent"},
        {"'a', NULL, 1, 'CNY'", "channel is missing; give"},
        {"'a', 'Alipay', 1, 'CNY'", "is not a name; use"},
        {"'a', repeat('c', 33), 1, 'CNY'", "is not a name"},
        {"'a', 'c', 0, 'CNY'", "amount 0 is not above zero; give it in minor units"},
        {"'a', 'c', -5, 'CNY'", "amount -5 is not above zero"},
        {"'a', 'c', NULL, 'CNY'", "amount null is not above zero"},
        {"'a', 'c', 1, 'cny'", "three upper-case letters; use the ISO 4217 code"},
        {"'a', 'c', 1, NULL", "three upper-case letters"},
        {"'a', 'c', 1, 'CNY', p_number => 'n?id=1'", "channel number 'n?id=1' can not be sent"},
        {"'a', 'c', 1, 'CNY', p_attempt => NULL", "attempt is null or longer"},
        {"'a', 'c', 1, 'CNY', p_attempt => repeat('x', 65)", "attempt is null or longer"},
        {"'a', 'c', 1, 'CNY', p_method => repeat('m', 33)", "method is longer than 32 bytes; shorten"},
        {"'a', 'c', 1, 'CNY', p_channel_data => '[1]'", "not a JSON object; put its values under names"},
        {"'a', 'c', 1, 'CNY', p_channel_data => jsonb_build_object('x', repeat('y', 1000))",
         "longer than 1000 bytes"},
    };
    PGconn *db = db_open(KIOSK, "t_shop");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *error = db_refused(db, "SELECT makegood.track(%s)", cases[i].arguments);
        assert_contains(error, "22023 makegood.track: ");
        assert_contains(error, cases[i].says);
    }
    PQfinish(db);
}

static void tracking_again_fills_in_what_was_unknown(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    long first =
        db_number(db, "SELECT makegood.track('S2', 'shop', 100, 'CNY', p_channel_data => '{\"a\": 1}')");
    long again =
        db_number(db, "SELECT makegood.track('S2', 'shop', 100, 'CNY', p_number => 'N2', p_method => 'app', "
                      "p_channel_data => '{\"b\": 2}', p_expires_at => '2030-01-01 00:00Z')");
    assert_int_equal(first, again);
    assert_string_equal(
        db_ask(db,
               "SELECT concat_ws(' ', number, method, channel_data, expires_at AT TIME ZONE 'UTC') "
               "FROM makegood.lost_order WHERE attempt_id = %ld",
               first),
        "N2 app {\"a\": 1, \"b\": 2} 2030-01-01 00:00:00");
    db_do(db, "SELECT makegood.track('S2', 'shop', 100, 'CNY')");
    assert_string_equal(db_ask(db, "SELECT number FROM makegood.lost_order WHERE attempt_id = %ld", first),
                        "N2");
    const char *other =
        "22023 makegood.track: order S2 on channel shop (attempt '') is tracked already with another "
        "amount, currency or number; give a second payment attempt a p_attempt of its own";
    assert_string_equal(db_refused(db, "SELECT makegood.track('S2', 'shop', 101, 'CNY')"), other);
    assert_string_equal(db_refused(db, "SELECT makegood.track('S2', 'shop', 100, 'USD')"), other);
    assert_string_equal(db_refused(db, "SELECT makegood.track('S2', 'shop', 100, 'CNY', 'N3')"), other);
    assert_true(db_number(db, "SELECT makegood.track('S2', 'shop', 101, 'CNY', 'N3', '2nd')") > first);
    PQfinish(db);
}

static void tracking_goes_with_the_shops_transaction(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "BEGIN; SELECT makegood.track('S3', 'shop', 100, 'CNY'); ROLLBACK");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = 'S3'"), 0);
    PQfinish(db);
}

static void a_parked_attempt_stays_parked_when_it_is_tracked_again(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element element;
    kiosk_order(db, "S4", "paying", 100);
    long id = kiosk_attempt(db, "S4", "shop4", 100, "");
    assert_int_equal(claim_rows(db, "shop4", 1, &element), 1);
    element.verdict = "park";
    element.reason = "attempt_limit";
    settle_rows(db, &element, 1);
    assert_int_equal(db_number(db, "SELECT makegood.track('S4', 'shop4', 100, 'CNY', 'N4')"), id);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = 'S4'"), 0);
    assert_string_equal(db_ask(db, "SELECT number FROM makegood.parked_order WHERE order_no = 'S4'"), "N4");
    assert_contains(db_refused(db, "SELECT makegood.track('S4', 'shop4', 101, 'CNY')"), "tracked already");
    PQfinish(db);
}

static void tracking_at_last_ends_being_untrackable(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "INSERT INTO makegood.parked_order (order_no, reason) VALUES ('S5', 'untrackable')");
    db_do(db, "SELECT makegood.track('S5', 'shop', 100, 'CNY')");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'S5'"), 0);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = 'S5'"), 1);
    PQfinish(db);
}

static void resolve_takes_that_attempt_and_leaves_the_others(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db,
          "SELECT makegood.track('R1', 'wechat', 100, 'CNY'), makegood.track('R1', 'alipay', 100, 'CNY')");
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R1', 'alipay')"), 1);
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R1', 'alipay')"), 0);
    assert_string_equal(
        db_ask(db, "SELECT string_agg(channel, ',') FROM makegood.lost_order WHERE order_no = 'R1'"),
        "wechat");
    db_do(db,
          "INSERT INTO makegood.parked_order (order_no, channel, reason) VALUES ('R1', 'alipay', 'flagged')");
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R1', 'alipay', 'N')"), 1);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'R1'"), 0);
    PQfinish(db);
}

static void resolve_needs_a_number_where_several_attempts_could_be_meant(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SELECT makegood.track('R2', 'wechat', 100, 'CNY', 'N1', '1'),"
              " makegood.track('R2', 'wechat', 100, 'CNY', 'N2', '2'),"
              " makegood.track('R2', 'wechat', 100, 'CNY', NULL, '3')");
    const char *error = db_refused(db, "SELECT makegood.resolve('R2', 'wechat')");
    assert_contains(
        error, "22023 makegood.resolve: order R2 has 3 attempts on channel wechat that could be meant; give");
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R2', 'wechat', 'N2')"), 1);
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R2', 'wechat', 'N9')"),
                     1); /* the unnumbered one */
    assert_int_equal(db_number(db, "SELECT makegood.resolve('R2', 'wechat', 'N9')"), 0);
    assert_string_equal(
        db_ask(db, "SELECT string_agg(number, ',') FROM makegood.lost_order WHERE order_no = 'R2'"), "N1");
    assert_contains(db_refused(db, "SELECT makegood.resolve('R2', NULL)"), "is missing; give both");
    PQfinish(db);
}

/* Every code there can be: SQL and C know the same currencies. */
static void currencies_have_the_decimals_that_c_gives_them(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    PGresult *rows =
        PQexec(db, "SELECT c, coalesce(makegood.currency_exponent(c), -1) FROM (SELECT chr(65 + a) || "
                   "chr(65 + b) || chr(65 + d) AS c FROM generate_series(0, 25) a, "
                   "generate_series(0, 25) b, generate_series(0, 25) d) AS codes");
    assert_int_equal(PQntuples(rows), 26 * 26 * 26);
    for (int i = 0; i < PQntuples(rows); i++)
        if (strtol(PQgetvalue(rows, i, 1), NULL, 10) != currency_exponent(PQgetvalue(rows, i, 0)))
            fail_msg("%s has %s decimals in SQL, %d in C", PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1),
                     currency_exponent(PQgetvalue(rows, i, 0)));
    PQclear(rows);
    assert_int_equal(db_number(db, "SELECT makegood.minor_of(12.34, 'CNY')"), 1234);
    assert_int_equal(db_number(db, "SELECT makegood.minor_of(12, 'JPY')"), 12);
    assert_int_equal(db_number(db, "SELECT makegood.minor_of(1.234, 'KWD')"), 1234);
    assert_string_equal(db_ask(db, "SELECT makegood.minor_of(12.345, 'CNY')"), "(null)");
    assert_string_equal(db_ask(db, "SELECT makegood.minor_of(1, 'QQQ')"), "(null)");
    assert_string_equal(db_ask(db, "SELECT makegood.minor_of('NaN', 'CNY')"), "(null)");
    assert_string_equal(db_ask(db, "SELECT makegood.minor_of(1e30, 'CNY')"), "(null)");
    PQfinish(db);
}

/* The statement that begins so, up to a mark of the page's. */
static void statement_do(PGconn *db, const char *page, const char *begin)
{
    const char *at = strstr(page, begin);
    assert_non_null(at);
    db_do(db, "%.*s", (int)strcspn(at, "`"), at);
}

/* Everybody copies the first example. */
static void the_readmes_examples_run(void **state)
{
    static const char *const files[] = {SOURCE_DIR "/README.md", SOURCE_DIR "/README.zh-CN.md"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        static char page[65536];
        PGconn *db = db_open(KIOSK, "t_shop");
        FILE *file = fopen(files[i], "re");
        assert_non_null(file);
        page[fread(page, 1, sizeof page - 1, file)] = '\0';
        fclose(file);
        db_do(db, "BEGIN");
        statement_do(db, page, "SELECT makegood.track(");
        statement_do(db, page, "SELECT makegood.resolve(");
        db_do(db, "ROLLBACK");
        PQfinish(db);
    }
}

int run_shop_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tracked_attempt_is_due_after_its_channels_first_delay),
        cmocka_unit_test(what_can_not_be_tracked_is_raised_with_its_mend),
        cmocka_unit_test(tracking_again_fills_in_what_was_unknown),
        cmocka_unit_test(tracking_goes_with_the_shops_transaction),
        cmocka_unit_test(a_parked_attempt_stays_parked_when_it_is_tracked_again),
        cmocka_unit_test(tracking_at_last_ends_being_untrackable),
        cmocka_unit_test(resolve_takes_that_attempt_and_leaves_the_others),
        cmocka_unit_test(resolve_needs_a_number_where_several_attempts_could_be_meant),
        cmocka_unit_test(the_readmes_examples_run),
        cmocka_unit_test(currencies_have_the_decimals_that_c_gives_them),
    };
    return cmocka_run_group_tests_name("sql shop", tests, NULL, NULL);
}
