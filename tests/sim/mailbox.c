/* The broker of a world, and the client that speaks to it (io/rocketmq.h): messages that are delivered late, twice, out of
 * order, and calls that are cut before, between or after. Messages are never forgotten, but where the plan says so. One
 * thread; called by the source and by events. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/broker_inner.h"
#include "io/clock.h"
#include "io/letter.h"
#include "sim.h"

#define EPOCH_MS       1700000000000
#define MAIL_CALLS_MAX 512
#define LOOK_AGAIN_MS  500 /* how often a receive that waits looks again */
#define KEPT_BYTES     640

struct mailed {
    bool here;
    int attempt;
    int topic;
    char id[MESSAGE_ID_BYTES];
    char body[KEPT_BYTES];
    size_t length;
    int64_t born_ms;
    int64_t deliver_ms; /* by the wall clock */
    int64_t visible_at; /* in true time */
    uint32_t handle;    /* of the newest delivery */
    int deliveries;
    enum phase phase;
};

enum mail_kind { MAIL_RECEIVE, MAIL_SEND, MAIL_ACK, MAIL_RETURN };

struct mail_call {
    int pending; /* events that still refer to it; 0: free */
    enum mail_kind kind;
    enum call_fault fault;
    int node;
    uint32_t life;
    struct mailed draft; /* of a send */
    int message;         /* of an acknowledgement, or a return */
    int64_t after_ms;
    uint32_t handle;
    int topic; /* of a receive */
    int limit;
    int64_t until;
    int64_t turn;
    bool stopped;
    int count;
    struct mailed given[RECEIVE_MAX]; /* as they were when they were handed out */
    int places[RECEIVE_MAX];
    enum mq_result result;
    mq_done done;
    mq_received received;
    void *self; /* NULL: nobody waits any more */
};

struct mailbox {
    bool down;
    struct mailed *messages;
    int count;
    int room;
    int letters[ORDERS_MAX];
    int open_letters[ORDERS_MAX];
    struct mail_call calls[MAIL_CALLS_MAX];
};

struct rocketmq {
    struct node *node;
    struct rocketmq_options options;
};

/* ---- clocks: of the world that is being run ---- */

static struct world *clock_world;

int64_t clock_wall_ms(void)
{
    return EPOCH_MS + ledger_clock(clock_world);
}

int64_t clock_ms(void)
{
    return clock_world->now;
}

uint64_t uv_hrtime(void)
{
    return (uint64_t)clock_world->now * 1000000;
}

void mailbox_enter(struct world *world)
{
    clock_world = world;
    if (world->seed % 4 != 2)
        return;
    world->mailbox = calloc(1, sizeof(*world->mailbox));
    assert(world->mailbox);
}

void mailbox_destroy(struct mailbox *mailbox)
{
    if (mailbox)
        free(mailbox->messages);
    free(mailbox);
}

int mail_letters(const struct world *world, int attempt)
{
    return world->mailbox ? world->mailbox->letters[attempt] : 0;
}

int mail_open_letters(const struct world *world, int attempt)
{
    return world->mailbox ? world->mailbox->open_letters[attempt] : 0;
}

void mail_outage(struct world *world, bool down)
{
    if (world->mailbox)
        world->mailbox->down = down;
}

/* ---- messages ---- */

static void letters_count(struct mailbox *mailbox, const struct mailed *message, int by)
{
    mailbox->letters[message->attempt] += by;
    mailbox->open_letters[message->attempt] += message->phase == PHASE_TAIL ? 0 : by;
}

static void message_store(struct world *world, const struct mailed *draft)
{
    struct mailbox *mailbox = world->mailbox;
    if (mailbox->count == mailbox->room) {
        mailbox->room = mailbox->room ? mailbox->room * 2 : 64;
        mailbox->messages = realloc(mailbox->messages, (size_t)mailbox->room * sizeof(*mailbox->messages));
        assert(mailbox->messages);
    }
    struct mailed *message = &mailbox->messages[mailbox->count];
    *message = *draft;
    struct postmark postmark = {message->id, message->born_ms, message->deliver_ms, clock_wall_ms(), 1};
    struct letter letter;
    char why[LETTER_WHY_BYTES];
    bool good = letter_read(message->body, message->length, &postmark, &letter, why);
    assert(good);
    int64_t wait_ms = message->deliver_ms - clock_wall_ms();
    message->attempt = attempt_of(&letter.order);
    message->phase = letter.order.phase;
    message->visible_at = world->now + (wait_ms > 0 ? wait_ms : 0);
    message->here = true;
    letters_count(mailbox, message, 1);
    trace_add(world, TRACE_MAILED, -1, message->attempt, mailbox->count++, wait_ms);
}

static void message_remove(struct world *world, int place)
{
    struct mailed *message = &world->mailbox->messages[place];
    trace_add(world, TRACE_ACKED, -1, message->attempt, place, message->here);
    if (!message->here)
        return;
    message->here = false;
    letters_count(world->mailbox, message, -1);
}

/* ---- the shop ---- */

static void shop_sends(struct world *world, int attempt, int64_t delay_ms, int copy)
{
    const struct row *row = &world->ledger.rows[attempt];
    struct mailed draft = {.born_ms = clock_wall_ms(), .deliver_ms = clock_wall_ms() + delay_ms};
    char expires[48] = "";
    char name[32] = "";
    draft.topic = world->plan.mail.one_topic ? 0 : row->channel;
    if (row->expires_at != NO_END)
        snprintf(expires, sizeof(expires), ", \"expires_at_ms\": %lld",
                 (long long)(EPOCH_MS + row->expires_at));
    if (world->plan.faults & FAULT_TWO_ATTEMPTS)
        snprintf(name, sizeof(name), ", \"attempt\": \"A%d\"", attempt);
    snprintf(draft.id, sizeof(draft.id), "shop-%d-%d", attempt, copy);
    draft.length = (size_t)snprintf(
        draft.body, sizeof(draft.body),
        "{\"order_no\": \"O%d\", \"channel\": \"%s\", \"number\": \"N%d\", \"amount_minor\": %lld, "
        "\"currency\": \"%s\", \"created_at_ms\": %lld%s%s}",
        row->order, channel_names[row->channel], attempt, (long long)row->amount_minor,
        currencies[row->currency], (long long)(EPOCH_MS + row->created_at), expires, name);
    message_store(world, &draft);
}

/* Once the channel took the payment: a message, for the safety net a row, and now and then the message again. */
void mail_track(struct world *world, int attempt)
{
    struct row *row = &world->ledger.rows[attempt];
    bool net = world->plan.policies[row->channel].safety_net;
    bool early = world->act == ACT_FAULTS;
    bool dropped = early && net && world->plan.mail.drops && prng_chance(&world->prng, 30);
    int64_t delay_ms = row->due_at - row->created_at;
    row->due_at = row->created_at + prng_between(&world->prng, 20000, 60000);
    row->state = net ? ROW_LIVE : ROW_MAIL;
    if (!dropped)
        shop_sends(world, attempt, delay_ms, 0);
    if (early && world->plan.mail.duplicates && prng_chance(&world->prng, 20))
        shop_sends(world, attempt, delay_ms + prng_between(&world->prng, 0, 20000),
                   (int)prng_between(&world->prng, 0, 1));
}

/* ---- calls ---- */

static struct mail_call *mail_create(struct rocketmq *mq, enum mail_kind kind, void *self)
{
    struct node *node = mq->node;
    struct mailbox *mailbox = node->world->mailbox;
    int place = 0;
    while (mailbox->calls[place].pending > 0)
        place++;
    assert(place < MAIL_CALLS_MAX && self);
    struct mail_call *call = &mailbox->calls[place];
    call->kind = kind;
    call->fault = call_meets(node->world);
    call->node = node->index;
    call->life = node->life;
    call->result = MQ_OK;
    call->count = 0;
    call->stopped = false;
    call->turn = 0;
    call->done = NULL;
    call->received = NULL;
    call->self = self;
    return call;
}

static void mail_send(struct world *world, struct mail_call *call)
{
    int place = (int)(call - world->mailbox->calls);
    int64_t there_ms = call_delay(world);
    int64_t back_ms = there_ms + call_delay(world);
    if (call->fault == CALL_ZOMBIE)
        there_ms = back_ms + prng_between(&world->prng, 1, 15000);
    call->pending = 2;
    world_schedule(world, there_ms, EVENT_MAIL_ARRIVE, -1, place, 0);
    world_schedule(world, back_ms, EVENT_MAIL_REPLY, call->node, place, 0);
}

static void receive_look(struct world *world, struct mail_call *call, int64_t after_ms)
{
    call->pending++;
    world_schedule(world, after_ms, EVENT_MAIL_ARRIVE, -1, (int)(call - world->mailbox->calls), ++call->turn);
}

static int topic_index(const char *topic)
{
    return topic[1] - '0';
}

void rocketmq_receive(struct rocketmq *mq, const char *topic, int limit, mq_received done, void *self)
{
    struct mail_call *call = mail_create(mq, MAIL_RECEIVE, self);
    if (mq->node->blind)
        violate(mq->node->world, INVARIANT_BOUNDS, "node %d receives and can not ask the ledger",
                mq->node->index);
    call->topic = topic_index(topic);
    call->limit = limit < RECEIVE_MAX ? limit : RECEIVE_MAX;
    call->until = mq->node->world->now + mq->options.poll_ms;
    call->received = done;
    call->pending = 0;
    receive_look(mq->node->world, call, call_delay(mq->node->world));
}

void rocketmq_send(struct rocketmq *mq, const struct mq_draft *draft, mq_done done, void *self)
{
    struct mail_call *call = mail_create(mq, MAIL_SEND, self);
    assert(draft->length < KEPT_BYTES);
    call->draft = (struct mailed){
        .topic = topic_index(draft->topic), .length = draft->length, .born_ms = clock_wall_ms()};
    call->draft.deliver_ms = draft->deliver_ms;
    snprintf(call->draft.id, sizeof(call->draft.id), "%s", draft->id);
    memcpy(call->draft.body, draft->body, draft->length);
    call->done = done;
    mail_send(mq->node->world, call);
}

void rocketmq_ack(struct rocketmq *mq, const char *topic, const char *id, const char *handle, mq_done done,
                  void *self)
{
    struct mail_call *call = mail_create(mq, MAIL_ACK, self);
    (void)topic;
    (void)id;
    int got = sscanf(handle, "%d:%u", &call->message, &call->handle);
    assert(got == 2);
    call->done = done;
    mail_send(mq->node->world, call);
}

void rocketmq_return(struct rocketmq *mq, const char *topic, const char *id, const char *handle,
                     int64_t after_ms, mq_done done, void *self)
{
    struct mail_call *call = mail_create(mq, MAIL_RETURN, self);
    (void)topic;
    (void)id;
    int got = sscanf(handle, "%d:%u", &call->message, &call->handle);
    assert(got == 2);
    call->after_ms = after_ms;
    call->done = done;
    mail_send(mq->node->world, call);
}

bool rocketmq_is_up(const struct rocketmq *mq)
{
    return !mq->node->world->mailbox->down;
}

void rocketmq_stop_receiving(struct rocketmq *mq)
{
    struct world *world = mq->node->world;
    for (int i = 0; i < MAIL_CALLS_MAX; i++) {
        struct mail_call *call = &world->mailbox->calls[i];
        bool waits = call->pending > 0 && call->kind == MAIL_RECEIVE && call->self && !call->stopped;
        if (!waits || call->node != mq->node->index || call->life != mq->node->life)
            continue;
        call->stopped = true;
        receive_look(world, call, 0);
    }
}

int rocketmq_create(struct rocketmq **out, uv_loop_t *loop, const struct rocketmq_options *options,
                    const struct rocketmq_events *events, void *self)
{
    struct rocketmq *mq = calloc(1, sizeof(*mq));
    assert(mq);
    (void)loop;
    (void)events;
    mq->node = ((struct broker *)self)->self;
    mq->options = *options;
    *out = mq;
    return 0;
}

static void mail_answer(struct mail_call *call, enum mq_result result, const struct mq_message *messages,
                        int count)
{
    void *self = call->self;
    call->self = NULL;
    if (self && call->kind == MAIL_RECEIVE)
        call->received(self, result, "a simulated fault", messages, count);
    else if (self)
        call->done(self, result, "a simulated fault");
}

void rocketmq_destroy(struct rocketmq *mq)
{
    for (int i = 0; i < MAIL_CALLS_MAX; i++) {
        struct mail_call *call = &mq->node->world->mailbox->calls[i];
        if (call->pending > 0 && call->node == mq->node->index && call->life == mq->node->life)
            mail_answer(call, MQ_UNKNOWN, NULL, 0);
    }
    free(mq);
}

/* ---- arriving ---- */

/* Any that is visible: nobody promised an order. Negative: none. */
static int message_pick(struct world *world, int topic)
{
    const struct mailbox *mailbox = world->mailbox;
    int found = -1;
    int seen = 0;
    for (int i = 0; i < mailbox->count; i++) {
        const struct mailed *message = &mailbox->messages[i];
        if (message->here && message->topic == topic && message->visible_at <= world->now &&
            prng_between(&world->prng, 0, seen++) == 0)
            found = i;
    }
    return found;
}

/* How long it stays away from everybody else. */
static int64_t invisible_ms(struct world *world)
{
    bool twice = world->act == ACT_FAULTS && world->plan.mail.duplicates && prng_chance(&world->prng, 5);
    if (world->sabotage == SABOTAGE_KEEP_INVISIBLE)
        return 1000000000;
    return twice ? prng_between(&world->prng, 0, 2000) : world->plan.config.lease_ms;
}

static void message_hand_out(struct world *world, struct mail_call *call, int place)
{
    struct mailed *message = &world->mailbox->messages[place];
    message->deliveries++;
    message->handle++;
    message->visible_at = world->now + invisible_ms(world);
    trace_add(world, TRACE_HANDED, call->node, message->attempt, place, message->deliveries);
    call->places[call->count] = place;
    call->given[call->count++] = *message;
    if (world->sabotage == SABOTAGE_ACK_FIRST)
        message_remove(world, place);
}

static void receive_arrive(struct world *world, struct mail_call *call)
{
    bool refused = call->fault == CALL_ABORTED || world->mailbox->down;
    call->result = refused ? MQ_UNKNOWN : MQ_OK;
    int place = -1;
    while (!refused && !call->stopped && call->count < call->limit &&
           (place = message_pick(world, call->topic)) >= 0)
        message_hand_out(world, call, place);
    if (!refused && !call->stopped && call->count == 0 && world->now < call->until) {
        receive_look(world, call, LOOK_AGAIN_MS);
        return;
    }
    call->pending++;
    call->turn++;
    world_schedule(world, call_delay(world), EVENT_MAIL_REPLY, call->node,
                   (int)(call - world->mailbox->calls), 0);
}

static void ack_arrive(struct world *world, struct mail_call *call)
{
    const struct mailed *message = &world->mailbox->messages[call->message];
    bool lost = world->act == ACT_FAULTS && world->plan.mail.duplicates && prng_chance(&world->prng, 3);
    call->result = message->here && message->handle == call->handle ? MQ_OK : MQ_EXPIRED;
    if (call->result == MQ_OK && !lost)
        message_remove(world, call->message);
}

static void return_arrive(struct world *world, struct mail_call *call)
{
    struct mailed *message = &world->mailbox->messages[call->message];
    call->result = message->here && message->handle == call->handle ? MQ_OK : MQ_EXPIRED;
    if (call->result != MQ_OK)
        return;
    message->handle++;
    message->visible_at = world->now + call->after_ms;
}

void mail_arrive(struct world *world, int place, int64_t turn)
{
    struct mail_call *call = &world->mailbox->calls[place];
    call->pending--;
    if (call->kind == MAIL_RECEIVE) {
        if (turn == call->turn)
            receive_arrive(world, call);
        return;
    }
    if (world->mailbox->down)
        call->result = MQ_UNKNOWN;
    else if (call->fault != CALL_ABORTED && call->kind == MAIL_ACK)
        ack_arrive(world, call);
    else if (call->fault != CALL_ABORTED && call->kind == MAIL_RETURN)
        return_arrive(world, call);
    else if (call->fault != CALL_ABORTED && world->sabotage != SABOTAGE_DROP_NEXT)
        message_store(world, &call->draft);
}

/* ---- answering ---- */

void mail_dropped(struct world *world, int place)
{
    world->mailbox->calls[place].pending--;
}

static int messages_show(const struct mail_call *call, struct mq_message *out, char (*handles)[32])
{
    for (int i = 0; i < call->count; i++) {
        const struct mailed *given = &call->given[i];
        static const char *const topics[] = {"T0", "T1", "T2"};
        snprintf(handles[i], sizeof(handles[i]), "%d:%u", call->places[i], given->handle);
        out[i] = (struct mq_message){.topic = topics[given->topic],
                                     .id = given->id,
                                     .handle = handles[i],
                                     .body = (const uint8_t *)given->body,
                                     .length = given->length,
                                     .born_ms = given->born_ms,
                                     .deliver_ms = given->deliver_ms,
                                     .attempt = given->deliveries};
    }
    return call->count;
}

void mail_reply(struct world *world, int place)
{
    struct mq_message messages[RECEIVE_MAX];
    char handles[RECEIVE_MAX][32];
    struct mail_call *call = &world->mailbox->calls[place];
    struct node *node = &world->nodes[call->node];
    int count = call->fault == CALL_CLEAN ? messages_show(call, messages, handles) : 0;
    call->pending--;
    mail_answer(call, call->fault == CALL_CLEAN ? call->result : MQ_UNKNOWN, messages, count);
    if (node->engine)
        node_advance(world, node);
}
