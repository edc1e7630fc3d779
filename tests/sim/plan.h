/* What a seed says of its world, and what the world is made with: chance, events and their trace. */
#ifndef PLAN_H
#define PLAN_H

#include "lists.h"
#include "makegood/engine.h"

#define CHANNELS_MAX 3
#define TRACE_KEPT   40

/* ---- chance ---- */

struct prng {
    uint64_t state;
};
uint64_t prng_next(struct prng *prng);
int64_t prng_between(struct prng *prng, int64_t low, int64_t high); /* both ends included */
bool prng_chance(struct prng *prng, int percent);

/* ---- events and their trace ---- */

struct event {
    int64_t at;
    uint64_t order; /* ties are broken by the order of scheduling */
    enum event_kind kind;
    int node;      /* -1: none */
    uint32_t life; /* of the node: events of a life that ended are dropped */
    int subject;   /* slot, call, attempt, order or channel */
    int64_t extra;
};

struct trace_line {
    int64_t at;
    int kind; /* an event_kind, or EVENTS + a trace_kind */
    int64_t node;
    int64_t subject;
    int64_t a;
    int64_t b;
};

struct trace {
    struct trace_line kept[TRACE_KEPT];
    uint64_t count;
    uint64_t hash;
    bool print; /* everything, at once */
};

/* ---- the plan: what the seed says ---- */

enum fate {
    FATE_PAID,
    FATE_PENDING_THEN_PAID,
    FATE_HIDDEN_THEN_PAID, /* not found at first */
    FATE_CLOSED,
    FATE_PENDING_THEN_CLOSED,
    FATE_REFUNDED,
    FATE_REFUNDED_PART,
    FATE_FLAGGED,
    FATE_NEVER_FOUND,
    FATE_PENDING,
    FATE_WRONG_AMOUNT,
    FATE_WRONG_CURRENCY,
    FATE_WRONG_MERCHANT,
    FATE_NO_AMOUNT,
    FATE_STRANGE,   /* a status outside the list, for ever */
    FATE_UNASKABLE, /* the attempt lacks its number, for ever */
    FATE_SICK,      /* garbage, for ever */
    FATE_FORGED,    /* somebody forges "paid"; the truth is never found */
    FATE_STUBBORN,  /* pending for ever, though closing is accepted */
    FATE_LATE,      /* pending until it is closed, and paid after that */
    FATES
};

enum fault_family {
    FAULT_CRASHES = 1 << 0,
    FAULT_KILLER = 1 << 1,
    FAULT_DATABASE_DOWN = 1 << 2,
    FAULT_CUTS = 1 << 3, /* claims and settles with unknown or late commits */
    FAULT_POISON = 1 << 4,
    FAULT_SCHEMA = 1 << 5,
    FAULT_BUSY = 1 << 6,
    FAULT_SHOP = 1 << 7,
    FAULT_CLOCK = 1 << 8,
    FAULT_STALLS = 1 << 9,
    FAULT_STOPS = 1 << 10,
    FAULT_CONFIGURE = 1 << 11,
    FAULT_OUTAGES = 1 << 12,
    FAULT_NOISE = 1 << 13,
    FAULT_TWO_ATTEMPTS = 1 << 14,
    FAULT_SLOW_DATABASE = 1 << 15,
    FAULT_STEER = 1 << 16,
    FAULT_FAMILIES = 1 << 17,
};

struct plan {
    unsigned faults;
    bool starvation; /* nothing but one dead channel beside healthy ones */
    bool precise;    /* claims tell when the next row is due, and rows announce themselves */
    bool broker;     /* orders of some channels come as messages */
    struct {
        bool one_topic;  /* for all channels */
        bool drops;      /* where there is a safety net */
        bool duplicates; /* from the shop and from the broker */
        bool outages;
        int64_t max_delay_ms;
    } mail;
    int nodes;
    int channels;
    int orders;
    int64_t faults_end_ms;
    int64_t liveness_ms;   /* bound after the faults end */
    int64_t starvation_ms; /* bound from due to asked */
    bool dead[CHANNELS_MAX];
    bool quiet[CHANNELS_MAX]; /* nothing is ever found there */
    bool lying[CHANNELS_MAX]; /* our reading of it is wrong: most answers put orders in doubt */
    struct engine_config config;
    struct policy policies[CHANNELS_MAX];
};

#endif
