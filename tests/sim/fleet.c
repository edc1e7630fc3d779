/* The fleet: whole engines, their births, ends, stalls and new configurations, and the questions they ask.
 * Every engine has a clock of its own that starts anywhere. One thread; called by the events. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define HOT_LIMIT 20 /* turns in a row that did not want to wait */

int64_t node_clock(const struct world *world, const struct node *node)
{
    return world->now + node->clock_offset;
}

/* ---- configuration ---- */

/* What a saboteur tells the engine instead of the truth. */
static void config_lie(const struct world *world, struct engine_config *config, struct policy *policies)
{
    if (world->sabotage == SABOTAGE_LIE_BATCH)
        config->batch_size += 4;
    if (world->sabotage == SABOTAGE_LIE_CRASH_LIMIT)
        config->crash_limit = 1000;
    for (int i = 0; i < config->policy_count; i++) {
        if (world->sabotage == SABOTAGE_LIE_CONCURRENCY)
            policies[i].concurrency += 3;
        if (world->sabotage == SABOTAGE_LIE_RATE)
            policies[i].rate_per_second *= 10;
        if (world->sabotage == SABOTAGE_DEAF_BREAKER)
            policies[i].breaker_failures = 1000000;
        if (world->sabotage == SABOTAGE_HASTY_NOT_FOUND)
            policies[i].not_found_grace_ms = 0;
        if (world->sabotage == SABOTAGE_CLOSE_ANYTHING)
            policies[i].can_close = policies[i].closes = true;
    }
}

/* The channels that the node serves, as its engine is told of them. The result lives until the next call. */
static const struct engine_config *config_for(const struct world *world, const struct node *node)
{
    static struct engine_config config;
    static struct policy policies[CHANNELS_MAX];
    config = node->config;
    config.policies = policies;
    config.policy_count = 0;
    for (int i = 0; i < world->plan.channels; i++)
        if (node->serves[i])
            policies[config.policy_count++] = node->policies[i];
    config_lie(world, &config, policies);
    return &config;
}

/* A new configuration as operators write them: other numbers, a channel less. */
static void config_vary(struct world *world, struct node *node)
{
    node->config.batch_size = (int)prng_between(&world->prng, 2, 24);
    node->config.poll_ms = prng_between(&world->prng, 200, 2000);
    int gone = (int)prng_between(&world->prng, 0, 5);
    for (int i = 0; i < world->plan.channels; i++) {
        struct policy fresh = world->plan.policies[i];
        plan_policy(world, &fresh);
        node->serves[i] = i != gone || world->plan.channels == 1;
        if (node->serves[i])
            node->policies[i] = fresh; /* what is under way on a channel that goes is judged as before */
    }
}

static void config_restore(const struct world *world, struct node *node)
{
    node->config = world->plan.config;
    for (int i = 0; i < world->plan.channels; i++) {
        node->serves[i] = true;
        node->policies[i] = world->plan.policies[i];
    }
}

/* A channel that comes back begins anew, unless some of its slots were never free: the witness allows for
 * both. */
static void watch_forgive(const struct world *world, struct watch *watch)
{
    *watch =
        (struct watch){.asking = watch->asking, .found_at = watch->found_at, .trouble_since = world->now};
}

/* The daemon does so whenever it may matter: an engine forgets channels that it does not serve. */
static void node_hold(const struct world *world, struct node *node, int channel, bool held)
{
    node->held[channel] = held;
    if (world->sabotage != SABOTAGE_DEAF_HOLD)
        engine_hold(node->engine, channel_names[channel], held ? "paused" : NULL);
}

void node_configure(struct world *world, struct node *node, bool faithful)
{
    struct policy before[CHANNELS_MAX];
    bool served[CHANNELS_MAX];
    memcpy(before, node->policies, sizeof(before));
    memcpy(served, node->serves, sizeof(served));
    if (faithful)
        config_restore(world, node);
    else
        config_vary(world, node);
    for (int i = 0; i < world->plan.channels; i++) {
        bounds_configured(world, node, i, &before[i]);
        if (!served[i] && node->serves[i])
            watch_forgive(world, &node->watches[i]);
    }
    node->batch_most =
        node->config.batch_size > node->batch_most ? node->config.batch_size : node->batch_most;
    int result = engine_configure(node->engine, config_for(world, node), node_clock(world, node));
    assert(result == 0);
    for (int i = 0; i < world->plan.channels; i++)
        node_hold(world, node, i, node->held[i]);
    node_advance(world, node);
}

/* ---- steering ---- */

static void node_share(const struct world *world, struct node *node, int place, int living)
{
    node->place = place;
    node->living = living;
    if (world->sabotage != SABOTAGE_DEAF_SHARE)
        engine_share(node->engine, place, living, node_clock(world, node));
}

/* What a beat brings: a channel is held back or freed, instances came or went. Faithful: nothing is held, it is alone. */
void node_steer(struct world *world, struct node *node, bool faithful)
{
    for (int i = 0; i < world->plan.channels; i++)
        if (faithful || prng_chance(&world->prng, 50))
            node_hold(world, node, i, !faithful && prng_chance(&world->prng, 50));
    int living = faithful ? 1 : (int)prng_between(&world->prng, 1, 4);
    node_share(world, node, (int)prng_between(&world->prng, 0, living - 1), living);
    node_advance(world, node);
}

/* ---- births and ends ---- */

void node_start(struct world *world, struct node *node)
{
    if (node->engine || world->act == ACT_STOP)
        return;
    node->life++;
    node->stopping = false;
    memset(node->claiming, 0, sizeof(node->claiming));
    node->asking = node->suspects = 0;
    node->seen = (struct engine_view){0};
    node->clock_offset = prng_between(&world->prng, 0, 1000000000);
    memset(node->slots, 0, sizeof(node->slots));
    for (int i = 0; i < CHANNELS_MAX; i++)
        node->watches[i] = (struct watch){.found_at = -1, .trouble_since = world->now};
    config_restore(world, node);
    memset(node->held, 0, sizeof(node->held));
    node->place = 0;
    node->living = 1;
    node->batch_most = node->config.batch_size;
    int result = engine_create(&node->engine, config_for(world, node), &fleet_operations, node,
                               prng_next(&world->prng));
    assert(result == 0);
    post_create(world, node);
    node_advance(world, node);
}

void node_end(struct world *world, struct node *node)
{
    struct engine *engine = node->engine;
    node->engine = NULL; /* nothing that ends now comes to it */
    post_destroy(world, node);
    engine_destroy(engine);
    node->stalled_until = 0;
}

void node_crash(struct world *world, struct node *node)
{
    witness_crashed(world, node);
    node_end(world, node);
    world_schedule(world, prng_between(&world->prng, 50, 4000), EVENT_START, node->index, 0, 0);
}

static void node_rest(struct world *world, struct node *node)
{
    if (node->claiming[SOURCE_TABLE] || node->claiming[SOURCE_BROKER] || node->asking > 0)
        violate(world, INVARIANT_COUNTERS, "node %d says it is idle, with %d questions under way",
                node->index, node->asking);
    node_end(world, node);
    if (world->act != ACT_STOP)
        world_schedule(world, prng_between(&world->prng, 50, 4000), EVENT_START, node->index, 0, 0);
}

void node_stop(struct world *world, struct node *node)
{
    if (!node->engine)
        return;
    if (!node->stopping)
        engine_stop(node->engine, node_clock(world, node));
    if (!node->stopping && node->broker)
        broker_stop(node->broker);
    node->stopping = true;
    node_advance(world, node);
}

/* ---- the turn of the wheel ---- */

void node_wake(struct world *world, struct node *node)
{
    node_advance(world, node);
}

void node_advance(struct world *world, struct node *node)
{
    int64_t clock = node_clock(world, node);
    int64_t next = engine_advance(node->engine, clock);
    bounds_counters(world, node);
    if (node->stopping && engine_is_idle(node->engine)) {
        node_rest(world, node);
        return;
    }
    node->wake++;
    node->hot = next <= clock ? node->hot + 1 : 0;
    if (node->hot > HOT_LIMIT)
        violate(world, INVARIANT_LIVENESS, "node %d wants to be called again at once, and again",
                node->index);
    if (next == INT64_MAX)
        return;
    int64_t delay_ms = next > clock ? next - clock : 1;
    world_schedule(world, delay_ms, EVENT_WAKE, node->index, 0, (int64_t)node->wake);
}

void node_answer(struct world *world, struct node *node, int place)
{
    struct slot *slot = &node->slots[place];
    assert(slot->asking);
    slot->asking = false;
    int attempt = world->witness.grants[slot->grant].attempt;
    int channel = world->ledger.rows[attempt].channel;
    if (world->bank.payments[attempt].killer) {
        node_crash(world, node);
        return;
    }
    struct evidence *evidence = &slot->job->evidence;
    bank_answer(world, slot, attempt, evidence);
    trace_add(world, TRACE_EVIDENCE, node->index, attempt, evidence->kind, evidence->amount_minor);
    bounds_answered(world, node, slot, channel, evidence);
    witness_answered(world, node, slot, evidence);
    if (world->sabotage == SABOTAGE_BELIEVE_CLOSING && slot->closing)
        slot->job->order.phase = PHASE_CHECK;
    if (world->sabotage == SABOTAGE_HIDE_RETRY_AFTER)
        evidence->retry_after_ms = 0;
    engine_answered(node->engine, slot->job, node_clock(world, node));
    node_advance(world, node);
}
