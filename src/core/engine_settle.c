/* Settling: batches of verdicts, what became of them, and what to do when the database can not.
 * Pure; part of the engine (engine_inner.h). */
#include <assert.h>
#include <string.h>

#include "core/engine_inner.h"

#define BUSY_FIRST_MS  40
#define BUSY_SPREAD_MS 80

static void batch_drop(struct batch *batch)
{
    batch->in_use = batch->waiting = false;
}

/* --- sending -------------------------------------------------------------------------------------------- */

static int settles_under_way(const struct feed *feed)
{
    int count = 0;
    for (int i = 0; i < SETTLES_MAX; i++)
        count += feed->batches[i].in_use;
    return count;
}

static bool some_batch_waits(const struct feed *feed)
{
    for (int i = 0; i < SETTLES_MAX; i++)
        if (feed->batches[i].in_use && feed->batches[i].waiting)
            return true;
    return false;
}

/* Waits for companions for a while, but not behind a call that is under way unless the batch is full. */
static bool settle_is_due(const struct engine *engine, const struct feed *feed, int64_t now_ms)
{
    int count = feed->answered.count;
    int under_way = settles_under_way(feed);
    if (count == 0 || under_way == SETTLES_MAX || some_batch_waits(feed))
        return false;
    if (count >= feed->settle_limit)
        return true;
    bool waited = now_ms - feed->answered_since_ms >= engine->config.collect_ms;
    return under_way == 0 && (waited || engine->stopping);
}

static void batch_send(struct engine *engine, struct batch *batch)
{
    batch->waiting = false;
    engine->view.settles++;
    engine->world.sources[batch->source].settle(engine->self, batch);
}

static void batch_fill_and_send(struct engine *engine, struct feed *feed, int64_t now_ms)
{
    struct batch *batch = batch_take(feed, false);
    assert(batch);
    struct job_list *answered = &feed->answered;
    while (answered->first && batch->count < feed->settle_limit) {
        batch->jobs[batch->count++] = answered->first;
        job_move(engine, answered->first, JOB_SETTLING);
    }
    feed->answered_since_ms = now_ms;
    batch_send(engine, batch);
}

static void busy_come_back(struct engine *engine, struct feed *feed, int64_t now_ms)
{
    struct job *job = feed->busy.first;
    while (job) {
        struct job *next = job->next;
        if (job->repeat_at_ms <= now_ms)
            job_move(engine, job, JOB_ANSWERED);
        job = next;
    }
}

static void feed_settle(struct engine *engine, struct feed *feed, int64_t now_ms)
{
    busy_come_back(engine, feed, now_ms);
    for (int i = 0; i < SETTLES_MAX; i++) {
        struct batch *batch = &feed->batches[i];
        if (batch->in_use && batch->waiting && batch->repeat_at_ms <= now_ms)
            batch_send(engine, batch);
    }
    while (settle_is_due(engine, feed, now_ms))
        batch_fill_and_send(engine, feed, now_ms);
}

void settle_advance(struct engine *engine, int64_t now_ms)
{
    for (int i = 0; i < SOURCE_KINDS; i++)
        feed_settle(engine, &engine->feeds[i], now_ms);
}

/* What waits for a mended database is tried at once: the operator just did something. */
void settle_wake(struct engine *engine, int64_t now_ms)
{
    for (int kind = 0; kind < SOURCE_KINDS; kind++)
        for (int i = 0; i < SETTLES_MAX; i++)
            engine->feeds[kind].batches[i].repeat_at_ms = now_ms;
}

static int64_t feed_settle_next_ms(const struct engine *engine, const struct feed *feed)
{
    int64_t next_ms = NEVER_MS;
    for (const struct job *job = feed->busy.first; job; job = job->next)
        next_ms = smaller(next_ms, job->repeat_at_ms);
    for (int i = 0; i < SETTLES_MAX; i++)
        if (feed->batches[i].in_use && feed->batches[i].waiting)
            next_ms = smaller(next_ms, feed->batches[i].repeat_at_ms);
    if (feed->answered.count > 0 && settles_under_way(feed) == 0)
        next_ms = smaller(next_ms, feed->answered_since_ms + engine->config.collect_ms);
    return next_ms;
}

int64_t settle_next_ms(const struct engine *engine, int64_t now_ms)
{
    int64_t next_ms = NEVER_MS;
    for (int i = 0; i < SOURCE_KINDS; i++)
        next_ms = smaller(next_ms, feed_settle_next_ms(engine, &engine->feeds[i]));
    return next_ms > now_ms ? next_ms : now_ms;
}

/* --- what came of it ------------------------------------------------------------------------------------ */

/* Of a row that stays, nobody but us knows when it is due again. */
static void job_tells_due(struct engine *engine, const struct job *job, int64_t now_ms)
{
    if (feed_of(engine, job)->sleeps && verdict_goes_on(&job->verdict, job->order.phase))
        lane_is_due(job->lane, now_ms + job->verdict.due_in_ms);
}

static void job_is_settled(struct engine *engine, struct job *job)
{
    if (job->verdict.kind == VERDICT_CLOSED &&
        job->order.phase == PHASE_TAIL) { /* the order was closed before */
        job_move(engine, job, JOB_FREE);
        return;
    }
    engine->view.verdicts[job->verdict.kind]++;
    job->lane->counters.verdicts[job->verdict.kind]++;
    job->lane->counters.ended += verdict_ends(job->verdict.kind);
    if (job->verdict.kind == VERDICT_PARK) {
        engine->view.parked[job->verdict.reason]++;
        job->lane->counters.parked[job->verdict.reason]++;
        engine_note(engine, job->poison ? NOTE_ORDER_POISONED : NOTE_ORDER_PARKED, job->lane, job,
                    park_reason_text(job->verdict.reason), 0);
    } else if (!verdict_puts_off(job->verdict.kind)) {
        engine_note(engine, NOTE_ORDER_SETTLED, job->lane, job, job->verdict.rule, 0);
    }
    job_move(engine, job, JOB_FREE);
}

static void job_is_fenced(struct engine *engine, struct job *job)
{
    engine_note(engine, NOTE_ORDER_FENCED, job->lane, job, NULL, 0);
    job_move(engine, job, JOB_FREE);
}

static void job_is_in_conflict(struct engine *engine, struct job *job, enum park_reason reason)
{
    engine->view.parked[reason]++;
    job->lane->counters.parked[reason]++;
    engine_note(engine, NOTE_ORDER_PARKED, job->lane, job, park_reason_text(reason), 0);
    job_move(engine, job, JOB_FREE);
}

/* Repeated soon under the same token; near the end of the lease for the last time, then the row goes back. */
static void job_is_busy(struct engine *engine, struct job *job, int64_t now_ms)
{
    if (job->last) {
        engine_note(engine, NOTE_ORDER_ABANDONED, job->lane, job, "busy", now_ms - job->claimed_at_ms);
        job_move(engine, job, JOB_FREE);
        return;
    }
    job->repeat_at_ms = now_ms + BUSY_FIRST_MS + (BUSY_SPREAD_MS * (int64_t)engine_chance(engine) >> 32);
    job->last = job->repeat_at_ms - job->claimed_at_ms > engine->config.lease_ms * 3 / 4;
    job_move(engine, job, JOB_BUSY);
}

static void job_take_outcome(struct engine *engine, struct job *job, enum outcome outcome,
                             enum park_reason reason, int64_t now_ms)
{
    engine->view.outcomes[outcome]++;
    job->lane->counters.outcomes[outcome]++;
    /* What was paid already, the shop was told of in time. */
    job->lane->counters.paid += outcome == OUTCOME_APPLIED && job->verdict.kind == VERDICT_PAID;
    if (outcome == OUTCOME_APPLIED)
        job_tells_due(engine, job, now_ms);
    if (outcome == OUTCOME_FENCED)
        job_is_fenced(engine, job);
    else if (outcome == OUTCOME_BUSY)
        job_is_busy(engine, job, now_ms);
    else if (outcome == OUTCOME_CONFLICT)
        job_is_in_conflict(engine, job, reason);
    else
        job_is_settled(engine, job);
}

void engine_settled(struct engine *engine, struct batch *batch, const enum outcome *outcomes,
                    const enum park_reason *reasons, int64_t now_ms)
{
    assert(batch->in_use && !batch->release);
    struct feed *feed = &engine->feeds[batch->source];
    if (feed->unfit_settle)
        engine_note(engine, NOTE_DATABASE_FIT, NULL, NULL, "settle", 0);
    feed->unfit_settle = false;
    int doubled = feed->settle_limit * 2;
    feed->settle_limit = doubled < engine->config.batch_size ? doubled : engine->config.batch_size;
    for (int i = 0; i < batch->count; i++)
        job_take_outcome(engine, batch->jobs[i], outcomes[i], reasons[i], now_ms);
    batch_drop(batch);
}

void engine_released(struct engine *engine, struct batch *batch, int64_t now_ms)
{
    (void)now_ms;
    assert(batch->in_use && batch->release);
    for (int i = 0; i < batch->count; i++)
        job_move(engine, batch->jobs[i], JOB_FREE);
    batch_drop(batch);
}

/* --- when the database can not -------------------------------------------------------------------------- */

/* The row alone spoils its batch: park it; the store withholds the channel's texts, which may be what did it. */
static void job_poison(struct engine *engine, struct job *job, const char *sqlstate)
{
    if (job->poison) { /* not even that: its lease runs out, and people must look */
        engine_note(engine, NOTE_ORDER_ABANDONED, job->lane, job, sqlstate, 0);
        job_move(engine, job, JOB_FREE);
        return;
    }
    job->poison = true;
    memcpy(job->sqlstate, sqlstate, strnlen(sqlstate, sizeof(job->sqlstate) - 1) + 1);
    job->sqlstate[sizeof(job->sqlstate) - 1] = '\0';
    job->verdict.kind = VERDICT_PARK;
    job->verdict.reason = PARK_POISON;
    job->verdict.rule = "poison";
    job_move(engine, job, JOB_ANSWERED);
}

/* Half as many rows per batch, until the row that does it is alone. */
static void batch_split(struct engine *engine, struct batch *batch, const char *sqlstate)
{
    if (batch->count == 1)
        job_poison(engine, batch->jobs[0], sqlstate);
    else
        for (int i = batch->count - 1; i >= 0; i--)
            job_move(engine, batch->jobs[i], JOB_ANSWERED);
    engine->feeds[batch->source].settle_limit = batch->count > 1 ? batch->count / 2 : 1;
    batch_drop(batch);
}

void engine_settle_failed(struct engine *engine, struct batch *batch, enum failure failure,
                          const char *sqlstate, int64_t now_ms)
{
    assert(batch->in_use && !batch->release);
    engine->view.settle_failures[failure]++;
    if (failure == FAILURE_ROW) {
        batch_split(engine, batch, sqlstate);
        return;
    }
    struct feed *feed = &engine->feeds[batch->source];
    bool unfit = failure == FAILURE_SCHEMA;
    int64_t wait_ms = unfit ? UNFIT_REPEAT_MS : backoff_ms(engine, ++batch->failures);
    if (unfit && !feed->unfit_settle)
        engine_note(engine, NOTE_DATABASE_UNFIT, NULL, NULL, sqlstate, wait_ms);
    if (!unfit)
        engine_note(engine, NOTE_SETTLE_REPEATED, NULL, NULL, failure_text(failure), wait_ms);
    feed->unfit_settle = feed->unfit_settle || unfit;
    batch->waiting = true;
    batch->repeat_at_ms = now_ms + wait_ms;
}
