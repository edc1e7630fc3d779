/* One connection to PostgreSQL, non-blocking, on the uv loop, in pipeline mode.
 *
 * Owns the PGconn, its uv_poll and the queue of calls. Runs on the loop's thread only. Reconnects by itself
 * with jittered backoff; never resends a call: whoever asked decides, because only they know what repeating
 * means. Each call ends with its own Sync; its rows count only after PGRES_PIPELINE_SYNC (correctness 13). */
#ifndef MAKEGOOD_PG_H
#define MAKEGOOD_PG_H

#include <libpq-fe.h>
#include <uv.h>

#include "io/pg_value.h"
#include "makegood/engine.h"

struct pg;

struct pg_options {
    const char *conninfo; /* a connection string, multi-host allowed; copied */
    const char *application_name;
    bool prepared; /* false behind PgBouncer in transaction mode */
    int64_t connect_timeout_ms;
    /* A call that takes longer breaks the connection (the outcome is then unknown). Where the session is ours
     * (prepared) the server's statement_timeout, a tenth shorter, usually comes first (57014: nothing was
     * done). */
    int64_t call_timeout_ms;
    int64_t backoff_first_ms;
    int64_t backoff_max_ms;
};

struct pg_events {
    void (*up)(void *self);                       /* connected, and writable where the string asks for it */
    void (*down)(void *self, const char *reason); /* lost, or an attempt failed; one sentence, no secret */
    void (*notified)(void *self, const char *channel, const char *payload); /* what it listens to; or NULL */
};

/* What came of a call. Valid during the callback. */
struct pg_answer {
    bool ok;
    PGresult *rows;       /* when ok; owned by pg */
    enum failure failure; /* when not ok */
    char sqlstate[6];     /* "" when the connection broke */
    const char *message;  /* one line */
};

#define PARAMS_MAX 40

struct pg_statement {
    const char *name; /* unique, static: the prepared statement's */
    const char *sql;  /* static */
    int params;       /* at most PARAMS_MAX */
};

typedef void (*pg_done)(void *self, const struct pg_answer *answer);

int pg_create(struct pg **out, uv_loop_t *loop, const struct pg_options *options,
              const struct pg_events *events, void *self);
/* Fails what is queued with FAILURE_UNKNOWN (sent) or FAILURE_LATER (unsent), closes, frees after the loop
 * let go. Not from inside a callback of the same connection; calls made meanwhile are a bug. */
void pg_destroy(struct pg *pg);

bool pg_is_up(const struct pg *pg);

/* Queues a call; values are copied, as many as the statement has parameters. While down it fails at once (from
 * the loop) with FAILURE_LATER. done is called exactly once, never from inside pg_call. */
int pg_call(struct pg *pg, const struct pg_statement *statement, const struct pg_value *values, pg_done done,
            void *self);

#endif
