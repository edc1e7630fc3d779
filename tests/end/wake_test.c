/* Waking from end to end: orders are asked about at their time while the table is scanned twice a minute only, a daemon
 * that sleeps asks the database nothing, and hears at once what is due earlier and what operators do. */
#include "stage.h"

#include <stdlib.h>

#define ASLEEP                                                                                              \
    "SELECT bool_and(state = 'idle' AND query_start < clock_timestamp() - interval '%d s') AND count(*) > " \
    "0 "                                                                                                    \
    "FROM pg_stat_activity WHERE application_name = 'makegood'"

static void scene(const struct settings *settings, int orders)
{
    stage_open(&orders_shop);
    stage_orders(1, orders, "paid");
    stage_prepare();
    daemon_start(0, settings);
    wait_for(WAIT_MS, "SELECT due_at = 'infinity' FROM makegood.wake WHERE channel = 'main'");
}

static void track_in(int n, const char *due_in)
{
    db_do(stage.db,
          "UPDATE truth.attempt SET attempt_id = makegood.track(order_no, channel, amount, currency, number, "
          "p_due_in => '%s') WHERE order_no = 'ORD-%06d'",
          due_in, n);
}

/* From the moment that the order was due to its claim. */
static long late_ms(int n, const char *due_in)
{
    return db_number(
        stage.db,
        "SELECT max(1000 * extract(epoch FROM q.claimed_at - t.at - interval '%s'))::bigint FROM "
        "makegood.query_log AS q, tracked AS t WHERE q.order_no = 'ORD-%06d' AND t.n = %d",
        due_in, n, n);
}

static void test_idle_costs_nothing(void **state)
{
    (void)state;
    scene(&(struct settings){0}, 1);
    track_in(1, "1 hour");
    wait_for(20000, ASLEEP, 6);
    track_in(1, "1 hour"); /* known, and not due earlier */
    sleep_ms(1000);
    assert_int_equal(db_number(stage.db, "SELECT (" ASLEEP ")::int", 6), 1);
    daemon_stop(0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.wake"), 0);
}

/* Six orders fall due one after the other; the scans would come half a minute later. */
static void test_orders_are_asked_at_their_time(void **state)
{
    static const char *const dues[] = {"1.9 s", "700 ms", "2.4 s", "0 s", "1.2 s", "2.9 s"};
    (void)state;
    scene(&(struct settings){0}, 6);
    db_do(stage.db, "CREATE TEMPORARY TABLE tracked (n integer, at timestamptz)");
    for (int i = 0; i < 6; i++) {
        db_do(stage.db, "INSERT INTO tracked VALUES (%d, clock_timestamp())", i + 1);
        track_in(i + 1, dues[i]);
    }
    wait_for_end(20000);
    for (int i = 0; i < 6; i++)
        assert_in_range(late_ms(i + 1, dues[i]), 0, 1500);
    ledger_check();
}

/* What it puts off by itself, and what another daemon that is killed leaves behind: its lease is known as well. */
static void test_retries_and_leases_are_met(void **state)
{
    (void)state;
    scene(&(struct settings){.schedule = "1s 2s", .lease = "4s"}, 2);
    bank_mode("pending");
    track_in(1, "0 s");
    wait_for(20000, "SELECT count(*) >= 3 FROM makegood.query_log");
    daemon_kill(0);
    bank_mode(NULL);
    db_do(stage.db, "SELECT * FROM makegood.claim('gone', '{main}', '{9}', 4000)");
    daemon_start(0, &(struct settings){.schedule = "1s 2s", .lease = "4s"});
    wait_for_end(20000);
    ledger_check();
}

static void test_a_sleeper_obeys_at_once(void **state)
{
    (void)state;
    scene(&(struct settings){0}, 2);
    wait_for(20000, ASLEEP, 3);
    db_do(stage.db, "SELECT makegood.pause('main', NULL, 'the bank asked for it', false)");
    wait_for_log(0, "event=channel_held channel=main detail=paused", 5000);
    track_in(1, "0 s");
    sleep_ms(1500);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log"), 0);
    db_do(stage.db, "SELECT makegood.resume('main', 'and is well again', false)");
    wait_for(5000, "SELECT count(*) = 1 FROM makegood.query_log");
    track_in(2, "1 hour");
    db_do(stage.db, "SELECT makegood.retry('ORD-000002', NULL, NULL, true, 'now', false)");
    wait_for_end(5000);
    ledger_check();
}

/* A connection that goes takes its announcements along: all is looked at when it is back. */
static void test_a_lost_connection_misses_nothing(void **state)
{
    (void)state;
    scene(&(struct settings){0}, 2);
    cluster_stop("immediate");
    cluster_start();
    stage_db();
    track_in(1, "1500 ms");
    wait_for_end(20000);
    wait_for(20000, "SELECT due_at = 'infinity' FROM makegood.wake WHERE channel = 'main'");
    track_in(2, "0 s");
    wait_for_end(5000);
    ledger_check();
}

/* Behind PgBouncer in transaction mode nothing can be listened to: the table is scanned. */
static void test_without_prepared_statements_it_polls(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 1, "paid");
    stage_prepare();
    daemon_start(0, &(struct settings){.prepared = "false"});
    wait_for(WAIT_MS, "SELECT count(*) = 1 FROM makegood.instance");
    track_in(1, "0 s");
    wait_for_end(5000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.wake"), 0);
    ledger_check();
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_idle_costs_nothing),
        TEST(test_orders_are_asked_at_their_time),
        TEST(test_retries_and_leases_are_met),
        TEST(test_a_sleeper_obeys_at_once),
        TEST(test_a_lost_connection_misses_nothing),
        TEST(test_without_prepared_statements_it_polls),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
