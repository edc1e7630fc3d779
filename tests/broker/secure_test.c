/* RocketMQ behind TLS and a secret: the client and the daemon work over both, and whoever has the wrong certificate or the
 * wrong secret is told so, by the key of the configuration that is to be mended, and never by the secret. */
#include "scene.h"

#include <sys/stat.h>

#define SECRET "sesame-1"
#define GUESS  "sesame-2"

static char authority[96];    /* of the proxy */
static char stranger[96];     /* another one */
static char secret_of[2][96]; /* files: the right one, and the guess */

static void file_secret(const char *name, const char *secret, char out[96])
{
    snprintf(out, 96, "%s/%s", world_folder, name);
    file_write(out, secret);
    assert_int_equal(chmod(out, 0600), 0);
}

static int setup(void **state)
{
    broker_kept = "MAKEGOOD_SECURE_BROKER";
    scene_setup(state, "--tls --acl tester:" SECRET, 2, "");
    snprintf(authority, sizeof(authority), "%s/tls/ca.crt", broker_folder);
    snprintf(stranger, sizeof(stranger), "%s/tls/ca.crt", world_folder);
    file_secret("right.key", SECRET, secret_of[0]);
    file_secret("wrong.key", GUESS, secret_of[1]);
    shop_options = (struct client_options){.secret = SECRET, .ca_file = authority};
    return 0;
}

/* What the client is sent is no order: the daemon's is another topic. */
static int open_client(void **state)
{
    scene_topic(state, 1);
    return 0;
}

static int open_daemon(void **state)
{
    scene_topic(state, 2);
    return 0;
}

/* --- the client ----------------------------------------------------------------------------------------- */

static void test_it_works_over_tls_with_a_secret(void **state)
{
    NEEDS_BROKER;
    static struct client client;
    client_open(&client,
                &(struct client_options){
                    .topics = {topic, NULL}, .group = "shop", .secret = SECRET, .ca_file = authority});
    client_wait(&client, 20000, client.ups == 1);
    client_receive(&client, topic, 1, 1);
    assert_int_equal(client_send(&client, topic, "secure-1", "over TLS", 100), MQ_OK);
    client_receive(&client, topic, 1, 15000);
    assert_int_equal(client.count, 1);
    assert_string_equal(client.taken[0].body, "over TLS");
    assert_int_equal(client_ack(&client, topic, &client.taken[0]), MQ_OK);
    assert_int_equal(client.downs, 0);
    client_close(&client);
}

/* At once, not when a time is over, which would look like a proxy that is not there. */
static void refused(const struct client_options *given, enum mq_result result, const char *mend)
{
    static struct client client;
    struct client_options options = *given;
    options.topics[0] = topic;
    options.group = "shop";
    client_open(&client, &options);
    client_wait(&client, 3000, client.downs == 1);
    printf("           %s\n", client.reason);
    assert_int_equal(client.ups, 0);
    assert_int_equal(client.down_result, result);
    assert_contains(client.reason, mend);
    assert_lacks(client.reason, "sesame");
    client_close(&client);
}

static void test_who_is_not_trusted_is_told(void **state)
{
    NEEDS_BROKER;
    refused(&(struct client_options){.secret = SECRET, .ca_file = stranger}, MQ_UNTRUSTED,
            "rocketmq.ca_file can not vouch for the proxy (SSL certificate problem");
    refused(&(struct client_options){.secret = SECRET, .ca_file = "/nowhere/ca.crt"}, MQ_UNTRUSTED,
            "rocketmq.ca_file can not vouch for the proxy (error setting certificate file: /nowhere/ca.crt)");
    refused(&(struct client_options){.secret = SECRET}, MQ_UNTRUSTED,
            "where it wants TLS, name in rocketmq.ca_file the authority that signed its certificate");
}

static void test_who_is_not_known_is_told(void **state)
{
    NEEDS_BROKER;
    static const char pair[] = "rocketmq.access_key with its rocketmq.secret_key_file";
    refused(&(struct client_options){.secret = GUESS, .ca_file = authority}, MQ_DENIED, pair);
    refused(&(struct client_options){.user = "nobody", .secret = SECRET, .ca_file = authority}, MQ_DENIED,
            pair);
    refused(&(struct client_options){.ca_file = authority}, MQ_DENIED,
            "write rocketmq.access_key and rocketmq.secret_key_file");
}

/* --- the daemon ----------------------------------------------------------------------------------------- */

/* The configuration's section, in the place of `top`. */
static const char *section(const char *ca_file, const char *secret_file)
{
    static char text[1024];
    int length = snprintf(text, sizeof(text), "rocketmq:\n  endpoint: %s\n", broker_endpoint);
    if (ca_file)
        length += snprintf(text + length, sizeof(text) - length, "  ca_file: %s\n", ca_file);
    if (secret_file)
        snprintf(text + length, sizeof(text) - length, "  access_key: tester\n  secret_key_file: %s\n",
                 secret_file);
    return text;
}

static void test_the_daemon_settles_over_both(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 5, "pending paid");
    snprintf(top, sizeof(top), "%s", section(authority, secret_of[0]));
    scene_begin(1, by_message);
    for (int i = 1; i <= 5; i++)
        order_send(i, "main", 300);
    all_paid(5, 30000);
    daemon_stop(0);
    char *log = daemon_log(0);
    assert_lacks(log, "sesame");
    assert_lacks(log, "level=err");
    free(log);
}

static void check_blames(const char *ca_file, const char *secret_file, const char *key, const char *mend)
{
    char out[2048];
    assert_int_equal(scene_command("check", section(ca_file, secret_file), out), 1);
    assert_contains(out, key);
    assert_contains(out, mend);
    assert_lacks(out, "sesame");
    assert_lacks(out, "updateSubGroup"); /* the mend of something else */
}

static void test_check_tells_them_apart(void **state)
{
    NEEDS_BROKER;
    char out[2048], nobody[768];
    stage_open(&orders_shop);
    stage_orders(1, 1, "paid");
    stage_prepare();
    assert_int_equal(scene_command("check", section(authority, secret_of[0]), out), 0);
    check_blames(authority, secret_of[1], "rocketmq.access_key: ", "the proxy does not take");
    check_blames(authority, NULL, "rocketmq.access_key: ", "write rocketmq.access_key and");
    check_blames(stranger, secret_of[0], "rocketmq.ca_file: ", "can not vouch for the proxy");
    check_blames(NULL, secret_of[0], "rocketmq.ca_file: ", "where it wants TLS");
    snprintf(nobody, sizeof(nobody), "rocketmq:\n  endpoint: 127.0.0.1:%d\n  ca_file: %s\n", dead_port,
             authority);
    assert_int_equal(scene_command("check", nobody, out), 1);
    assert_contains(out, "rocketmq.endpoint: ");
    assert_contains(out, "there is no session with the proxy (Failed to connect");
}

/* Refused, the daemon goes on to try, and says once why. */
static void test_the_daemon_says_what_is_wrong(void **state)
{
    NEEDS_BROKER;
    stage_open(&orders_shop);
    stage_orders(1, 1, "paid");
    stage_prepare();
    snprintf(top, sizeof(top), "%s", section(authority, secret_of[1]));
    scene_daemon(0, by_message);
    wait_for_log(0, "rocketmq.access_key with its rocketmq.secret_key_file", 10000);
    sleep_ms(3000);
    assert_int_equal(log_count(0, "event=broker_down"), 1);
    assert_int_equal(log_count(0, "sesame"), 0);
    daemon_stop(0);
}

int main(void)
{
#define CLIENT(test) cmocka_unit_test_setup_teardown(test, open_client, scene_close)
#define DAEMON(test) cmocka_unit_test_setup_teardown(test, open_daemon, scene_close)
    const struct CMUnitTest tests[] = {
        CLIENT(test_it_works_over_tls_with_a_secret), CLIENT(test_who_is_not_trusted_is_told),
        CLIENT(test_who_is_not_known_is_told),        DAEMON(test_the_daemon_settles_over_both),
        DAEMON(test_check_tells_them_apart),          DAEMON(test_the_daemon_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, setup, scene_teardown);
}
