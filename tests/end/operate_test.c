/* What operators see and do, from end to end: the commands beside a running daemon. What status tells is held against SQL's
 * own counting; a dry run leaves no trace; above an amount it takes two logins. */
#include "stage.h"

#include <jansson.h>
#include <stdlib.h>

#define NOTE "--note", "told so by the bank"

static char out[OUTPUT_BYTES];
static char err[OUTPUT_BYTES];
static const char *as = "end_alice"; /* whose login the next command has */

static const char *config(void)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s.yaml", stage.folder, as);
    config_write(path, &(struct settings){.user = as, .schedule = "300ms 1h", .horizon = "5h"},
                 "end-operator");
    return path;
}

/* COMMAND("list", "--parked"): as makegood list -c FILE --parked */
#define COMMAND(name, ...) \
    run((const char *const[]){makegood_program, name, "-c", config(), ##__VA_ARGS__, NULL}, out, err)

static json_t *told(void)
{
    json_t *document = json_loads(out, 0, NULL);
    if (!document)
        fail_msg("this is no JSON: %s", out);
    return document;
}

static void logins_make(void)
{
    static const char *const logins[][2] = {{"end_alice", "makegood_operator"},
                                            {"end_bob", "makegood_operator"},
                                            {"end_rita", "makegood_reader"},
                                            {"end_stranger_too", "makegood_shop"}};
    for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++)
        db_do(
            stage.db,
            "DO $$ BEGIN CREATE ROLE %s LOGIN IN ROLE %s; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            logins[i][0], logins[i][1]);
    as = "end_alice";
}

/* 20 that are pending, 10 parked for another amount; a daemon that goes on asking. Its secret is out of reach by then:
 * no operator needs it. */
static void scene(void)
{
    char secret[160], away[168];
    snprintf(secret, sizeof(secret), "%s/bank.key", world_folder);
    snprintf(away, sizeof(away), "%s.away", secret);
    rename(away, secret);
    stage_open(&orders_shop);
    logins_make();
    stage_orders(1, 20, "pending");
    stage_orders(21, 10, "wrong_amount");
    stage_begin();
    daemon_start(0, &(struct settings){.schedule = "300ms 1h", .horizon = "5h"});
    wait_for(WAIT_MS,
             "SELECT (SELECT count(*) FROM makegood.parked_order) = 10"
             " AND (SELECT count(*) FROM makegood.lost_order WHERE answers >= 1 AND token IS NULL) = 20");
    assert_int_equal(rename(secret, away), 0);
}

/* Everything that a command could change, as one text. */
static const char *traces(void)
{
    return db_text(stage.db,
                   "SELECT md5(concat_ws('|', (SELECT string_agg(l::text, ',' ORDER BY l) FROM "
                   "makegood.lost_order AS l),"
                   " (SELECT string_agg(p::text, ',' ORDER BY p) FROM makegood.parked_order AS p),"
                   " (SELECT count(*) FROM makegood.query_log), (SELECT count(*) FROM makegood.operator_log),"
                   " (SELECT count(*) FROM makegood.approval), (SELECT string_agg(s::text, ',') FROM "
                   "makegood.steering AS s),"
                   " (SELECT string_agg(o::text, ',' ORDER BY o) FROM public.orders AS o)))");
}

static const char *status_of(int n)
{
    return db_text(stage.db, "SELECT status FROM public.orders WHERE order_no = 'ORD-' || lpad('%d', 6, '0')",
                   n);
}

/* --- looking --------------------------------------------------------------------------------------------------- */

static void assert_number(const json_t *object, const char *key, const char *sql)
{
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number) || json_integer_value(number) != db_number(stage.db, "%s", sql))
        fail_msg("%s is not what SQL says (%s)", key, sql);
}

static void test_status(void **state)
{
    (void)state;
    scene();
    wait_for(WAIT_MS, "SELECT (lanes -> 'main' ->> 'answers')::int >= 30 FROM makegood.instance");
    assert_int_equal(COMMAND("status", "--json"), 3);
    json_t *status = told();
    json_t *channel = json_array_get(json_object_get(status, "channels"), 1);
    assert_string_equal(json_string_value(json_object_get(channel, "channel")), "main");
    assert_number(channel, "waiting", "SELECT count(*) FROM makegood.lost_order WHERE channel = 'main'");
    assert_number(channel, "due", "SELECT count(*) FROM makegood.lost_order WHERE due_at <= now()");
    assert_number(json_object_get(channel, "parked"), "amount_mismatch",
                  "SELECT count(*) FROM makegood.parked_order");
    assert_number(json_object_get(json_object_get(channel, "at_risk"), "CNY"), "minor",
                  "SELECT sum(amount_minor) FROM makegood.lost_order");
    assert_number(json_object_get(channel, "lately"), "queries", "SELECT count(*) FROM makegood.query_log");
    assert_number(status, "schema", "SELECT max(version) FROM makegood.schema_version");
    assert_int_equal(json_array_size(json_object_get(status, "instances")), 1);
    json_decref(status);
    assert_int_equal(COMMAND("status"), 3);
    assert_contains(out, "1 daemon alive");
    assert_contains(out, "! 10 orders of main are parked; makegood list --parked --channel main shows them");
    assert_contains(out, "CHANNEL  WAITING");
    assert_contains(out, "amount_mismatch  main");
    daemon_kill(0);
    wait_for(WAIT_MS, "SELECT max(seen_at) < clock_timestamp() - interval '6 s' FROM makegood.instance");
    assert_int_equal(COMMAND("status"), 3);
    assert_contains(out, "! no daemon lives");
    assert_int_equal(COMMAND("explain", "ORD-000001"), 0);
    assert_contains(out, "No daemon lives: nobody asks.");
}

static void test_list(void **state)
{
    (void)state;
    scene();
    as = "end_rita"; /* a reader may look */
    assert_int_equal(COMMAND("list", "--json", "--most", "100"), 0);
    json_t *rows = told();
    assert_int_equal(json_array_size(rows), 30);
    json_decref(rows);
    assert_int_equal(COMMAND("list", "--json", "--parked"), 0);
    rows = told();
    assert_int_equal(json_array_size(rows), 10);
    json_decref(rows);
    assert_int_equal(COMMAND("list", "--reason", "poison"), 3);
    assert_contains(out, "No lost order is like that.");
    assert_int_equal(COMMAND("list", "--older", "1h"), 3);
    db_do(stage.db,
          "UPDATE makegood.lost_order SET amount_minor = 777777, created_at = now() - interval '1 day'"
          " WHERE order_no = 'ORD-000007'");
    assert_int_equal(COMMAND("list", "--riskiest", "--most", "1"), 0);
    assert_contains(out, "ORD-000007");
    assert_contains(out, "7777.77");
    assert_contains(out, "There may be more");
    assert_int_equal(COMMAND("list", "--older", "23h"), 0);
    assert_contains(out, "ORD-000007");
    assert_lacks(out, "ORD-000008");
}

static void test_history_and_explain(void **state)
{
    (void)state;
    scene();
    assert_int_equal(COMMAND("history", "ORD-000021"), 0);
    assert_contains(out, "park:amount_mismatch");
    assert_contains(out, "paid_other_amount");
    assert_int_equal(COMMAND("history", "NOBODY"), 3);
    assert_contains(out, "Order NOBODY was never asked about");
    assert_int_equal(COMMAND("explain", "ORD-000021"), 0);
    assert_contains(out, "It is parked since ");
    assert_contains(out, "makegood resolve ORD-000021 ends it by hand");
    assert_int_equal(COMMAND("explain", "ORD-000001"), 0);
    assert_contains(out, "decided retry by the rule pending");
    assert_contains(out, "It is asked about in ");
    assert_contains(out, "the schedule waits 1h after the next one");
    assert_contains(out, "by the channel's horizon: then it is parked as unclosable if it is still pending");
    assert_int_equal(COMMAND("pause", "main", NOTE), 0);
    assert_int_equal(COMMAND("explain", "ORD-000001", "--json"), 0);
    json_t *rows = told();
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
    assert_contains(out,
                    "Its channel is paused by end_alice: told so by the bank. makegood resume ends that.");
    assert_int_equal(COMMAND("explain", "NOBODY"), 3);
}

/* --- doing ----------------------------------------------------------------------------------------------------- */

static void test_retry_park_unpark(void **state)
{
    (void)state;
    scene();
    assert_int_equal(COMMAND("park", "ORD-000001", NOTE), 0);
    assert_string_equal(db_text(stage.db, "SELECT reason || ' ' || detail FROM makegood.parked_order"
                                          " WHERE order_no = 'ORD-000001'"),
                        "operator end_alice: told so by the bank");
    assert_int_equal(COMMAND("park", "ORD-000001", NOTE), 3);
    assert_int_equal(COMMAND("unpark", "ORD-000001", NOTE), 0);
    wait_for(WAIT_MS,
             "SELECT answers = 1 AND token IS NULL FROM makegood.lost_order WHERE order_no = 'ORD-000001'");
    long before =
        db_number(stage.db, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'ORD-000002'");
    assert_int_equal(COMMAND("retry", "ORD-000002", NOTE, "--json"), 0);
    wait_for(WAIT_MS, "SELECT count(*) > %ld FROM makegood.query_log WHERE order_no = 'ORD-000002'", before);
    assert_int_equal(COMMAND("retry", "--reason", "amount_mismatch", NOTE), 0);
    wait_for(WAIT_MS, "SELECT count(*) >= 20 FROM makegood.query_log WHERE evidence = 'paid'");
    wait_for(WAIT_MS, "SELECT count(*) = 10 FROM makegood.parked_order");
    assert_int_equal(COMMAND("history", "ORD-000001"), 0);
    assert_contains(out, "end_alice");
    assert_contains(out, "told so by the bank");
    assert_int_equal(COMMAND("retry", NOTE), 2);
    assert_int_equal(COMMAND("retry", "ORD-000002"), 2);
    assert_contains(err, "say why, as --note");
}

static void test_two_logins_resolve(void **state)
{
    char number[32];
    (void)state;
    scene();
    db_do(stage.db, "SELECT makegood.approve_from(1)");
    db_do(stage.db, "UPDATE makegood.lost_order SET amount_minor = 50 WHERE order_no = 'ORD-000001';"
                    "UPDATE public.orders SET total_cents = 50 WHERE order_no = 'ORD-000001'");
    assert_int_equal(COMMAND("resolve", "ORD-000001", "--as", "paid", "--trade-no", "T1", NOTE), 0);
    assert_contains(out, "ORD-000001: applied");
    assert_string_equal(status_of(1), "paid");
    if (COMMAND("resolve", "ORD-000021", "--as", "paid", "--trade-no", "T21", NOTE, "--json") != 3)
        fail_msg("%s%s", out, err);
    json_t *answer = told();
    snprintf(number, sizeof(number), "%lld",
             (long long)json_integer_value(json_object_get(answer, "approval")));
    if (json_is_string(json_object_get(answer, "approval")))
        snprintf(number, sizeof(number), "%s", json_string_value(json_object_get(answer, "approval")));
    json_decref(answer);
    assert_string_equal(status_of(21), "paying");
    assert_int_equal(COMMAND("approve", number, NOTE), 1);
    assert_contains(err, "another login has to");
    assert_string_equal(status_of(21), "paying");
    as = "end_bob";
    assert_int_equal(COMMAND("approve"), 3);
    assert_contains(out, "ORD-000021");
    assert_int_equal(COMMAND("approve", number, NOTE, "--dry-run"), 0);
    assert_string_equal(status_of(21), "paying");
    assert_int_equal(COMMAND("approve", number, NOTE), 0);
    assert_string_equal(status_of(21), "paid");
    assert_int_equal(COMMAND("approve", number, NOTE), 1);
    assert_int_equal(COMMAND("approve"), 0);
    assert_string_equal(db_text(stage.db,
                                "SELECT instance || ' ' || evidence || ' ' || rule || ' ' || outcome FROM"
                                " makegood.query_log WHERE order_no = 'ORD-000021' AND verdict = 'paid'"),
                        "operator end_bob operator operator applied");
    assert_int_equal(COMMAND("resolve", "ORD-000002", "--as", "closed", NOTE), 3);
    assert_int_equal(COMMAND("resolve", "ORD-000003", "--as", "paid", NOTE), 2);
    assert_int_equal(COMMAND("resolve", "NOBODY", "--as", "closed", NOTE), 1);
    as = "end_rita";
    assert_int_equal(COMMAND("resolve", "ORD-000004", "--as", "closed", NOTE), 1);
    assert_contains(err, "GRANT makegood_operator TO end_rita");
    as = "end_stranger_too";
    assert_int_equal(COMMAND("status"), 1);
    assert_contains(err, "makegood_reader");
}

static void test_pause_and_halt(void **state)
{
    (void)state;
    scene();
    assert_int_equal(COMMAND("pause", "nowhere", NOTE), 1);
    assert_contains(err, "there is no channel 'nowhere'; the channels are dead, main");
    assert_int_equal(COMMAND("pause", "main", "--for", "1h", NOTE), 0);
    wait_for_log(0, "event=channel_held channel=main detail=paused", WAIT_MS);
    assert_int_equal(COMMAND("status"), 3);
    assert_contains(out, "! main is paused by end_alice until 2");
    assert_contains(out, ": told so by the bank; makegood resume main ends that");
    assert_int_equal(COMMAND("resume", "main", NOTE), 0);
    assert_int_equal(COMMAND("resume", "main", NOTE), 3);
    wait_for_log(0, "event=channel_freed channel=main", WAIT_MS);
    assert_int_equal(COMMAND("halt", NOTE), 0);
    assert_int_equal(COMMAND("halt", NOTE), 3);
    wait_for_log(0, "event=channel_held channel=main detail=halted", WAIT_MS);
    assert_int_equal(COMMAND("resolve", "ORD-000001", "--as", "closed", NOTE), 1);
    assert_contains(err, "everything is halted");
    assert_int_equal(COMMAND("status"), 3);
    assert_contains(out, "! everything is halted by end_alice");
    assert_int_equal(COMMAND("lift", NOTE), 0);
    assert_int_equal(COMMAND("lift", NOTE), 3);
}

/* A note as long as notes may be, and of more than one byte a character, hides nothing. */
static void test_a_long_note_is_told_whole(void **state)
{
    char note[1000];
    (void)state;
    scene();
    for (size_t i = 0; i + 3 < sizeof(note); i += 3)
        memcpy(note + i, "\xe5\x81\x9c", 4);
    assert_int_equal(COMMAND("halt", "--note", note), 0);
    assert_int_equal(COMMAND("status"), 3);
    assert_contains(out, "! everything is halted by end_alice");
    assert_contains(out, note);
    assert_contains(out, "makegood lift ends that");
    assert_int_equal(COMMAND("lift", NOTE), 0);
}

/* Whoever stops everything is told when something still may end. */
static void test_a_halt_that_waits_says_so(void **state)
{
    (void)state;
    scene();
    daemon_stop(0);
    db_do(stage.db, "BEGIN");
    db_do(stage.db, "SELECT makegood.may_end()");
    assert_int_equal(COMMAND("halt", NOTE), 3);
    assert_contains(err, "makegood: a settlement takes long; it may still end some orders");
    assert_contains(out, "everything is halted");
    db_do(stage.db, "ROLLBACK");
}

/* What the database refuses by itself is told in words that help, and without its own. */
static void test_refusals_are_sentences(void **state)
{
    (void)state;
    scene();
    daemon_stop(0);
    assert_int_equal(COMMAND("pause", "main", "--note", "\xb2\xe2"), 1); /* GBK */
    assert_string_equal(err,
                        "makegood: an argument is no UTF-8; set the terminal to UTF-8 and write it again\n");
    assert_int_equal(COMMAND("pause", "main", "--for", "100000000d", NOTE), 2);
    assert_contains(err, "no span of up to ten years");
    assert_int_equal(COMMAND("list", "--older", "100000000d"), 2);
    db_do(
        stage.db,
        "BEGIN; INSERT INTO makegood.lost_order (order_no, channel, number, attempt, amount_minor, currency, "
        "due_at)"
        " SELECT order_no, channel, number, attempt, amount_minor, currency, now() FROM makegood.parked_order"
        " WHERE order_no = 'ORD-000021'");
    assert_int_equal(COMMAND("unpark", "ORD-000021", NOTE), 1);
    assert_string_equal(err, "makegood: somebody holds what this needs right now; try again\n");
    db_do(stage.db, "ROLLBACK");
    db_do(stage.db, "ALTER ROLE end_alice SET default_transaction_read_only = on");
    int code = COMMAND("pause", "main", NOTE);
    db_do(stage.db, "ALTER ROLE end_alice RESET default_transaction_read_only");
    assert_int_equal(code, 1);
    assert_contains(err, "as a standby may not; connect to the primary");
}

/* The order stays when another attempt of it lives; that is said, not named by a word. */
static void test_an_attempt_ends_and_the_order_stays(void **state)
{
    (void)state;
    scene();
    db_do(stage.db, "SELECT makegood.track(p_order_no => 'ORD-000001', p_channel => 'main', p_amount_minor "
                    "=> l.amount_minor,"
                    " p_currency => l.currency, p_number => 'another', p_attempt => '2')"
                    " FROM makegood.lost_order AS l WHERE l.order_no = 'ORD-000001'");
    assert_int_equal(COMMAND("resolve", "ORD-000001", "--as", "closed", NOTE, "--attempt",
                             db_text(stage.db, "SELECT min(attempt_id) FROM makegood.lost_order"
                                               " WHERE order_no = 'ORD-000001'")),
                     0);
    assert_contains(out, "the order stays as it is");
    assert_string_equal(status_of(1), "paying");
}

static void test_a_dry_run_leaves_no_trace(void **state)
{
    (void)state;
    scene();
    daemon_stop(0);
    const char *before = strdup(traces());
    assert_int_equal(COMMAND("retry", "--channel", "main", NOTE, "--dry-run"), 0);
    assert_contains(out, "this is what would be");
    assert_int_equal(COMMAND("park", "ORD-000001", NOTE, "--dry-run"), 0);
    assert_int_equal(COMMAND("unpark", "--reason", "amount_mismatch", NOTE, "--dry-run"), 0);
    assert_int_equal(COMMAND("resolve", "ORD-000001", "--as", "closed", NOTE, "--dry-run"), 0);
    assert_contains(out, "tried, and taken back");
    assert_int_equal(COMMAND("resolve", "ORD-000021", "--as", "paid", "--trade-no", "T", NOTE, "--dry-run"),
                     0);
    assert_int_equal(COMMAND("pause", "main", NOTE, "--dry-run"), 0);
    assert_int_equal(COMMAND("halt", NOTE, "--dry-run"), 0);
    assert_int_equal(COMMAND("lift", NOTE, "--dry-run"), 3);
    assert_string_equal(traces(), before);
    free((char *)(uintptr_t)before);
}

/* More than is sealed at once. */
static void a_busy_hour(void)
{
    db_do(stage.db, "DO $$ BEGIN FOR i IN 1..90 LOOP INSERT INTO makegood.query_log (claimed_at, token, "
                    "attempt_id, instance,"
                    " order_no, channel, evidence, authentic, verdict, reason, rule, outcome) SELECT now(), "
                    "gen_random_uuid(), n,"
                    " 'other', 'BUSY-' || n, 'main', 'pending', true, 'retry', '', 'pending', 'applied'"
                    " FROM generate_series(1, 500) AS n; COMMIT; END LOOP; END $$");
}

/* A running daemon seals; what is changed afterwards is found, and so is an end that was cut off. */
static void test_the_audit_holds(void **state)
{
    char anchor[128];
    (void)state;
    scene();
    a_busy_hour();
    as = "end_rita";
    wait_for(WAIT_MS, "SELECT sum(rows) >= 45020 FROM makegood.audit_link");
    assert_int_equal(COMMAND("audit", "anchor"), 0);
    snprintf(anchor, sizeof(anchor), "%.*s", (int)strcspn(out, "\n"), out);
    assert_int_equal(COMMAND("audit", "verify", "--anchor", anchor), 0);
    assert_contains(out, "the audit holds: ");
    assert_int_equal(COMMAND("audit", "verify", "--json"), 0);
    json_t *state_told = told();
    assert_true(json_is_true(json_object_get(state_told, "holds")));
    json_decref(state_told);
    anchor[strlen(anchor) - 1] = anchor[strlen(anchor) - 1] == '0' ? '1' : '0';
    assert_int_equal(COMMAND("audit", "verify", "--anchor", anchor), 3);
    assert_contains(out, "is not the one that the anchor names");
    db_do(stage.db, "SET session_replication_role = replica;"
                    "UPDATE makegood.query_log SET verdict = 'paid' WHERE order_no = 'ORD-000021';"
                    "RESET session_replication_role");
    assert_int_equal(COMMAND("audit", "verify"), 3);
    assert_contains(out, "! link 1: a row was changed");
    assert_contains(out, "THE AUDIT DOES NOT HOLD");
    db_do(stage.db, "SET session_replication_role = replica; DELETE FROM makegood.audit_link;"
                    "RESET session_replication_role");
    assert_int_equal(COMMAND("audit", "verify", "--anchor",
                             "7:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
                     3);
    assert_contains(out, "there is no link 7: the end of the chain was cut off");
    assert_int_equal(COMMAND("audit", "retention", "--keep", "13", "--dry-run"), 0);
    assert_contains(out, "No month is older than 13 whole ones.");
    assert_int_equal(COMMAND("audit", "verify", "--anchor", "7:zz"), 2);
    assert_int_equal(COMMAND("audit", "retention"), 2);
    assert_int_equal(COMMAND("audit", "burn"), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_status),
        TEST(test_list),
        TEST(test_history_and_explain),
        TEST(test_retry_park_unpark),
        TEST(test_two_logins_resolve),
        TEST(test_pause_and_halt),
        TEST(test_a_long_note_is_told_whole),
        TEST(test_a_halt_that_waits_says_so),
        TEST(test_refusals_are_sentences),
        TEST(test_an_attempt_ends_and_the_order_stays),
        TEST(test_a_dry_run_leaves_no_trace),
        TEST(test_the_audit_holds),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
