/* The plan of a world: how many engines, channels and orders, how they are configured, which faults may
 * happen. All of it follows from the seed. One thread; called once per world. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

const char *const currencies[3] = {"CNY", "USD", "JPY"};
const char *const channel_names[CHANNELS_MAX] = {"alpha", "beta", "gamma"};

int channel_index(const char *name)
{
    for (int i = 0; i < CHANNELS_MAX; i++)
        if (strcmp(channel_names[i], name) == 0)
            return i;
    abort(); /* an engine speaks of a channel that it was never told of */
}

static int pick(struct world *world, int low, int high)
{
    return (int)prng_between(&world->prng, low, high);
}

static void plan_schedule(struct world *world, struct policy *policy)
{
    policy->schedule.length = pick(world, 1, 6);
    int64_t delay_ms = pick(world, 200, 3000);
    for (int i = 0; i < policy->schedule.length; i++) {
        policy->schedule.delays_ms[i] = delay_ms;
        delay_ms += pick(world, 0, 6000);
    }
    policy->jitter_percent = pick(world, 0, 50);
    policy->error_first_ms = pick(world, 100, 1000);
    policy->error_max_ms = pick(world, 1000, 15000);
}

static void plan_life(struct world *world, struct policy *policy)
{
    policy->not_found_grace_ms = pick(world, 500, 20000);
    policy->horizon_ms = pick(world, 15000, 90000);
    policy->probe_ms = pick(world, 1000, 10000);
    policy->attempt_limit = prng_chance(&world->prng, 70) ? 0 : pick(world, 3, 20);
    policy->unknown_limit = pick(world, 1, 4);
    policy->accept_flagged = prng_chance(&world->prng, 50);
    policy->found_lately_ms = pick(world, 20000, 120000);
}

static void plan_end_of_life(struct world *world, struct policy *policy)
{
    policy->can_close = prng_chance(&world->prng, 60);
    policy->closes = prng_chance(&world->prng, 50);
    policy->accept_late = prng_chance(&world->prng, 50);
    policy->tail.length = prng_chance(&world->prng, 50) ? 0 : pick(world, 1, 3);
    int64_t tail_ms = 0;
    for (int i = 0; i < policy->tail.length; i++)
        policy->tail.delays_ms[i] = tail_ms += pick(world, 500, 10000);
}

static void plan_traffic(struct world *world, struct policy *policy)
{
    policy->concurrency = pick(world, 1, 8);
    policy->rate_per_second = pick(world, 2, 50);
    policy->burst = pick(world, 1, 20);
    policy->timeout_ms = pick(world, 500, 4000);
    policy->retry_after_max_ms = pick(world, 1000, 20000);
    policy->breaker_failures = pick(world, 2, 6);
    policy->breaker_open_ms = pick(world, 500, 3000);
    policy->breaker_open_max_ms = pick(world, 3000, 20000);
    policy->guard_percent = prng_chance(&world->prng, 80) ? 0 : pick(world, 30, 70);
}

void plan_policy(struct world *world, struct policy *out)
{
    plan_schedule(world, out);
    plan_life(world, out);
    plan_end_of_life(world, out);
    plan_traffic(world, out);
}

static void plan_engine(struct world *world, struct plan *plan)
{
    plan->config.in_flight = pick(world, 8, SLOTS_MAX);
    plan->config.batch_size = pick(world, 2, 24);
    plan->config.poll_ms = pick(world, 200, 2000);
    plan->config.rescan_ms = 20000;
    plan->config.collect_ms = pick(world, 0, 20);
    plan->config.lease_ms = pick(world, 10000, 30000);
    plan->config.crash_limit = pick(world, 2, 4);
    plan->config.policy_count = plan->channels;
}

/* Every family is in about a third of the worlds, so that most meet a few of them together. */
static void plan_faults(struct world *world, struct plan *plan)
{
    int percent = pick(world, 0, 70);
    for (unsigned family = 1; family < FAULT_FAMILIES; family <<= 1)
        if (prng_chance(&world->prng, percent))
            plan->faults |= family;
}

/* One dead channel, and otherwise nothing that could excuse a delay. */
static void plan_starvation(struct world *world, struct plan *plan)
{
    plan->starvation = true;
    plan->faults = 0;
    plan->nodes = 1;
    plan->channels = pick(world, 2, CHANNELS_MAX);
    plan->orders = pick(world, 20, 40);
    for (int i = 0; i < CHANNELS_MAX; i++) {
        plan->dead[i] = i == 0;
        plan->quiet[i] = plan->lying[i] = false;
    }
}

static void plan_channels(struct world *world, struct plan *plan)
{
    for (int i = 0; i < plan->channels; i++) {
        struct policy *policy = &plan->policies[i];
        plan_policy(world, policy);
        snprintf(policy->channel, sizeof(policy->channel), "%s", channel_names[i]);
        if (plan->starvation)
            policy->guard_percent = 0;
        if (plan->lying[i])
            policy->guard_percent = pick(world, 30, 60);
    }
}

/* From due to asked while one channel is dead: two scans, what the dead one may hold before its breaker
 * opens, and the channel's own queue by its rate and its share of the slots. */
static int64_t plan_starvation_bound(const struct plan *plan)
{
    int64_t worst_ms = 0;
    for (int i = 0; i < plan->channels; i++) {
        const struct policy *policy = &plan->policies[i];
        int64_t at_once = policy->concurrency;
        int64_t share = plan->config.in_flight / plan->channels;
        at_once = share < at_once ? share : at_once;
        int64_t queue_ms = plan->orders * (1000 / policy->rate_per_second + 400 / at_once);
        worst_ms = queue_ms > worst_ms ? queue_ms : worst_ms;
    }
    return worst_ms + 3 * plan->config.poll_ms + 2000;
}

/* An order's whole life, the longest waits between its questions, and the leases of a row that kills. */
static int64_t plan_liveness_bound(const struct plan *plan)
{
    int64_t bound_ms = 15 * plan->config.lease_ms + 90000;
    for (int i = 0; i < plan->channels; i++) {
        const struct policy *policy = &plan->policies[i];
        bound_ms += policy->horizon_ms / 2 + policy->not_found_grace_ms + policy->probe_ms +
                    policy->schedule.delays_ms[policy->schedule.length - 1] + 2 * policy->error_max_ms +
                    6 * (2 * policy->probe_ms + policy->error_max_ms) + 60000 + /* closing, and the tail */
                    2 * policy->breaker_open_max_ms + 2 * policy->retry_after_max_ms + 10000;
    }
    if (plan->precise)
        bound_ms += 5 * plan->config.rescan_ms;
    if (plan->broker) /* what is given back stays away for a while */
        bound_ms *= 3;
    return bound_ms;
}

/* Which channels' orders come as messages, and what happens to those. */
static void plan_mail(struct world *world, struct plan *plan)
{
    for (int i = 0; i < plan->channels; i++) {
        plan->policies[i].by_message = prng_chance(&world->prng, 75);
        plan->policies[i].safety_net = plan->policies[i].by_message && prng_chance(&world->prng, 40);
    }
    plan->mail.one_topic = !plan->starvation && prng_chance(&world->prng, 30);
    plan->mail.drops = !plan->starvation && prng_chance(&world->prng, 50);
    plan->mail.duplicates = !plan->starvation && prng_chance(&world->prng, 50);
    plan->mail.outages = !plan->starvation && prng_chance(&world->prng, 40);
    plan->mail.max_delay_ms = prng_chance(&world->prng, 50) ? 1000000 : pick(world, 2000, 10000);
}

void plan_make(struct world *world)
{
    struct plan *plan = &world->plan;
    plan->precise = world->seed % 4 == 0; /* no chance: the other seeds stay the worlds that they were */
    plan->nodes = pick(world, 1, NODES_MAX);
    plan->channels = pick(world, 1, CHANNELS_MAX);
    plan->orders = pick(world, 5, 40);
    plan->faults_end_ms = pick(world, 20000, 150000);
    plan_faults(world, plan);
    for (int i = 0; i < plan->channels; i++) {
        plan->dead[i] = plan->channels > 1 && prng_chance(&world->prng, 6);
        plan->quiet[i] = !plan->dead[i] && prng_chance(&world->prng, 5);
        plan->lying[i] = !plan->dead[i] && !plan->quiet[i] && prng_chance(&world->prng, 5);
    }
    if (prng_chance(&world->prng, 10)) {
        plan_starvation(world, plan);
    }
    plan_engine(world, plan);
    plan_channels(world, plan);
    plan->broker = world->seed % 4 == 2;
    if (plan->broker)
        plan_mail(world, plan);
    plan->starvation_ms = plan_starvation_bound(plan);
    plan->liveness_ms = plan_liveness_bound(plan);
}
