/* Bounds: what an engine may ask, how much at once and how fast, by the witness's own arithmetic; and the
 * engine's counters against the witness's own count. One thread; called by the fleet around each operation.
 */
#include "sim.h"

#define TOKEN_MICRO 1000000LL

/* ---- claims ---- */

void bounds_claim(struct world *world, struct node *node, enum source_kind source,
                  const struct claim_want *wants, int count)
{
    int total = 0;
    for (int i = 0; i < count; i++)
        total += wants[i].limit;
    if (node->claiming[source] && source != SOURCE_BROKER) /* which may want more while it waits */
        violate(world, INVARIANT_BOUNDS, "node %d claims while a claim is under way", node->index);
    if (total > node->config.batch_size)
        violate(world, INVARIANT_BOUNDS, "node %d claims %d rows, the batch size is %d", node->index, total,
                node->config.batch_size);
    if (node->stopping)
        violate(world, INVARIANT_BOUNDS, "node %d claims although it was stopped", node->index);
}

/* ---- questions ---- */

static void meter_leak(const struct world *world, struct watch *watch, const struct policy *policy)
{
    int64_t leaked = (world->now - watch->metered_at) * policy->rate_per_second * (TOKEN_MICRO / 1000);
    watch->meter_micro = leaked < watch->meter_micro ? watch->meter_micro - leaked : 0;
    watch->metered_at = world->now;
}

/* A leaky meter: never above the burst means at most rate * window + burst starts in any window. */
static void check_rate(struct world *world, const struct node *node, struct watch *watch,
                       const struct policy *policy)
{
    meter_leak(world, watch, policy);
    watch->meter_micro += TOKEN_MICRO;
    if (watch->meter_micro > policy->burst * TOKEN_MICRO)
        violate(world, INVARIANT_PACE, "node %d exceeds the rate of channel %s", node->index,
                policy->channel);
    if (world->now < watch->paused_until)
        violate(world, INVARIANT_PACE, "node %d asks channel %s during its Retry-After", node->index,
                policy->channel);
}

/* By faults alone: how many questions may begin since the last answer that was no fault. */
static int questions_in_trouble(const struct world *world, const struct watch *watch,
                                const struct policy *policy)
{
    int64_t trouble_ms = world->now - watch->trouble_since;
    return policy->breaker_failures + policy->concurrency + (int)(trouble_ms / policy->breaker_open_ms) + 1;
}

static void check_breaker(struct world *world, const struct node *node, struct watch *watch,
                          const struct policy *policy)
{
    watch->begun++;
    if (watch->halted)
        violate(world, INVARIANT_BREAKER, "node %d asks channel %s, which it halted", node->index,
                policy->channel);
    if (watch->open && ++watch->probes > 1)
        violate(world, INVARIANT_BREAKER, "node %d sends two probes at once to channel %s", node->index,
                policy->channel);
    if (watch->faults >= policy->breaker_failures + policy->concurrency &&
        watch->begun > questions_in_trouble(world, watch, policy))
        violate(world, INVARIANT_BREAKER, "node %d began %d questions on channel %s with %d faults in a row",
                node->index, watch->begun, policy->channel, watch->faults);
}

static void check_alone(struct world *world, struct node *node, struct slot *slot)
{
    const struct grant *grant = &world->witness.grants[slot->grant];
    slot->suspect = grant->claims > node->config.crash_limit;
    if (node->suspects > 0 || (slot->suspect && node->asking > 0))
        violate(world, INVARIANT_ALONE, "node %d asks beside a row that may be killing it", node->index);
    node->suspects += slot->suspect;
}

static void check_closing(struct world *world, const struct node *node, const struct slot *slot,
                          const struct policy *policy)
{
    struct grant *grant = &world->witness.grants[slot->grant];
    grant->closing = slot->closing;
    if (!slot->closing)
        return;
    bool over = grant->phase == PHASE_CLOSING;
    if (!over || !policy->can_close || !(policy->closes || grant->left_ms != NO_END))
        violate(world, INVARIANT_CLOSING, "node %d asks channel %s to close attempt %d, which it may not",
                node->index, policy->channel, grant->attempt);
}

/* What was under way before goes on. */
static void check_steering(struct world *world, const struct node *node, const struct watch *watch,
                           int channel)
{
    const struct policy *policy = &node->policies[channel];
    int share = (policy->concurrency + node->living - 1 - node->place) / node->living;
    if (node->held[channel])
        violate(world, INVARIANT_STEERED, "node %d asks channel %s, which is held back", node->index,
                policy->channel);
    if (node->living > 1 && watch->asking >= share)
        violate(world, INVARIANT_STEERED, "node %d has %d questions under way on channel %s, its share is %d",
                node->index, watch->asking + 1, policy->channel, share);
}

void bounds_ask(struct world *world, struct node *node, struct slot *slot, int channel)
{
    const struct policy *policy = &node->policies[channel];
    struct watch *watch = &node->watches[channel];
    struct grant *grant = &world->witness.grants[slot->grant];
    check_alone(world, node, slot);
    check_closing(world, node, slot, policy);
    if (++grant->asked > 1)
        violate(world, INVARIANT_BOUNDS, "node %d asks twice under one claim about attempt %d", node->index,
                grant->attempt);
    if (world->now - grant->claimed_at > node->config.lease_ms)
        violate(world, INVARIANT_BOUNDS, "node %d begins a question %lld ms after its claim, past the lease",
                node->index, (long long)(world->now - grant->claimed_at));
    check_steering(world, node, watch, channel);
    node->asking++;
    if (++watch->asking > policy->concurrency)
        violate(world, INVARIANT_BOUNDS, "node %d has %d questions under way on channel %s", node->index,
                watch->asking, policy->channel);
    if (node->asking > node->config.in_flight)
        violate(world, INVARIANT_BOUNDS, "node %d has %d questions under way", node->index, node->asking);
    if (!node->serves[channel])
        violate(world, INVARIANT_BOUNDS, "node %d asks channel %s, which it does not serve", node->index,
                policy->channel);
    check_rate(world, node, watch, policy);
    check_breaker(world, node, watch, policy);
    node->seen.queries++;
}

void bounds_answered(struct world *world, struct node *node, struct slot *slot, int channel,
                     const struct evidence *evidence)
{
    const struct policy *policy = &node->policies[channel];
    struct watch *watch = &node->watches[channel];
    node->asking--;
    node->suspects -= slot->suspect;
    watch->asking--;
    watch->probes -= watch->probes > 0;
    if (slot->fault == EVIDENCE_UNASKABLE) { /* nobody was asked */
        watch->begun -= watch->begun > 0;
        return;
    }
    if (evidence->authentic) {
        node->seen.answers++;
        watch->faults = watch->begun = 0;
        watch->trouble_since = world->now;
        bool found = evidence->kind != EVIDENCE_NOT_FOUND && evidence->kind != EVIDENCE_UNKNOWN_STATE &&
                     !slot->closing;
        watch->found_at = found ? world->now : watch->found_at;
        return;
    }
    node->seen.faults++;
    watch->faults++;
    int64_t pause_ms = evidence->retry_after_ms;
    pause_ms = pause_ms < policy->retry_after_max_ms ? pause_ms : policy->retry_after_max_ms;
    if (world->now + pause_ms > watch->paused_until)
        watch->paused_until = world->now + pause_ms;
}

void bounds_note(struct world *world, struct node *node, const struct note *note)
{
    int channel = note->channel ? channel_index(note->channel) : 0;
    trace_add(world, TRACE_NOTE, node->index, note->channel ? channel : -1, note->kind, note->duration_ms);
    struct watch *watch = &node->watches[channel];
    if (note->kind == NOTE_BREAKER_OPENED && !watch->open) {
        watch->open = true;
        watch->probes = 0;
    }
    if (note->kind == NOTE_BREAKER_CLOSED)
        watch->open = false;
    if (note->kind == NOTE_CHANNEL_HALTED)
        watch->halted = true;
}

/* What was taken from the bucket stays taken; a smaller bucket forgives what it can not hold. */
void bounds_configured(const struct world *world, struct node *node, int channel, const struct policy *before)
{
    const struct policy *policy = &node->policies[channel];
    struct watch *watch = &node->watches[channel];
    meter_leak(world, watch, before);
    watch->halted = watch->halted && !node->serves[channel]; /* a new configuration lets it go on */
    watch->begun = watch->faults = 0;
    int64_t shrunk = (before->burst - policy->burst) * TOKEN_MICRO;
    if (shrunk > 0)
        watch->meter_micro = watch->meter_micro > shrunk ? watch->meter_micro - shrunk : 0;
}

/* ---- counters ---- */

static void check_counter(struct world *world, const struct node *node, const char *name, uint64_t told,
                          uint64_t seen)
{
    if (told != seen)
        violate(world, INVARIANT_COUNTERS, "node %d says %llu %s, there were %llu", node->index,
                (unsigned long long)told, name, (unsigned long long)seen);
}

/* Every question is under way or came back as one kind of evidence. */
static void check_lane_counters(struct world *world, const struct node *node, const struct lane_view *lane)
{
    const struct lane_counters *counters = &lane->counters;
    uint64_t heard = 0, begun = 0;
    for (int i = 0; i < (int)EVIDENCE_KINDS; i++)
        heard += counters->evidence[i];
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        begun += counters->delays.counts[i];
    check_counter(world, node, "questions of a lane that began", counters->queries, begun);
    check_counter(world, node, "questions of a lane", counters->queries, heard + (uint64_t)lane->asking);
    check_counter(world, node, "orders of a lane that ended", counters->ended,
                  counters->verdicts[VERDICT_PAID] + counters->verdicts[VERDICT_CLOSED] +
                      counters->verdicts[VERDICT_REFUNDED]);
}

static void check_lanes(struct world *world, const struct node *node)
{
    struct lane_view lane;
    int asking = 0;
    for (int i = 0; engine_look_lane(node->engine, i, node_clock(world, node), &lane); i++) {
        const struct watch *watch = &node->watches[channel_index(lane.channel)];
        asking += lane.asking;
        check_lane_counters(world, node, &lane);
        if (lane.asking != watch->asking || (lane.halted && !watch->halted))
            violate(world, INVARIANT_COUNTERS,
                    "node %d says %d questions are under way on channel %s, there are %d", node->index,
                    lane.asking, lane.channel, watch->asking);
    }
    check_counter(world, node, "questions under way on its channels", (uint64_t)asking,
                  (uint64_t)node->asking);
}

void bounds_counters(struct world *world, struct node *node)
{
    struct engine_view view;
    const struct engine_view *seen = &node->seen;
    engine_look(node->engine, &view);
    check_counter(world, node, "queries", view.queries, seen->queries);
    check_counter(world, node, "answers", view.answers, seen->answers);
    check_counter(world, node, "faults", view.faults, seen->faults);
    check_counter(world, node, "claims", view.claims, seen->claims);
    check_counter(world, node, "settles", view.settles, seen->settles);
    check_counter(world, node, "questions under way", (uint64_t)view.asking, (uint64_t)node->asking);
    for (int i = 0; i < (int)VERDICT_KINDS; i++)
        check_counter(world, node, verdict_kind_text((enum verdict_kind)i), view.verdicts[i],
                      seen->verdicts[i]);
    for (int i = 0; i < (int)OUTCOMES; i++)
        check_counter(world, node, outcome_text((enum outcome)i), view.outcomes[i], seen->outcomes[i]);
    for (int i = 0; i < (int)PARK_REASONS; i++)
        check_counter(world, node, park_reason_text((enum park_reason)i), view.parked[i], seen->parked[i]);
    for (int i = 0; i < (int)FAILURES; i++)
        check_counter(world, node, failure_text((enum failure)i), view.settle_failures[i],
                      seen->settle_failures[i]);
    check_lanes(world, node);
    if (view.in_flight > node->config.in_flight || view.in_flight < view.asking)
        violate(world, INVARIANT_BOUNDS, "node %d has %d slots in use", node->index, view.in_flight);
}
