/* What the engine sees of the world, and what the world tells the engine. Loop's thread only; decides nothing. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/daemon.h"
#include "io/log.h"

/* --- the engine's wishes ------------------------------------------------------------------------------------- */

static void world_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct daemon *daemon = self;
    store_claim(daemon->store, wants, count, lease_ms);
}

static void world_ask(void *self, struct job *job)
{
    struct daemon *daemon = self;
    struct errand *errand = &daemon->errands[job->slot];
    const struct channel *channel = config_channel(daemon->config, job->order.channel);
    assert(channel && !errand->config);
    daemon_beat_often(daemon);
    errand->config = config_hold(daemon->config);
    errand->question =
        (struct question){.channel = channel, .order = &job->order, .evidence = &job->evidence, .self = job};
    pool_ask(daemon->pool, &errand->question);
}

static void world_settle(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    pool_flush(daemon->pool); /* what is to be asked travels while the batch is written */
    store_settle(daemon->store, batch);
}

static void world_release(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    store_release(daemon->store, batch);
}

static const char *verdict_or_null(const struct job *job)
{
    return job && job->verdict.rule ? verdict_kind_text(job->verdict.kind) : NULL;
}

static void world_note(void *self, const struct note *note)
{
    (void)self;
    enum log_priority priority = (enum log_priority)note_priority(note->kind);
    if (priority > log_level())
        return; /* one settled order, one line: only where somebody wants it */
    const struct job *job = note->job;
    char duration[24] = "";
    char attempt[24] = "";
    snprintf(duration, sizeof(duration), "%" PRId64, note->duration_ms);
    if (job)
        snprintf(attempt, sizeof(attempt), "%" PRId64, job->order.attempt_id);
    log_event(priority, note_kind_text(note->kind), "channel", note->channel, "detail", note->detail,
              "order_no", job ? job->order.order_no : NULL, "number", job ? job->order.number : NULL,
              "attempt_id", job ? attempt : NULL, "evidence",
              job ? evidence_kind_text(job->evidence.kind) : NULL, "verdict", verdict_or_null(job), "rule",
              job ? job->verdict.rule : NULL, "duration_ms", note->duration_ms ? duration : NULL, NULL);
}

const struct engine_world daemon_world = {
    .sources = {[SOURCE_TABLE] = {world_claim, world_settle, world_release, NULL},
                [SOURCE_BROKER] = {daemon_post_claim, daemon_post_settle, daemon_post_release,
                                   daemon_post_refuse}},
    .ask = world_ask,
    .note = world_note};

/* --- what happened ------------------------------------------------------------------------------------------- */

void daemon_drop_config(struct daemon *daemon, struct config *config)
{
    if (config->references == 1) /* nobody asks through its channels any more */
        for (int i = 0; i < config->channel_count; i++)
            pool_forget(daemon->pool, config->channels[i]);
    config_drop(config);
}

void daemon_questions_done(void *self, struct question *questions)
{
    struct daemon *daemon = self;
    while (questions) {
        struct question *next = questions->next;
        struct job *job = questions->self;
        struct errand *errand = &daemon->errands[job->slot];
        daemon_drop_config(daemon, errand->config);
        errand->config = NULL;
        engine_answered(daemon->engine, job, daemon_now_ms());
        questions = next;
    }
}

static void on_claimed(void *self, const struct lost_order *orders, int count)
{
    struct daemon *daemon = self;
    engine_claimed(daemon->engine, SOURCE_TABLE, orders, count, daemon_now_ms());
}

static void on_next_due(void *self, const char *channel, int64_t in_ms)
{
    struct daemon *daemon = self;
    engine_due(daemon->engine, channel, in_ms, daemon_now_ms());
}

static void on_sleeps(void *self, bool sleeps)
{
    struct daemon *daemon = self;
    engine_sleeps(daemon->engine, sleeps);
}

static void on_due(void *self, const char *channel)
{
    struct daemon *daemon = self;
    engine_due(daemon->engine, channel, 0, daemon_now_ms());
}

static void on_steered(void *self)
{
    struct daemon *daemon = self;
    engine_poke(daemon->engine);
    daemon_beat_now(daemon);
}

static void on_misread(void *self, const char *attempt_id, const char *why)
{
    (void)self;
    log_event(LOG_FAILED, "row_misread", "attempt_id", attempt_id, "detail", why, NULL);
}

static void log_database(const char *event, enum failure failure, const char *sqlstate, const char *message)
{
    if (failure == FAILURE_SCHEMA || failure == FAILURE_ROW)
        log_event(LOG_FAILED, event, "failure", failure_text(failure), "sqlstate", sqlstate, "detail",
                  message, NULL);
}

static void on_claim_failed(void *self, enum failure failure, const char *sqlstate, const char *message)
{
    struct daemon *daemon = self;
    log_database("claim_refused", failure, sqlstate, message);
    engine_claim_failed(daemon->engine, SOURCE_TABLE, failure, sqlstate, daemon_now_ms());
}

static void on_settled(void *self, struct batch *batch, const enum outcome *outcomes,
                       const enum park_reason *reasons)
{
    struct daemon *daemon = self;
    if (batch->source == SOURCE_BROKER)
        broker_settled(daemon->broker, batch, outcomes);
    engine_settled(daemon->engine, batch, outcomes, reasons, daemon_now_ms());
}

static void on_settle_failed(void *self, struct batch *batch, enum failure failure, const char *sqlstate,
                             const char *message)
{
    struct daemon *daemon = self;
    log_database("settle_refused", failure, sqlstate, message);
    engine_settle_failed(daemon->engine, batch, failure, sqlstate, daemon_now_ms());
}

static void on_released(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    engine_released(daemon->engine, batch, daemon_now_ms());
}

static void on_up(void *self)
{
    struct daemon *daemon = self;
    daemon->counters.connects++;
    daemon->down_since_ms = 0;
    log_event(LOG_NOTED, "database_up", NULL);
    daemon_verify(daemon);
}

static void on_down(void *self, const char *reason)
{
    struct daemon *daemon = self;
    if (!daemon->down_since_ms)
        daemon->down_since_ms = daemon_now_ms();
    engine_sleeps(daemon->engine, false); /* what is announced meanwhile, nobody hears */
    log_event(LOG_WARNED, "database_down", "detail", reason, NULL);
}

const struct store_events daemon_store_events = {.claimed = on_claimed,
                                                 .next_due = on_next_due,
                                                 .sleeps = on_sleeps,
                                                 .due = on_due,
                                                 .steered = on_steered,
                                                 .misread = on_misread,
                                                 .claim_failed = on_claim_failed,
                                                 .settled = on_settled,
                                                 .settle_failed = on_settle_failed,
                                                 .released = on_released,
                                                 .up = on_up,
                                                 .down = on_down};
