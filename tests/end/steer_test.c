/* Steering from end to end: several daemons share a channel's limits, operators hold channels or everything back and every
 * daemon obeys, shadow mode and maintenance windows, and a schema that is older than all this. */
#include "stage.h"

#include <signal.h>
#include <stdlib.h>

static void reload(const struct settings *settings)
{
    char path[160];
    config_path(0, path);
    config_write(path, settings, "end-0");
    kill(stage.daemons[0], SIGHUP);
}

static long paid(void)
{
    return db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'");
}

static long asked(void)
{
    return db_number(stage.db, "SELECT count(*) FROM makegood.query_log");
}

/* The sum of the living instances' shares. */
static const char *shares(const char *of)
{
    return db_text(
        stage.db,
        "SELECT string_agg(i.lanes -> 'main' ->> '%s', ' ' ORDER BY i.name) FROM makegood.instance AS i"
        " WHERE i.seen_at > clock_timestamp() - interval '3 s'",
        of);
}

static void test_instances_share(void **state)
{
    static const struct settings settings = {.rate = "101", .burst = "10"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 600, "paid");
    stage_prepare();
    for (int i = 0; i < 3; i++)
        daemon_start(i, &settings);
    wait_for(
        WAIT_MS,
        "SELECT count(*) = 3 FROM makegood.instance WHERE lanes -> 'main' ->> 'concurrency' IN ('21', '22')");
    assert_string_equal(shares("concurrency"), "22 21 21");
    assert_string_equal(shares("rate"), "34 34 33");
    stage_track();
    wait_for(WAIT_MS, "SELECT count(*) > 200 FROM makegood.query_log");
    daemon_kill(1);
    wait_for(
        WAIT_MS,
        "SELECT sum((lanes -> 'main' ->> 'concurrency')::int) = 64 AND count(*) = 2 FROM makegood.instance"
        " WHERE seen_at > clock_timestamp() - interval '3 s'");
    wait_for_end(WAIT_MS);
    /* Nowhere within 2 s more than the rate allows, a burst and the moments of changing shares included. */
    assert_in_range(db_number(stage.db,
                              "SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY logged_at RANGE BETWEEN"
                              " CURRENT ROW AND '2 s' FOLLOWING) AS n FROM makegood.query_log) AS w"),
                    100, 2 * 101 + 60);
    daemon_stop(2);
    wait_for(WAIT_MS,
             "SELECT lanes -> 'main' ->> 'concurrency' = '64' FROM makegood.instance WHERE name = 'end-0'");
    ledger_check();
    assert_int_equal(paid(), 600);
}

static void test_a_pause_holds_all_at_once(void **state)
{
    static const struct settings settings = {.rate = "100", .burst = "1"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 500, "paid");
    stage_begin();
    daemon_start(0, &settings);
    daemon_start(1, &settings);
    wait_for(WAIT_MS, "SELECT count(*) > 50 FROM makegood.query_log");
    db_do(stage.db, "SELECT makegood.pause('main', NULL, 'the bank asked for it', false)");
    wait_for_log(0, "event=channel_held channel=main detail=paused", WAIT_MS);
    wait_for_log(1, "event=channel_held channel=main detail=paused", WAIT_MS);
    sleep_ms(1500); /* what was being asked is settled */
    long before = asked();
    assert_true(before < 500);
    sleep_ms(2000);
    assert_int_equal(asked(), before);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE token IS NOT NULL"),
                     0);
    db_do(stage.db, "SELECT makegood.resume('main', 'and is well again', false)");
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(paid(), 500);
}

/* From the moment on that halt() answers nothing ends, whatever was being asked. */
static void test_halted_nothing_ends(void **state)
{
    static const struct settings settings = {.rate = "200", .burst = "1"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 600, "slow:1 paid");
    stage_begin();
    daemon_start(0, &settings);
    daemon_start(1, &settings);
    wait_for(WAIT_MS, "SELECT count(*) > 50 FROM makegood.query_log WHERE outcome = 'applied'");
    db_do(stage.db, "SELECT makegood.halt('something smells', false)");
    long before = paid();
    assert_true(before < 600);
    sleep_ms(4000);
    assert_int_equal(paid(), before);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 600 - before);
    assert_true(
        db_number(stage.db,
                  "SELECT count(*) FROM makegood.query_log WHERE rule = 'halted' AND verdict = 'retry'"
                  " AND detail LIKE 'instead of paid by %%'") > 0);
    db_do(stage.db, "SELECT makegood.lift('it was the coffee', false)");
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(paid(), 600);
}

static void test_shadow_settles_nothing(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 20, "paid");
    stage_orders(21, 10, "closed");
    stage_orders(31, 10, "wrong_amount");
    stage_begin();
    daemon_start(0, &(struct settings){.more = "    shadow: yes\n"});
    wait_for(WAIT_MS, "SELECT count(DISTINCT attempt_id) = 40 FROM makegood.query_log");
    sleep_ms(1000);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE answers = 0 AND phase = 'open'"),
        40);
    assert_int_equal(paid(), 0);
    assert_string_equal(
        db_text(stage.db, "SELECT string_agg(DISTINCT detail, '; ' ORDER BY detail) FROM"
                          " makegood.query_log WHERE rule = 'shadow' AND verdict = 'retry'"),
        "instead of closed by closed; instead of paid by paid; instead of park by paid_other_amount");
    reload(&(struct settings){0});
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    ledger_check();
    assert_int_equal(paid(), 20);
}

static void test_maintenance(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 20, "paid");
    stage_begin();
    daemon_start(0, &(struct settings){.more = "    maintenance: [\"00:00-12:00\", \"12:00-24:00\"]\n"});
    wait_for_log(0, "event=channel_held channel=main detail=maintenance", WAIT_MS);
    sleep_ms(1500);
    assert_int_equal(asked(), 0);
    reload(&(struct settings){0});
    wait_for_log(0, "event=channel_freed channel=main", WAIT_MS);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(paid(), 20);
}

/* The first release's schema knows no beating: the daemon works alone, and beats once somebody has migrated. */
static void test_an_older_schema(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 50, "paid");
    stage_begin();
    db_do(stage.db, "ALTER FUNCTION makegood.beat RENAME TO beat_of_tomorrow");
    daemon_start(0, &(struct settings){0});
    wait_for_log(0, "event=schema_is_older", WAIT_MS);
    wait_for_end(WAIT_MS);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.instance"), 0);
    ledger_check();
    assert_int_equal(paid(), 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_instances_share),     TEST(test_a_pause_holds_all_at_once),
        TEST(test_halted_nothing_ends), TEST(test_shadow_settles_nothing),
        TEST(test_maintenance),         TEST(test_an_older_schema),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
