/* Inside the engine: what engine.c, engine_lane.c, engine_settle.c and engine_job.c share. Nobody else includes this. */
#ifndef MAKEGOOD_ENGINE_INNER_H
#define MAKEGOOD_ENGINE_INNER_H

#include "core/breaker.h"
#include "core/bucket.h"
#include "core/guard.h"
#include "makegood/decide.h"
#include "makegood/engine.h"

#define SETTLES_MAX     2 /* settle calls under way: one is carried out while the next travels */
#define RELEASES_MAX    2
#define BATCHES         (SETTLES_MAX + RELEASES_MAX)
#define NEVER_MS        INT64_MAX
#define UNFIT_REPEAT_MS 30000 /* a schema is mended by people */
#define CLAIM_GAP_MS    2     /* between claims of what is due just now: company makes them cheaper */

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What all instances together may do to one channel. */
struct share {
    int concurrency;
    int rate_per_second;
    int burst;
};

struct job_list {
    struct job *first;
    struct job *last;
    int count;
};

/* What a lane has of one source. */
struct draw {
    int wanted;     /* orders asked for by the claim under way */
    int got;        /* orders that it gave */
    bool more_due;  /* the last claim was full, or could not be made: no need to wait for the timer */
    int64_t due_ms; /* when the next order is, as far as it is known; else NEVER_MS */
};

/* One source, and what is on its way back to it. Sources never wait for each other. */
struct feed {
    enum source_kind kind;
    bool claiming;
    bool unfit_claim;
    bool unfit_settle;
    bool sleeps;      /* what is due announces itself */
    int settle_limit; /* orders per settle: halves when one spoils a batch, doubles when one goes well */
    int claim_failures;
    int64_t poll_at_ms;
    int64_t claim_sent_ms;
    int64_t claim_not_before_ms;
    int64_t answered_since_ms; /* of the oldest one that waits for companions */
    struct job_list answered;
    struct job_list busy;
    struct batch batches[BATCHES];
    struct claim_want *wants;   /* one per lane */
    struct lane *first_to_want; /* turns, so that no lane is always first */
};

/* One channel. Lanes never wait for each other: each has its share of the slots (quota). */
struct lane {
    struct policy policy; /* with this instance's share of the limits ... */
    struct share whole;   /* ... of these */
    struct bucket bucket;
    struct breaker breaker;
    struct guard guard;
    struct job_list ready;    /* to be asked, oldest due first */
    struct job_list suspects; /* to be asked alone */
    struct lane_counters counters;
    int used; /* slots taken, in whatever state */
    int asking;
    int64_t latency_ms;      /* moving average; the policy's timeout before the first answer */
    int64_t paused_until_ms; /* the channel asked for it */
    const char *held;        /* why it is held back; NULL: it is not */
    int64_t found_ms;        /* when something was found last; never: -1 */
    bool unproven_noted;
    bool skew_noted;
    bool has_skew; /* of the last answer that told one */
    int64_t skew_ms;
    struct draw draws[SOURCE_KINDS];
    bool retired; /* gone from the configuration; lives until its slots are free */
    struct lane *next;
};

struct engine {
    struct engine_config config; /* policies: not kept */
    struct engine_world world;
    void *self;
    struct job *jobs;
    struct job_list
        lists[JOB_STATES]; /* JOB_READY's stand in the lanes, JOB_ANSWERED's and JOB_BUSY's in the feeds */
    struct feed feeds[SOURCE_KINDS];
    struct lane *lanes;
    int lane_count; /* not retired */
    bool stopping;
    bool solo;         /* a suspect is being asked: nobody else starts */
    struct bucket cap; /* of settlements; its time runs in 60 ms: its tokens are per minute */
    bool cap_noted;
    int place; /* among the living instances */
    int living;
    uint64_t random;
    struct engine_view view;
};

/* engine_job.c */
void job_move(struct engine *engine, struct job *job, enum job_state state);
void job_list_move(struct job *job, struct job_list *to, bool to_front);
uint32_t engine_chance(struct engine *engine);
void engine_note(struct engine *engine, enum note_kind kind, const struct lane *lane, const struct job *job,
                 const char *detail, int64_t duration_ms);
int64_t backoff_ms(struct engine *engine, int failures);
struct feed *feed_of(struct engine *engine, const struct job *job);
struct batch *batch_take(struct feed *feed, bool release); /* NULL: all are under way */

/* engine_lane.c */
struct lane *lane_create(const struct policy *policy, int64_t now_ms);
void lane_configure(struct lane *lane, const struct policy *policy, int64_t now_ms);
void lane_share(struct lane *lane, int place, int living, int64_t now_ms);
int share_of(int whole, int place, int living);
void lanes_start(struct engine *engine, int64_t now_ms);
void lanes_release(struct engine *engine, int64_t now_ms);
bool lane_draws(const struct lane *lane, enum source_kind kind);
int lane_wants(struct engine *engine, struct lane *lane, enum source_kind kind, bool due, int64_t now_ms);
int64_t lane_due_ms(const struct feed *feed, const struct lane *lane);
void lane_is_due(struct lane *lane, int64_t due_ms);
int64_t lane_next_ms(struct engine *engine, struct lane *lane, int64_t now_ms);
bool lane_is_blocked(const struct lane *lane, int64_t now_ms);

/* engine_settle.c */
void settle_advance(struct engine *engine, int64_t now_ms);
int64_t settle_next_ms(const struct engine *engine, int64_t now_ms);
void settle_wake(struct engine *engine, int64_t now_ms);

#endif
