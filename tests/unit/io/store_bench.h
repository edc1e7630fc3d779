/* What the tests of the store share: a cluster with the schema, a store as the daemon's own role, and what it told. One of
 * each per program. */
#ifndef MAKEGOOD_STORE_BENCH_H
#define MAKEGOOD_STORE_BENCH_H

#include "line.h"

#include "io/store.h"

#define MAPPING                                                                                             \
    "{\"table\": \"public.orders\", \"key\": \"order_no\", \"status\": \"status\", \"amount\": \"total\", " \
    "\"amount_unit\": \"minor\", \"currency\": null, \"currency_fixed\": \"CNY\", \"channel\": null, "      \
    "\"channel_number\": \"paid_by\", \"paid_at\": null, \"created_at\": null, \"expires_at\": null, "      \
    "\"search_path\": \"public\", \"unpaid\": [\"created\"], "                                              \
    "\"paid\": {\"write\": \"paid\", \"from\": [\"created\"], \"also\": []}, "                              \
    "\"closed\": {\"write\": \"closed\", \"from\": [\"created\"], \"also\": []}, "                          \
    "\"refunded\": null, \"trigger\": false}"

struct bench {
    uv_loop_t loop;
    struct store *store;
    int ups, downs, answers;
    char reason[512];
    struct lost_order orders[16];
    int claimed;
    char misread[256];
    enum failure failure;
    char sqlstate[6];
    bool settled, failed;
    enum outcome outcomes[8];
    enum park_reason reasons[8];
    struct backlog backlog;
    size_t faults;
    char fault[512];
    char next_channel[CHANNEL_BYTES];
    int64_t next_ms;
    bool sleeps;
    char due_channel[CHANNEL_BYTES];
    int dues;
    int steers;
};

static struct place place;
static struct bench bench;
static struct job jobs[8];
static char daemon_conninfo[256];

/* --- what the store tells --- */

static inline void on_claimed(void *self, const struct lost_order *orders, int count)
{
    struct bench *b = self;
    assert_in_range(count, 0, 16);
    for (int i = 0; i < count; i++)
        b->orders[i] = orders[i];
    b->claimed = count;
    b->answers++;
}

static inline void on_next_due(void *self, const char *channel, int64_t in_ms)
{
    struct bench *b = self;
    snprintf(b->next_channel, sizeof(b->next_channel), "%s", channel);
    b->next_ms = in_ms;
}

static inline void on_sleeps(void *self, bool sleeps)
{
    ((struct bench *)self)->sleeps = sleeps;
}

static inline void on_due(void *self, const char *channel)
{
    struct bench *b = self;
    snprintf(b->due_channel, sizeof(b->due_channel), "%s", channel);
    b->dues++;
}

static inline void on_steered(void *self)
{
    ((struct bench *)self)->steers++;
}

static inline void on_misread(void *self, const char *attempt_id, const char *why)
{
    snprintf(((struct bench *)self)->misread, 256, "%s: %s", attempt_id, why);
}

static inline void on_claim_failed(void *self, enum failure failure, const char *sqlstate,
                                   const char *message)
{
    struct bench *b = self;
    assert_non_null(message);
    b->failure = failure;
    b->claimed = -1;
    snprintf(b->sqlstate, sizeof(b->sqlstate), "%s", sqlstate);
    b->answers++;
}

static inline void on_settled(void *self, struct batch *done, const enum outcome *outcomes,
                              const enum park_reason *reasons)
{
    struct bench *b = self;
    b->settled = true;
    memcpy(b->outcomes, outcomes, (size_t)done->count * sizeof(*outcomes));
    memcpy(b->reasons, reasons, (size_t)done->count * sizeof(*reasons));
    b->answers++;
}

static inline void on_settle_failed(void *self, struct batch *done, enum failure failure,
                                    const char *sqlstate, const char *message)
{
    struct bench *b = self;
    assert_non_null(done);
    assert_non_null(message);
    b->failed = true;
    b->failure = failure;
    snprintf(b->sqlstate, sizeof(b->sqlstate), "%s", sqlstate);
    b->answers++;
}

static inline void on_released(void *self, struct batch *done)
{
    assert_true(done->release);
    ((struct bench *)self)->answers++;
}

static inline void on_up(void *self)
{
    ((struct bench *)self)->ups++;
}

static inline void on_down(void *self, const char *reason)
{
    struct bench *b = self;
    b->downs++;
    snprintf(b->reason, sizeof(b->reason), "%s", reason);
}

static inline void on_backlog(void *self, const struct backlog *found)
{
    struct bench *b = self;
    b->backlog = found ? *found : (struct backlog){.waiting = -1};
    b->answers++;
}

static inline void on_verified(void *self, bool answered, const struct faults *faults)
{
    struct bench *b = self;
    b->failed = !answered;
    b->faults = faults->count;
    if (faults->count > 0)
        snprintf(b->fault, sizeof(b->fault), "%s", faults->items[0].text);
    b->answers++;
}

/* --- the world --- */

static inline struct reply sql(const char *text)
{
    struct pg_statement statement = {text, text, 0};
    static struct line helper;
    line_open(&helper, place.conninfo, false);
    struct reply reply = ask(&helper, &statement, NULL);
    line_close(&helper);
    if (!reply.ok)
        fail_msg("%s: %s", text, reply.message);
    return reply;
}

static inline int world_open(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    snprintf(daemon_conninfo, sizeof(daemon_conninfo), "host=%s/pg/socket user=the_daemon dbname=postgres",
             place.folder);
    sql("CREATE SCHEMA makegood");
    sql("CREATE TABLE makegood.schema_version (version int PRIMARY KEY, name text NOT NULL, checksum text "
        "NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())");
    assert_int_equal(
        run("for file in sql/[0-9]*.sql; do psql -X -q -1 -v ON_ERROR_STOP=1 -h %s/pg/socket -U postgres "
            "-f $file >/dev/null || exit 1; done",
            place.folder),
        0);
    sql("INSERT INTO makegood.schema_version VALUES (1000, 'last', 'sum')");
    sql("CREATE TABLE public.orders (order_no text PRIMARY KEY, status text, total bigint, paid_by text)");
    sql("SELECT makegood.install_mapping('" MAPPING "')");
    sql("CREATE ROLE the_daemon LOGIN IN ROLE makegood_daemon");
    return 0;
}

static inline int world_close(void **state)
{
    (void)state;
    place_leave(&place);
    return 0;
}

static inline void wait_for(int answers)
{
    loop_until(&bench.loop, &bench.answers, answers);
}

static inline void store_open(const char *conninfo, bool prepared)
{
    static const struct store_events events = {.claimed = on_claimed,
                                               .next_due = on_next_due,
                                               .sleeps = on_sleeps,
                                               .due = on_due,
                                               .steered = on_steered,
                                               .misread = on_misread,
                                               .claim_failed = on_claim_failed,
                                               .settled = on_settled,
                                               .settle_failed = on_settle_failed,
                                               .released = on_released,
                                               .up = on_up,
                                               .down = on_down};
    struct pg_options options = options_for(conninfo, prepared);
    memset(&bench, 0, sizeof(bench));
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    assert_int_equal(store_create(&bench.store, &bench.loop, &options, "test-1", prepared, &events, &bench),
                     0);
    loop_until(&bench.loop, &bench.ups, 1);
    assert_true(store_is_up(bench.store));
}

/* A state that a test begins with says: not prepared. */
static inline int store_up(void **state)
{
    sql("TRUNCATE makegood.lost_order, makegood.parked_order, public.orders");
    store_open(daemon_conninfo, *state == NULL);
    return 0;
}

static inline int store_down(void **state)
{
    (void)state;
    store_destroy(bench.store);
    while (uv_run(&bench.loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(uv_loop_close(&bench.loop), 0);
    return 0;
}

static inline void track(const char *order_no, const char *number)
{
    char text[512];
    snprintf(text, sizeof(text), "INSERT INTO public.orders VALUES ('%s', 'created', 1234)", order_no);
    sql(text);
    snprintf(text, sizeof(text),
             "SELECT makegood.track('%s', 'bank', 1234, 'CNY', %s, p_channel_data => '{\"a\": \"b\"}', "
             "p_due_in => '0')",
             order_no, number);
    sql(text);
}

static inline int claim(void)
{
    static const struct claim_want wants[] = {{"bank", 8}, {"nobody", 8}};
    int before = bench.answers;
    store_claim(bench.store, wants, 2, 60000);
    assert_int_equal(bench.answers, before); /* never from inside */
    wait_for(before + 1);
    return bench.claimed;
}

/* Paid, as the channel would say it, for every claimed order. */
static inline void batch_fill(struct batch *to)
{
    *to = (struct batch){.in_use = true, .count = bench.claimed};
    for (int i = 0; i < bench.claimed; i++) {
        jobs[i] = (struct job){.slot = (uint32_t)i, .order = bench.orders[i]};
        jobs[i].evidence = (struct evidence){.kind = EVIDENCE_PAID,
                                             .authentic = true,
                                             .has_amount = true,
                                             .amount_minor = 1234,
                                             .currency = "CNY",
                                             .channel_number = "txn-1",
                                             .code = "SUCCESS \"quoted\" \\ {braces}",
                                             .rule = "paid",
                                             .asked = "GET https://bank.example/q",
                                             .request_id = "0123456789abcdef",
                                             .http_status = 200,
                                             .latency_ms = 12};
        jobs[i].verdict = (struct verdict){.kind = VERDICT_PAID, .rule = "paid", .answers = 1};
        to->jobs[i] = &jobs[i];
    }
}

static inline void settle(struct batch *which)
{
    int before = bench.answers;
    bench.settled = bench.failed = false;
    store_settle(bench.store, which);
    assert_int_equal(bench.answers, before);
    wait_for(before + 1);
}

#endif
