/* What a batch looks like from the database: its arrays, side by side, as a real server reads them. */
#include "line.h"

#include "io/store_write.h"

#define TOKEN "01234567-89ab-cdef-fedc-ba9876543210"

static struct place place;
static struct line line;
static struct pg_array arrays[ARRAYS_MAX];
static struct job jobs[3];
static struct batch batch;

static int server_start(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    line_open(&line, place.conninfo, true);
    return 0;
}

static int server_stop(void **state)
{
    (void)state;
    for (int i = 0; i < ARRAYS_MAX; i++)
        pg_array_finish(&arrays[i]);
    line_close(&line);
    place_leave(&place);
    return 0;
}

/* The types are settle()'s; that the schema agrees is for store_test. */
STATEMENT(
    settled, SETTLE_ARRAYS,
    "SELECT coalesce(string_agg(e::text, E'\\n'), 'nothing') FROM unnest("
    "$1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], "
    "$9::text[], $10::bigint[], $11::text[], $12::boolean[], $13::integer[], $14::integer[], $15::integer[], "
    "$16::text[], $17::boolean[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[], "
    "$23::integer[], $24::integer[], $25::text[], $26::text[], $27::text[], $28::boolean[], $29::text[]) AS "
    "e");
STATEMENT(
    released, RELEASE_ARRAYS,
    "SELECT coalesce(string_agg(e::text, E'\\n'), 'nothing') FROM unnest($1::bigint[], $2::uuid[]) AS e");

static struct reply settle(int count)
{
    struct pg_value values[SETTLE_ARRAYS];
    batch.count = count;
    assert_true(settle_write(arrays, &batch, values));
    return ask_with(&line, &settled, values);
}

static struct job full_job(void)
{
    struct job job = {.last = true};
    job.order = (struct lost_order){.attempt_id = INT64_MAX,
                                    .token = TOKEN,
                                    .claimed_us = 1760000000123456,
                                    .order_no = "A1",
                                    .channel = "bank",
                                    .number = "pi_1"};
    job.evidence = (struct evidence){.kind = EVIDENCE_PAID,
                                     .authentic = true,
                                     .has_amount = true,
                                     .amount_minor = 1234,
                                     .currency = "CNY",
                                     .channel_number = "txn-1",
                                     .code = "掉😀\\",
                                     .rule = "sold",
                                     .asked = "GET https://bank.example/q",
                                     .request_id = "id-1",
                                     .body_digest = "d1",
                                     .http_status = 200,
                                     .latency_ms = INT32_MAX};
    job.verdict = (struct verdict){.kind = VERDICT_RETRY,
                                   .reason = PARK_NOTHING,
                                   .rule = "wait",
                                   .due_in_ms = 5000,
                                   .phase = PHASE_CHECK,
                                   .answers = 1,
                                   .errors = 2,
                                   .unknowns = 3};
    return job;
}

static int batch_fill(void **state)
{
    (void)state;
    jobs[0] = full_job();
    jobs[1] = (struct job){.order = {.attempt_id = -1, .token = TOKEN, .order_no = "A2", .channel = "bank"},
                           .evidence = {.kind = EVIDENCE_TIMEOUT},
                           .verdict = {.kind = VERDICT_PAID, .rule = "none", .due_in_ms = 7, .late = true}};
    jobs[2] = full_job();
    jobs[2].poison = true;
    strcpy(jobs[2].sqlstate, "22021");
    strcpy(jobs[2].evidence.code, "\xff\xfe");
    strcpy(jobs[2].evidence.channel_number, "\xff\xfe");
    jobs[2].verdict = (struct verdict){.kind = VERDICT_PARK, .reason = PARK_POISON, .rule = "poison"};
    batch = (struct batch){.jobs = {&jobs[0], &jobs[1], &jobs[2]}};
    return 0;
}

/* An unquoted nothing between commas is a null, "" is an empty text. */
static void test_every_value_stands_in_its_column(void **state)
{
    (void)state;
    assert_string_equal(
        settle(3).text,
        "(9223372036854775807," TOKEN
        ",1760000000123456,A1,bank,pi_1,retry,\"\",wait,5000,check,f,1,2,3,paid,t,1234,"
        "CNY,txn-1,\"掉😀\\\\\",sold,200,2147483647,d1,\"GET https://bank.example/q\",id-1,t,)\n"
        "(-1," TOKEN ",0,A2,bank,,paid,\"\",none,,open,t,0,0,0,timeout,f,,,,,,,0,,,,f,)\n"
        "(9223372036854775807," TOKEN
        ",1760000000123456,A1,bank,pi_1,park,poison,poison,,open,f,0,0,0,paid,t,1234,"
        "CNY,,,sold,200,2147483647,d1,\"GET https://bank.example/q\",id-1,t,"
        "\"the database refuses to settle it: SQLSTATE 22021\")");
}

static void test_one_bad_text_spoils_its_batch_alone(void **state)
{
    (void)state;
    jobs[2].poison = false;
    struct reply spoilt = settle(3);
    assert_false(spoilt.ok);
    assert_string_equal(spoilt.sqlstate, "22021");
    assert_int_equal(spoilt.failure, FAILURE_ROW);
    assert_true(settle(2).ok); /* without it: found by halving */
}

static void test_an_empty_batch(void **state)
{
    (void)state;
    assert_string_equal(settle(0).text, "nothing");
}

static void test_a_release_is_keys_and_fences(void **state)
{
    struct pg_value values[RELEASE_ARRAYS];
    (void)state;
    batch.count = 2;
    assert_true(release_write(arrays, &batch, values));
    assert_string_equal(ask_with(&line, &released, values).text,
                        "(9223372036854775807," TOKEN ")\n(-1," TOKEN ")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_value_stands_in_its_column, batch_fill),
        cmocka_unit_test_setup(test_one_bad_text_spoils_its_batch_alone, batch_fill),
        cmocka_unit_test_setup(test_an_empty_batch, batch_fill),
        cmocka_unit_test_setup(test_a_release_is_keys_and_fences, batch_fill),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
