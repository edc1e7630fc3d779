/* The simulated bank: what its parts share. One struct bank per process; the server's threads, the waiting
 * room and the main thread use it at once, so whatever changes after the start is atomic or behind the modes'
 * lock. */
#ifndef BANK_H
#define BANK_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bank/answer.h"
#include "bank/keys.h"
#include "bank/ledger.h"
#include "bank/room.h"
#include "bank/tokens.h"

#define ACCOUNT_BYTES 33
#define MODES_MAX     32

/* A script that overrides every order's own, for one account or (with the empty name) for all. */
struct mode {
    char account[ACCOUNT_BYTES];
    struct script *script;
    uint32_t asks; /* since it was set */
};

struct modes {
    pthread_mutex_t lock;
    atomic_int count; /* 0: no need to take the lock */
    struct mode items[MODES_MAX];
};

struct counters {
    atomic_ullong asks;
    atomic_ullong unlisted; /* asks about numbers that the ledger does not have */
    atomic_ullong closes;
    atomic_ullong answers[WORDS];
    atomic_ullong connections;
    atomic_int connections_now;
    atomic_int now;
    atomic_int most;
};

struct bank {
    struct ledger ledger;
    struct room room;
    struct modes modes;
    struct counters counters;
    struct tokens tokens;
    const struct keys *keys; /* NULL: only channels that sign nothing are there */
    const char *key;         /* NULL: none is asked for */
};

struct serve_options {
    int port; /* 0: any */
    unsigned threads;
    const char *tls_cert, *tls_key; /* PEM texts; NULL: plain HTTP */
};

/* serve.c: starts answering on 127.0.0.1. 0 and the port, or -1. */
int serve_start(struct bank *bank, const struct serve_options *options, struct MHD_Daemon **out, int *port);

/* control.c: /_bank/... */
enum MHD_Result control_answer(struct bank *bank, struct MHD_Connection *connection, const char *url);
/* The order's next answer, the modes considered. */
struct fate modes_fate(struct bank *bank, const char *account, struct order *order);
void modes_init(struct modes *modes);
void modes_finish(struct modes *modes);

#endif
