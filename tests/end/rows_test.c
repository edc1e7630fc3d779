/* Hostile rows and a shop with a will of its own: what the order table says otherwise is parked with its reason, what
 * the shop's triggers refuse is found and parked, and the neighbours pass. */
#include "stage.h"

static const struct settings plain = {.lease = "3s"};

static const char *parked(int n)
{
    return db_text(stage.db,
                   "SELECT coalesce((SELECT string_agg(p.reason, ',') FROM makegood.parked_order AS p"
                   " JOIN truth.attempt AS a USING (attempt_id) WHERE a.n = %d), 'not parked')",
                   n);
}

static const char *status(int n)
{
    return db_text(stage.db,
                   "SELECT o.status FROM truth.shop_order AS o JOIN truth.attempt AS a USING (order_no)"
                   " WHERE a.n = %d",
                   n);
}

static void assert_fate(int n, const char *reason, const char *order_status)
{
    if (strcmp(parked(n), reason) != 0 || strcmp(status(n), order_status) != 0)
        fail_msg("order %d is %s and %s, not %s and %s", n, status(n), parked(n), order_status, reason);
}

static void run_to_the_end(const struct settings *settings)
{
    daemon_start(0, settings);
    wait_for_end(WAIT_MS);
    daemon_stop(0);
}

/* --- what the order table says --------------------------------------------------------------------------------- */

static void test_orders_table_differs(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 12, "paid");
    db_do(stage.db, "UPDATE truth.attempt SET script = 'closed' WHERE n IN (9, 10)");
    stage_begin();
    db_do(stage.db, "DELETE FROM public.orders WHERE order_no = 'ORD-000001';"
                    "UPDATE public.orders SET total_cents = NULL WHERE order_no = 'ORD-000002';"
                    "UPDATE public.orders SET total_cents = -total_cents WHERE order_no = 'ORD-000003';"
                    "UPDATE public.orders SET total_cents = total_cents + 1 WHERE order_no = 'ORD-000004';"
                    "UPDATE public.orders SET currency = 'USD' WHERE order_no = 'ORD-000005';"
                    "UPDATE public.orders SET currency = NULL WHERE order_no = 'ORD-000006';"
                    "UPDATE public.orders SET status = 'closed' WHERE order_no = 'ORD-000007';"
                    "UPDATE public.orders SET status = 'on_hold' WHERE order_no = 'ORD-000008';"
                    "UPDATE public.orders SET status = 'on_hold' WHERE order_no = 'ORD-000009';"
                    "UPDATE public.orders SET status = 'closed' WHERE order_no = 'ORD-000010';"
                    "UPDATE public.orders SET status = 'shipped' WHERE order_no = 'ORD-000011'");
    run_to_the_end(&plain);
    assert_string_equal(parked(1), "missing");
    assert_fate(2, "amount_mismatch", "unpaid");
    assert_fate(3, "amount_mismatch", "unpaid");
    assert_fate(4, "amount_mismatch", "unpaid");
    assert_fate(5, "currency_mismatch", "unpaid");
    assert_fate(6, "currency_mismatch", "unpaid");
    assert_fate(7, "late_payment", "closed");
    assert_fate(8, "status_unexpected", "on_hold");
    assert_fate(9, "status_unexpected", "on_hold");
    assert_fate(10, "not parked", "closed");
    assert_fate(11, "not parked", "paid");
    assert_fate(12, "not parked", "paid");
    ledger_check();
}

static void test_purchases_table_differs(void **state)
{
    (void)state;
    stage_open(&purchases_shop);
    stage_orders(1, 8, "paid");
    stage_order_at(9, "paid", 12345, "main", NULL);
    stage_begin();
    db_do(stage.db, "SET search_path = shop; DELETE FROM shop.purchases WHERE id = 1;"
                    "UPDATE shop.purchases SET state = 2, trade_no = 'ch_pi_000002' WHERE id = 2;"
                    "UPDATE shop.purchases SET state = 2, trade_no = 'another-payment' WHERE id = 3;"
                    "UPDATE shop.purchases SET state = 9 WHERE id = 4;"
                    "UPDATE shop.purchases SET price = price + 0.01 WHERE id = 5;"
                    "UPDATE shop.purchases SET price = 'NaN' WHERE id = 6;"
                    "UPDATE shop.purchases SET price = NULL WHERE id = 7;"
                    "ALTER DOMAIN shop.price ADD CHECK (VALUE <> 0) NOT VALID");
    run_to_the_end(&plain);
    assert_string_equal(parked(1), "missing");
    assert_fate(2, "not parked", "paid");
    assert_fate(3, "paid_twice", "paid");
    assert_fate(4, "late_payment", "closed");
    assert_fate(5, "amount_mismatch", "unpaid");
    assert_string_equal(parked(6), "amount_mismatch");
    assert_fate(7, "amount_mismatch", "unpaid");
    assert_fate(8, "not parked", "paid");
    assert_fate(9, "not parked", "paid");
    assert_string_equal(db_text(stage.db, "SELECT trade_no FROM shop.purchases WHERE id = 3"),
                        "another-payment");
    db_do(stage.db,
          "UPDATE shop.purchases SET price = 1 WHERE id = 6"); /* NaN is no number for the ledger either */
    ledger_check();
}

/* Two attempts of one order: charged twice. The first pays, the second is seen and told. */
static void test_charged_twice(void **state)
{
    (void)state;
    stage_open(&purchases_shop);
    stage_orders(1, 2, "paid");
    stage_orders(3, 2, "closed");
    db_do(stage.db, "UPDATE truth.attempt SET order_no = '1', amount = 500 WHERE n IN (1, 2);"
                    "UPDATE truth.attempt SET order_no = '3', amount = 700 WHERE n IN (3, 4)");
    stage_prepare();
    db_do(stage.db,
          "UPDATE truth.attempt SET attempt_id = makegood.track(order_no, channel, amount, currency, number,"
          " p_attempt => number, p_due_in => interval '0')");
    run_to_the_end(&plain);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change WHERE after = 'paid'"), 1);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason = 'paid_twice'"), 1);
    assert_string_equal(status(3), "closed"); /* by the last of its attempts, not by the first */
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change WHERE after = 'closed'"), 1);
    ledger_check();
}

/* --- poison ---------------------------------------------------------------------------------------------------- */

/* A trigger of the shop that raises for some orders. */
static void trigger_place(const char *condition, const char *sqlstate)
{
    db_do(
        stage.db,
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF %s THEN RAISE EXCEPTION 'the shop \x01 says \"no\" to %%', NEW.order_no USING ERRCODE = '%s'; "
        "END IF;"
        " RETURN NEW; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.refuse()",
        condition, sqlstate);
}

static void poison_check(const char *sqlstate, const char *name)
{
    stage_open(&orders_shop);
    stage_orders(1, 150, "paid");
    stage_begin();
    trigger_place("NEW.order_no IN ('ORD-000007', 'ORD-000070', 'ORD-000150')", sqlstate);
    run_to_the_end(&plain);
    print_message("             %s: %s audit rows\n", name,
                  db_text(stage.db, "SELECT count(*) FROM makegood.query_log"));
    assert_fate(7, "poison", "unpaid");
    assert_fate(70, "poison", "unpaid");
    assert_fate(150, "poison", "unpaid");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 147);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 3);
    ledger_check();
}

static void test_trigger_raises(void **state)
{
    (void)state;
    poison_check("P0001", "raise");
}

static void test_trigger_finds_data_wrong(void **state)
{
    (void)state;
    poison_check("23514", "check violation");
}

/* Class 40 says that it was nobody's fault: repeated until it passes, and nothing is parked. */
static void test_trigger_raises_for_a_while(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 60, "paid");
    stage_begin();
    db_do(stage.db, "CREATE TABLE public.mood (bad boolean); INSERT INTO public.mood VALUES (true);"
                    "GRANT SELECT ON public.mood TO end_shop");
    trigger_place("(SELECT bad FROM public.mood)", "40P01");
    daemon_start(0, &plain);
    wait_for_log(0, "event=settle_repeated", WAIT_MS);
    sleep_ms(1500);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 60);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    db_do(stage.db, "UPDATE public.mood SET bad = false");
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 60);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
}

/* A trigger that swallows the update: no error, and no write. */
static void test_trigger_swallows(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 10, "paid");
    stage_begin();
    db_do(stage.db, "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    " RETURN CASE WHEN NEW.order_no = 'ORD-000003' THEN NULL ELSE NEW END; END $$;"
                    "CREATE TRIGGER swallow BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION"
                    " public.swallow()");
    run_to_the_end(&plain);
    assert_fate(3, "status_unexpected", "unpaid");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 9);
    ledger_check();
}

/* The schema is not what it must be (class 42): settling stops with one alarm, nothing is parked, and it goes on
 * when somebody mended it. */
static void test_column_goes_and_returns(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 40, "pending paid");
    stage_begin();
    daemon_start(0, &(struct settings){.lease = "3s", .schedule = "1s"});
    wait_for(WAIT_MS, "SELECT count(*) >= 40 FROM makegood.query_log");
    db_do(stage.db, "ALTER TABLE public.orders RENAME COLUMN paid_at TO paid_when");
    wait_for_log(0, "event=database_unfit", WAIT_MS);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change"), 0);
    db_do(stage.db, "ALTER TABLE public.orders RENAME COLUMN paid_when TO paid_at");
    process_kill(stage.daemons[0]); /* the operator restarts it, rather than wait for half a minute */
    stage.daemons[0] = 0;
    stage.kills++;
    daemon_start(0, &plain);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 40);
    assert_int_equal(log_count(0, "event=database_unfit"), 1);
}

/* --- the shop's locks, and attempts without a number ----------------------------------------------------------- */

static void test_rows_are_held(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 30, "paid");
    stage_begin();
    PGconn *orders = db_open(stage.database, "end_shop");
    PGconn *rows = db_open(stage.database, NULL);
    db_do(orders, "BEGIN; UPDATE public.orders SET version = version WHERE order_no = 'ORD-000001'");
    db_do(rows, "BEGIN; UPDATE makegood.lost_order SET errors = errors WHERE order_no = 'ORD-000002'");
    daemon_start(0, &plain);
    wait_for(WAIT_MS, "SELECT count(*) = 2 FROM makegood.lost_order");
    sleep_ms(500);
    assert_string_equal(db_text(stage.db, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'end_daemon'"
                                          " AND wait_event_type = 'Lock'"),
                        "0");
    PQfinish(orders); /* the shop's process dies: its transaction is gone */
    PQfinish(rows);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 30);
}

/* Until its number is known an attempt can not be asked about; nobody is asked, and its end is visible. */
static void test_number_is_not_known_yet(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 2, "paid");
    stage_prepare();
    db_do(stage.db,
          "UPDATE truth.attempt SET attempt_id = makegood.track(order_no, channel, amount, currency,"
          " p_expires_at => CASE n WHEN 2 THEN now() + interval '1 second' END, p_due_in => '0')");
    daemon_start(0, &plain);
    wait_for(WAIT_MS, "SELECT count(*) >= 2 FROM makegood.query_log WHERE order_no = 'ORD-000001'");
    wait_for(WAIT_MS, "SELECT count(*) = 1 FROM makegood.parked_order WHERE reason = 'unaskable'");
    db_do(stage.db, "SELECT makegood.track(order_no, channel, amount, currency, number) FROM truth.attempt"
                    " WHERE n = 1");
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_fate(1, "not parked", "paid");
    assert_int_equal(db_number(stage.db,
                               "SELECT count(*) FROM makegood.query_log WHERE order_no = 'ORD-000002'"
                               " AND http_status > 0"),
                     0);
}

int main(void)
{
#define ROWS(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        ROWS(test_orders_table_differs),
        ROWS(test_purchases_table_differs),
        ROWS(test_charged_twice),
        ROWS(test_trigger_raises),
        ROWS(test_trigger_finds_data_wrong),
        ROWS(test_trigger_raises_for_a_while),
        ROWS(test_trigger_swallows),
        ROWS(test_column_goes_and_returns),
        ROWS(test_rows_are_held),
        ROWS(test_number_is_not_known_yet),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
