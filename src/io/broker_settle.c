/* Settling messages: see broker.h. What is put off, or given back, is sent on first; then the store settles, and then what
 * was settled is acknowledged. Part of the broker's source (broker_inner.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/broker_inner.h"
#include "io/clock.h"

static void dispatch_end(struct dispatch *dispatch)
{
    struct broker *broker = dispatch->broker;
    struct batch *batch = dispatch->batch;
    bool failed = dispatch->failed;
    *dispatch = (struct dispatch){0};
    if (batch->release)
        broker->events.released(broker->self, batch);
    else if (failed)
        broker->events.settle_failed(broker->self, batch);
    else
        store_settle(broker->store, batch);
}

void dispatches_end(struct broker *broker)
{
    for (int i = 0; i < DISPATCHES_MAX; i++)
        if (broker->dispatches[i].over)
            dispatch_end(&broker->dispatches[i]);
}

/* Never from inside the call that began it. */
static void dispatch_count(struct dispatch *dispatch)
{
    if (--dispatch->left > 0)
        return;
    dispatch->over = true;
    broker_ring(dispatch->broker);
}

static void on_sent(void *self, enum mq_result result, const char *reason)
{
    struct dispatch *dispatch = self;
    dispatch->broker->messages[MESSAGE_SENT] += result == MQ_OK;
    dispatch->failed = dispatch->failed || result != MQ_OK;
    broker_refused(dispatch->broker, "send", result, reason);
    dispatch_count(dispatch);
}

static struct letter letter_of(const struct job *job, const struct parcelled *message)
{
    return (struct letter){
        .order = job->order,
        .before = message->before,
        .created_ms = message->created_ms,
        .expires_ms = message->expires_ms,
    };
}

static void letter_send(struct dispatch *dispatch, const char *topic, const struct lost_order *order,
                        const char *body, size_t length, int64_t due_us, int64_t deliver_ms)
{
    char id[MESSAGE_ID_BYTES];
    broker_id(order->token, due_us, deliver_ms, id);
    struct mq_draft draft = {topic, order->order_no, id, (const uint8_t *)body, length, deliver_ms};
    dispatch->left++;
    rocketmq_send(dispatch->broker->mq, &draft, on_sent, dispatch);
}

/* Due times tell the messages of a chain apart: the next one is due later than this one, though this one came early. */
static int64_t next_due_us(const struct parcelled *message, int64_t due_in_ms)
{
    int64_t due_us = (clock_wall_ms() + due_in_ms) * 1000;
    return (due_us > message->due_us ? due_us : message->due_us) + 1;
}

/* The next question. Repeated, it is the same message: whoever receives both knows the second one for done. */
static void next_send(struct dispatch *dispatch, const struct job *job, struct parcelled *message)
{
    const struct verdict *verdict = &job->verdict;
    struct letter letter = letter_of(job, message);
    char body[LETTER_BYTES];
    if (!message->next_us)
        message->next_us = next_due_us(message, verdict->due_in_ms);
    letter.before.due_us = message->due_us;
    memcpy(letter.before.request_id, job->evidence.request_id, sizeof(letter.before.request_id));
    letter.order.claimed_us = message->next_us;
    letter.order.phase = verdict->phase;
    letter.order.answers = verdict->answers;
    letter.order.errors = verdict->errors;
    letter.order.unknowns = verdict->unknowns;
    letter.order.claims = 0;
    size_t length = letter_write(&letter, body);
    dispatch->failed = dispatch->failed || length == 0;
    if (length > 0)
        letter_send(dispatch, message->topic, &job->order, body, length, message->next_us,
                    broker_deliver_ms(dispatch->broker, message->next_us));
}

static struct dispatch *dispatch_make(struct broker *broker, struct batch *batch)
{
    int i = 0;
    while (i < DISPATCHES_MAX && broker->dispatches[i].batch)
        i++;
    assert(i < DISPATCHES_MAX && "the engine sends more batches at once than it says");
    broker->dispatches[i] =
        (struct dispatch){.broker = broker, .batch = batch, .left = 1}; /* until all are sent */
    return &broker->dispatches[i];
}

void broker_settle(struct broker *broker, struct batch *batch)
{
    struct dispatch *dispatch = dispatch_make(broker, batch);
    for (int i = 0; i < batch->count; i++) {
        struct parcelled *message = parcelled_find(broker, batch->jobs[i]->order.attempt_id);
        assert(message && "what is with the engine is with us");
        const struct job *job = batch->jobs[i];
        if (verdict_goes_on(&job->verdict, job->order.phase))
            next_send(dispatch, job, message);
    }
    if (dispatch->left == 1 && !dispatch->failed)
        dispatch_end(dispatch); /* nothing goes on: the store answers from the loop */
    else
        dispatch_count(dispatch);
}

/* What was fenced comes again, and so does what was busy to the end; what is busy is settled again. */
void broker_settled(struct broker *broker, const struct batch *batch, const enum outcome *outcomes)
{
    for (int i = 0; i < batch->count; i++) {
        int64_t number = batch->jobs[i]->order.attempt_id;
        struct parcelled *message = parcelled_find(broker, number);
        bool busy = outcomes[i] == OUTCOME_BUSY;
        if (!message || (busy && !batch->jobs[i]->last))
            continue;
        if (!busy && outcomes[i] != OUTCOME_FENCED)
            broker_ack(broker, message->topic, message->id, message->handle);
        parcelled_free(broker, number);
    }
}

/* --- giving back ---------------------------------------------------------------------------------------- */

/* One that is sent on counts no delivery, which a broker limits. */
struct comeback {
    struct dispatch *dispatch;
    int64_t number;
};

static void on_given_back(void *self, enum mq_result result, const char *reason)
{
    struct comeback comeback = *(struct comeback *)self;
    struct broker *broker = comeback.dispatch->broker;
    struct parcelled *message = parcelled_find(broker, comeback.number);
    free(self);
    if (result == MQ_OK && message)
        broker_ack(broker, message->topic, message->id, message->handle);
    parcelled_free(broker, comeback.number);
    broker_refused(broker, "send", result, reason);
    dispatch_count(comeback.dispatch);
}

static void job_give_back(struct dispatch *dispatch, const struct job *job, const struct parcelled *message)
{
    const struct lost_order *order = &job->order;
    struct letter letter = letter_of(job, message);
    char body[LETTER_BYTES], id[MESSAGE_ID_BYTES];
    int64_t deliver_ms = clock_wall_ms() + AGAIN_MS;
    struct comeback *comeback = calloc(1, sizeof(*comeback));
    letter.order.claims--; /* this delivery asked nothing */
    size_t length = letter_write(&letter, body);
    if (!comeback || length == 0) {
        free(comeback); /* its time with us ends */
        return;
    }
    *comeback = (struct comeback){dispatch, order->attempt_id};
    broker_id(order->token, order->claimed_us, deliver_ms, id);
    struct mq_draft draft = {message->topic, order->order_no, id, (const uint8_t *)body, length, deliver_ms};
    dispatch->left++;
    rocketmq_send(dispatch->broker->mq, &draft, on_given_back, comeback);
}

void broker_release(struct broker *broker, struct batch *batch)
{
    struct dispatch *dispatch = dispatch_make(broker, batch);
    for (int i = 0; i < batch->count; i++) {
        const struct parcelled *message = parcelled_find(broker, batch->jobs[i]->order.attempt_id);
        if (message)
            job_give_back(dispatch, batch->jobs[i], message);
    }
    dispatch_count(dispatch);
}
