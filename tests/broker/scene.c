/* See scene.h. */
#include "scene.h"

#include <sys/wait.h>

bool there;
struct client shop;
struct client_options shop_options;
char top[768], topic[8], by_message[128];
struct settings scene_settings;

void scene_setup(void **state, const char *options, int tests, const char *more)
{
    char topics[64] = "";
    world_open(state);
    there = broker_start(options);
    if (!there)
        return;
    for (int i = 1; i <= tests; i++)
        snprintf(topics + strlen(topics), sizeof(topics) - strlen(topics), "T%d ", i);
    broker_do("topic", topics);
    broker_do("group", "makegood shop");
    snprintf(top, sizeof(top), "listen: unix:%s/web.sock\nrocketmq:\n  endpoint: %s\n%s", broker_folder,
             broker_endpoint, more);
}

int scene_teardown(void **state)
{
    broker_stop();
    return world_close(state);
}

void scene_topic(void **state, int number)
{
    (void)state;
    snprintf(topic, sizeof(topic), "T%d", number);
    snprintf(by_message, sizeof(by_message), "    source: rocketmq\n    topic: %s\n", topic);
    scene_settings = (struct settings){.lease = "12s"};
}

int scene_close(void **state)
{
    if (there && shop.mq) {
        client_close(&shop);
        shop.mq = NULL;
    }
    return stage_teardown(state);
}

void scene_daemon(int which, const char *channel)
{
    char own[sizeof(top)];
    scene_settings.more = channel;
    scene_settings.top = which == 0 ? top : own;
    snprintf(own, sizeof(own), "%s", strstr(top, "rocketmq:")); /* the first one alone listens */
    daemon_start(which, &scene_settings);
}

void scene_begin(int daemons, const char *channel)
{
    stage_prepare();
    for (int i = 0; i < daemons; i++)
        scene_daemon(i, channel);
    for (int i = 0; i < daemons; i++)
        wait_for_log(i, "event=broker_up", 30000);
    sleep_ms(3000);
    struct client_options options = shop_options;
    options.topics[0] = topic;
    options.group = "shop";
    client_open(&shop, &options);
    client_wait(&shop, 20000, shop.ups == 1);
}

void order_send(int n, const char *channel, int64_t after_ms)
{
    char body[512], id[32];
    snprintf(id, sizeof(id), "shop-%d", n);
    snprintf(body, sizeof(body), "%s",
             db_text(stage.db,
                     "SELECT json_build_object('order_no', order_no, 'channel', '%s', 'number', number, "
                     "'amount_minor', amount, 'currency', currency) FROM truth.attempt "
                     "WHERE order_no = 'ORD-%06d'",
                     channel, n));
    assert_int_equal(client_send(&shop, topic, id, body, after_ms), MQ_OK);
}

void all_paid(int count, int64_t deadline_ms)
{
    wait_for(deadline_ms, "SELECT count(*) = %d FROM truth.shop_order WHERE status = 'paid'", count);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log WHERE verdict = 'paid' AND "
                                         "outcome = 'applied' AND status_before <> status_after"),
                     count);
}

int scene_command(const char *words, const char *section, char out[2048])
{
    char path[160], line[512];
    struct settings settings = scene_settings;
    settings.top = section;
    settings.more = by_message;
    config_path(0, path);
    config_write(path, &settings, "end-0");
    snprintf(line, sizeof(line), "%s %s -c %s 2>&1", makegood_program, words, path);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t length = fread(out, 1, 2047, pipe);
    out[length] = '\0';
    return WEXITSTATUS(pclose(pipe));
}
