/* The optional trigger on the shop's table (sql/007_install.sql, 008_watch.sql): tracks, resolves, ends,
 * keeps still for makegood's own writes, and never fails the shop's statement. */
#include "db.h"

static int with_trigger(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SELECT makegood.install_mapping('%s'::jsonb || '{\"trigger\": true}')", KIOSK_MAPPING);
    db_do(
        db,
        "GRANT USAGE ON SCHEMA kiosk TO t_nobody; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA kiosk "
        "TO t_nobody; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kiosk TO t_nobody; "
        "ALTER ROLE t_nobody SET search_path = kiosk");
    PQfinish(db);
    return 0;
}

static int without_trigger(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SELECT makegood.install_mapping('%s')", KIOSK_MAPPING);
    assert_int_equal(db_number(db, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'makegood%%'"), 0);
    PQfinish(db);
    return 0;
}

static const char *attempts(PGconn *db, const char *order_no)
{
    return db_ask(
        db,
        "SELECT coalesce((SELECT string_agg(concat_ws(' ', channel, number, amount_minor, currency), ',' "
        "ORDER BY channel) FROM makegood.lost_order WHERE order_no = '%s'), '')",
        order_no);
}

/* The shop's login has no right in makegood at all. */
static void an_order_that_gets_a_channel_is_tracked(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_nobody"), *db = db_open(KIOSK, NULL);
    kiosk_order(shop, "W1", "created", 100);
    assert_string_equal(attempts(db, "W1"), "");
    db_do(shop,
          "UPDATE orders SET state = 'paying', pay_channel = 'wechat', expires_at = now() + interval '1 h' "
          "WHERE order_no = 'W1'");
    assert_string_equal(attempts(db, "W1"), "wechat 100 CNY");
    db_do(shop, "UPDATE orders SET trade_no = 'N1' WHERE order_no = 'W1'");
    assert_string_equal(attempts(db, "W1"), "wechat N1 100 CNY");
    db_do(shop, "UPDATE orders SET pay_channel = 'alipay', trade_no = NULL WHERE order_no = 'W1'");
    assert_string_equal(attempts(db, "W1"), "alipay 100 CNY,wechat N1 100 CNY");
    db_do(shop, "INSERT INTO orders (order_no, state, total, currency, pay_channel) "
                "VALUES ('W2', 'paying', 5, 'CNY', 'wechat')");
    assert_string_equal(attempts(db, "W2"), "wechat 5 CNY");
    PQfinish(shop);
    PQfinish(db);
}

static void an_order_paid_by_the_shop_resolves_its_attempt_only(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_nobody"), *db = db_open(KIOSK, NULL);
    db_do(shop, "UPDATE orders SET state = 'paid', trade_no = 'T9' WHERE order_no = 'W1'");
    assert_string_equal(attempts(db, "W1"), "wechat N1 100 CNY");
    PQfinish(shop);
    PQfinish(db);
}

static void an_order_closed_by_the_shop_comes_to_its_end_and_is_asked(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_nobody"), *db = db_open(KIOSK, NULL);
    db_do(shop, "UPDATE orders SET state = 'cancelled' WHERE order_no = 'W2'");
    assert_string_equal(
        db_ask(db, "SELECT concat_ws(' ', expires_at <= now(), due_at <= now()) FROM makegood.lost_order "
                   "WHERE order_no = 'W2'"),
        "t t");
    PQfinish(shop);
    PQfinish(db);
}

/* Were our own write taken for the shop's, it would resolve one of two attempts on that channel, and could
 * not say which: an untrackable row would tell. */
static void makegoods_own_writes_are_ignored(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    kiosk_order(db, "W3", "paying", 100);
    kiosk_attempt(db, "W3", "one", 100, "1");
    kiosk_attempt(db, "W3", "one", 100, "2");
    struct element e;
    assert_int_equal(claim_rows(db, "one", 1, &e), 1);
    db_do(db, "BEGIN");
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(db_ask(db, "SELECT coalesce(current_setting('makegood.writing', true), '')"), "");
    db_do(db, "COMMIT");
    assert_string_equal(attempts(db, "W3"), "one 100 CNY"); /* still asked: a second payment would be seen */
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'W3'"), 0);
    PQfinish(db);
}

static void the_trigger_never_fails_the_shop(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_nobody"), *db = db_open(KIOSK, NULL);
    db_do(db, "DELETE FROM makegood.parked_order");
    db_do(
        shop,
        "INSERT INTO orders (order_no, state, total, currency, pay_channel) VALUES "
        "('W 4', 'paying', 1, 'CNY', 'c'), ('W5', 'paying', 0, 'CNY', 'c'), ('W6', 'paying', 1, '?!', 'c'), "
        "('W7', 'paying', 1, 'CNY', 'No Name'), ('W8', 'paying', 1, 'CNY', 'c')");
    assert_string_equal(db_ask(db, "SELECT string_agg(order_no || ' ' || reason, ',' ORDER BY order_no) "
                                   "FROM makegood.parked_order"),
                        "W 4 untrackable,W5 untrackable,W6 untrackable,W7 untrackable");
    assert_contains(db_ask(db, "SELECT detail FROM makegood.parked_order WHERE order_no = 'W5'"),
                    "is not above zero");
    assert_string_equal(attempts(db, "W8"), "c 1 CNY");
    db_do(shop, "UPDATE orders SET total = 2, trade_no = 'x' WHERE order_no = 'W8'"); /* another amount */
    assert_contains(db_ask(db, "SELECT detail FROM makegood.parked_order WHERE order_no = 'W8'"),
                    "tracked already");
    db_do(db, "BEGIN; ALTER TABLE kiosk.orders RENAME total TO sum");
    db_do(db, "INSERT INTO kiosk.orders (order_no, state, sum, currency, pay_channel) "
              "VALUES ('W9', 'paying', 1, 'CNY', 'c')");
    assert_string_equal(db_ask(db, "SELECT reason FROM makegood.parked_order WHERE order_no = 'W9'"),
                        "untrackable");
    db_do(db, "DROP TABLE makegood.parked_order CASCADE");
    db_do(db, "INSERT INTO kiosk.orders (order_no, state, sum, currency, pay_channel) "
              "VALUES ('W10', 'paying', 1, 'CNY', 'c')");
    db_do(db, "ROLLBACK");
    PQfinish(shop);
    PQfinish(db);
}

static void verify_misses_a_trigger_that_is_gone(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "ALTER TABLE kiosk.orders DISABLE TRIGGER makegood_watch_update");
    assert_contains(db_ask(db, "SELECT fault FROM makegood.verify(9, '%s'::jsonb || '{\"trigger\": true}')",
                           KIOSK_MAPPING),
                    "kiosk.orders lacks an enabled trigger makegood_watch_update");
    PQfinish(db);
}

int run_trigger_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_that_gets_a_channel_is_tracked),
        cmocka_unit_test(an_order_paid_by_the_shop_resolves_its_attempt_only),
        cmocka_unit_test(an_order_closed_by_the_shop_comes_to_its_end_and_is_asked),
        cmocka_unit_test(makegoods_own_writes_are_ignored),
        cmocka_unit_test(the_trigger_never_fails_the_shop),
        cmocka_unit_test(verify_misses_a_trigger_that_is_gone),
    };
    return cmocka_run_group_tests_name("sql trigger", tests, with_trigger, without_trigger);
}
