/* The session with RocketMQ's proxy: see rocketmq.h. Tells our settings once (telemetry), beats, and begins anew when the
 * proxy is gone or forgot us. What is sent and received over it is in rocketmq_call.c, what came of it in rocketmq_result.c.
 * Loop's thread only. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/rocketmq_inner.h"

#define BEAT_MS        10000 /* the proxy forgets whom it has not heard for 120 s */
#define AGAIN_FIRST_MS 500
#define AGAIN_MAX_MS   8000
#define LEAVE_MS       500
#define LANGUAGE_CPP   2

/* --- calls ---------------------------------------------------------------------------------------------- */

#define HEADER_BYTES 512

struct headers {
    char texts[6][HEADER_BYTES];
    const char *list[7];
};

/* HMAC-SHA1 of the time alone: apache/rocketmq, auth/.../DefaultAuthenticationContextBuilder. */
static void headers_sign(const struct rocketmq_options *options, char date[HEADER_BYTES],
                         char authorization[HEADER_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char stamp[20], hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    HMAC(EVP_sha1(), options->secret_key, (int)strlen(options->secret_key), (const unsigned char *)stamp,
         strlen(stamp), digest, &length);
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02X", digest[i]);
    snprintf(date, HEADER_BYTES, "x-mq-date-time: %s", stamp);
    snprintf(authorization, HEADER_BYTES,
             "authorization: MQv2-HMAC-SHA1 Credential=%.128s, SignedHeaders=x-mq-date-time, Signature=%s",
             options->access_key, hex);
}

static void headers_make(const struct rocketmq *mq, struct headers *out)
{
    const struct rocketmq_options *options = &mq->options;
    snprintf(out->texts[0], HEADER_BYTES, "x-mq-client-id: %.128s", options->client_id);
    snprintf(out->texts[1], HEADER_BYTES, "x-mq-language: CPP");
    snprintf(out->texts[2], HEADER_BYTES, "x-mq-client-version: makegood-" MAKEGOOD_VERSION);
    snprintf(out->texts[3], HEADER_BYTES, "x-mq-protocol: v2");
    int count = 4;
    if (options->access_key) {
        headers_sign(options, out->texts[4], out->texts[5]);
        count = 6;
    }
    for (int i = 0; i < count; i++)
        out->list[i] = out->texts[i];
    out->list[count] = NULL;
}

bool mq_call(struct rocketmq *mq, const char *path, const ProtobufCMessage *message, int64_t timeout_ms,
             bool opens, grpc_done done, void *self, struct grpc_call **out)
{
    struct headers headers;
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(length + 1);
    if (!bytes)
        return false;
    protobuf_c_message_pack(message, bytes);
    headers_make(mq, &headers);
    struct grpc_request request = {.path = path,
                                   .bytes = bytes,
                                   .length = length,
                                   .headers = headers.list,
                                   .timeout_ms = timeout_ms,
                                   .opens = opens};
    struct grpc_call *call = grpc_call(mq->grpc, &request, done, self);
    free(bytes);
    if (out)
        *out = call;
    return call != NULL;
}

/* --- the session ---------------------------------------------------------------------------------------- */

static void settle(struct rocketmq *mq);
static void beat(struct rocketmq *mq);

static void on_timer(uv_timer_t *timer)
{
    struct rocketmq *mq = timer->data;
    if (mq->settled)
        beat(mq);
    else
        settle(mq);
}

static void settle_later(struct rocketmq *mq)
{
    int64_t wait_ms = AGAIN_FIRST_MS;
    for (int i = 0; i < mq->failures && wait_ms < AGAIN_MAX_MS; i++)
        wait_ms *= 2;
    mq->failures++;
    uv_timer_start(&mq->timer, on_timer, (uint64_t)wait_ms, 0);
}

/* Told once for each reason. */
void mq_forgotten(struct rocketmq *mq, enum mq_result result, const char *reason)
{
    bool news = mq->settled || strcmp(mq->reason, reason) != 0;
    mq->settled = false;
    if (mq->leaving)
        return;
    snprintf(mq->reason, sizeof(mq->reason), "%s", reason);
    settle_later(mq);
    if (news)
        mq->events.down(mq->self, result, mq->reason);
}

/* The reply repeats our settings, or says why not. */
static enum mq_result reply_judge(struct rocketmq *mq, const struct grpc_answer *answer, char text[256])
{
    Mq__TelemetryCommand *command =
        answer->count > 0
            ? mq__telemetry_command__unpack(NULL, answer->messages[0].length, answer->messages[0].bytes)
            : NULL;
    enum mq_result result = MQ_OK;
    snprintf(text, 256, "the proxy's answer to our settings can not be read");
    if (!command || !command->settings)
        result = command && command->status ? mq_result_of(mq, command->status, text) : MQ_UNKNOWN;
    if (command)
        mq__telemetry_command__free_unpacked(command, NULL);
    return result;
}

static void on_settled(void *self, const struct grpc_answer *answer)
{
    struct rocketmq *mq = self;
    char text[256];
    if (mq->leaving)
        return;
    enum mq_result result = mq_status_result(answer->status);
    snprintf(text, sizeof(text), "%s", answer->message);
    if (answer->status == GRPC_OK || answer->count > 0)
        result = reply_judge(mq, answer, text);
    else if (result == MQ_UNTRUSTED)
        mq_distrust_say(mq, answer->message, text);
    if (result != MQ_OK) {
        mq_forgotten(mq, result, text);
        return;
    }
    mq->settled = true;
    mq->failures = 0;
    beat(mq);
    mq->events.up(mq->self);
}

/* Our settings: a consumer that asks for messages itself. The stream may end once they are answered; what keeps them is the
 * heartbeat. */
static void settle(struct rocketmq *mq)
{
    const struct rocketmq_options *options = &mq->options;
    Mq__TelemetryCommand command = MQ__TELEMETRY_COMMAND__INIT;
    Mq__Settings settings = MQ__SETTINGS__INIT;
    Mq__Subscription subscription = MQ__SUBSCRIPTION__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT, topics[TOPICS_MAX];
    Mq__SubscriptionEntry entries[TOPICS_MAX], *list[TOPICS_MAX];
    Mq__FilterExpression all = MQ__FILTER_EXPRESSION__INIT;
    Mq__Duration poll = MQ__DURATION__INIT;
    Mq__Agent agent = MQ__AGENT__INIT;
    char any[] = "*", version[] = "makegood-" MAKEGOOD_VERSION;
    size_t count = 0;
    all.type = 1;
    all.expression = any;
    for (; options->topics[count] && count < TOPICS_MAX; count++) {
        mq__resource__init(&topics[count]);
        mq__subscription_entry__init(&entries[count]);
        topics[count].name = (char *)(uintptr_t)options->topics[count];
        entries[count].topic = &topics[count];
        entries[count].expression = &all;
        list[count] = &entries[count];
    }
    group.name = (char *)(uintptr_t)options->group;
    poll.seconds = options->poll_ms / 1000;
    subscription.group = &group;
    subscription.subscriptions = list;
    subscription.n_subscriptions = count;
    subscription.long_polling_timeout = &poll;
    agent.language = LANGUAGE_CPP;
    agent.version = version;
    settings.client_type = SIMPLE_CONSUMER;
    settings.subscription = &subscription;
    settings.user_agent = &agent;
    command.settings = &settings;
    if (!mq_call(mq, "/apache.rocketmq.v2.MessagingService/Telemetry", &command.base, options->timeout_ms,
                 true, on_settled, mq, NULL))
        mq_forgotten(mq, MQ_UNKNOWN, "out of memory");
}

static void on_beaten(void *self, const struct grpc_answer *answer)
{
    struct rocketmq *mq = self;
    char text[256];
    if (mq->leaving || !mq->settled)
        return;
    if (answer->status != GRPC_OK || answer->count != 1) {
        mq_forgotten(mq, mq_status_result(answer->status), answer->message);
        return;
    }
    Mq__HeartbeatResponse *response =
        mq__heartbeat_response__unpack(NULL, answer->messages[0].length, answer->messages[0].bytes);
    enum mq_result result = mq_result_of(mq, response ? response->status : NULL, text);
    if (response)
        mq__heartbeat_response__free_unpacked(response, NULL);
    if (result != MQ_OK && mq->settled)
        mq_forgotten(mq, result, text);
}

static void beat(struct rocketmq *mq)
{
    Mq__HeartbeatRequest request = MQ__HEARTBEAT_REQUEST__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT;
    group.name = (char *)(uintptr_t)mq->options.group;
    request.group = &group;
    request.client_type = SIMPLE_CONSUMER;
    uv_timer_start(&mq->timer, on_timer, BEAT_MS, 0);
    mq_call(mq, "/apache.rocketmq.v2.MessagingService/Heartbeat", &request.base, mq->options.timeout_ms,
            false, on_beaten, mq, NULL);
}

bool rocketmq_is_up(const struct rocketmq *mq)
{
    return mq->settled;
}

/* --- creation and destruction --------------------------------------------------------------------------- */

static void mq_free(struct rocketmq *mq)
{
    const struct rocketmq_options *options = &mq->options;
    if (options->secret_key)
        explicit_bzero((char *)(uintptr_t)options->secret_key, strlen(options->secret_key));
    const void *const texts[] = {options->access_key, options->secret_key, options->group,
                                 options->client_id};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free((void *)(uintptr_t)texts[i]);
    for (const char *const *topic = options->topics; topic && *topic; topic++)
        free((void *)(uintptr_t)*topic);
    free((void *)(uintptr_t)options->topics);
    free(mq);
}

/* To a copy of our own; after a failure to nothing, so that all of them can be freed. */
static void text_copy(const char **text, bool *good)
{
    *text = *text && *good ? strdup(*text) : NULL;
    *good = *text != NULL;
}

/* From the caller's texts to copies of our own. */
static bool options_copy(struct rocketmq_options *options)
{
    int count = 0;
    bool good = true;
    text_copy(&options->group, &good);
    text_copy(&options->client_id, &good);
    if (options->access_key) {
        text_copy(&options->access_key, &good);
        text_copy(&options->secret_key, &good);
    }
    const char *const *given = options->topics;
    while (given[count])
        count++;
    const char **topics = calloc((size_t)count + 1, sizeof(*topics));
    options->topics = topics;
    for (int i = 0; topics && i < count; i++) {
        topics[i] = given[i];
        text_copy(&topics[i], &good);
    }
    return good && topics;
}

int rocketmq_create(struct rocketmq **out, uv_loop_t *loop, const struct rocketmq_options *options,
                    const struct rocketmq_events *events, void *self)
{
    struct rocketmq *mq = calloc(1, sizeof(*mq));
    if (!mq)
        return -ENOMEM;
    mq->options = *options;
    mq->events = *events;
    mq->self = self;
    bool good = options_copy(&mq->options);
    if (!good || grpc_create(&mq->grpc, loop, options->endpoint, options->ca_file) < 0) {
        mq_free(mq);
        return -ENOMEM;
    }
    mq->secure = options->ca_file;
    mq->options.endpoint = mq->options.ca_file = NULL; /* the connection's */
    mq->timer.data = mq->soon.data = mq;
    uv_timer_init(loop, &mq->timer);
    uv_timer_init(loop, &mq->soon);
    mq->handles = 2;
    uv_timer_start(&mq->timer, on_timer, 1, 0); /* not before the caller has what it made */
    *out = mq;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct rocketmq *mq = handle->data;
    if (--mq->handles == 0)
        mq_free(mq);
}

static void on_gone(uv_timer_t *timer)
{
    struct rocketmq *mq = timer->data;
    mq->gone = true;
    grpc_destroy(mq->grpc);
    mq_excuse(mq);
    uv_close((uv_handle_t *)&mq->timer, on_closed);
    uv_close((uv_handle_t *)&mq->soon, on_closed);
}

static void on_left(void *self, const struct grpc_answer *answer)
{
    struct rocketmq *mq = self;
    (void)answer;
    if (!mq->gone)
        uv_timer_start(&mq->timer, on_gone, 1, 0);
}

/* The proxy hears that we go; it may take its time, or be gone. */
void rocketmq_destroy(struct rocketmq *mq)
{
    Mq__TerminationRequest request = MQ__TERMINATION_REQUEST__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT;
    group.name = (char *)(uintptr_t)mq->options.group;
    request.group = &group;
    bool knows_us = mq->settled;
    mq->leaving = true;
    mq->settled = false;
    grpc_cancel_all(mq->grpc);
    bool told = knows_us && mq_call(mq, "/apache.rocketmq.v2.MessagingService/NotifyClientTermination",
                                    &request.base, LEAVE_MS, false, on_left, mq, NULL);
    uv_timer_start(&mq->timer, on_gone, told ? LEAVE_MS : 1, 0);
}
