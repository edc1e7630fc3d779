/* What is said over RocketMQ's session: receive, send, acknowledge, give back, ask for a route. Each is one call and one
 * answer to whoever asked. Loop's thread only; part of the client (rocketmq_inner.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "io/rocketmq_inner.h"

#define SERVICE      "/apache.rocketmq.v2.MessagingService/"
#define POLL_MORE_MS 5000 /* over the time that a receive may wait */
#define IDENTITY     1
#define NO_SESSION   "there is no session with the proxy at the moment"

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant; /* protobuf-c packs it and leaves it alone */
}

/* --- tasks ---------------------------------------------------------------------------------------------- */

static struct task *task_make(struct rocketmq *mq, mq_done done, mq_received received, void *self)
{
    struct task *task = calloc(1, sizeof(*task));
    if (!task)
        return NULL;
    *task = (struct task){.mq = mq, .done = done, .received = received, .self = self, .next = mq->tasks};
    task->link = &mq->tasks;
    if (task->next)
        task->next->link = &task->next;
    mq->tasks = task;
    return task;
}

/* Out of the list and gone; what it was. */
static struct task task_take(struct task *task)
{
    struct task taken = *task;
    *task->link = task->next;
    if (task->next)
        task->next->link = task->link;
    free(task);
    return taken;
}

static void task_end(struct task *task, enum mq_result result, const char *reason)
{
    struct task ended = task_take(task);
    if (ended.done)
        ended.done(ended.self, result, reason);
    else
        ended.received(ended.self, result, reason, NULL, 0);
}

/* The one message of an answer, unpacked; ends the task and returns NULL when there is none. */
static ProtobufCMessage *answer_unpack(struct task *task, const struct grpc_answer *answer,
                                       const ProtobufCMessageDescriptor *descriptor)
{
    enum mq_result result = mq_transport_result(task->mq, answer);
    ProtobufCMessage *message = NULL;
    if (result == MQ_OK && answer->count == 1)
        message = protobuf_c_message_unpack(descriptor, NULL, answer->messages[0].length,
                                            answer->messages[0].bytes);
    if (message)
        return message;
    task_end(task, result == MQ_OK ? MQ_UNKNOWN : result,
             result == MQ_OK ? "the proxy's answer can not be read" : answer->message);
    return NULL;
}

static struct task *excused_find(struct rocketmq *mq, int *count)
{
    struct task *found = NULL;
    *count = 0;
    for (struct task *task = mq->tasks; task; task = task->next) {
        *count += task->excuse != NULL;
        found = task->excuse ? task : found;
    }
    return found;
}

/* Those that could not be sent, the oldest first; what they begin anew has its turn later. */
void mq_excuse(struct rocketmq *mq)
{
    int count, left;
    struct task *task = excused_find(mq, &count);
    for (left = count; left > 0; left--) {
        task_end(task, MQ_UNKNOWN, task->excuse);
        task = excused_find(mq, &count);
    }
}

static void on_soon(uv_timer_t *timer)
{
    mq_excuse(timer->data);
}

/* Sends it, or lets the loop end the task. */
static void task_call(struct task *task, const char *path, const ProtobufCMessage *message,
                      int64_t timeout_ms, grpc_done done)
{
    struct rocketmq *mq = task->mq;
    if (mq->leaving || !mq->settled)
        task->excuse = NO_SESSION;
    else if (!mq_call(mq, path, message, timeout_ms, false, done, task, &task->call))
        task->excuse = "out of memory";
    if (task->excuse && !uv_is_closing((uv_handle_t *)&mq->soon))
        uv_timer_start(&mq->soon, on_soon, 1, 0);
}

/* --- sending -------------------------------------------------------------------------------------------- */

static void on_sent(void *self, const struct grpc_answer *answer)
{
    struct task *task = self;
    char reason[256];
    Mq__SendMessageResponse *response =
        (Mq__SendMessageResponse *)answer_unpack(task, answer, &mq__send_message_response__descriptor);
    if (!response)
        return;
    enum mq_result result = mq_result_of(task->mq, response->status, reason);
    if (result == MQ_OK && response->n_entries == 1)
        result = mq_result_of(task->mq, response->entries[0]->status, reason);
    mq__send_message_response__free_unpacked(response, NULL);
    task_end(task, result, reason);
}

static Mq__Timestamp timestamp_of(int64_t ms)
{
    Mq__Timestamp stamp = MQ__TIMESTAMP__INIT;
    stamp.seconds = ms / 1000;
    stamp.nanos = (int32_t)(ms % 1000) * 1000000;
    return stamp;
}

void rocketmq_send(struct rocketmq *mq, const struct mq_draft *draft, mq_done done, void *self)
{
    Mq__SendMessageRequest request = MQ__SEND_MESSAGE_REQUEST__INIT;
    Mq__Message message = MQ__MESSAGE__INIT, *messages[] = {&message};
    Mq__SystemProperties properties = MQ__SYSTEM_PROPERTIES__INIT;
    Mq__Resource topic = MQ__RESOURCE__INIT;
    Mq__Timestamp born = timestamp_of(clock_wall_ms()), deliver = timestamp_of(draft->deliver_ms);
    char *keys[] = {text(draft->key)};
    struct task *task = task_make(mq, done, NULL, self);
    if (!task) {
        done(self, MQ_UNKNOWN, "out of memory");
        return;
    }
    topic.name = text(draft->topic);
    properties.keys = keys;
    properties.n_keys = draft->key ? 1 : 0;
    properties.message_id = text(draft->id);
    properties.body_encoding = IDENTITY;
    properties.message_type = TYPE_DELAY;
    properties.born_timestamp = &born;
    properties.born_host = text("makegood");
    properties.delivery_timestamp = &deliver;
    message.topic = &topic;
    message.system_properties = &properties;
    message.body.data = (uint8_t *)(uintptr_t)draft->body;
    message.body.len = draft->length;
    request.messages = messages;
    request.n_messages = 1;
    task_call(task, SERVICE "SendMessage", &request.base, mq->options.timeout_ms, on_sent);
}

/* --- receiving ------------------------------------------------------------------------------------------ */

static int64_t ms_of(const Mq__Timestamp *stamp)
{
    bool sane = stamp && stamp->seconds > 0 && stamp->seconds < INT64_MAX / 2000;
    return sane ? stamp->seconds * 1000 + stamp->nanos / 1000000 : 0;
}

/* False: nothing that we could speak of, or acknowledge. */
static bool message_read(const Mq__Message *message, struct mq_message *out)
{
    const Mq__SystemProperties *properties = message->system_properties;
    if (!properties || !properties->message_id || strlen(properties->message_id) >= MESSAGE_ID_BYTES ||
        !*properties->message_id || !properties->receipt_handle ||
        strlen(properties->receipt_handle) >= HANDLE_BYTES)
        return false;
    *out = (struct mq_message){.id = properties->message_id,
                               .handle = properties->receipt_handle,
                               .body = message->body.data,
                               .length = message->body.len,
                               .born_ms = ms_of(properties->born_timestamp),
                               .deliver_ms = ms_of(properties->delivery_timestamp),
                               .attempt = properties->delivery_attempt};
    return true;
}

/* What a stream said, together. */
struct harvest {
    Mq__ReceiveMessageResponse *responses[RECEIVE_MAX * 2 + 4];
    int response_count;
    struct mq_message messages[RECEIVE_MAX];
    int count;
    enum mq_result result;
    char reason[256];
};

static void harvest_take(struct harvest *harvest, struct task *task, Mq__ReceiveMessageResponse *response)
{
    harvest->responses[harvest->response_count++] = response;
    if (response->status)
        harvest->result = mq_result_of(task->mq, response->status, harvest->reason);
    if (response->message && harvest->count < RECEIVE_MAX &&
        message_read(response->message, &harvest->messages[harvest->count]))
        harvest->count++;
}

/* Messages that have come are ours, however the stream ended. */
static void on_received(void *self, const struct grpc_answer *answer)
{
    struct task *task = self;
    struct harvest harvest = {.result = mq_transport_result(task->mq, answer)};
    snprintf(harvest.reason, sizeof(harvest.reason), "%s", answer->message);
    int most = (int)(sizeof(harvest.responses) / sizeof(harvest.responses[0]));
    for (int i = 0; i < answer->count && i < most; i++) {
        Mq__ReceiveMessageResponse *response =
            mq__receive_message_response__unpack(NULL, answer->messages[i].length, answer->messages[i].bytes);
        if (response)
            harvest_take(&harvest, task, response);
    }
    struct task ended = task_take(task);
    bool stopped = answer->status == GRPC_CANCELLED && !ended.mq->leaving;
    enum mq_result result = harvest.count > 0 || stopped ? MQ_OK : harvest.result;
    for (int i = 0; i < harvest.count; i++)
        harvest.messages[i].topic = ended.topic; /* the task's own is gone */
    ended.received(ended.self, result, harvest.reason, harvest.messages, harvest.count);
    for (int i = 0; i < harvest.response_count; i++)
        mq__receive_message_response__free_unpacked(harvest.responses[i], NULL);
}

void rocketmq_receive(struct rocketmq *mq, const char *topic, int limit, mq_received done, void *self)
{
    Mq__ReceiveMessageRequest request = MQ__RECEIVE_MESSAGE_REQUEST__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT, place = MQ__RESOURCE__INIT;
    Mq__MessageQueue queue = MQ__MESSAGE_QUEUE__INIT;
    Mq__FilterExpression all = MQ__FILTER_EXPRESSION__INIT;
    Mq__Duration invisible = MQ__DURATION__INIT, poll = MQ__DURATION__INIT;
    struct task *task = task_make(mq, NULL, done, self);
    if (!task) {
        done(self, MQ_UNKNOWN, "out of memory", NULL, 0);
        return;
    }
    snprintf(task->topic, sizeof(task->topic), "%s", topic);
    group.name = text(mq->options.group);
    place.name = text(topic);
    queue.topic = &place; /* the proxy chooses a queue */
    all.type = 1;
    all.expression = text("*");
    invisible.seconds = mq->options.invisible_ms / 1000;
    poll.seconds = mq->options.poll_ms / 1000;
    request.group = &group;
    request.message_queue = &queue;
    request.filter_expression = &all;
    request.batch_size = limit < RECEIVE_MAX ? limit : RECEIVE_MAX;
    request.invisible_duration = &invisible;
    request.long_polling_timeout = &poll;
    task_call(task, SERVICE "ReceiveMessage", &request.base, mq->options.poll_ms + POLL_MORE_MS, on_received);
}

void rocketmq_stop_receiving(struct rocketmq *mq)
{
    for (struct task *task = mq->tasks; task; task = task->next)
        if (task->received && task->call)
            grpc_cancel(task->call);
}

/* --- acknowledging, and giving back --------------------------------------------------------------------- */

static void on_acknowledged(void *self, const struct grpc_answer *answer)
{
    struct task *task = self;
    char reason[256];
    Mq__AckMessageResponse *response =
        (Mq__AckMessageResponse *)answer_unpack(task, answer, &mq__ack_message_response__descriptor);
    if (!response)
        return;
    enum mq_result result = mq_result_of(task->mq, response->status, reason);
    if (response->n_entries == 1)
        result = mq_result_of(task->mq, response->entries[0]->status, reason);
    mq__ack_message_response__free_unpacked(response, NULL);
    task_end(task, result, reason);
}

void rocketmq_ack(struct rocketmq *mq, const char *topic, const char *id, const char *handle, mq_done done,
                  void *self)
{
    Mq__AckMessageRequest request = MQ__ACK_MESSAGE_REQUEST__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT, place = MQ__RESOURCE__INIT;
    Mq__AckEntry entry = MQ__ACK_ENTRY__INIT, *entries[] = {&entry};
    struct task *task = task_make(mq, done, NULL, self);
    if (!task) {
        done(self, MQ_UNKNOWN, "out of memory");
        return;
    }
    group.name = text(mq->options.group);
    place.name = text(topic);
    entry.message_id = text(id);
    entry.receipt_handle = text(handle);
    request.group = &group;
    request.topic = &place;
    request.entries = entries;
    request.n_entries = 1;
    task_call(task, SERVICE "AckMessage", &request.base, mq->options.timeout_ms, on_acknowledged);
}

static void on_returned(void *self, const struct grpc_answer *answer)
{
    struct task *task = self;
    char reason[256];
    Mq__ReturnResponse *response =
        (Mq__ReturnResponse *)answer_unpack(task, answer, &mq__return_response__descriptor);
    if (!response)
        return;
    enum mq_result result = mq_result_of(task->mq, response->status, reason);
    mq__return_response__free_unpacked(response, NULL);
    task_end(task, result, reason);
}

void rocketmq_return(struct rocketmq *mq, const char *topic, const char *id, const char *handle,
                     int64_t after_ms, mq_done done, void *self)
{
    Mq__ReturnRequest request = MQ__RETURN_REQUEST__INIT;
    Mq__Resource group = MQ__RESOURCE__INIT, place = MQ__RESOURCE__INIT;
    Mq__Duration after = MQ__DURATION__INIT;
    struct task *task = task_make(mq, done, NULL, self);
    if (!task) {
        done(self, MQ_UNKNOWN, "out of memory");
        return;
    }
    group.name = text(mq->options.group);
    place.name = text(topic);
    after.seconds = after_ms / 1000;
    after.nanos = (int32_t)(after_ms % 1000) * 1000000;
    request.group = &group;
    request.topic = &place;
    request.receipt_handle = text(handle);
    request.invisible_duration = &after;
    request.message_id = text(id);
    task_call(task, SERVICE "ChangeInvisibleDuration", &request.base, mq->options.timeout_ms, on_returned);
}

/* --- routes --------------------------------------------------------------------------------------------- */

static bool takes_delayed(const Mq__QueryRouteResponse *response)
{
    for (size_t i = 0; i < response->n_message_queues; i++)
        for (size_t j = 0; j < response->message_queues[i]->n_accept_message_types; j++)
            if (response->message_queues[i]->accept_message_types[j] == TYPE_DELAY)
                return true;
    return false;
}

static void on_route(void *self, const struct grpc_answer *answer)
{
    struct task *task = self;
    char reason[256];
    Mq__QueryRouteResponse *response =
        (Mq__QueryRouteResponse *)answer_unpack(task, answer, &mq__query_route_response__descriptor);
    if (!response)
        return;
    enum mq_result result = mq_result_of(task->mq, response->status, reason);
    if (result == MQ_OK && !takes_delayed(response)) {
        result = MQ_WRONG_TYPE;
        snprintf(reason, sizeof(reason), "the topic is not one for delayed messages");
    }
    mq__query_route_response__free_unpacked(response, NULL);
    task_end(task, result, reason);
}

void rocketmq_route(struct rocketmq *mq, const char *topic, mq_done done, void *self)
{
    Mq__QueryRouteRequest request = MQ__QUERY_ROUTE_REQUEST__INIT;
    Mq__Resource place = MQ__RESOURCE__INIT;
    struct task *task = task_make(mq, done, NULL, self);
    if (!task) {
        done(self, MQ_UNKNOWN, "out of memory");
        return;
    }
    place.name = text(topic);
    request.topic = &place;
    task_call(task, SERVICE "QueryRoute", &request.base, mq->options.timeout_ms, on_route);
}
