/* The simulator's vocabulary: one virtual world with its shop database (ledger), payment channels (bank),
 * engines (fleet) and the witness that checks the invariants after every event.
 *
 * Everything is deterministic: one seed, one thread, virtual milliseconds. Nothing here reads a clock or a
 * file. */
#ifndef SIM_H
#define SIM_H

#include "io/broker.h"
#include "plan.h"

#define NODES_MAX  3
#define SLOTS_MAX  32
#define ORDERS_MAX 200 /* orders and attempts each */
#define CALLS_MAX  32  /* database calls under way in the whole fleet */

/* ---- the ledger: the shop's database, as doc/sql-contract.md says ---- */

enum status { STATUS_UNPAID, STATUS_PAID, STATUS_SHIPPED, STATUS_CLOSED, STATUS_REFUNDED };

struct shop_order {
    bool exists;
    enum status status;
    int64_t amount_minor;
    int currency;
    int paid_by;   /* the attempt that paid it, -1: none */
    int locked_by; /* shop transactions that hold the row: 0 or 1 */
};

enum row_state {
    ROW_NONE,
    ROW_LIVE,
    ROW_MAIL /* only messages tell of it */,
    ROW_PARKED,
    ROW_GONE,
    ROW_STATES
};

struct row {
    enum row_state state;
    enum phase phase;
    int order;
    int channel;
    int64_t amount_minor;
    int currency;
    int64_t created_at; /* by the database's clock */
    int64_t expires_at; /* NO_END: never */
    int64_t due_at;
    uint32_t token; /* 0: none */
    int answers;
    int errors;
    int unknowns;
    int claims;
    enum park_reason reason;
    bool poisoned;
    bool locked; /* by a shop transaction */
    bool retried;
    bool unread;    /* parked for a message that could not be read */
    int last_audit; /* chain of its audit rows, -1: none */
};

struct audit_row {
    int attempt;
    uint32_t token;
    uint32_t chain; /* of messages; 0: it was a row */
    bool goes_on;   /* another message follows */
    char request_id[REQUEST_ID_BYTES];
    int64_t claimed_us;
    enum evidence_kind evidence;
    enum outcome outcome;
    enum park_reason reason;
    int previous;
};

struct ledger {
    struct shop_order orders[ORDERS_MAX];
    struct row rows[ORDERS_MAX];
    int order_count;
    int row_count;
    struct audit_row *audits;
    int audit_count;
    int audit_room;
    uint32_t last_token;
    int64_t sleep_until[CHANNELS_MAX]; /* as the last claim announced it */
    int64_t clock_step;                /* database clock = now + clock_step */
    bool down;
    bool broken; /* schema */
};

/* What a settle says of one row: copied when the engine hands it over, for the engine may die before it
 * arrives. */
struct settle_row {
    int attempt;
    uint32_t token;
    int64_t claimed_us;
    struct verdict verdict;
    enum evidence_kind evidence;
    int64_t amount_minor;
    char currency[CURRENCY_BYTES];
    bool authentic;
    bool last;
    bool poison;
    uint32_t chain; /* with claimed_us: which message; 0: it is a row */
    enum phase phase_before;
    char request_id[REQUEST_ID_BYTES];
    int64_t order_amount_minor; /* of a message, as it was looked up */
};

struct ruling {
    enum outcome outcome;
    enum park_reason reason;
};

/* ---- the bank: the channels and the truth ---- */

struct payment {
    enum fate fate;
    int64_t amount_minor; /* at the channel */
    int currency;
    int hidden_left;  /* answers that still say not found */
    int pending_left; /* answers that still say pending */
    int faults_left;  /* faults before the first answer */
    int late_left;    /* questions after its closing that still say closed */
    bool closed;      /* at the channel, by us */
    bool paid_late;   /* told so */
    bool killer;      /* hearing of it kills the engine */
    bool canary;
};

struct bank {
    struct payment payments[ORDERS_MAX];
    enum evidence_kind outage[CHANNELS_MAX]; /* EVIDENCE_NONE: none */
};

/* ---- the witness: what the invariants need to remember ---- */

/* One row under one claim. At most one query. */
struct grant {
    int attempt;
    uint32_t token; /* of a message: this delivery's */
    uint32_t chain; /* of a message, with claimed_us; 0: it is a row */
    int64_t parcel; /* of a message: the broker's number of it */
    int64_t claimed_us;
    int64_t left_ms;
    int64_t age_ms;
    int64_t claimed_at; /* true time */
    int node;
    uint32_t life;
    enum phase phase;
    int claims;
    int answers;
    int errors;
    int unknowns;
    int asked;
    bool closing; /* asked to close it */
    bool crashed; /* its engine died with it */
    bool answered;
    bool applied;
    bool final_not_found; /* the answer was not found, and that was final then */
    enum evidence_kind evidence;
    int previous; /* older grant of the same attempt, -1: none */
};

enum ending { ENDING_NONE, ENDING_PAID, ENDING_REFUNDED, ENDING_CLOSED, ENDING_NOT_FOUND, ENDING_RESOLVED };

struct witness {
    struct grant *grants;
    int grant_count;
    int grant_room;
    int last_grant[ORDERS_MAX];    /* per attempt, -1: none */
    int answers_given[ORDERS_MAX]; /* authentic answers */
    enum ending ending[ORDERS_MAX];
    int paid_writes[ORDERS_MAX]; /* per order */
    int open_rows;               /* rows that liveness waits for */
    int first_open;
    bool failed;
    enum invariant invariant;
    char text[200];
};

/* One engine's channel as the witness sees it. */
struct watch {
    int asking;
    int64_t meter_micro; /* tokens taken and not refilled, in millionths */
    int64_t metered_at;
    int64_t paused_until;
    bool open;
    int probes; /* questions begun while open and not answered */
    int faults; /* in a row, with nothing else between them */
    int begun;  /* questions begun since the last answer that was no fault */
    int64_t trouble_since;
    bool halted;
    int64_t found_at; /* -1: never */
};

struct slot {
    struct job *job;
    int grant;
    bool asking;
    bool asked; /* not settled yet */
    bool suspect;
    bool closing;             /* the channel is asked to close it */
    enum evidence_kind fault; /* what the question will meet; EVIDENCE_NONE: the truth */
};

/* ---- the fleet ---- */

struct node {
    struct engine *engine; /* NULL: not running */
    uint32_t life;
    bool stopping;
    int64_t clock_offset;
    int64_t stalled_until;
    uint64_t wake;               /* number of the valid wake event */
    int hot;                     /* turns in a row that did not want to wait */
    int batch_most;              /* largest batch size since the start: a repeated batch keeps its size */
    bool claiming[SOURCE_KINDS]; /* one claim at a time */
    struct broker *broker;       /* NULL: this world has none */
    bool blind;                  /* the ledger did not answer its last look */
    uv_timer_cb ring;
    int64_t rings;
    struct engine_config config;
    struct policy policies[CHANNELS_MAX];
    bool serves[CHANNELS_MAX];
    bool held[CHANNELS_MAX]; /* back, by an operator */
    int place;               /* among so many living instances, or so it was told */
    int living;
    struct watch watches[CHANNELS_MAX];
    struct slot slots[SLOTS_MAX];
    int asking;
    int suspects;            /* asked now */
    struct engine_view seen; /* the witness's own count of the same */
    struct world *world;
    int index;
};

/* A message that was received, as the ledger is asked about it. */
struct glance {
    int attempt;
    uint32_t chain;
    int64_t claimed_us;
    bool named; /* the shop tells attempts of one order apart */
    struct step before;
};

enum call_kind { CALL_CLAIM, CALL_SETTLE, CALL_RELEASE, CALL_LOOK, CALL_KEEP };
enum call_fault { CALL_CLEAN, CALL_ANSWER_LOST, CALL_ABORTED, CALL_ZOMBIE };

struct call {
    int pending; /* events that still refer to it; 0: free */
    enum call_kind kind;
    enum call_fault fault;
    int node;
    uint32_t life;
    struct batch *batch;
    bool failed;
    enum failure failure;
    const char *sqlstate;
    int64_t lease_ms;
    int want_channel[CHANNELS_MAX];
    int want_limit[CHANNELS_MAX];
    int64_t next_ms[CHANNELS_MAX]; /* until the next row of it is due; NO_END: there is none */
    int want_count;
    int count;
    int grants[BATCH_MAX]; /* of a claim */
    struct settle_row rows[SLOTS_MAX];
    struct ruling rulings[SLOTS_MAX];
    struct glance glances[RECEIVE_MAX]; /* of a look */
    struct looked looked[RECEIVE_MAX];
    store_looked told; /* or NULL: nobody waits any more */
    void (*kept)(void *self, bool kept);
    void *self;
};

enum act { ACT_FAULTS, ACT_CALM, ACT_STOP, ACT_OVER };

struct world {
    uint64_t seed;
    enum sabotage sabotage;
    struct prng prng;
    int64_t now;
    enum act act;
    int64_t drained_ms; /* how long it took after the faults */
    uint64_t events;
    uint64_t scheduled;
    struct event *heap;
    int heap_count;
    int heap_room;
    struct trace trace;
    struct plan plan;
    struct ledger ledger;
    struct bank bank;
    struct witness witness;
    struct node nodes[NODES_MAX];
    struct call calls[CALLS_MAX];
    struct mailbox *mailbox; /* NULL: this world has none */
};

/* world.c */
struct world *world_create(uint64_t seed, enum sabotage sabotage, bool print);
void world_destroy(struct world *world);
void world_run(struct world *world);
void world_schedule(struct world *world, int64_t delay_ms, enum event_kind kind, int node, int subject,
                    int64_t extra);

/* trace.c */
void trace_event(struct world *world, const struct event *event);
void trace_add(struct world *world, enum trace_kind kind, int64_t node, int64_t subject, int64_t a,
               int64_t b);
void trace_print_tail(const struct world *world);

/* plan.c */
void plan_make(struct world *world);
void plan_policy(struct world *world, struct policy *out);
int channel_index(const char *name);
extern const char *const currencies[3];
extern const char *const channel_names[CHANNELS_MAX];

/* timeline.c */
void timeline_make(struct world *world);
void timeline_track(struct world *world, int attempt);
void timeline_canary(struct world *world, int channel);

/* shop.c */
void shop_begin(struct world *world, int order, int64_t deed);
void shop_end(struct world *world, int order, int64_t deed);

/* ledger.c */
int64_t ledger_clock(const struct world *world);
int ledger_claim(struct world *world, struct call *call);
bool ledger_wakes(const struct world *world, const struct row *row);
bool ledger_settle(struct world *world, struct call *call); /* false: the batch failed because of one row */
void ledger_release(struct world *world, const struct call *call);
int ledger_audits_of(const struct world *world, int attempt, uint32_t token);

struct ruling settle_fresh(struct world *world, const struct settle_row *said);

/* ledger_message.c */
void ledger_look(struct world *world, struct call *call);
void ledger_keep(struct world *world, const struct call *call);
struct ruling settle_message(struct world *world, const struct settle_row *said);

/* mailbox.c: the broker, with the client that speaks to it */
struct mailbox *mailbox_create(void);
void mailbox_destroy(struct mailbox *mailbox);
void mailbox_enter(struct world *world);
void mail_track(struct world *world, int attempt);
void mail_arrive(struct world *world, int call, int64_t turn);
void mail_reply(struct world *world, int call);
void mail_dropped(struct world *world, int call); /* its node is gone */
void mail_outage(struct world *world, bool down);
void mail_check(struct world *world);
int mail_letters(const struct world *world, int attempt);      /* messages about it at the broker ... */
int mail_open_letters(const struct world *world, int attempt); /* ... that are not of its tail */

/* post.c: an engine's second source, which is the program's own */
void post_create(struct world *world, struct node *node);
void post_destroy(struct world *world, struct node *node);
void post_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms);
void post_settle(void *self, struct batch *batch);
void post_release(void *self, struct batch *batch);
void post_refuse(void *self, const struct lost_order *order);
void post_ring(struct world *world, struct node *node, int64_t number);
int attempt_of(const struct lost_order *order);
uint32_t chain_of(const char *token);

/* bank.c */
int64_t bank_ask(struct world *world, struct node *node, struct slot *slot, int attempt);
void bank_answer(struct world *world, const struct slot *slot, int attempt, struct evidence *out);
bool bank_paid(const struct world *world, int attempt);     /* money of the payer is at the channel */
bool bank_refunded(const struct world *world, int attempt); /* all of it was returned */

/* fleet.c: the engines and what the world tells them */
void node_start(struct world *world, struct node *node);
void node_end(struct world *world, struct node *node);
void node_crash(struct world *world, struct node *node);
void node_stop(struct world *world, struct node *node);
void node_wake(struct world *world, struct node *node);
void node_configure(struct world *world, struct node *node, bool faithful);
void node_steer(struct world *world, struct node *node, bool faithful);
void node_answer(struct world *world, struct node *node, int slot);
void node_advance(struct world *world, struct node *node);
int64_t node_clock(const struct world *world, const struct node *node);

/* calls.c: database calls on their way */
extern const struct engine_world fleet_operations;
void call_arrive(struct world *world, struct call *call);
void call_reply(struct world *world, struct call *call);
struct call *call_create(struct node *node, enum call_kind kind, struct batch *batch);
void call_send(struct node *node, struct call *call);
int64_t call_delay(struct world *world);
enum call_fault call_meets(struct world *world);
void batch_send(struct node *node, enum call_kind kind, struct batch *batch);

/* witness.c, bounds.c: invariants */
__attribute__((format(printf, 3, 4))) void violate(struct world *world, enum invariant invariant,
                                                   const char *format, ...);
void witness_init(struct world *world);
int witness_find(const struct world *world, int attempt, uint32_t token);
int witness_find_parcel(const struct world *world, const struct node *node, int64_t parcel);
void witness_delivered(struct world *world, struct node *node, const struct lost_order *order);
void witness_granted(struct world *world, struct call *call, const struct row *row, int attempt);
bool witness_rivals(const struct world *world, const struct grant *grant);
void witness_answered(struct world *world, struct node *node, struct slot *slot,
                      const struct evidence *evidence);
void witness_applied(struct world *world, int attempt, uint32_t token);
void witness_reopens(struct world *world, int attempt, uint32_t token, bool late);
void witness_wrote(struct world *world, int order, int attempt, enum status status);
void witness_ended(struct world *world, int attempt, uint32_t token, enum ending ending);
void witness_settled(struct world *world, struct node *node, const struct call *call);
void witness_crashed(struct world *world, const struct node *node);
void witness_check(struct world *world);
void witness_close(struct world *world); /* at the end of the world */

void bounds_claim(struct world *world, struct node *node, enum source_kind source,
                  const struct claim_want *wants, int count);
void bounds_ask(struct world *world, struct node *node, struct slot *slot, int channel);
void bounds_answered(struct world *world, struct node *node, struct slot *slot, int channel,
                     const struct evidence *evidence);
void bounds_note(struct world *world, struct node *node, const struct note *note);
void bounds_configured(const struct world *world, struct node *node, int channel,
                       const struct policy *before);
void bounds_counters(struct world *world, struct node *node);

#endif
