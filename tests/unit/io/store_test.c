/* The store on the real schema, as the daemon's own role: claim, settle, repeat, release, and what it says when the
 * schema, the rows or the server are not as they should be. */
#include "store_bench.h"

static struct batch batch, other_batch;

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
    track("I2", "'pi_2'"); /* no claim waits for the disk; what follows it takes it along */
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
