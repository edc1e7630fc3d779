/* The bottom of the engine: the one function that moves jobs from state to state, and the small tools of the files
 * above it. Pure; part of the engine (engine_inner.h). */
#include <assert.h>

#include "core/engine_inner.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000

/* splitmix64: enough for jitter. */
uint32_t engine_chance(struct engine *engine)
{
    uint64_t z = engine->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

int64_t backoff_ms(struct engine *engine, int failures)
{
    int64_t delay_ms = BACKOFF_FIRST_MS;
    for (int i = 1; i < failures && delay_ms < BACKOFF_MAX_MS; i++)
        delay_ms *= 2;
    return delay_ms / 2 + (delay_ms * (int64_t)engine_chance(engine) >> 32);
}

void engine_note(struct engine *engine, enum note_kind kind, const struct lane *lane, const struct job *job,
                 const char *detail, int64_t duration_ms)
{
    struct note note = {kind, lane ? lane->policy.channel : NULL, job, detail, duration_ms};
    engine->world.note(engine->self, &note);
}

static void job_list_remove(struct job *job)
{
    struct job_list *list = job->list;
    *(job->prev ? &job->prev->next : &list->first) = job->next;
    *(job->next ? &job->next->prev : &list->last) = job->prev;
    list->count--;
    job->next = job->prev = NULL;
    job->list = NULL;
}

void job_list_move(struct job *job, struct job_list *to, bool to_front)
{
    if (job->list)
        job_list_remove(job);
    job->list = to;
    if (to_front) {
        job->next = to->first;
        *(to->first ? &to->first->prev : &to->last) = job;
        to->first = job;
    } else {
        job->prev = to->last;
        *(to->last ? &to->last->next : &to->first) = job;
        to->last = job;
    }
    to->count++;
}

struct feed *feed_of(struct engine *engine, const struct job *job)
{
    return &engine->feeds[job->source];
}

static struct job_list *list_of(struct engine *engine, struct job *job, enum job_state state)
{
    if (state == JOB_ANSWERED)
        return &feed_of(engine, job)->answered;
    if (state == JOB_BUSY)
        return &feed_of(engine, job)->busy;
    if (state != JOB_READY)
        return &engine->lists[state];
    return job->order.claims > engine->config.crash_limit ? &job->lane->suspects : &job->lane->ready;
}

/* The life of a job: the drawing in makegood/engine.h, as bits of the states that may follow. */
static bool job_may_move(enum job_state from, enum job_state to)
{
    static const unsigned follows[JOB_STATES] = {
        [JOB_FREE] = 1u << JOB_READY,
        [JOB_READY] = 1u << JOB_ASKING | 1u << JOB_ANSWERED | 1u << JOB_SETTLING,
        [JOB_ASKING] = 1u << JOB_ANSWERED,
        [JOB_ANSWERED] = 1u << JOB_SETTLING,
        [JOB_SETTLING] = 1u << JOB_FREE | 1u << JOB_BUSY | 1u << JOB_ANSWERED,
        [JOB_BUSY] = 1u << JOB_ANSWERED,
    };
    return follows[from] & 1u << to;
}

void job_move(struct engine *engine, struct job *job, enum job_state state)
{
    assert(job_may_move(job->state, state));
    struct lane *lane = job->lane;
    lane->asking += (state == JOB_ASKING) - (job->state == JOB_ASKING);
    lane->used += (job->state == JOB_FREE) - (state == JOB_FREE);
    /* A split batch keeps its place; the slot that was freed last is still warm in the cache. */
    bool to_front = state == JOB_FREE || (job->state == JOB_SETTLING && state == JOB_ANSWERED);
    job_list_move(job, list_of(engine, job, state), to_front);
    job->state = state;
    if (state == JOB_FREE)
        job->lane = NULL;
}

struct batch *batch_take(struct feed *feed, bool release)
{
    int first = release ? SETTLES_MAX : 0;
    int end = release ? BATCHES : SETTLES_MAX;
    for (int i = first; i < end; i++) {
        struct batch *batch = &feed->batches[i];
        if (batch->in_use)
            continue;
        batch->in_use = true;
        batch->release = release;
        batch->source = feed->kind;
        batch->waiting = false;
        batch->count = batch->failures = 0;
        return batch;
    }
    return NULL;
}
