/* See broker.h. */
#include "broker.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char broker_folder[64];
char broker_endpoint[64];
const char *broker_kept = "MAKEGOOD_BROKER";

int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int script(const char *verb, const char *more, char *out, size_t bytes)
{
    char command[512];
    snprintf(command, sizeof(command), "scripts/rocketmq %s %s %s", verb, broker_folder, more);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    if (out && fgets(out, (int)bytes, pipe))
        out[strcspn(out, "\n")] = '\0';
    char rest[256];
    while (fgets(rest, sizeof(rest), pipe))
        continue;
    return WEXITSTATUS(pclose(pipe));
}

bool broker_start(const char *options)
{
    const char *kept = getenv(broker_kept);
    snprintf(broker_folder, sizeof(broker_folder), "%s", kept ? kept : "/tmp/makegood-broker-XXXXXX");
    if (!kept)
        assert_non_null(mkdtemp(broker_folder));
    int code = script("start", options, broker_endpoint, sizeof(broker_endpoint));
    if (code == 75)
        printf("\n!!!!\n!!!! SKIPPED: RocketMQ can not be had here (see above); nothing of it is "
               "tested\n!!!!\n\n");
    else if (code != 0)
        fail_msg("scripts/rocketmq start ended with exit code %d", code);
    return code == 0;
}

void broker_do(const char *verb, const char *more)
{
    if (script(verb, more, NULL, 0) != 0)
        fail_msg("scripts/rocketmq %s %s failed", verb, more);
}

void broker_stop(void)
{
    char command[128];
    if (!broker_folder[0] || getenv(broker_kept))
        return;
    script("kill", "broker", NULL, 0); /* its orderly end takes 13 s */
    script("stop", "", NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", broker_folder);
    assert_int_equal(system(command), 0);
}

/* --- a client ------------------------------------------------------------------------------------------- */

static void on_up(void *self)
{
    ((struct client *)self)->ups++;
}

static void on_down(void *self, enum mq_result result, const char *reason)
{
    struct client *client = self;
    client->downs++;
    client->down_result = result;
    snprintf(client->reason, sizeof(client->reason), "%s", reason);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

void client_turn(struct client *client)
{
    static uv_timer_t tick;
    uv_timer_init(&client->loop, &tick);
    uv_timer_start(&tick, on_tick, 20, 0);
    uv_run(&client->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&client->loop, UV_RUN_NOWAIT);
}

void client_open(struct client *client, const struct client_options *given)
{
    static const struct rocketmq_events events = {on_up, on_down};
    char id[64];
    static int opened;
    const char *user = given->user ? given->user : "tester";
    snprintf(id, sizeof(id), "test-%d-%d", (int)getpid(), ++opened);
    struct rocketmq_options options = {.endpoint = broker_endpoint,
                                       .ca_file = given->ca_file,
                                       .access_key = given->secret ? user : NULL,
                                       .secret_key = given->secret,
                                       .group = given->group,
                                       .topics = given->topics,
                                       .client_id = id,
                                       .invisible_ms = 10000,
                                       .poll_ms = 5000,
                                       .timeout_ms = 5000};
    memset(client, 0, sizeof(*client));
    assert_int_equal(uv_loop_init(&client->loop), 0);
    assert_int_equal(rocketmq_create(&client->mq, &client->loop, &options, &events, client), 0);
}

void client_close(struct client *client)
{
    rocketmq_destroy(client->mq);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&client->loop), 0);
}

static void on_done(void *self, enum mq_result result, const char *reason)
{
    struct client *client = self;
    client->answers++;
    client->result = result;
    snprintf(client->said, sizeof(client->said), "%s", reason);
}

static void on_received(void *self, enum mq_result result, const char *reason,
                        const struct mq_message *messages, int count)
{
    struct client *client = self;
    for (int i = 0; i < count && client->count < TAKEN_MAX; i++) {
        struct taken *taken = &client->taken[client->count++];
        *taken = (struct taken){
            .deliver_ms = messages[i].deliver_ms, .came_ms = wall_ms(), .attempt = messages[i].attempt};
        snprintf(taken->id, sizeof(taken->id), "%s", messages[i].id);
        snprintf(taken->handle, sizeof(taken->handle), "%s", messages[i].handle);
        snprintf(taken->body, sizeof(taken->body), "%.*s", (int)messages[i].length, messages[i].body);
    }
    on_done(self, result, reason);
}

static enum mq_result answer(struct client *client, int before)
{
    client_wait(client, 20000, client->answers > before);
    if (client->result != MQ_OK)
        printf("           %s: %s\n", mq_result_text(client->result), client->said);
    return client->result;
}

enum mq_result client_send(struct client *client, const char *topic, const char *id, const char *body,
                           int64_t after_ms)
{
    int before = client->answers;
    struct mq_draft draft = {.topic = topic,
                             .key = "ORD-1",
                             .id = id,
                             .body = (const uint8_t *)body,
                             .length = strlen(body),
                             .deliver_ms = wall_ms() + after_ms};
    rocketmq_send(client->mq, &draft, on_done, client);
    return answer(client, before);
}

enum mq_result client_ack(struct client *client, const char *topic, const struct taken *taken)
{
    int before = client->answers;
    rocketmq_ack(client->mq, topic, taken->id, taken->handle, on_done, client);
    return answer(client, before);
}

enum mq_result client_return(struct client *client, const char *topic, const struct taken *taken,
                             int64_t after_ms)
{
    int before = client->answers;
    rocketmq_return(client->mq, topic, taken->id, taken->handle, after_ms, on_done, client);
    return answer(client, before);
}

enum mq_result client_route(struct client *client, const char *topic)
{
    int before = client->answers;
    rocketmq_route(client->mq, topic, on_done, client);
    return answer(client, before);
}

void client_receive(struct client *client, const char *topic, int count, int64_t ms)
{
    int64_t until_ms = wall_ms() + ms;
    while (client->count < count && wall_ms() < until_ms) {
        int before = client->answers;
        rocketmq_receive(client->mq, topic, RECEIVE_MAX, on_received, client);
        answer(client, before);
        if (client->result != MQ_OK)
            for (int i = 0; i < 20; i++)
                client_turn(client);
    }
}
