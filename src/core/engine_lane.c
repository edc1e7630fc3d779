/* Lanes: one channel's share of the engine. What may start, what must be given back, what came of an answer.
 * Pure; part of the engine (engine_inner.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_inner.h"

struct lane *lane_create(const struct policy *policy, int64_t now_ms)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane)
        return NULL;
    lane->found_ms = -1;
    for (int i = 0; i < SOURCE_KINDS; i++)
        lane->draws[i].due_ms = NEVER_MS;
    lane->latency_ms = policy->timeout_ms;
    bucket_init(&lane->bucket, policy->rate_per_second, policy->burst, now_ms);
    lane_configure(lane, policy, now_ms);
    return lane;
}

/* A new configuration is also how an operator says that a halted channel may go on. */
void lane_configure(struct lane *lane, const struct policy *policy, int64_t now_ms)
{
    lane->policy = *policy;
    lane->whole = (struct share){policy->concurrency, policy->rate_per_second, policy->burst};
    lane->retired = false;
    lane->guard = (struct guard){0};
    bucket_resize(&lane->bucket, policy->rate_per_second, policy->burst, now_ms);
}

/* The first ones get what can not be divided. */
int share_of(int whole, int place, int living)
{
    return whole / living + (place < whole % living ? 1 : 0);
}

/* Whose share of either limit is nothing asks nothing; its bucket is never looked at. */
void lane_share(struct lane *lane, int place, int living, int64_t now_ms)
{
    int rate = share_of(lane->whole.rate_per_second, place, living);
    int burst = share_of(lane->whole.burst, place, living);
    bool had_none = lane->policy.concurrency == 0;
    lane->policy.concurrency = rate ? share_of(lane->whole.concurrency, place, living) : 0;
    lane->policy.rate_per_second = rate ? rate : 1;
    lane->policy.burst = burst ? burst : 1;
    bucket_resize(&lane->bucket, lane->policy.rate_per_second, lane->policy.burst, now_ms);
    for (int i = 0; i < SOURCE_KINDS && had_none; i++)
        lane->draws[i].more_due = lane->policy.concurrency > 0;
}

/* Not because of the channel, and not for a time that we know. */
static bool lane_is_held(const struct lane *lane)
{
    return lane->retired || lane->held || lane->guard.halted || lane->policy.concurrency == 0;
}

bool lane_is_blocked(const struct lane *lane, int64_t now_ms)
{
    return lane_is_held(lane) || now_ms < lane->paused_until_ms ||
           breaker_allows(&lane->breaker, &lane->policy, now_ms) == 0;
}

/* --- starting ------------------------------------------------------------------------------------------- */

/* A question that starts late in its lease could end after it. */
static bool job_is_stale(const struct engine *engine, const struct job *job, int64_t now_ms)
{
    return now_ms - job->claimed_at_ms > engine->config.lease_ms / 2;
}

static bool lane_may_start(struct lane *lane, int64_t now_ms)
{
    return !lane_is_blocked(lane, now_ms) &&
           lane->asking < breaker_allows(&lane->breaker, &lane->policy, now_ms) &&
           bucket_wait_ms(&lane->bucket, now_ms) == 0;
}

/* A stale one that can not be given back yet waits for that. */
static bool job_may_start(const struct engine *engine, struct lane *lane, const struct job *job,
                          int64_t now_ms)
{
    return job && !job_is_stale(engine, job, now_ms) && lane_may_start(lane, now_ms);
}

static void job_start(struct engine *engine, struct job *job, int64_t now_ms)
{
    struct lane *lane = job->lane;
    bool taken = bucket_take(&lane->bucket, now_ms);
    assert(taken);
    breaker_started(&lane->breaker, now_ms);
    job->asked_at_ms = now_ms;
    /* The policy may be another one than that which began to close it. */
    if (job->order.phase == PHASE_CLOSING && !decide_may_close(&lane->policy, &job->order))
        job->order.phase = PHASE_CHECK;
    job_move(engine, job, JOB_ASKING);
    engine->view.queries++;
    lane->counters.queries++;
    histogram_add(&lane->counters.delays, job->order.late_ms + now_ms - job->claimed_at_ms);
    engine->world.ask(engine->self, job);
}

/* What may be killing us is asked alone, so that nobody else is suspected. False: nobody else may start now.
 */
static bool suspects_start(struct engine *engine, int64_t now_ms)
{
    struct lane *lane = engine->lanes;
    while (lane && !job_may_start(engine, lane, lane->suspects.first, now_ms))
        lane = lane->next;
    if (!lane)
        return true;
    if (engine->lists[JOB_ASKING].count == 0) {
        engine->solo = true;
        job_start(engine, lane->suspects.first, now_ms);
    }
    return false;
}

void lanes_start(struct engine *engine, int64_t now_ms)
{
    if (engine->stopping || engine->solo || !suspects_start(engine, now_ms))
        return;
    for (struct lane *lane = engine->lanes; lane; lane = lane->next)
        while (job_may_start(engine, lane, lane->ready.first, now_ms))
            job_start(engine, lane->ready.first, now_ms);
}

/* --- giving back ---------------------------------------------------------------------------------------- */

/* A short pause is waited for, the rest is given back so that another instance, or a later claim, may have
 * it. */
static bool lane_must_release(const struct engine *engine, const struct lane *lane, int64_t now_ms)
{
    if (engine->stopping || lane_is_held(lane))
        return true;
    if (lane->breaker.open && breaker_allows(&lane->breaker, &lane->policy, now_ms) == 0)
        return true;
    return lane->paused_until_ms - now_ms > engine->config.lease_ms / 4;
}

/* Batches that are being filled, one per source. */
struct releases {
    struct batch *batches[SOURCE_KINDS];
};

static void release_send(struct engine *engine, struct batch **batch)
{
    if (*batch)
        engine->world.sources[(*batch)->source].release(engine->self, *batch);
    *batch = NULL;
}

static void list_release(struct engine *engine, struct job_list *list, bool whole, struct releases *releases,
                         int64_t now_ms)
{
    struct job *next;
    for (struct job *job = list->first; job && (whole || job_is_stale(engine, job, now_ms)); job = next) {
        struct batch **batch = &releases->batches[job->source];
        next = job->next;
        if (!*batch && !(*batch = batch_take(feed_of(engine, job), true)))
            continue; /* both releases are under way: at the next turn */
        (*batch)->jobs[(*batch)->count++] = job;
        job->lane->draws[job->source].more_due = true;
        job_move(engine, job, JOB_SETTLING);
        if ((*batch)->count == engine->config.batch_size)
            release_send(engine, batch);
    }
}

void lanes_release(struct engine *engine, int64_t now_ms)
{
    struct releases releases = {{NULL}};
    for (struct lane *lane = engine->lanes; lane; lane = lane->next) {
        bool whole = lane_must_release(engine, lane, now_ms);
        list_release(engine, &lane->ready, whole, &releases, now_ms);
        list_release(engine, &lane->suspects, whole, &releases, now_ms);
    }
    for (int i = 0; i < SOURCE_KINDS; i++)
        release_send(engine, &releases.batches[i]);
}

/* --- wanting -------------------------------------------------------------------------------------------- */

/* How many questions can start within a quarter of the lease, by concurrency and by rate. */
static int64_t lane_startable(const struct engine *engine, struct lane *lane, int64_t now_ms)
{
    int64_t share_ms = engine->config.lease_ms / 4;
    int64_t allowed = breaker_allows(&lane->breaker, &lane->policy, now_ms);
    int64_t rounds = lane->breaker.open || share_ms < lane->latency_ms ? 1 : share_ms / lane->latency_ms;
    return smaller(allowed * rounds, bucket_within(&lane->bucket, now_ms, share_ms));
}

bool lane_draws(const struct lane *lane, enum source_kind kind)
{
    return !lane->retired && (kind == SOURCE_TABLE || lane->policy.by_message);
}

/* Only the table's orders are known before they are due; scans find those that few expect. */
void lane_is_due(struct lane *lane, int64_t due_ms)
{
    if (lane->policy.by_message && !lane->policy.safety_net)
        return;
    struct draw *draw = &lane->draws[SOURCE_TABLE];
    draw->due_ms = smaller(draw->due_ms, due_ms);
}

/* When to claim what is due, as far as it is known. */
int64_t lane_due_ms(const struct feed *feed, const struct lane *lane)
{
    int64_t due_ms = lane->draws[feed->kind].due_ms;
    int64_t least_ms = feed->claim_sent_ms + CLAIM_GAP_MS;
    return due_ms > least_ms ? due_ms : least_ms;
}

int lane_wants(struct engine *engine, struct lane *lane, enum source_kind kind, bool due, int64_t now_ms)
{
    if (!lane_draws(lane, kind) || lane_is_blocked(lane, now_ms))
        return 0;
    int64_t quota = engine->config.in_flight / engine->lane_count;
    int64_t most = smaller(lane_startable(engine, lane, now_ms), quota > 0 ? quota : 1);
    most = smaller(most, 2 * engine->config.batch_size); /* more would only age in our hands */
    int64_t want =
        smaller(most - lane->ready.count - lane->suspects.count, (quota > 0 ? quota : 1) - lane->used);
    bool worth_a_call = want >= smaller(most / 2, engine->config.batch_size);
    return want > 0 && (due || (lane->draws[kind].more_due && worth_a_call)) ? (int)want : 0;
}

int64_t lane_next_ms(struct engine *engine, struct lane *lane, int64_t now_ms)
{
    bool waits = lane->ready.first;
    for (int i = 0; i < SOURCE_KINDS; i++)
        waits = waits || lane->draws[i].more_due || lane->draws[i].due_ms <= now_ms;
    int64_t next_ms = waits ? breaker_next_ms(&lane->breaker) : NEVER_MS;
    if (now_ms < lane->paused_until_ms)
        next_ms = smaller(next_ms, lane->paused_until_ms);
    if (next_ms <= now_ms)
        next_ms = NEVER_MS; /* its time came already: the next event moves it */
    const struct job *first = lane->suspects.first ? lane->suspects.first : lane->ready.first;
    if (!first)
        return next_ms;
    if (job_is_stale(engine, first, now_ms))
        return next_ms; /* waits for a release to come back */
    next_ms = smaller(next_ms, first->claimed_at_ms + engine->config.lease_ms / 2 + 1);
    int64_t wait_ms = bucket_wait_ms(&lane->bucket, now_ms);
    return wait_ms > 0 ? smaller(next_ms, now_ms + wait_ms) : next_ms;
}

/* --- answers -------------------------------------------------------------------------------------------- */

static void lane_heard_fault(struct engine *engine, struct lane *lane, const struct evidence *evidence,
                             int64_t now_ms)
{
    engine->view.faults++;
    lane->counters.faults++;
    if (breaker_failed(&lane->breaker, &lane->policy, now_ms)) {
        lane->counters.openings++;
        engine_note(engine, NOTE_BREAKER_OPENED, lane, NULL, evidence_kind_text(evidence->kind),
                    lane->breaker.open_ms);
    }
    if (evidence->retry_after_ms <= 0)
        return;
    int64_t pause_ms = smaller(evidence->retry_after_ms, lane->policy.retry_after_max_ms);
    if (now_ms + pause_ms > lane->paused_until_ms) {
        lane->paused_until_ms = now_ms + pause_ms;
        engine_note(engine, NOTE_CHANNEL_PAUSED, lane, NULL, "retry_after", pause_ms);
    }
}

/* What closing answers proves no credentials: channels were seen to close what they do not know. */
static void lane_heard_answer(struct engine *engine, struct lane *lane, const struct job *job, int64_t now_ms)
{
    enum evidence_kind kind = job->evidence.kind;
    engine->view.answers++;
    lane->counters.answers++;
    if (breaker_succeeded(&lane->breaker, &lane->policy))
        engine_note(engine, NOTE_BREAKER_CLOSED, lane, NULL, evidence_kind_text(kind), 0);
    if (kind == EVIDENCE_NOT_FOUND || kind == EVIDENCE_UNKNOWN_STATE || job->order.phase == PHASE_CLOSING)
        return;
    lane->found_ms = now_ms;
    lane->unproven_noted = false;
}

#define SKEW_NOTED_MS 60000

/* Told once, until the clocks agree again. */
static void lane_note_skew(struct engine *engine, struct lane *lane, const struct evidence *evidence)
{
    if (!evidence->has_skew)
        return;
    bool differs = evidence->skew_ms >= SKEW_NOTED_MS || evidence->skew_ms <= -SKEW_NOTED_MS;
    if (differs && !lane->skew_noted)
        engine_note(engine, NOTE_CLOCK_SKEW, lane, NULL, "our clock minus the channel's", evidence->skew_ms);
    lane->skew_noted = differs;
    lane->has_skew = true;
    lane->skew_ms = evidence->skew_ms;
}

static void lane_hear(struct engine *engine, struct lane *lane, const struct job *job, int64_t now_ms)
{
    const struct evidence *evidence = &job->evidence;
    enum evidence_class class = evidence_class(evidence->kind);
    lane->latency_ms = (lane->latency_ms * 7 + (now_ms - job->asked_at_ms)) / 8;
    if (lane->latency_ms < 1)
        lane->latency_ms = 1;
    lane->counters.evidence[evidence->kind]++;
    if (class != EVIDENCE_LOCAL)
        histogram_add(&lane->counters.durations, now_ms - job->asked_at_ms);
    lane_note_skew(engine, lane, evidence);
    if (class == EVIDENCE_LOCAL)
        breaker_probe_gone(&lane->breaker);
    else if (class == EVIDENCE_FAULT || !evidence->authentic)
        lane_heard_fault(engine, lane, evidence, now_ms);
    else
        lane_heard_answer(engine, lane, job, now_ms);
}

/* The row goes back as it came, at the pace of what waits for something else; the audit tells what it would have been. */
static void job_hold_back(struct job *job, const char *rule)
{
    const struct lost_order *order = &job->order;
    job->lane->counters.held_back[job->verdict.kind]++;
    job->verdict = (struct verdict){.kind = VERDICT_RETRY,
                                    .rule = rule,
                                    .due_in_ms = job->lane->policy.probe_ms,
                                    .phase = order->phase,
                                    .answers = order->answers,
                                    .errors = order->errors,
                                    .unknowns = order->unknowns,
                                    .meant = job->verdict.kind,
                                    .meant_rule = job->verdict.rule};
}

/* A channel whose answers put too many orders in doubt is stopped, and its rows stay (correctness 20). */
static void lane_guard(struct engine *engine, struct lane *lane, struct job *job)
{
    if (job->verdict.errors > 0)
        return; /* no answer */
    bool doubt = job->verdict.kind == VERDICT_PARK && park_reason_is_doubt(job->verdict.reason);
    if (guard_saw(&lane->guard, doubt, lane->policy.guard_percent))
        engine_note(engine, NOTE_CHANNEL_HALTED, lane, job, park_reason_text(job->verdict.reason), 0);
    if (doubt && lane->guard.halted)
        job_hold_back(job, "channel_halted");
}

/* Told once, until something may end again. */
static bool cap_allows(struct engine *engine, const struct lane *lane, int64_t now_ms)
{
    bool allows = engine->config.settle_cap == 0 || bucket_take(&engine->cap, now_ms / 60);
    if (!allows && !engine->cap_noted)
        engine_note(engine, NOTE_SETTLE_CAPPED, lane, NULL, "orders that end wait for the next minutes", 0);
    engine->cap_noted = !allows;
    return allows;
}

static void job_restrain(struct engine *engine, struct lane *lane, struct job *job, int64_t now_ms)
{
    if (lane->policy.shadow && job->verdict.kind != VERDICT_RETRY)
        job_hold_back(job, "shadow");
    else if (verdict_ends(job->verdict.kind) && !cap_allows(engine, lane, now_ms))
        job_hold_back(job, "settle_cap");
}

/* Told when it keeps an order from closing, not at the first unpaid order after a start; and once, until
 * something is found. */
static void lane_note_unproven(struct engine *engine, struct lane *lane, const struct job *job)
{
    if (lane->unproven_noted || strcmp(job->verdict.rule, "not_found_unproven") != 0)
        return;
    lane->unproven_noted = true;
    engine_note(engine, NOTE_NOTHING_FOUND_LATELY, lane, job, job->verdict.rule,
                lane->policy.found_lately_ms);
}

void engine_answered(struct engine *engine, struct job *job, int64_t now_ms)
{
    assert(job->state == JOB_ASKING);
    struct lane *lane = job->lane;
    lane_hear(engine, lane, job, now_ms);
    struct situation situation = {
        .since_claim_ms = now_ms - job->received_at_ms,
        .credentials_proven = lane->found_ms >= 0 && now_ms - lane->found_ms <= lane->policy.found_lately_ms,
        .chance = engine_chance(engine),
    };
    job->verdict = decide(&job->order, &job->evidence, &lane->policy, &situation);
    lane_guard(engine, lane, job);
    lane_note_unproven(engine, lane, job);
    job_restrain(engine, lane, job, now_ms);
    engine->solo = false; /* while a suspect is asked, it is the only one */
    struct feed *feed = feed_of(engine, job);
    if (feed->answered.count == 0)
        feed->answered_since_ms = now_ms;
    job_move(engine, job, JOB_ANSWERED);
}
