/* The store: see store.h. Owns its connections (one claims, two settle: while one waits for its commit, the other
 * works; one is for small talk, store_talk.c) and the buffers that calls are written in and answers are read into. Loop's thread only; called by the
 * daemon and by the connections. Every answer goes back from the loop, never from inside the call that asked. */
#include "io/store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/log.h"
#include "io/store_inner.h"
#include "io/store_read.h"
#include "io/store_write.h"

#define BATCHES_MAX 8 /* settles and releases under way; the engine keeps fewer */
#define NO_MEMORY   "out of memory"

enum { LINE_CLAIM, LINE_SETTLE, LINE_SETTLE_TOO, LINE_TALK, LINES };

/* One connection, as its events see it. */
struct line {
    struct store *store;
    struct pg *pg;
};

/* A batch under way. */
struct parcel {
    struct store *store;
    struct batch *batch; /* NULL: free */
    struct line *line;
    bool failed; /* could not even be called; told by `excuse` */
};

struct store {
    struct store_events events;
    void *self;
    char *instance;
    struct line lines[LINES];
    bool up;
    bool precise;   /* asks when the next row is due, and listens ... */
    bool listens;   /* ... on the connection that stands now */
    int claim_kind; /* among claim_statements: an older schema knows only an older one */
    char told[256]; /* the last reason for being down, so that it is told once */

    bool claim_failed; /* could not even be called; told by `excuse` */
    struct parcel parcels[BATCHES_MAX];
    uv_timer_t excuse;

    struct pg_array arrays[ARRAYS_MAX];
    struct lost_order *orders;
    int orders_room;
    enum outcome outcomes[BATCH_MAX];
    enum park_reason reasons[BATCH_MAX];
};

/* Newest first; the others are those of schemas 15 and 9. */
static const struct pg_statement claim_statements[] = {
    {"makegood_claim_due",
     "SELECT " CLAIM_COLUMNS ", late_ms, next_ms FROM makegood.claim_due($1, $2, $3, $4, $5)", 5},
    {"makegood_claim_told", "SELECT " CLAIM_COLUMNS ", late_ms FROM makegood.claim_told($1, $2, $3, $4)", 4},
    {"makegood_claim", "SELECT " CLAIM_COLUMNS " FROM makegood.claim($1, $2, $3, $4)", 4},
};
enum { CLAIM_KINDS = sizeof(claim_statements) / sizeof(claim_statements[0]) };

static const struct pg_statement statement_listen_due = {"makegood_listen_due", "LISTEN makegood_due", 0};
static const struct pg_statement statement_listen_steer = {"makegood_listen_steer", "LISTEN makegood_steer",
                                                           0};
static const struct pg_statement statement_settle = {
    "makegood_settle",
    "SELECT place, upto, outcome, reason FROM makegood.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
    "$12, "
    "$13, $14, "
    "$15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)",
    1 + SETTLE_ARRAYS};
static const struct pg_statement statement_settle_messages = {
    "makegood_settle_messages",
    "SELECT place, upto, outcome, reason FROM makegood.settle_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, "
    "$10, $11, "
    "$12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, "
    "$32, $33, $34, "
    "$35, $36)",
    1 + MESSAGE_ARRAYS};
static const struct pg_statement statement_release = {"makegood_release", "SELECT makegood.release($1, $2)",
                                                      RELEASE_ARRAYS};

/* --- the connections ------------------------------------------------------------------------------------ */

bool store_is_up(const struct store *store)
{
    for (int i = 0; i < LINES; i++)
        if (!pg_is_up(store->lines[i].pg))
            return false;
    return true;
}

static void on_listening(void *self, const struct pg_answer *answer)
{
    struct store *store = self;
    store->listens = answer->ok;
}

static void on_up(void *self)
{
    struct line *line = self;
    struct store *store = line->store;
    if (line == &store->lines[LINE_CLAIM] && store->precise) {
        pg_call(line->pg, &statement_listen_steer, NULL, on_listening, store);
        pg_call(line->pg, &statement_listen_due, NULL, on_listening, store);
    }
    if (store->up || !store_is_up(store))
        return;
    store->up = true;
    store->claim_kind = 0; /* another server, or a newer schema */
    store->told[0] = '\0';
    store->events.up(store->self);
}

/* Connections fail together and keep on failing: each reason is told once. */
static void on_down(void *self, const char *reason)
{
    struct line *line = self;
    struct store *store = line->store;
    if (line == &store->lines[LINE_CLAIM])
        store->listens = false;
    bool news = store->up || strncmp(store->told, reason, sizeof(store->told) - 1) != 0;
    store->up = false;
    snprintf(store->told, sizeof(store->told), "%s", reason);
    if (news)
        store->events.down(store->self, reason);
}

static void on_notified(void *self, const char *channel, const char *payload)
{
    struct store *store = ((struct line *)self)->store;
    if (strcmp(channel, "makegood_due") == 0)
        store->events.due(store->self, payload);
    else
        store->events.steered(store->self);
}

/* --- what could not even be called ---------------------------------------------------------------------- */

static void parcel_fail(struct parcel *parcel, enum failure failure, const char *sqlstate,
                        const char *message)
{
    struct store *store = parcel->store;
    struct batch *batch = parcel->batch;
    *parcel = (struct parcel){.store = store};
    if (batch->release)
        store->events.released(store->self, batch); /* their leases take care of the rows */
    else
        store->events.settle_failed(store->self, batch, failure, sqlstate, message);
}

static void on_excuse(uv_timer_t *timer)
{
    struct store *store = timer->data;
    bool claim_failed = store->claim_failed;
    store->claim_failed = false;
    if (claim_failed)
        store->events.claim_failed(store->self, FAILURE_LATER, "", NO_MEMORY);
    for (int i = 0; i < BATCHES_MAX; i++)
        if (store->parcels[i].failed)
            parcel_fail(&store->parcels[i], FAILURE_LATER, "", NO_MEMORY);
}

static void excuse_soon(struct store *store)
{
    uv_timer_start(&store->excuse, on_excuse, 1, 0);
}

/* --- claim ---------------------------------------------------------------------------------------------- */

static bool orders_reserve(struct store *store, int count)
{
    if (count <= store->orders_room)
        return true;
    struct lost_order *orders = realloc(store->orders, (size_t)count * sizeof(*orders));
    if (!orders)
        return false;
    store->orders = orders;
    store->orders_room = count;
    return true;
}

/* Rows that are due and were not given are held by somebody: looked at again soon. */
#define HELD_MS 100

static void next_read(struct store *store, const PGresult *rows)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct next_due next;
        if (next_due_read(rows, row, &next))
            store->events.next_due(store->self, next.channel, next.in_ms > 0 ? next.in_ms : HELD_MS);
    }
    store->events.sleeps(store->self, store->listens && store->claim_kind == 0);
}

static void claim_read(struct store *store, const PGresult *rows)
{
    int count = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        struct next_due next;
        if (next_due_read(rows, row, &next))
            continue;
        const char *why = order_read(rows, row, &store->orders[count]);
        if (why)
            store->events.misread(store->self, PQgetvalue(rows, row, 0), why);
        else
            count++;
    }
    store->events.claimed(store->self, store->orders, count);
    next_read(store, rows);
}

/* The schema is older than the statement: the next claim says the one before. */
static bool claim_is_unknown(struct store *store, const struct pg_answer *answer)
{
    if (strcmp(answer->sqlstate, "42883") != 0 || store->claim_kind == CLAIM_KINDS - 1)
        return false;
    store->claim_kind++;
    return true;
}

static void on_claim(void *self, const struct pg_answer *answer)
{
    struct store *store = self;
    if (!answer->ok && claim_is_unknown(store, answer))
        store->events.claim_failed(store->self, FAILURE_LATER, answer->sqlstate, answer->message);
    else if (!answer->ok)
        store->events.claim_failed(store->self, answer->failure, answer->sqlstate, answer->message);
    else if (!claim_is_readable(answer->rows))
        store->events.claim_failed(store->self, FAILURE_SCHEMA, "",
                                   "makegood.claim does not answer the columns that this program knows");
    else if (!orders_reserve(store, PQntuples(answer->rows)))
        store->events.claim_failed(store->self, FAILURE_UNKNOWN, "", NO_MEMORY);
    else
        claim_read(store, answer->rows);
}

void store_claim(struct store *store, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct pg_array *channels = &store->arrays[0];
    struct pg_array *limits = &store->arrays[1];
    char lease[24];
    snprintf(lease, sizeof(lease), "%" PRId64, lease_ms);
    struct pg_value values[] = {
        pg_text(store->instance), {0}, {0}, pg_text(lease), pg_text(store->precise ? "true" : "false")};
    pg_array_start(channels, PG_TEXT);
    pg_array_start(limits, PG_INT4);
    for (int i = 0; i < count; i++) {
        pg_array_text(channels, wants[i].channel);
        pg_array_number(limits, wants[i].limit);
    }
    if (pg_array_end(channels, &values[1]) && pg_array_end(limits, &values[2]) &&
        pg_call(store->lines[LINE_CLAIM].pg, &claim_statements[store->claim_kind], values, on_claim, store) ==
            0)
        return;
    store->claim_failed = true;
    excuse_soon(store);
}

/* --- settle and release --------------------------------------------------------------------------------- */

static int line_load(const struct store *store, const struct line *line)
{
    int load = 0;
    for (int i = 0; i < BATCHES_MAX; i++)
        load += store->parcels[i].batch && store->parcels[i].line == line;
    return load;
}

static struct line *line_choose(struct store *store)
{
    struct line *one = &store->lines[LINE_SETTLE];
    struct line *other = &store->lines[LINE_SETTLE_TOO];
    return line_load(store, other) < line_load(store, one) ? other : one;
}

static struct parcel *parcel_take(struct store *store, struct batch *batch)
{
    int i = 0;
    while (i < BATCHES_MAX && store->parcels[i].batch)
        i++;
    assert(i < BATCHES_MAX && "the engine sends more batches at once than it says");
    struct line *line = line_choose(store);
    store->parcels[i] = (struct parcel){.store = store, .batch = batch, .line = line};
    return &store->parcels[i];
}

static void parcel_excuse(struct parcel *parcel)
{
    parcel->failed = true;
    excuse_soon(parcel->store);
}

static void on_settle(void *self, const struct pg_answer *answer)
{
    struct parcel *parcel = self;
    struct store *store = parcel->store;
    struct batch *batch = parcel->batch;
    if (!answer->ok) {
        parcel_fail(parcel, answer->failure, answer->sqlstate, answer->message);
        return;
    }
    const char *why = outcomes_read(answer->rows, batch->count, store->outcomes, store->reasons);
    if (why) {
        parcel_fail(parcel, FAILURE_SCHEMA, "", why);
        return;
    }
    parcel->batch = NULL;
    store->events.settled(store->self, batch, store->outcomes, store->reasons);
}

void store_settle(struct store *store, struct batch *batch)
{
    struct parcel *parcel = parcel_take(store, batch);
    struct pg_value values[1 + MESSAGE_ARRAYS] = {pg_text(store->instance)};
    bool rows = batch->source == SOURCE_TABLE;
    bool written = rows ? settle_write(store->arrays, batch, values + 1)
                        : messages_write(store->arrays, batch, values + 1);
    if (!written || pg_call(parcel->line->pg, rows ? &statement_settle : &statement_settle_messages, values,
                            on_settle, parcel) < 0)
        parcel_excuse(parcel);
}

/* Whatever came of it, the rows are no longer ours. */
static void on_release(void *self, const struct pg_answer *answer)
{
    struct parcel *parcel = self;
    struct batch *batch = parcel->batch;
    if (!answer->ok)
        log_event(LOG_WARNED, "release_failed", "sqlstate", answer->sqlstate, "detail", answer->message,
                  NULL);
    parcel->batch = NULL;
    parcel->store->events.released(parcel->store->self, batch);
}

void store_release(struct store *store, struct batch *batch)
{
    struct parcel *parcel = parcel_take(store, batch);
    struct pg_value values[RELEASE_ARRAYS];
    if (!release_write(store->arrays, batch, values) ||
        pg_call(parcel->line->pg, &statement_release, values, on_release, parcel) < 0)
        parcel_excuse(parcel);
}

struct pg *store_claim_line(struct store *store)
{
    return store->lines[LINE_CLAIM].pg;
}

struct pg *store_talk_line(struct store *store)
{
    return store->lines[LINE_TALK].pg;
}

const char *store_instance(const struct store *store)
{
    return store->instance;
}

/* --- creation and destruction --------------------------------------------------------------------------- */

static void on_excuse_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;
    for (int i = 0; i < ARRAYS_MAX; i++)
        pg_array_finish(&store->arrays[i]);
    free(store->orders);
    free(store->instance);
    free(store);
}

static int line_open(struct store *store, struct line *line, uv_loop_t *loop,
                     const struct pg_options *options)
{
    static const struct pg_events events = {on_up, on_down, on_notified};
    line->store = store;
    return pg_create(&line->pg, loop, options, &events, line);
}

int store_create(struct store **out, uv_loop_t *loop, const struct pg_options *options, const char *instance,
                 bool precise, const struct store_events *events, void *self)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return -ENOMEM;
    store->events = *events;
    store->self = self;
    store->precise = precise;
    store->excuse.data = store;
    uv_timer_init(loop, &store->excuse);
    store->instance = strdup(instance);
    int result = store->instance ? 0 : -ENOMEM;
    for (int i = 0; i < LINES && result == 0; i++)
        result = line_open(store, &store->lines[i], loop, options);
    if (result < 0) {
        store_destroy(store);
        return result;
    }
    *out = store;
    return 0;
}

void store_destroy(struct store *store)
{
    for (int i = 0; i < LINES; i++)
        if (store->lines[i].pg)
            pg_destroy(store->lines[i].pg);
    on_excuse(&store->excuse); /* nobody waits in vain */
    uv_close((uv_handle_t *)&store->excuse, on_excuse_closed);
}
