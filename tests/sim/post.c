/* An engine's second source: the program's own (src/io/broker*.c), on the simulated broker and ledger; and what the daemon
 * does between the two. One thread; called by the engines, by the source, and by events. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/broker_inner.h"
#include "sim.h"

int attempt_of(const struct lost_order *order)
{
    return atoi(order->number + 1);
}

/* Never 0. */
uint32_t chain_of(const char *token)
{
    return (uint32_t)strtoul(token, NULL, 16) | 1u;
}

static struct call *call_of_store(struct store *store, enum call_kind kind, const struct lost_order *orders,
                                  const struct step *before, int count, void *self)
{
    struct node *node = (struct node *)store;
    struct call *call = call_create(node, kind, NULL);
    call->self = self;
    call->count = count;
    for (int i = 0; i < count; i++)
        call->glances[i] = (struct glance){attempt_of(&orders[i]), chain_of(orders[i].token),
                                           orders[i].claimed_us, orders[i].attempt[0] != '\0', before[i]};
    return call;
}

/* ---- the store, for the source ---- */

void store_look(struct store *store, const struct lost_order *orders, const struct step *before, int count,
                store_looked done, void *self)
{
    struct call *call = call_of_store(store, CALL_LOOK, orders, before, count, self);
    call->told = done;
    call_send((struct node *)store, call);
}

void store_settle(struct store *store, struct batch *batch)
{
    batch_send((struct node *)store, CALL_SETTLE, batch);
}

/* The one message that is not understood here: its channel is not served at the moment. */
void store_message_unread(struct store *store, const char *order_no, const char *channel, const char *why,
                          void (*done)(void *self, bool kept), void *self)
{
    struct node *node = (struct node *)store;
    struct lost_order order = {0};
    struct step none = {0};
    (void)why;
    for (int i = 0; i < node->world->ledger.row_count; i++) {
        const struct row *row = &node->world->ledger.rows[i];
        if (row->order == atoi(order_no + 1) && row->channel == channel_index(channel))
            snprintf(order.number, sizeof(order.number), "N%d", i);
    }
    struct call *call = call_of_store(store, CALL_KEEP, &order, &none, 1, self);
    call->kept = done;
    call_send(node, call);
}

/* ---- the loop, for the source ---- */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    timer->loop = loop;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb ring, uint64_t delay_ms, uint64_t repeat_ms)
{
    struct node *node = ((struct broker *)timer->data)->self;
    assert(repeat_ms == 0);
    node->ring = ring;
    world_schedule(node->world, (int64_t)delay_ms, EVENT_RING, node->index, 0, ++node->rings);
    return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb closed)
{
    closed(handle);
}

void post_ring(struct world *world, struct node *node, int64_t number)
{
    if (number != node->rings)
        return;
    node->ring(&node->broker->soon);
    node_advance(world, node);
}

/* ---- what the engine wishes ---- */

void post_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct node *node = self;
    (void)lease_ms;
    bounds_claim(node->world, node, SOURCE_BROKER, wants, count);
    node->claiming[SOURCE_BROKER] = true;
    node->seen.claims++;
    broker_claim(node->broker, wants, count);
}

void post_settle(void *self, struct batch *batch)
{
    struct node *node = self;
    node->seen.settles++;
    broker_settle(node->broker, batch);
}

void post_release(void *self, struct batch *batch)
{
    struct node *node = self;
    broker_release(node->broker, batch);
}

void post_refuse(void *self, const struct lost_order *order)
{
    struct node *node = self;
    broker_refuse(node->broker, order);
}

/* ---- what happened ---- */

static const char *const topics[] = {"T0", "T1", "T2", NULL};

static const char *topic_of(void *self, const char *channel)
{
    const struct node *node = self;
    int place = channel_index(channel);
    bool serves = node->serves[place] && node->policies[place].by_message;
    return serves ? topics[node->world->plan.mail.one_topic ? 0 : place] : NULL;
}

static void on_claimed(void *self, const struct lost_order *orders, int count)
{
    struct node *node = self;
    if (!node->engine)
        return;
    node->claiming[SOURCE_BROKER] = false;
    for (int i = 0; i < count; i++)
        witness_delivered(node->world, node, &orders[i]);
    engine_claimed(node->engine, SOURCE_BROKER, orders, count, node_clock(node->world, node));
}

static void on_claim_failed(void *self)
{
    struct node *node = self;
    if (!node->engine)
        return;
    node->claiming[SOURCE_BROKER] = false;
    engine_claim_failed(node->engine, SOURCE_BROKER, FAILURE_LATER, "", node_clock(node->world, node));
}

static void on_settle_failed(void *self, struct batch *batch)
{
    struct node *node = self;
    if (!node->engine)
        return;
    node->seen.settle_failures[FAILURE_LATER]++;
    engine_settle_failed(node->engine, batch, FAILURE_LATER, "", node_clock(node->world, node));
}

static void on_released(void *self, struct batch *batch)
{
    struct node *node = self;
    if (node->engine)
        engine_released(node->engine, batch, node_clock(node->world, node));
}

static void on_state(void *self, const char *what)
{
    (void)self;
    (void)what;
}

static void on_up(void *self)
{
    (void)self;
}

static void on_told(void *self, const char *what, const char *why)
{
    (void)self;
    (void)what;
    (void)why;
}

static const struct broker_events events = {.topic_of = topic_of,
                                            .claimed = on_claimed,
                                            .claim_failed = on_claim_failed,
                                            .settle_failed = on_settle_failed,
                                            .released = on_released,
                                            .up = on_up,
                                            .down = on_state,
                                            .refused = on_told,
                                            .misread = on_told};

/* ---- births and ends ---- */

void post_create(struct world *world, struct node *node)
{
    const struct plan *plan = &world->plan;
    struct broker_options options = {
        .mq = {.topics = topics, .invisible_ms = plan->config.lease_ms, .poll_ms = 5000},
        .max_delay_ms = plan->mail.max_delay_ms,
        .in_flight = plan->config.in_flight};
    node->blind = false;
    if (!plan->broker)
        return;
    int result = broker_create(&node->broker, NULL, (struct store *)node, &options, &events, node);
    assert(result == 0);
}

/* What waits for the ledger hears nothing any more. */
void post_destroy(struct world *world, struct node *node)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        struct call *call = &world->calls[i];
        bool mine = call->pending > 0 && call->node == node->index && call->life == node->life;
        if (mine && call->told)
            call->told(call->self, NULL, call->count);
        if (mine && call->kept)
            call->kept(call->self, false);
        if (mine)
            call->told = NULL, call->kept = NULL;
    }
    if (node->broker)
        broker_destroy(node->broker);
    node->broker = NULL;
}
