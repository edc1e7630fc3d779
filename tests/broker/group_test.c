/* Several daemons in one consumer group: they share the messages, each order is asked about by one of them, and when one is
 * killed the others have what was with it. */
#include "scene.h"

#define ORDERS 400

static int setup(void **state)
{
    scene_setup(state, "--max-delay 3600", 3, "");
    return 0;
}

static int open_topic(void **state)
{
    static int tests;
    scene_topic(state, ++tests);
    return 0;
}

static void open_and_send(const char *script)
{
    stage_open(&orders_shop);
    stage_orders(1, ORDERS, script);
    scene_begin(2, by_message);
    for (int i = 1; i <= ORDERS; i++)
        order_send(i, "main", 3000);
}

static long asked_by(const char *instance)
{
    return db_number(stage.db, "SELECT count(*) FROM makegood.query_log WHERE instance = '%s'", instance);
}

/* Questions about one message that both were recorded. */
static long settled_twice(void)
{
    return db_number(stage.db,
                     "SELECT count(*) FROM (SELECT FROM makegood.query_log WHERE outcome = 'applied' "
                     "GROUP BY token, claimed_at HAVING count(*) > 1) AS twice");
}

static void test_two_share_the_messages(void **state)
{
    NEEDS_BROKER;
    open_and_send("paid");
    all_paid(ORDERS, 60000);
    daemons_stop();
    printf("           %ld and %ld of %d\n", asked_by("end-0"), asked_by("end-1"), ORDERS);
    assert_in_range(asked_by("end-0"), ORDERS / 10, ORDERS);
    assert_in_range(asked_by("end-1"), ORDERS / 10, ORDERS);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log"), ORDERS);
    assert_int_equal(db_number(stage.db, "SELECT count(DISTINCT order_no) FROM makegood.query_log"), ORDERS);
}

/* What was with it comes again after its lease, to the other one. */
static void test_one_is_killed_and_the_other_finishes(void **state)
{
    NEEDS_BROKER;
    open_and_send("pending*2 paid");
    wait_for(60000, "SELECT count(*) >= %d AND count(DISTINCT instance) = 2 FROM makegood.query_log", ORDERS);
    daemon_kill(1);
    assert_true(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'") < ORDERS);
    all_paid(ORDERS, 90000);
    daemon_stop(0);
    assert_int_equal(settled_twice(), 0);
}

/* Their time with us runs out while the database can not settle them: they come again, to either, and whoever settles first
 * is the only one. */
static void test_the_database_is_away_for_longer_than_the_lease(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 60, "pending*2 paid");
    scene_begin(2, by_message);
    for (int i = 1; i <= 60; i++)
        order_send(i, "main", 100);
    wait_for(30000, "SELECT count(*) >= 40 FROM makegood.query_log");
    PGconn *db = db_open(stage.database, NULL);
    db_do(db, "BEGIN");
    db_do(db, "LOCK TABLE makegood.query_log IN ACCESS EXCLUSIVE MODE");
    sleep_ms(13500);
    db_do(db, "COMMIT");
    PQfinish(db);
    all_paid(60, 60000);
    daemons_stop();
    assert_int_equal(settled_twice(), 0);
    assert_int_equal(
        db_number(stage.db,
                  "SELECT count(*) FROM makegood.query_log WHERE rule = 'paid' AND outcome = 'applied'"),
        60);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_topic, scene_close)
    const struct CMUnitTest tests[] = {
        TEST(test_two_share_the_messages),
        TEST(test_one_is_killed_and_the_other_finishes),
        TEST(test_the_database_is_away_for_longer_than_the_lease),
    };
    return cmocka_run_group_tests(tests, setup, scene_teardown);
}
