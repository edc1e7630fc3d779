/* The client of RocketMQ on a real one: messages come at their time, once, and again when nobody acknowledged them; kills of
 * the proxy and the broker; and what is said when something is not as it must be. */
#include "broker.h"

#define TOPIC "LOST"
#define GROUP "makegood"

static const struct client_options usual = {.topics = {TOPIC, NULL}, .group = GROUP};
static bool there;

static int setup(void **state)
{
    (void)state;
    there = broker_start("--max-delay 3600");
    if (there) {
        broker_do("topic", TOPIC " OTHER");
        broker_do("group", GROUP);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    broker_stop();
    return 0;
}

static struct client client;

/* A new consumer begins at the end of each queue: it must be there before the first message. */
static int open_client(void **state)
{
    (void)state;
    if (!there)
        return 0;
    client_open(&client, &usual);
    client_wait(&client, 20000, client.ups == 1);
    client_receive(&client, TOPIC, 1, 1);
    for (int i = 0; i < client.count; i++)
        client_ack(&client, TOPIC, &client.taken[i]);
    client.count = 0;
    return 0;
}

static int close_client(void **state)
{
    (void)state;
    if (there)
        client_close(&client);
    return 0;
}

#define NEEDS_BROKER \
    (void)state;     \
    if (!there)      \
    skip()

static void test_a_message_comes_at_its_time(void **state)
{
    NEEDS_BROKER;
    int64_t due_ms = wall_ms() + 3000;
    assert_int_equal(client_send(&client, TOPIC, "time-1", "{\"order_no\":\"A1\"}", 3000), MQ_OK);
    client_receive(&client, TOPIC, 1, 15000);
    assert_int_equal(client.count, 1);
    assert_string_equal(client.taken[0].body, "{\"order_no\":\"A1\"}");
    assert_int_equal(client.taken[0].attempt, 1);
    printf("           came %lld ms after its time\n", (long long)(client.taken[0].came_ms - due_ms));
    assert_true(client.taken[0].came_ms >= due_ms - 1000);
    assert_int_equal(client_ack(&client, TOPIC, &client.taken[0]), MQ_OK);
}

static void test_what_is_not_acknowledged_comes_again(void **state)
{
    NEEDS_BROKER;
    assert_int_equal(client_send(&client, TOPIC, "again-1", "again", 100), MQ_OK);
    client_receive(&client, TOPIC, 2, 40000);
    assert_int_equal(client.count, 2);
    assert_string_equal(client.taken[1].id, client.taken[0].id);
    assert_int_equal(client.taken[1].attempt, 2);
    printf("           came again after %lld ms\n",
           (long long)(client.taken[1].came_ms - client.taken[0].came_ms));
    assert_int_equal(client_ack(&client, TOPIC, &client.taken[0]), MQ_EXPIRED);
    assert_int_equal(client_ack(&client, TOPIC, &client.taken[1]), MQ_OK);
}

static void test_what_is_given_back_comes_sooner(void **state)
{
    NEEDS_BROKER;
    assert_int_equal(client_send(&client, TOPIC, "back-1", "back", 100), MQ_OK);
    client_receive(&client, TOPIC, 1, 15000);
    assert_int_equal(client.count, 1);
    assert_int_equal(client_return(&client, TOPIC, &client.taken[0], 1000), MQ_OK);
    client_receive(&client, TOPIC, 2, 30000);
    assert_int_equal(client.count, 2);
    assert_int_equal(client_ack(&client, TOPIC, &client.taken[1]), MQ_OK);
}

static void test_many_at_once(void **state)
{
    NEEDS_BROKER;
    char id[32];
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "many-%d", i);
        assert_int_equal(client_send(&client, TOPIC, id, id, 500), MQ_OK);
    }
    client_receive(&client, TOPIC, 50, 30000);
    assert_int_equal(client.count, 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(client_ack(&client, TOPIC, &client.taken[i]), MQ_OK);
}

static void test_receiving_can_be_stopped(void **state)
{
    NEEDS_BROKER;
    int64_t begun_ms = wall_ms();
    client_receive(&client, TOPIC, 1, 1); /* waits for its five seconds */
    assert_true(wall_ms() - begun_ms >= 4000);
    assert_int_equal(client.result, MQ_OK);
}

static void test_what_is_wrong_is_said(void **state)
{
    NEEDS_BROKER;
    assert_int_equal(client_route(&client, TOPIC), MQ_OK);
    assert_int_equal(client_route(&client, "NOWHERE"), MQ_NO_TOPIC);
    broker_do("admin", "updateTopic -c DefaultCluster -t PLAIN -r 4 -w 4 >/dev/null");
    assert_int_equal(client_route(&client, "PLAIN"), MQ_WRONG_TYPE);
    assert_int_equal(client_send(&client, "PLAIN", "plain-1", "x", 100), MQ_WRONG_TYPE);
    assert_int_equal(client_send(&client, TOPIC, "far-1", "x", 7200000), MQ_TOO_FAR);
    /* The proxy has it either way, by what it remembers. */
    enum mq_result nowhere = client_send(&client, "NOWHERE", "nowhere-1", "x", 100);
    assert_true(nowhere == MQ_NO_TOPIC || nowhere == MQ_WRONG_TYPE);
    struct client stranger;
    client_open(&stranger, &(struct client_options){.topics = {TOPIC, NULL}, .group = "nobody"});
    client_wait(&stranger, 3000, stranger.downs > 0); /* at once, not when its time is over */
    assert_non_null(strstr(stranger.reason, "group not found"));
    client_receive(&stranger, TOPIC, 1, 1);
    assert_int_not_equal(stranger.result, MQ_OK);
    client_close(&stranger);
}

static void test_the_proxy_is_killed(void **state)
{
    NEEDS_BROKER;
    assert_int_equal(client_send(&client, TOPIC, "killed-1", "before", 8000), MQ_OK);
    broker_do("kill", "proxy");
    assert_int_equal(client_send(&client, TOPIC, "killed-0", "meanwhile", 100), MQ_UNKNOWN);
    client_wait(&client, 1000, client.downs > 0); /* no heartbeat is waited for */
    printf("           %s\n", client.reason);
    assert_int_equal(client_send(&client, TOPIC, "killed-2", "meanwhile", 100), MQ_UNKNOWN);
    broker_do("start", "");
    client_wait(&client, 60000, client.ups == 2);
    client_receive(&client, TOPIC, 1, 40000);
    assert_int_equal(client.count, 1);
    assert_string_equal(client.taken[0].body, "before");
    assert_int_equal(client_ack(&client, TOPIC, &client.taken[0]), MQ_OK);
}

static const struct taken *find(const char *id)
{
    for (int i = 0; i < client.count; i++)
        if (strcmp(client.taken[i].id, id) == 0)
            return &client.taken[i];
    return NULL;
}

static void test_the_broker_is_killed(void **state)
{
    NEEDS_BROKER;
    assert_int_equal(client_send(&client, TOPIC, "broken-1", "before", 15000), MQ_OK);
    for (int i = 0; i < 50; i++)
        client_turn(&client); /* its disk has it */
    broker_do("kill", "broker");
    enum mq_result meanwhile = client_send(&client, TOPIC, "broken-2", "meanwhile", 100);
    assert_int_not_equal(meanwhile, MQ_OK);
    broker_do("start", "");
    const struct taken *taken = NULL;
    for (int64_t until_ms = wall_ms() + 90000; !taken && wall_ms() < until_ms; taken = find("broken-1"))
        client_receive(&client, TOPIC, client.count + 1, 10000);
    assert_non_null(taken); /* others may come again: what was acknowledged last is not on its disk yet */
    assert_string_equal(taken->body, "before");
    assert_int_equal(client_ack(&client, TOPIC, taken), MQ_OK);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_client, close_client)
    const struct CMUnitTest tests[] = {
        TEST(test_a_message_comes_at_its_time),
        TEST(test_what_is_not_acknowledged_comes_again),
        TEST(test_what_is_given_back_comes_sooner),
        TEST(test_many_at_once),
        TEST(test_receiving_can_be_stopped),
        TEST(test_what_is_wrong_is_said),
        TEST(test_the_proxy_is_killed),
        TEST(test_the_broker_is_killed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
