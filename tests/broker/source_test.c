/* Orders that come as messages, from end to end: the real daemon, a real RocketMQ, a real PostgreSQL and a real HTTPS bank. */
#include "scene.h"

static char with_net[160];

static int setup(void **state)
{
    scene_setup(state, "--max-delay 6", 11, "  max_delay: 5s\n");
    return 0;
}

static int open_topic(void **state)
{
    static int tests;
    scene_topic(state, ++tests);
    snprintf(with_net, sizeof(with_net), "%s    safety_net: yes\n", by_message);
    return 0;
}

static long metric(const char *name)
{
    char line[512], command[256];
    long value = -1;
    snprintf(command, sizeof(command), "curl -sf --unix-socket %s/web.sock http://localhost/metrics",
             broker_folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof(line), pipe))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ')
            value = atol(line + strlen(name));
    pclose(pipe);
    return value;
}

static void test_messages_are_settled(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 20, "paid");
    stage_orders(21, 10, "pending*2 paid");
    scene_begin(1, by_message);
    for (int i = 1; i <= 30; i++)
        order_send(i, "main", 500);
    all_paid(30, 60000);
    assert_in_range(metric("makegood_broker_up"), 1, 1);
    assert_in_range(metric("makegood_messages_total{fate=\"received\"}"), 50, 60);
    assert_in_range(metric("makegood_messages_total{fate=\"sent\"}"), 20, 20);
    assert_in_range(metric("makegood_messages_total{fate=\"misread\"}"), 0, 0);
    wait_for(30000,
             "SELECT bool_and(state = 'idle' AND query_start < clock_timestamp() - interval '5 s') "
             "FROM pg_stat_activity WHERE application_name = 'makegood'"); /* nobody asks the database */
    daemon_stop(0);
}

/* Sent twice by the shop, and once more when all is over. */
static void test_duplicates_are_harmless(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 10, "pending paid");
    scene_begin(1, by_message);
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 10; i++)
            order_send(i, "main", 500 + 700 * round);
    all_paid(10, 60000);
    long asked = db_number(stage.db, "SELECT count(*) FROM makegood.query_log");
    for (int i = 1; i <= 10; i++)
        order_send(i, "main", 100);
    sleep_ms(4000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log"),
                     asked); /* nobody was asked again */
    all_paid(10, 1000);
    daemon_stop(0);
}

/* Messages that were with a daemon which was killed come again when their time with it is over. */
static void test_a_killed_daemon_loses_nothing(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 40, "pending*2 paid");
    scene_begin(1, by_message);
    for (int i = 1; i <= 40; i++)
        order_send(i, "main", 300);
    for (int kill = 0; kill < 3; kill++) {
        wait_for(60000, "SELECT count(*) >= %d FROM makegood.query_log", 15 * (kill + 1));
        daemon_kill(0);
        scene_daemon(0, by_message);
    }
    all_paid(40, 90000);
    daemon_stop(0);
}

/* Killed in the middle, each comes back on what it has: the daemon goes on by itself. */
static void test_a_killed_proxy_and_broker_lose_nothing(void **state)
{
    static const char *const victims[] = {"proxy", "broker"};
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 40, "pending*3 paid");
    scene_begin(1, by_message);
    for (int i = 1; i <= 40; i++)
        order_send(i, "main", 300);
    for (int i = 0; i < 2; i++) {
        wait_for(60000, "SELECT count(*) >= %d FROM makegood.query_log", 20 + 30 * i);
        broker_do("kill", victims[i]);
        sleep_ms(2000);
        broker_do("start", "");
    }
    all_paid(40, 150000);
    daemon_stop(0);
}

/* A delay beyond what the broker takes goes by hops: each is a message of its own, and nobody is asked before the end. */
static void test_long_delays_go_by_hops(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 3, "pending paid");
    scene_settings.schedule = "14s";
    scene_begin(1, by_message);
    for (int i = 1; i <= 3; i++)
        order_send(i, "main", 100);
    all_paid(3, 60000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log"), 6);
    assert_true(db_number(stage.db, "SELECT extract(epoch FROM max(logged_at) - min(logged_at)) FROM "
                                    "makegood.query_log") >= 10);
    daemon_stop(0);
}

/* The shop tracks with a far due time, and its message is lost: the goalkeeper finds the order. Where the message comes, the
 * row goes with it. */
static void test_the_safety_net(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 10, "paid");
    scene_begin(1, with_net);
    db_do(stage.db,
          "SELECT makegood.track(order_no, channel, amount, currency, number, p_due_in => '9 s') FROM "
          "truth.attempt");
    for (int i = 1; i <= 5; i++)
        order_send(i, "main", 100);
    wait_for(8000, "SELECT count(*) = 5 FROM truth.shop_order WHERE status = 'paid'");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 5);
    all_paid(10, 60000);
    daemon_stop(0);
}

/* An order that a person puts back is a row; the scans find it, also where no safety net is. */
static void test_what_a_person_puts_back_is_asked(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 1, "wrong_amount paid");
    scene_begin(1, by_message);
    order_send(1, "main", 100);
    wait_for(30000, "SELECT count(*) = 1 FROM makegood.parked_order WHERE reason = 'amount_mismatch'");
    db_do(stage.db, "SELECT * FROM makegood.retry('ORD-000001', NULL, NULL, false, 'look again', false)");
    all_paid(1, 20000);
    daemon_stop(0);
}

/* What is no lost order is kept for a person, and goes. */
static void test_what_can_not_be_read_is_kept(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 1, "paid");
    scene_begin(1, by_message);
    assert_int_equal(
        client_send(&shop, topic, "riddle-1", "{\"order_no\": \"A1\", \"channel\": \"nowhere\"", 100), MQ_OK);
    assert_int_equal(client_send(&shop, topic, "riddle-2",
                                 "{\"order_no\": \"A2\", \"channel\": \"nowhere\", \"amount_minor\": 5, "
                                 "\"currency\": \"CNY\"}",
                                 100),
                     MQ_OK);
    order_send(1, "main", 100);
    wait_for(30000, "SELECT count(*) = 2 FROM makegood.parked_order WHERE reason = 'untrackable'");
    wait_for(30000, "SELECT count(*) = 1 FROM truth.shop_order WHERE status = 'paid'");
    assert_int_equal(log_count(0, "event=message_misread"), 2);
    daemon_stop(0);
}

static void test_check_says_what_mqadmin_must_do(void **state)
{
    NEEDS_BROKER;
    char out[2048], section[sizeof(top) + 16];
    stage_open(&orders_shop);
    stage_orders(1, 1, "paid");
    stage_prepare();
    assert_int_equal(scene_command("check", top, out), 0);
    scene_command("list", top, out);
    assert_contains(out, "As messages come orders of main; what waits in the broker is not known here");
    snprintf(section, sizeof(section), "%s  group: nobody\n", top);
    assert_int_equal(scene_command("check", section, out), 1);
    assert_contains(out, "mqadmin updateSubGroup -n NAMESERVER:9876 -c CLUSTER -g nobody -r 1000000");
    snprintf(by_message, sizeof(by_message), "    source: rocketmq\n    topic: NOWHERE\n");
    assert_int_equal(scene_command("check", top, out), 1);
    assert_contains(
        out, "mqadmin updateTopic -n NAMESERVER:9876 -c CLUSTER -t NOWHERE -r 8 -w 8 -a +message.type=DELAY");
    snprintf(section, sizeof(section), "rocketmq:\n  endpoint: 127.0.0.1:%d\n", dead_port);
    assert_int_equal(scene_command("check", section, out), 1);
    assert_contains(out, "there is no session with the proxy");
}

/* While this one pauses, a claim is made that waits for the other channel's messages alone, of which none come. */
static void test_a_channel_is_not_kept_out_by_another_ones_silence(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 4, "rate_limited:1*5 paid"); /* each has the channel pause for a moment */
    scene_settings.rate = "50";
    scene_settings.burst = "1";
    scene_settings.dead = "    source: rocketmq\n    topic: T11\n";
    scene_begin(1, by_message);
    for (int i = 1; i <= 4; i++)
        order_send(i, "main", 500);
    all_paid(4, 15000); /* as long as the other claims wait, it takes 22 s */
    daemon_stop(0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_topic, scene_close)
    const struct CMUnitTest tests[] = {
        TEST(test_messages_are_settled),
        TEST(test_duplicates_are_harmless),
        TEST(test_a_killed_daemon_loses_nothing),
        TEST(test_a_killed_proxy_and_broker_lose_nothing),
        TEST(test_long_delays_go_by_hops),
        TEST(test_the_safety_net),
        TEST(test_what_a_person_puts_back_is_asked),
        TEST(test_what_can_not_be_read_is_kept),
        TEST(test_check_says_what_mqadmin_must_do),
        TEST(test_a_channel_is_not_kept_out_by_another_ones_silence),
    };
    return cmocka_run_group_tests(tests, setup, scene_teardown);
}
