/* Inside a connection: what pg.c (calls), pg_connect.c (coming up and going down) and pg_hosts.c share.
 * Nobody else includes this.
 *
 *   waiting -> connecting -> up -> waiting ...        closed, once pg_destroy was called */
#ifndef MAKEGOOD_PG_INNER_H
#define MAKEGOOD_PG_INNER_H

#include "io/pg.h"

enum pg_state { PG_WAITING, PG_CONNECTING, PG_UP, PG_CLOSED };

#define PREPARED_MAX 32  /* different statements on one connection */
#define REASON_BYTES 512 /* a message, made one line */

struct call {
    const struct pg_statement *statement;
    struct pg_value *values; /* a copy, while it can not be sent; else NULL */
    pg_done done;
    void *self;
    bool prepares;    /* its statement is prepared in the same breath */
    bool parsed;      /* ... and that went well */
    PGresult *result; /* the rows, or else the first error */
    bool failed;
    struct call *next;
};

struct call_list {
    struct call *first;
    struct call *last;
};

/* The connection string's hosts, as lists with commas; NULL where it names none. */
struct pg_hosts {
    char *host;
    char *hostaddr;
    char *port;
};

struct pg {
    uv_loop_t *loop;
    struct pg_events events;
    void *self;
    char *conninfo;
    char *application_name;
    struct pg_hosts hosts;
    struct pg_options options; /* its texts: the copies above */

    enum pg_state state;
    PGconn *conn;
    uv_poll_t *poll;  /* of its own memory and descriptor: it outlives the connection by a turn of the loop */
    int poll_fd;      /* libpq's, that it was duplicated from */
    uv_timer_t timer; /* waiting: the next attempt; connecting: its bound; up: the bound of the oldest call */
    uv_timer_t soon;  /* what must not happen inside pg_call */
    int handles;      /* of the above two, not yet closed */
    int failures;     /* attempts in a row, until a call goes well */
    int host_turn;    /* with which host the next attempt begins */
    uint64_t random;

    struct call_list sent;    /* in the order of their answers */
    struct call_list unsent;  /* the socket takes no more at the moment */
    struct call_list refused; /* to be failed by `soon` */
    bool congested;
    bool leaving; /* another server is wanted: takes no call, goes once the sent ones are answered */
    bool broken;  /* found while sending: goes by `soon` */
    const char *prepared[PREPARED_MAX];
    int prepared_count;
    char reason[REASON_BYTES];
};

/* pg.c */
void pg_on_ready(struct pg *pg, int events); /* the socket of a connection that is up */
void pg_refuse_soon(struct pg *pg);          /* `soon` has something to do */
void calls_fail(struct call_list *list, enum failure failure, const char *reason);
void pg_hello(struct pg *pg); /* the first call of a connection that keeps its session */
void pg_reason_set(struct pg *pg, const char *text);

/* pg_connect.c */
void pg_watch(struct pg *pg, int events);
void pg_lose(struct pg *pg, const char *reason);  /* to waiting; what was queued fails */
void pg_timer_restart(struct pg *pg, int64_t ms); /* 0: stops it */

/* pg_hosts.c */
int pg_hosts_init(struct pg_hosts *hosts, const char *conninfo); /* -EINVAL: not a connection string */
void pg_hosts_finish(struct pg_hosts *hosts);
int pg_hosts_count(const struct pg_hosts *hosts);
/* "a,b,c" and 1 -> "b,c,a"; NULL without memory. Freed by the caller. */
char *pg_hosts_turned(const char *list, int turn);

#endif
