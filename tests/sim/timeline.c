/* The timeline of a world: orders that get lost, and faults, all laid out before it begins. Canaries are
 * fresh paid orders that keep coming after the faults, as in a living shop, so that the channels' credentials
 * stay proven. One thread; called at the beginning and by the events that it scheduled. */
#include <assert.h>

#include "sim.h"

static int64_t any_time(struct world *world)
{
    return prng_between(&world->prng, 0, world->plan.faults_end_ms - 1);
}

static int any_node(struct world *world)
{
    return (int)prng_between(&world->prng, 0, world->plan.nodes - 1);
}

static int any_channel(struct world *world)
{
    return (int)prng_between(&world->prng, 0, world->plan.channels - 1);
}

/* ---- orders ---- */

static enum fate any_fate(struct world *world)
{
    static const unsigned char weights[FATES] = {
        [FATE_PAID] = 17,
        [FATE_PENDING_THEN_PAID] = 12,
        [FATE_HIDDEN_THEN_PAID] = 10,
        [FATE_CLOSED] = 8,
        [FATE_REFUNDED] = 4,
        [FATE_PENDING_THEN_CLOSED] = 5,
        [FATE_REFUNDED_PART] = 2,
        [FATE_FLAGGED] = 3,
        [FATE_NEVER_FOUND] = 10,
        [FATE_PENDING] = 4,
        [FATE_WRONG_AMOUNT] = 4,
        [FATE_WRONG_CURRENCY] = 3,
        [FATE_WRONG_MERCHANT] = 2,
        [FATE_NO_AMOUNT] = 2,
        [FATE_STRANGE] = 3,
        [FATE_UNASKABLE] = 2,
        [FATE_SICK] = 1,
        [FATE_FORGED] = 3,
        [FATE_STUBBORN] = 2,
        [FATE_LATE] = 3,
    };
    int64_t left = prng_between(&world->prng, 0, 99);
    int fate = 0;
    while (left >= weights[fate])
        left -= weights[fate++];
    assert(fate < FATES);
    return (enum fate)fate;
}

static void payment_make(struct world *world, int attempt, enum fate fate)
{
    struct row *row = &world->ledger.rows[attempt];
    struct payment *payment = &world->bank.payments[attempt];
    payment->fate = fate;
    payment->amount_minor = row->amount_minor;
    payment->currency = row->currency;
    if (fate == FATE_WRONG_AMOUNT)
        payment->amount_minor += prng_chance(&world->prng, 50) ? 1 : -1;
    if (fate == FATE_WRONG_CURRENCY)
        payment->currency = (row->currency + 1) % 3;
    if (fate == FATE_HIDDEN_THEN_PAID)
        payment->hidden_left = (int)prng_between(&world->prng, 1, 3);
    if (fate == FATE_PENDING_THEN_PAID || fate == FATE_PENDING_THEN_CLOSED)
        payment->pending_left = (int)prng_between(&world->prng, 1, 4);
    if (fate == FATE_LATE)
        payment->late_left = (int)prng_between(&world->prng, 1, 4);
    if (fate == FATE_FORGED || (prng_chance(&world->prng, 20) && !world->plan.starvation))
        payment->faults_left = (int)prng_between(&world->prng, 1, 3);
}

static int attempt_make(struct world *world, int order, int channel, enum fate fate)
{
    struct ledger *ledger = &world->ledger;
    assert(ledger->row_count < ORDERS_MAX);
    int attempt = ledger->row_count++;
    struct row *row = &ledger->rows[attempt];
    *row = (struct row){.order = order, .channel = channel, .last_audit = -1};
    row->amount_minor = ledger->orders[order].amount_minor;
    row->currency = ledger->orders[order].currency;
    row->expires_at = prng_chance(&world->prng, 50) ? NO_END : prng_between(&world->prng, 3000, 50000);
    if (world->plan.quiet[channel])
        fate = FATE_NEVER_FOUND;
    if (world->plan.lying[channel] && prng_chance(&world->prng, 80))
        fate = (enum fate)prng_between(&world->prng, FATE_WRONG_AMOUNT, FATE_NO_AMOUNT);
    if (world->plan.starvation && (fate == FATE_SICK || fate == FATE_FORGED))
        fate = FATE_PAID; /* faults of orders open the breaker of a healthy channel */
    if (!world->plan.starvation && prng_chance(&world->prng, 3))
        row->amount_minor +=
            1; /* tracked with another amount than the order has: the payer paid what was tracked */
    payment_make(world, attempt, fate);
    return attempt;
}

static int order_make(struct world *world)
{
    struct ledger *ledger = &world->ledger;
    assert(ledger->order_count < ORDERS_MAX);
    int order = ledger->order_count++;
    ledger->orders[order] = (struct shop_order){
        .exists = world->plan.starvation || !prng_chance(&world->prng, 2),
        .amount_minor = prng_between(&world->prng, 100, 99999),
        .currency = (int)prng_between(&world->prng, 0, 2),
        .paid_by = -1,
    };
    return order;
}

static void orders_make(struct world *world)
{
    int64_t last_ms = world->plan.starvation ? 1 : world->plan.faults_end_ms / 2;
    for (int i = 0; i < world->plan.orders; i++) {
        int order = order_make(world);
        int channel = any_channel(world);
        int attempt = attempt_make(world, order, channel, any_fate(world));
        int64_t at = prng_chance(&world->prng, 60) ? 0 : prng_between(&world->prng, 0, last_ms);
        world_schedule(world, at, EVENT_TRACK, -1, attempt, 0);
        if (!(world->plan.faults & FAULT_TWO_ATTEMPTS) || !prng_chance(&world->prng, 30))
            continue;
        int second = attempt_make(world, order, any_channel(world), any_fate(world));
        world_schedule(world, at + prng_between(&world->prng, 0, 5000), EVENT_TRACK, -1, second, 0);
    }
}

/* The database's NOTIFY, which a broken connection swallows. */
static void node_hears(struct world *world, struct node *node, const struct row *row)
{
    bool swallowed =
        world->act == ACT_FAULTS && world->plan.faults & FAULT_CUTS && prng_chance(&world->prng, 15);
    if (swallowed || world->sabotage == SABOTAGE_DEAF_WAKE || !ledger_wakes(world, row))
        return;
    engine_due(node->engine, channel_names[row->channel], 0, node_clock(world, node));
    node_advance(world, node);
}

void timeline_track(struct world *world, int attempt)
{
    struct row *row = &world->ledger.rows[attempt];
    row->state = ROW_LIVE;
    row->created_at = ledger_clock(world);
    if (row->expires_at != NO_END)
        row->expires_at += row->created_at;
    row->due_at = row->created_at + prng_between(&world->prng, 0, 2000);
    if (world->plan.policies[row->channel].by_message) {
        mail_track(world, attempt);
        return;
    }
    for (int i = 0; i < world->plan.nodes; i++) {
        struct node *node = &world->nodes[i];
        if (!node->engine || node->stalled_until > world->now)
            continue;
        if (world->plan.precise) {
            node_hears(world, node, row);
        } else if (prng_chance(&world->prng, 20)) {
            engine_poke(node->engine); /* an operator's */
            node_advance(world, node);
        }
    }
}

void timeline_canary(struct world *world, int channel)
{
    int64_t pause_ms = world->plan.policies[channel].found_lately_ms / 3;
    if (world->act != ACT_CALM || world->ledger.row_count == ORDERS_MAX)
        return;
    int order = order_make(world);
    int attempt = attempt_make(world, order, channel, FATE_PAID);
    world->bank.payments[attempt].canary = true;
    timeline_track(world, attempt);
    world_schedule(world, pause_ms, EVENT_CANARY, -1, channel, 0);
}

/* ---- faults ---- */

static void schedule_some(struct world *world, enum fault_family family, int most, enum event_kind kind)
{
    if (!(world->plan.faults & family))
        return;
    for (int64_t left = prng_between(&world->prng, 1, most); left > 0; left--)
        world_schedule(world, any_time(world), kind, any_node(world), 0,
                       prng_between(&world->prng, 500, 40000));
}

static void schedule_windows(struct world *world, bool wanted, int64_t longest_ms, enum event_kind begin,
                             enum event_kind end)
{
    if (!wanted)
        return;
    for (int64_t left = prng_between(&world->prng, 1, 3); left > 0; left--) {
        int64_t at = any_time(world);
        world_schedule(world, at, begin, -1, 0, 0);
        world_schedule(world, at + prng_between(&world->prng, 200, longest_ms), end, -1, 0, 0);
    }
}

static void schedule_outages(struct world *world)
{
    static const enum evidence_kind kinds[] = {EVIDENCE_TIMEOUT,      EVIDENCE_UNREACHABLE,
                                               EVIDENCE_UNTRUSTED,    EVIDENCE_RATE_LIMITED,
                                               EVIDENCE_UNAUTHORIZED, EVIDENCE_SERVER_ERROR};
    for (int i = 0; i < world->plan.channels; i++)
        if (world->plan.dead[i])
            world->bank.outage[i] =
                world->plan.starvation ? EVIDENCE_TIMEOUT : kinds[prng_between(&world->prng, 0, 5)];
    if (!(world->plan.faults & FAULT_OUTAGES))
        return;
    for (int64_t left = prng_between(&world->prng, 1, 4); left > 0; left--) {
        int64_t at = any_time(world);
        int channel = any_channel(world);
        world_schedule(world, at, EVENT_OUTAGE, -1, channel, kinds[prng_between(&world->prng, 0, 5)]);
        world_schedule(world, at + prng_between(&world->prng, 500, 20000), EVENT_OUTAGE_END, -1, channel, 0);
    }
}

static void schedule_clock_steps(struct world *world)
{
    if (!(world->plan.faults & FAULT_CLOCK))
        return;
    for (int64_t left = prng_between(&world->prng, 1, 4); left > 0; left--)
        world_schedule(world, any_time(world), EVENT_CLOCK, -1, 0, prng_between(&world->prng, -40000, 40000));
}

static void schedule_shop(struct world *world)
{
    if (!(world->plan.faults & FAULT_SHOP))
        return;
    for (int64_t left = prng_between(&world->prng, 1, 20); left > 0; left--) {
        int attempt = (int)prng_between(&world->prng, 0, world->ledger.row_count - 1);
        world_schedule(world, any_time(world), EVENT_SHOP_BEGIN, -1, attempt,
                       prng_between(&world->prng, 0, 9));
    }
}

static void mark_rows(struct world *world)
{
    int last = world->ledger.row_count - 1;
    if (world->plan.faults & FAULT_KILLER)
        world->bank.payments[prng_between(&world->prng, 0, last)].killer = true;
    if (!(world->plan.faults & FAULT_POISON))
        return;
    for (int64_t left = prng_between(&world->prng, 1, 3); left > 0; left--)
        world->ledger.rows[prng_between(&world->prng, 0, last)].poisoned = true;
}

void timeline_make(struct world *world)
{
    orders_make(world);
    mark_rows(world);
    for (int i = 0; i < world->plan.nodes; i++)
        world_schedule(world, prng_between(&world->prng, 0, 3000), EVENT_START, i, 0, 0);
    schedule_some(world, FAULT_CRASHES, 8, EVENT_CRASH);
    schedule_some(world, FAULT_STOPS, 3, EVENT_STOP);
    schedule_some(world, FAULT_STALLS, 3, EVENT_STALL);
    schedule_some(world, FAULT_CONFIGURE, 6, EVENT_CONFIGURE);
    schedule_some(world, FAULT_STEER, 8, EVENT_STEER);
    schedule_windows(world, world->plan.faults & FAULT_DATABASE_DOWN, 8000, EVENT_DATABASE_DOWN,
                     EVENT_DATABASE_UP);
    schedule_windows(world, world->plan.faults & FAULT_SCHEMA, 10000, EVENT_SCHEMA_BROKEN,
                     EVENT_SCHEMA_MENDED);
    schedule_outages(world);
    schedule_clock_steps(world);
    schedule_shop(world);
    schedule_windows(world, world->plan.mail.outages, 8000, EVENT_BROKER_DOWN, EVENT_BROKER_UP);
    world_schedule(world, world->plan.faults_end_ms, EVENT_CALM, -1, 0, 0);
    for (int i = 0; i < world->plan.channels; i++)
        if (!world->plan.dead[i] && !world->plan.quiet[i])
            world_schedule(world, world->plan.faults_end_ms + 100, EVENT_CANARY, -1, i, 0);
}
