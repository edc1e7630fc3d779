/* The running daemon: one struct that wires configuration, engine, store and pool to the loop. Everything here runs
 * on the loop's thread. run.c starts and stops it, fit.c asks whether the database is fit, beat.c shares with the other instances,
 * world.c is what the engine sees of it, progress.c tells people. */
#ifndef MAKEGOOD_DAEMON_H
#define MAKEGOOD_DAEMON_H

#include <uv.h>

#include "daemon/config.h"
#include "daemon/metrics.h"
#include "io/broker.h"
#include "io/pool.h"
#include "io/store.h"

/* What a job slot needs while its question is under way. */
struct errand {
    struct question question;
    struct config *config; /* held: its channel is being used by a worker */
};

struct daemon {
    uv_loop_t loop;
    struct config *config;
    struct engine *engine;
    struct store *store;
    struct pool *pool;
    struct broker *broker;  /* or NULL */
    const char **topics;    /* of its */
    struct pages *pages;    /* or NULL */
    struct errand *errands; /* one per job slot */

    uv_prepare_t turn; /* once per turn of the loop: the engine advances */
    uv_timer_t wake;   /* when it wants to be called next */
    uv_timer_t stop_bound;
    uv_timer_t status;
    uv_timer_t watchdog;
    uv_timer_t upkeep;
    uv_timer_t beat;
    uv_signal_t hup, term, interrupt;

    bool fit;   /* verified, and its share is known: the engine may run */
    bool ready; /* told to systemd */
    bool stopping;
    bool left;         /* the others share what it had, or could not be told */
    bool progress;     /* a line per second on stdout */
    bool beating;      /* an answer is under way */
    bool beats_seldom; /* asleep: there is nothing to tell ... */
    bool told_asleep;  /* ... once more */
    uint64_t queries_beaten;
    bool alone;        /* the schema knows no beating */
    int place, living; /* of what it heard last; 0 of 0: nothing yet */
    unsigned beats_missed;
    int64_t sealed_ms; /* asked for last */
    bool halted;       /* heard last */
    char *paused;
    int exit_code;
    uint64_t turns, turns_fed; /* the watchdog is fed when turns moved */
    uint64_t queries_told;
    unsigned upkeeps;
    int64_t started_ms, told_ms;
    int64_t started_s;     /* since 1970 */
    int64_t down_since_ms; /* the database; 0: it is up */
    struct daemon_counters counters;
};

/* Monotonic. */
static inline int64_t daemon_now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* world.c */
extern const struct engine_world daemon_world;
extern const struct store_events daemon_store_events;
void daemon_questions_done(void *self, struct question *questions);
void daemon_drop_config(struct daemon *daemon, struct config *config);

/* post.c */
int daemon_post_create(struct daemon *daemon);
void daemon_post_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms);
void daemon_post_settle(void *self, struct batch *batch);
void daemon_post_release(void *self, struct batch *batch);
void daemon_post_refuse(void *self, const struct lost_order *order);

/* fit.c */
void daemon_verify(struct daemon *daemon);
void daemon_faults_log(const struct faults *faults, const char *event);

/* beat.c */
void daemon_channels_hold(struct daemon *daemon);
void daemon_beat_start(struct daemon *daemon);
void daemon_beat_often(struct daemon *daemon); /* there is work */
void daemon_beat_now(struct daemon *daemon);
void daemon_beat_stop(struct daemon *daemon);

/* progress.c */
void daemon_status_start(struct daemon *daemon);
void daemon_watchdog_start(struct daemon *daemon);

#endif
