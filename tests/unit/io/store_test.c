/* The store on the real schema, as the daemon's own role: claim, settle, repeat, release, and what it says when the
 * schema, the rows or the server are not as they should be. */
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
};

static struct place place;
static struct bench bench;
static struct batch batch, other_batch;
static struct job jobs[8];
static char daemon_conninfo[256];

/* --- what the store tells --- */

static void on_claimed(void *self, const struct lost_order *orders, int count)
{
    struct bench *b = self;
    assert_in_range(count, 0, 16);
    for (int i = 0; i < count; i++)
        b->orders[i] = orders[i];
    b->claimed = count;
    b->answers++;
}

static void on_misread(void *self, const char *attempt_id, const char *why)
{
    snprintf(((struct bench *)self)->misread, 256, "%s: %s", attempt_id, why);
}

static void on_claim_failed(void *self, enum failure failure, const char *sqlstate, const char *message)
{
    struct bench *b = self;
    assert_non_null(message);
    b->failure = failure;
    b->claimed = -1;
    snprintf(b->sqlstate, sizeof(b->sqlstate), "%s", sqlstate);
    b->answers++;
}

static void on_settled(void *self, struct batch *done, const enum outcome *outcomes,
                       const enum park_reason *reasons)
{
    struct bench *b = self;
    b->settled = true;
    memcpy(b->outcomes, outcomes, (size_t)done->count * sizeof(*outcomes));
    memcpy(b->reasons, reasons, (size_t)done->count * sizeof(*reasons));
    b->answers++;
}

static void on_settle_failed(void *self, struct batch *done, enum failure failure, const char *sqlstate,
                             const char *message)
{
    struct bench *b = self;
    assert_non_null(done);
    assert_non_null(message);
    b->failed = true;
    b->failure = failure;
    snprintf(b->sqlstate, sizeof(b->sqlstate), "%s", sqlstate);
    b->answers++;
}

static void on_released(void *self, struct batch *done)
{
    assert_true(done->release);
    ((struct bench *)self)->answers++;
}

static void on_up(void *self)
{
    ((struct bench *)self)->ups++;
}

static void on_down(void *self, const char *reason)
{
    struct bench *b = self;
    b->downs++;
    snprintf(b->reason, sizeof(b->reason), "%s", reason);
}

static void on_backlog(void *self, const struct backlog *found)
{
    struct bench *b = self;
    b->backlog = found ? *found : (struct backlog){.waiting = -1};
    b->answers++;
}

static void on_verified(void *self, bool answered, const struct faults *faults)
{
    struct bench *b = self;
    b->failed = !answered;
    b->faults = faults->count;
    if (faults->count > 0)
        snprintf(b->fault, sizeof(b->fault), "%s", faults->items[0].text);
    b->answers++;
}

/* --- the world --- */

static struct reply sql(const char *text)
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

static int world_open(void **state)
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

static int world_close(void **state)
{
    (void)state;
    place_leave(&place);
    return 0;
}

static void wait_for(int answers)
{
    loop_until(&bench.loop, &bench.answers, answers);
}

static void store_open(const char *conninfo, bool prepared)
{
    static const struct store_events events = {on_claimed,       on_misread,  on_claim_failed, on_settled,
                                               on_settle_failed, on_released, on_up,           on_down};
    struct pg_options options = options_for(conninfo, prepared);
    memset(&bench, 0, sizeof(bench));
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    assert_int_equal(store_create(&bench.store, &bench.loop, &options, "test-1", &events, &bench), 0);
    loop_until(&bench.loop, &bench.ups, 1);
    assert_true(store_is_up(bench.store));
}

/* A state that a test begins with says: not prepared. */
static int store_up(void **state)
{
    sql("TRUNCATE makegood.lost_order, makegood.parked_order, public.orders");
    store_open(daemon_conninfo, *state == NULL);
    return 0;
}

static int store_down(void **state)
{
    (void)state;
    store_destroy(bench.store);
    while (uv_run(&bench.loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(uv_loop_close(&bench.loop), 0);
    return 0;
}

static void track(const char *order_no, const char *number)
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

static int claim(void)
{
    static const struct claim_want wants[] = {{"bank", 8}, {"nobody", 8}};
    int before = bench.answers;
    store_claim(bench.store, wants, 2, 60000);
    assert_int_equal(bench.answers, before); /* never from inside */
    wait_for(before + 1);
    return bench.claimed;
}

/* Paid, as the channel would say it, for every claimed order. */
static void batch_fill(struct batch *to)
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

static void settle(struct batch *which)
{
    int before = bench.answers;
    bench.settled = bench.failed = false;
    store_settle(bench.store, which);
    assert_int_equal(bench.answers, before);
    wait_for(before + 1);
}

static void test_claim_reads_what_was_tracked(void **state)
{
    (void)state;
    assert_int_equal(claim(), 0);
    track("A1", "'pi_1'");
    track("A2", "NULL");
    assert_int_equal(claim(), 2);
    const struct lost_order *order = &bench.orders[0];
    assert_string_equal(order->order_no, "A1");
    assert_string_equal(order->channel, "bank");
    assert_string_equal(order->number, "pi_1");
    assert_string_equal(order->channel_data, "{\"a\": \"b\"}");
    assert_int_equal(order->amount_minor, 1234);
    assert_true(order->left_ms == NO_END);
    assert_int_equal(order->claims, 1);
    assert_string_equal(bench.orders[1].number, "");
    assert_string_equal(order->token, bench.orders[1].token);
    assert_int_equal(claim(), 0); /* leased */
}

static void test_settle_and_repeat(void **state)
{
    (void)state;
    track("B1", "'pi_1'");
    track("B2", "NULL");
    assert_int_equal(claim(), 2);
    batch_fill(&batch);
    jobs[1].evidence.amount_minor = 9999;
    settle(&batch);
    assert_true(bench.settled);
    assert_int_equal(bench.outcomes[0], OUTCOME_APPLIED);
    assert_int_equal(bench.outcomes[1], OUTCOME_CONFLICT);
    assert_int_equal(bench.reasons[1], PARK_AMOUNT_MISMATCH);
    assert_string_equal(sql("SELECT status || paid_by FROM orders WHERE order_no = 'B1'").text, "paidtxn-1");
    settle(&batch); /* as after an unknown commit: the same answer */
    assert_int_equal(bench.outcomes[0], OUTCOME_APPLIED);
    assert_int_equal(bench.outcomes[1], OUTCOME_CONFLICT);
    assert_int_equal(bench.reasons[1], PARK_AMOUNT_MISMATCH);
    assert_string_equal(
        sql("SELECT code || '|' || asked || '|' || (body_digest IS NULL) || '|' || (number IS NULL) "
            "FROM makegood.query_log WHERE order_no = 'B2'")
            .text,
        "SUCCESS \"quoted\" \\ {braces}|GET https://bank.example/q|true|true");
}

static void test_what_is_not_known_is_null(void **state)
{
    (void)state;
    track("C1", "'pi_1'");
    assert_int_equal(claim(), 1);
    batch_fill(&batch);
    jobs[0].evidence = (struct evidence){.kind = EVIDENCE_TIMEOUT};
    jobs[0].verdict =
        (struct verdict){.kind = VERDICT_RETRY, .rule = "fault", .due_in_ms = 5000, .errors = 1};
    settle(&batch);
    assert_int_equal(bench.outcomes[0], OUTCOME_APPLIED);
    assert_string_equal(
        sql("SELECT num_nulls(http_status, amount_minor, currency, channel_number, code, channel_rule, "
            "body_digest, asked, request_id, detail) FROM makegood.query_log WHERE order_no = 'C1'")
            .text,
        "10");
    assert_string_equal(sql("SELECT errors || ' ' || (due_at > now() + '3 s') || ' ' || (token IS NULL) FROM "
                            "makegood.lost_order")
                            .text,
                        "1 true true");
}

static void test_a_poisoned_row_withholds_the_channels_texts(void **state)
{
    (void)state;
    track("D1", "'pi_1'");
    assert_int_equal(claim(), 1);
    batch_fill(&batch);
    strcpy(jobs[0].evidence.code, "\xff\xfe"); /* no UTF-8: the database refuses it */
    settle(&batch);
    assert_true(bench.failed);
    assert_string_equal(bench.sqlstate, "22021");
    assert_int_equal(bench.failure, FAILURE_ROW);
    jobs[0].poison = true;
    strcpy(jobs[0].sqlstate, bench.sqlstate);
    jobs[0].verdict = (struct verdict){.kind = VERDICT_PARK, .reason = PARK_POISON, .rule = "poison"};
    settle(&batch);
    assert_true(bench.settled);
    assert_int_equal(bench.outcomes[0], OUTCOME_APPLIED);
    assert_string_equal(sql("SELECT reason || ': ' || detail FROM makegood.parked_order").text,
                        "poison: the database refuses to settle it: SQLSTATE 22021");
    assert_string_equal(sql("SELECT coalesce(code, 'withheld') || ' ' || evidence || ' ' || authentic FROM "
                            "makegood.query_log WHERE reason = 'poison'")
                            .text,
                        "withheld paid true");
}

static void test_release_gives_back(void **state)
{
    (void)state;
    track("E1", "'pi_1'");
    assert_int_equal(claim(), 1);
    batch_fill(&batch);
    batch.release = true;
    store_release(bench.store, &batch);
    wait_for(bench.answers + 1);
    assert_int_equal(claim(), 1);
    assert_int_equal(bench.orders[0].claims, 1);
}

static void test_two_settles_at_once(void **state)
{
    (void)state;
    track("F1", "'pi_1'");
    track("F2", "'pi_2'");
    assert_int_equal(claim(), 2);
    batch_fill(&batch);
    batch.count = 1;
    other_batch = (struct batch){.in_use = true, .count = 1, .jobs = {&jobs[1]}};
    int before = bench.answers;
    store_settle(bench.store, &batch);
    store_settle(bench.store, &other_batch);
    wait_for(before + 2);
    assert_string_equal(sql("SELECT count(*) FROM orders WHERE status = 'paid'").text, "2");
}

static void test_small_talk(void **state)
{
    struct policy policies[] = {{.channel = "bank", .schedule = {{7000}, 1}}};
    (void)state;
    track("G1", "'pi_1'");
    int before = bench.answers;
    store_announce(bench.store, policies, 1);
    store_prepare_months(bench.store);
    store_backlog(bench.store, on_backlog, &bench);
    wait_for(before + 1);
    assert_int_equal(bench.backlog.waiting, 1);
    assert_int_equal(bench.backlog.parked, 0);
    assert_string_equal(sql("SELECT first_delay_ms FROM makegood.channel WHERE name = 'bank'").text, "7000");
}

static void verify(int version, const char *mapping)
{
    int before = bench.answers;
    store_verify(bench.store, version, mapping, on_verified, &bench);
    wait_for(before + 1);
}

static void test_verify(void **state)
{
    (void)state;
    verify(1000, MAPPING);
    assert_false(bench.failed);
    assert_int_equal(bench.faults, 0);
    verify(1001, "{\"table\": \"public.others\"}");
    assert_in_range(bench.faults, 2, 9);
    assert_non_null(strstr(bench.fault, "; "));
}

static void test_a_database_without_the_schema_is_a_fault(void **state)
{
    char conninfo[256];
    (void)state;
    store_down(NULL);
    sql("CREATE DATABASE bare");
    snprintf(conninfo, sizeof(conninfo), "host=%s/pg/socket user=the_daemon dbname=bare", place.folder);
    store_open(conninfo, true);
    verify(1000, MAPPING);
    assert_false(bench.failed);
    assert_int_equal(bench.faults, 1);
    assert_non_null(strstr(bench.fault, "run makegood migrate"));
    assert_int_equal(claim(), -1);
    assert_int_equal(bench.failure, FAILURE_SCHEMA);
}

static void test_a_row_that_can_not_be_read_is_left_out(void **state)
{
    (void)state;
    track("H1", "'pi_1'");
    track("H2", "'pi_2'");
    sql("ALTER DOMAIN makegood.currency_code DROP CONSTRAINT currency_code_check");
    sql("UPDATE makegood.lost_order SET currency = 'yen' WHERE order_no = 'H1'");
    assert_int_equal(claim(), 1);
    assert_string_equal(bench.orders[0].order_no, "H2");
    assert_non_null(strstr(bench.misread, "currency"));
    sql("DELETE FROM makegood.lost_order");
    sql("ALTER DOMAIN makegood.currency_code ADD CONSTRAINT currency_code_check CHECK (VALUE ~ "
        "'^[A-Z]{3}$')");
}

static void test_the_server_goes_and_returns(void **state)
{
    (void)state;
    track("I1", "'pi_1'");
    assert_int_equal(claim(), 1);
    batch_fill(&batch);
    place_stop_cluster(&place, "immediate");
    loop_until(&bench.loop, &bench.downs, 1);
    assert_false(store_is_up(bench.store));
    settle(&batch);
    assert_true(bench.failed);
    assert_int_equal(bench.failure, FAILURE_LATER);
    assert_int_equal(claim(), -1);
    assert_int_equal(bench.failure, FAILURE_LATER);
    store_backlog(bench.store, on_backlog, &bench);
    wait_for(bench.answers + 1);
    assert_int_equal(bench.backlog.waiting, -1);
    verify(1000, MAPPING);
    assert_true(bench.failed);
    place_start_cluster(&place);
    loop_until(&bench.loop, &bench.ups, 2);
    settle(&batch);
    assert_int_equal(bench.outcomes[0], OUTCOME_APPLIED);
    assert_in_range(bench.downs, 1, 6); /* each reason once, not each attempt */
}

int main(void)
{
#define TEST(test)       cmocka_unit_test_setup_teardown(test, store_up, store_down)
#define UNPREPARED(test) cmocka_unit_test_prestate_setup_teardown(test, store_up, store_down, &bench)
    const struct CMUnitTest tests[] = {
        TEST(test_claim_reads_what_was_tracked),
        TEST(test_settle_and_repeat),
        UNPREPARED(test_settle_and_repeat),
        TEST(test_what_is_not_known_is_null),
        TEST(test_a_poisoned_row_withholds_the_channels_texts),
        TEST(test_release_gives_back),
        UNPREPARED(test_release_gives_back),
        TEST(test_two_settles_at_once),
        TEST(test_small_talk),
        UNPREPARED(test_small_talk),
        TEST(test_verify),
        TEST(test_a_database_without_the_schema_is_a_fault),
        TEST(test_a_row_that_can_not_be_read_is_left_out),
        TEST(test_the_server_goes_and_returns),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, world_open, world_close);
}
