/* The stage of the end suites: a private cluster and a certificate authority for the whole program, and for each test a
 * fresh database with one of two shops in it, a bank over HTTPS that knows every order's fate, and daemons: the real
 * binary. One thread, one stage at a time. Everything asserts by cmocka; stage_teardown takes down what a failed test
 * left, the guardian (process.h) what a crash left. */
#ifndef TESTS_END_STAGE_H
#define TESTS_END_STAGE_H

#include <libpq-fe.h>

#include "process.h"

#define DAEMONS_MAX 3
#define WAIT_MS     60000
#define BANK_KEY    "sk_canary_5e1f00d5ecret"
#define PASSWORD    "canary-pa55word"

/* A shop's order table. */
struct shop {
    const char *name;        /* of its template database and of its file NAME.sql */
    const char *mapping;     /* the configuration's order_table, indented */
    const char *insert;      /* unpaid orders for all rows of truth.attempt */
    const char *key_of_n;    /* an order's key, in SQL, from its number n */
    const char *table, *key; /* for the tests' own SQL */
    const char *status, *paid, *closed, *unpaid;
};
extern const struct shop orders_shop; /* A: text key, cents, text statuses, a currency column */
extern const struct shop
    purchases_shop; /* B: bigint key, decimals, integer statuses, another schema and owner */

/* What a configuration says; NULL or 0: the default below (short schedules, for tests). */
struct settings {
    const char *host, *port, *database, *user, *password;
    const char *prepared;            /* "true" */
    const char *lease;               /* "3s" */
    const char *stop_timeout;        /* "10s" */
    const char *call_timeout;        /* "5s" */
    const char *log_level;           /* "notice" */
    const char *schedule;            /* "200ms 300ms 500ms" */
    const char *timeout, *low_speed; /* "1s", "1s" */
    const char *horizon;             /* "10m" */
    const char *guard;               /* "0%": off */
    const char *rate, *burst;        /* "2000", "200" */
    const char *mapping;             /* the shop's */
    const char *paid_when;           /* further conditions of the rule `paid` */
    const char *amount_at;           /* "/amount_received" */
    const char *more;                /* further lines of channel main */
    const char *dead;                /* further lines of channel dead */
    const char *top;                 /* further lines at the top level */
};

struct stage {
    const struct shop *shop;
    char folder[80];
    char database[32];
    PGconn *db; /* the superuser's; see stage_db */
    pid_t bank;
    int bank_port;
    char keys[96]; /* the bank's folder of keys; "": only channels that sign nothing are there */
    pid_t daemons[DAEMONS_MAX];
    int kills;
};
extern struct stage stage;

/* Of the whole program: cmocka's group setup and teardown. */
int world_open(void **state);
int world_close(void **state);
extern char world_folder[64];
extern char world_host[128]; /* of the cluster's socket */
extern int dead_port;        /* nothing listens there */
extern const char *makegood_program;

/* The cluster: how = "immediate" or "fast". */
void cluster_stop(const char *how);
void cluster_start(void);

void stage_open(const struct shop *shop);
int stage_teardown(void **state);

/* Order n, tracked on a channel when the stage begins; its fate at the bank is the script. */
void stage_order(int n, const char *script);
void stage_order_at(int n, const char *script, long long amount, const char *channel, const char *expires_in);
/* count orders from n on. */
void stage_orders(int n, int count, const char *script);
/* The orders enter the shop's table, the bank starts; begin also tracks them, due now. */
void stage_prepare(void);
void stage_track(void);
void stage_begin(void);
/* The bank anew, on the same port: it forgets what it was asked, and reads its keys. */
void bank_restart(void);

/* SQL. Format as printf. stage_db reconnects when the cluster was down; text is valid until eight calls later. */
PGconn *stage_db(void);
PGconn *db_open(const char *database, const char *user);
void db_do(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool db_try(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *db_text(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
long db_number(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Until the query answers true; fails the test at the deadline and says what the daemons logged last. */
void wait_for(int64_t deadline_ms, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Until no tracked order of channel main waits any more. */
void wait_for_end(int64_t deadline_ms);

/* The bank's control: a page's text, freed by the caller. bank_mode(NULL) ends a mode. */
char *bank_get(const char *page);
void bank_mode(const char *script);

/* Daemons, by place from 0. */
void config_write(const char *path, const struct settings *settings, const char *instance);
void config_path(int which, char out[160]);
void daemon_start(int which, const struct settings *settings);
void daemon_start_with(int which, const struct settings *settings, const char *const environment[]);
void daemon_kill(int which);
/* SIGTERM; must end with exit code 0 within its bound. */
void daemon_stop(int which);
void daemons_stop(void);
/* The log of all its lives, freed by the caller. */
char *daemon_log(int which);
void wait_for_log(int which, const char *part, int64_t deadline_ms);
/* How often the log says so. */
int log_count(int which, const char *part);

/* Stops the daemons and holds everything against the laws (truth.sql). */
void ledger_load(void);
void ledger_check(void);
/* How often a law is broken. */
long ledger_violations(const char *law);

void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif
