/* The store: the engine's claim, settle and release as calls of the schema's functions (sql/). Translates
 * both ways and decides nothing. Connections of their own for claims, settlements and small talk, so that none waits for
 * another. Loop's thread only. */
#ifndef MAKEGOOD_STORE_H
#define MAKEGOOD_STORE_H

#include "io/letter.h"
#include "io/pg.h"
#include "makegood/engine.h"
#include "makegood/fault.h"

struct store;

struct store_events {
    void (*claimed)(void *self, const struct lost_order *orders, int count);
    /* After a claim: when the channel's next row is due. */
    void (*next_due)(void *self, const char *channel, int64_t in_ms);
    /* After a claim: whether that is told, and rows that are due earlier announce themselves: by `due`. */
    void (*sleeps)(void *self, bool sleeps);
    void (*due)(void *self, const char *channel);
    void (*steered)(void *self); /* operators have steered */
    /* A row that could not be read into struct lost_order is left out and told here (its lease runs out). */
    void (*misread)(void *self, const char *attempt_id, const char *why);
    void (*claim_failed)(void *self, enum failure failure, const char *sqlstate, const char *message);
    void (*settled)(void *self, struct batch *batch, const enum outcome *outcomes,
                    const enum park_reason *reasons);
    void (*settle_failed)(void *self, struct batch *batch, enum failure failure, const char *sqlstate,
                          const char *message);
    void (*released)(void *self, struct batch *batch);
    void (*up)(void *self);
    void (*down)(void *self, const char *reason);
};

/* One channel's backlog for progress and status. */
struct backlog {
    int64_t waiting; /* exact up to 10,000 in all, an estimate beyond */
    int64_t parked;
    int64_t oldest_age_ms; /* of the oldest due row; 0 when there is none */
};

/* precise: listens, and asks with each claim when the next row is due. */
int store_create(struct store **out, uv_loop_t *loop, const struct pg_options *options, const char *instance,
                 bool precise, const struct store_events *events, void *self);
void store_destroy(struct store *store);
bool store_is_up(const struct store *store);

/* What is to be done about a message. */
enum message_look {
    LOOK_ASK,  /* its order is to be asked about */
    LOOK_DONE, /* nothing: it, or its order, is settled, or it never counted */
    LOOK_WAIT, /* nothing yet: the step that wrote it is not recorded */
};

/* What the database knows of an order that came as a message. */
struct looked {
    enum message_look look;
    bool known; /* the shop has the order: amount and currency are its own */
    int64_t amount_minor;
    char currency[CURRENCY_BYTES];
};
typedef void (*store_looked)(void *self, const struct looked *looked, int count);

/* Answers by done, once, from the loop, one entry for each order; NULL when it failed. Without memory from inside. */
void store_look(struct store *store, const struct lost_order *orders, const struct step *before, int count,
                store_looked done, void *self);
/* A message that is no lost order is left for a person. kept: whether it is now. Without memory from inside. */
void store_message_unread(struct store *store, const char *order_no, const char *channel, const char *why,
                          void (*done)(void *self, bool kept), void *self);
void store_claim(struct store *store, const struct claim_want *wants, int count, int64_t lease_ms);
void store_settle(struct store *store, struct batch *batch);
void store_release(struct store *store, struct batch *batch);

/* Channels of the configuration and their first delay, for makegood.track. */
void store_announce(struct store *store, const struct policy *policies, int count);
/* Answers by done, once; found is NULL when it failed. Only without memory it is called from inside. */
void store_backlog(struct store *store, void (*done)(void *self, const struct backlog *found), void *self);
/* Is the database fit to run with this schema version and mapping? done is called once: answered false when
 * the call failed, else the faults found (none: fit), valid during the callback. */
void store_verify(struct store *store, int version, const char *mapping,
                  void (*done)(void *self, bool answered, const struct faults *faults), void *self);
/* What a daemon hears of the others when it beats; valid during the callback. */
struct heard {
    int place; /* among the living instances */
    int living;
    bool halted;
    const char *paused; /* names of channels with spaces between */
};
/* Says that this instance lives, what it does (lanes: a JSON object by channel), and hears how many do. heard is NULL when
 * that failed; FAILURE_SCHEMA: the schema is older than beating. Only without memory done is called from inside. */
void store_beat(struct store *store, const char *version, int64_t period_ms, const char *lanes,
                void (*done)(void *self, const struct heard *heard, enum failure failure), void *self);
/* Takes this instance off the list; done comes whatever the answer. */
void store_leave(struct store *store, void (*done)(void *self), void *self);
/* Seals what can be sealed of the audit, piece by piece, until nothing is left. */
void store_seal(struct store *store);
/* Months ahead for query_log. */
void store_prepare_months(struct store *store);

#endif
