/* The engine: a plain struct with no clock, thread, socket, lock or global (idea 2).
 *
 * The world calls in with what happened and when; the engine answers through the operations of struct
 * engine_world, during the call, and says when it wants to be called next. now_ms is any clock that never
 * steps back.
 *
 *   a source's claim, settle, release ----> as in makegood/source.h; of the table's claim also engine_due, engine_sleeps
 *   ask ------> engine_answered                        (job->evidence filled in)
 *
 * A world must not call back into the engine from inside an operation: it answers later, from its loop.
 * All of it runs on one thread. Memory is allocated in engine_create and engine_configure only. */
#ifndef MAKEGOOD_ENGINE_H
#define MAKEGOOD_ENGINE_H

#include "makegood/histogram.h"
#include "makegood/order.h"
#include "makegood/policy.h"
#include "makegood/source.h"
#include "makegood/verdict.h"

#define BATCH_MAX 1000 /* upper bound of batch_size */

/* The life of a job slot. Each arrow is one call of job_move() in core/engine.c.
 *
 *   free -> ready -> asking -> answered -> settling -> free
 *             |                  ^    ^       |   |
 *             |  (suspected of   |    |       |   +-> answered (split, to be settled in a smaller batch)
 *             +-- crashing us) --+    +- busy <-+     (repeated under the same token)
 *             +-> settling (released unasked) -> free                                                  */
#define JOB_STATE_LIST(X)   \
    X(FREE, "free")         \
    X(READY, "ready")       \
    X(ASKING, "asking")     \
    X(ANSWERED, "answered") \
    X(SETTLING, "settling") \
    X(BUSY, "busy")

enum job_state {
#define X(name, ...) JOB_##name,
    JOB_STATE_LIST(X)
#undef X
        JOB_STATES
};
ENUM_DECLARE(job_state)

struct lane;     /* the engine's state for one channel */
struct job_list; /* all jobs of one state */

struct job {
    uint32_t slot; /* 0 .. in_flight-1: a world may keep its own data in a parallel array */
    enum job_state state;
    enum source_kind source;
    struct lane *lane;
    struct job_list *list; /* that it stands in: the one of its state */
    struct job *next;
    struct job *prev;
    int64_t claimed_at_ms;  /* when the claim was sent: what is left of the lease */
    int64_t received_at_ms; /* when its rows came: the order's age, so that nothing is final too early */
    int64_t asked_at_ms;
    int64_t repeat_at_ms; /* while busy */
    bool last;            /* settle: audit even when busy, and let the row go to its lease */
    bool poison;          /* settle: only park it, without the texts that came from the channel */
    char sqlstate[6];     /* why it is poison */
    struct verdict verdict;
    struct evidence evidence; /* the large ones last: lists are walked without touching them */
    struct lost_order order;
};

/* Jobs that travel to their source together. Owned by the engine; the world hands the same pointer back. */
struct batch {
    struct job *jobs[BATCH_MAX];
    int count;
    enum source_kind source;
    bool in_use;
    bool release; /* give the rows back unasked; otherwise settle */
    bool waiting; /* for repeat_at_ms, after a failure */
    int failures; /* in a row */
    int64_t repeat_at_ms;
};

/* What the database or the way to it did to a whole call. X(NAME, text, meaning) */
#define FAILURE_LIST(X)                                                                            \
    X(UNKNOWN, "unknown", "cut before the commit was confirmed: repeat under the same token")      \
    X(LATER, "later",                                                                              \
      "the database can not now (SQLSTATE 08, 25006, 40, 53, 55, 57, 58): repeat with backoff")    \
    X(ROW, "row", "one of the rows did it (22, 23, P0, a trigger's own): split until it is alone") \
    X(SCHEMA, "schema", "the schema or the grants are not what they must be (42 and the rest): stop, alarm")

enum failure {
#define X(name, ...) FAILURE_##name,
    FAILURE_LIST(X)
#undef X
        FAILURES
};
ENUM_DECLARE(failure)

/* Class of a five-character SQLSTATE. */
enum failure failure_of_sqlstate(const char *sqlstate);

/* What an operator should hear of: one line of the log each. X(NAME, text, priority) with syslog's priorities
 */
#define NOTE_LIST(X)                                   \
    X(BREAKER_OPENED, "breaker_opened", 4)             \
    X(BREAKER_CLOSED, "breaker_closed", 5)             \
    X(CHANNEL_PAUSED, "channel_paused", 5)             \
    X(CHANNEL_HALTED, "channel_halted", 1)             \
    X(NOTHING_FOUND_LATELY, "nothing_found_lately", 1) \
    X(CLOCK_SKEW, "clock_skew", 4)                     \
    X(CHANNEL_HELD, "channel_held", 5)                 \
    X(CHANNEL_FREED, "channel_freed", 5)               \
    X(SETTLE_CAPPED, "settle_capped", 4)               \
    X(ORDER_PARKED, "order_parked", 4)                 \
    X(ORDER_SETTLED, "order_settled", 6)               \
    X(ORDER_FENCED, "order_fenced", 5)                 \
    X(ORDER_POISONED, "order_poisoned", 3)             \
    X(ORDER_ABANDONED, "order_abandoned", 3)           \
    X(CLAIM_FAILED, "claim_failed", 4)                 \
    X(SETTLE_REPEATED, "settle_repeated", 4)           \
    X(DATABASE_UNFIT, "database_unfit", 1)             \
    X(DATABASE_FIT, "database_fit", 5)

enum note_kind {
#define X(name, ...) NOTE_##name,
    NOTE_LIST(X)
#undef X
        NOTES
};
ENUM_DECLARE(note_kind)
int note_priority(enum note_kind kind);

struct note {
    enum note_kind kind;
    const char *channel;   /* or NULL */
    const struct job *job; /* or NULL */
    const char *detail;    /* a word or a short sentence, or NULL */
    int64_t duration_ms;   /* where it says something, else 0 */
};

struct engine_world {
    struct source sources[SOURCE_KINDS];
    void (*ask)(void *self, struct job *job);
    void (*note)(void *self, const struct note *note);
};

struct engine_config {
    int in_flight;      /* job slots; fixed at engine_create */
    int batch_size;     /* rows per claim and per settle */
    int64_t poll_ms;    /* scan interval while it is not known when the next order is due ... */
    int64_t rescan_ms;  /* ... and while it is, for what was missed */
    int64_t collect_ms; /* how long an answered order waits for companions */
    int64_t lease_ms;
    int settle_cap;  /* orders that may end per minute, all instances together; 0: no cap */
    int crash_limit; /* claims without a settlement after which a row is asked alone; twice that parks it */
    const struct policy *policies; /* copied */
    int policy_count;
};

struct engine;

/* 0, or -ENOMEM. seed drives the jitter. */
int engine_create(struct engine **out, const struct engine_config *config, const struct engine_world *world,
                  void *self, uint64_t seed);
void engine_destroy(struct engine *engine);

/* New policies, without dropping work in flight: channels that stay keep their state (matched by name),
 * channels that went are asked no more. 0, or -ENOMEM and nothing changed. in_flight is not changed. */
int engine_configure(struct engine *engine, const struct engine_config *config, int64_t now_ms);

/* Does what is due. Returns when to be called again at the latest (absolute). */
int64_t engine_advance(struct engine *engine, int64_t now_ms);

void engine_claimed(struct engine *engine, enum source_kind source, const struct lost_order *orders,
                    int count, int64_t now_ms);
void engine_claim_failed(struct engine *engine, enum source_kind source, enum failure failure,
                         const char *sqlstate, int64_t now_ms);
void engine_answered(struct engine *engine, struct job *job, int64_t now_ms);
/* The channel's next order of the table is due in so many milliseconds: told by a claim, or by the order as it comes. */
void engine_due(struct engine *engine, const char *channel, int64_t in_ms, int64_t now_ms);
/* Whether the table's orders announce when they are due, so that nothing has to be scanned until then. Not at first. */
void engine_sleeps(struct engine *engine, bool sleeps);
/* One entry of outcomes and reasons per job of the batch, in order. */
void engine_settled(struct engine *engine, struct batch *batch, const enum outcome *outcomes,
                    const enum park_reason *reasons, int64_t now_ms);
void engine_settle_failed(struct engine *engine, struct batch *batch, enum failure failure,
                          const char *sqlstate, int64_t now_ms);
void engine_released(struct engine *engine, struct batch *batch, int64_t now_ms);

/* Concurrency, rates and the settlement cap are shared by the living instances; this one's place among them is 0 ..
 * living-1. Alone at first. */
void engine_share(struct engine *engine, int place, int living, int64_t now_ms);

/* A channel that is held back is neither claimed nor asked: paused, halted, in its maintenance window. why is a word
 * (static) for the log; NULL: free. */
void engine_hold(struct engine *engine, const char *channel, const char *why);

/* No more claims; what was not asked yet is released, what is being asked is settled. Idle when all slots are
 * free. */
void engine_stop(struct engine *engine, int64_t now_ms);
bool engine_is_idle(const struct engine *engine);

/* Scan at the next advance, whatever the timer says. */
void engine_poke(struct engine *engine);
/* Nothing is in flight, and nothing is scanned until an order announces itself; the broker's claim waits there. */
bool engine_is_asleep(const struct engine *engine);

/* Counters and gauges. Counters count since engine_create. */
struct engine_view {
    int in_flight; /* slots not free */
    int asking;
    uint64_t queries;
    uint64_t answers;
    uint64_t faults;
    uint64_t verdicts[VERDICT_KINDS]; /* applied or already; the end of a tail is none */
    uint64_t outcomes[OUTCOMES];
    uint64_t parked[PARK_REASONS];
    uint64_t claims;  /* calls */
    uint64_t settles; /* calls */
    uint64_t settle_failures[FAILURES];
    bool unfit; /* settling stopped by FAILURE_SCHEMA */
};
void engine_look(const struct engine *engine, struct engine_view *out);

/* What one channel's lane has done since it is there. */
struct lane_counters {
    uint64_t queries;
    uint64_t answers; /* authentic ones */
    uint64_t faults;
    uint64_t paid;  /* orders that became paid */
    uint64_t ended; /* those, closed ones and refunded ones */
    uint64_t evidence[EVIDENCE_KINDS];
    uint64_t verdicts[VERDICT_KINDS]; /* as in struct engine_view */
    uint64_t outcomes[OUTCOMES];
    uint64_t parked[PARK_REASONS];
    uint64_t held_back[VERDICT_KINDS]; /* by shadow, the cap or a halted channel: what it would have been */
    uint64_t openings;                 /* of the breaker */
    struct histogram delays;           /* from the moment that an order was due to its question */
    struct histogram durations;        /* of the questions, for which somebody was asked */
};

/* One channel's view; false when the index is past the last one. */
struct lane_view {
    const char *channel;
    struct lane_counters counters;
    int ready;
    int asking;
    int concurrency; /* this instance's share */
    int rate_per_second;
    int64_t tokens; /* in the bucket: questions that may start at once */
    bool breaker_open;
    bool halted;
    bool shadow;             /* asked, and nothing comes of it */
    bool has_skew;           /* the last answer had a Date: */
    int64_t skew_ms;         /* our clock minus the channel's */
    const char *held;        /* why it is held back, or NULL */
    int64_t paused_until_ms; /* 0: not paused */
};
bool engine_look_lane(const struct engine *engine, int index, int64_t now_ms, struct lane_view *out);

#endif
