/* Steering (sql/010_steer.sql): what pause and halt hold back, also against settlements under way; programs older than the
 * schema. Several connections; a halt is lifted after each test. */
#include "db.h"

#define HALT_WAITS "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

static PGconn *impatient(void)
{
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SET statement_timeout = '3s'; SET search_path = kiosk");
    return db;
}

static int begin_afresh(void **state)
{
    (void)state;
    PGconn *db = impatient();
    db_do(db, "DELETE FROM makegood.instance; SELECT makegood.announce('{steer-x}', '{1000}')");
    PQfinish(db);
    return 0;
}

static int hold_nothing_back(void **state)
{
    (void)state;
    PGconn *db = impatient();
    db_do(db, "UPDATE makegood.steering SET halted_at = NULL; DELETE FROM makegood.paused_channel; "
              "DELETE FROM makegood.lost_order WHERE channel LIKE 'steer-%%'");
    PQfinish(db);
    return 0;
}

static struct element claimed(PGconn *db, const char *order_no, long long total)
{
    struct element element;
    char channel[CHANNEL_BYTES];
    channel_of("steer", order_no, channel);
    kiosk_order(db, order_no, "paying", total);
    kiosk_attempt(db, order_no, channel, total, "");
    assert_int_equal(claim_rows(db, channel, 1, &element), 1);
    return element;
}

static const char *beat(PGconn *db, const char *name, const char *lanes)
{
    return db_ask(
        db, "SELECT concat_ws(' ', place, living, halted, paused) FROM makegood.beat('%s', 'v', 1000, '%s')",
        name, lanes);
}

/* --- pause ------------------------------------------------------------------------------------------------ */

static void a_paused_channel_is_not_claimed_from_and_others_are(void **state)
{
    (void)state;
    PGconn *db = impatient(), *operator= db_open(KIOSK, "t_operator");
    struct element e[2];
    db_do(db, "SELECT makegood.announce('{steer-p1,steer-p2}', '{1000,1000}')");
    kiosk_attempt(db, "SP1", "steer-p1", 100, "");
    kiosk_attempt(db, "SP2", "steer-p2", 100, "");
    assert_string_equal(db_ask(operator, "SELECT makegood.pause('steer-p1', NULL, 'a test', false)"),
                        "infinity");
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM makegood.claim('me', '{steer-p1,steer-p2}', '{9,9}', 60000)"), 1);
    assert_int_equal(claim_rows(db, "steer-p1", 9, e), 0);
    assert_contains(beat(db, "me", "{}"), " {steer-p1}");
    db_do(operator, "SELECT makegood.resume('steer-p1', 'a test', false)");
    assert_int_equal(claim_rows(db, "steer-p1", 9, e), 1);
    PQfinish(operator);
    PQfinish(db);
}

static void a_pause_that_has_run_out_is_none(void **state)
{
    (void)state;
    PGconn *db = impatient();
    struct element e;
    kiosk_attempt(db, "SP3", "steer-x", 100, "");
    db_do(db, "SELECT makegood.pause('steer-x', '50 ms', 'a test', false)");
    assert_int_equal(claim_rows(db, "steer-x", 9, &e), 0);
    db_do(db, "SELECT pg_sleep(0.06)");
    assert_string_equal(db_ask(db, "SELECT makegood.resume('steer-x', 'a test', false)"), "f");
    assert_contains(beat(db, "me", "{}"), " f {}");
    assert_int_equal(claim_rows(db, "steer-x", 9, &e), 1);
    PQfinish(db);
}

/* A settlement of what was claimed before the pause goes on: only asking stops. */
static void a_pause_holds_up_no_settlement(void **state)
{
    (void)state;
    PGconn *db = impatient();
    struct element e = claimed(db, "SP4", 100);
    db_do(
        db,
        "SELECT makegood.announce('{steer-sp4}', '{1}'), makegood.pause('steer-sp4', NULL, 'a test', false)");
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(kiosk_state(db, "SP4"), "paid");
    PQfinish(db);
}

/* --- halt ------------------------------------------------------------------------------------------------- */

static const char *row_of(PGconn *db, const char *order_no)
{
    return db_ask(db,
                  "SELECT concat_ws(' ', token IS NULL, claims, phase, answers, due_at > now() + interval '9 "
                  "min') FROM "
                  "makegood.lost_order WHERE order_no = '%s'",
                  order_no);
}

static void halted_nothing_is_claimed_and_nothing_ends(void **state)
{
    (void)state;
    PGconn *db = impatient();
    struct element e[5] = {claimed(db, "SH1", 100), claimed(db, "SH2", 100), claimed(db, "SH3", 100),
                           claimed(db, "SH4", 100), claimed(db, "SH5", 66601)};
    e[1].verdict = "retry";
    e[1].answers = 3;
    e[2].verdict = "park";
    e[2].reason = "flagged";
    e[3].verdict = "close";
    e[3].next_phase = "closing";
    assert_string_equal(db_ask(db, "SELECT makegood.halt('a test', false)"), "t");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.claim('me', '{steer-x}', '{9}', 60000)"),
                     0);
    assert_contains(beat(db, "me", "{}"), " t {}");
    settle_rows(db, e, 5); /* the last would raise, could it be written */
    static const char *const outcomes[] = {"fenced", "applied", "fenced", "applied", "fenced"};
    for (int i = 0; i < 5; i++)
        assert_settled(&e[i], outcomes[i], "");
    assert_string_equal(row_of(db, "SH1"), "t 0 open 0 t"); /* as it came, due with its lease's end */
    assert_string_equal(row_of(db, "SH2"), "t 0 open 3 f");
    assert_string_equal(row_of(db, "SH3"), "t 0 open 0 t");
    assert_string_equal(row_of(db, "SH4"), "t 0 closing 1 f");
    assert_string_equal(kiosk_state(db, "SH1"), "paying");
    assert_string_equal(
        db_ask(
            db,
            "SELECT concat_ws(',', verdict, rule, detail, outcome, evidence) FROM makegood.query_log WHERE "
            "order_no = 'SH3'"),
        "retry,halted,instead of park by test_rule,applied,paid");
    db_do(db, "SELECT makegood.lift('a test', false); UPDATE makegood.lost_order SET due_at = now() WHERE "
              "order_no = 'SH1'");
    assert_int_equal(claim_rows(db, "steer-sh1", 1, e), 1);
    settle_rows(db, e, 1);
    assert_settled(e, "applied", "");
    assert_string_equal(kiosk_state(db, "SH1"), "paid");
    PQfinish(db);
}

/* The commit's answer was lost, then came the halt: what was paid is paid; what was held back is told so again. */
static void a_repeat_while_halted_answers_what_was_recorded(void **state)
{
    (void)state;
    PGconn *db = impatient();
    struct element paid = claimed(db, "SH6", 100), held = claimed(db, "SH7", 100);
    settle_rows(db, &paid, 1);
    db_do(db, "SELECT makegood.halt('a test', false)");
    settle_rows(db, &held, 1);
    assert_settled(&held, "fenced", "");
    struct element both[2] = {paid, held};
    settle_rows(db, both, 2);
    assert_settled(&both[0], "applied", "");
    assert_settled(&both[1], "fenced", "");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'SH7'"), 1);
    PQfinish(db);
}

/* halt() answers when what was being written is written: from then on nothing ends. */
static void halt_waits_for_a_settlement_under_way(void **state)
{
    (void)state;
    PGconn *daemon = db_open(KIOSK, NULL), *other = impatient(), *operator= db_open(KIOSK, "t_operator");
    struct element first = claimed(other, "SH8", 100), late = claimed(other, "SH9", 100);
    db_do(daemon, "BEGIN");
    settle_rows(daemon, &first, 1);
    assert_int_equal(PQsendQuery(operator, "SELECT makegood.halt('a test', false)"), 1);
    for (int tries = 0; tries < 200 && db_number(other, HALT_WAITS) == 0; tries++)
        db_do(other, "SELECT pg_sleep(0.01)");
    assert_int_equal(PQconsumeInput(operator), 1);
    assert_int_equal(PQisBusy(operator), 1);
    settle_rows(other, &late, 1); /* not behind the halt, but held back already */
    assert_settled(&late, "fenced", "");
    db_do(daemon, "COMMIT");
    PGresult *rows = PQgetResult(operator);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    PQclear(rows);
    assert_null(PQgetResult(operator));
    assert_string_equal(kiosk_state(other, "SH8"), "paid");
    assert_string_equal(kiosk_state(other, "SH9"), "paying");
    PQfinish(operator);
    PQfinish(other);
    PQfinish(daemon);
}

/* A shop's trigger that hangs does not take the switch away. */
static void halt_does_not_wait_for_ever(void **state)
{
    (void)state;
    PGconn *daemon = db_open(KIOSK, NULL), *db = db_open(KIOSK, NULL);
    struct element e = claimed(daemon, "SH10", 100);
    db_do(daemon, "BEGIN");
    settle_rows(daemon, &e, 1);
    db_do(db, "SET statement_timeout = '8s'");
    assert_string_equal(db_ask(db, "SELECT makegood.halt('a test', false)"), "t");
    assert_contains(beat(db, "me", "{}"), " t {}");
    db_do(daemon, "COMMIT");
    PQfinish(db);
    PQfinish(daemon);
}

static void two_who_halt_at_once_are_told_apart(void **state)
{
    (void)state;
    PGconn *one = db_open(KIOSK, "t_operator"), *two = db_open(KIOSK, "t_second"), *db = impatient();
    db_do(one, "BEGIN");
    assert_string_equal(db_ask(one, "SELECT makegood.halt('the first', false)"), "t");
    assert_int_equal(PQsendQuery(two, "SELECT makegood.halt('the second', false)"), 1);
    db_do(db, "SELECT pg_sleep(0.1)");
    struct element e = claimed(db, "SH11", 100); /* neither is committed: daemons wait for nobody */
    settle_rows(db, &e, 1);
    assert_settled(&e, "fenced", "");
    beat(db, "me", "{}");
    db_do(one, "COMMIT");
    PGresult *rows = PQgetResult(two);
    assert_string_equal(PQgetvalue(rows, 0, 0), "f");
    PQclear(rows);
    assert_null(PQgetResult(two));
    assert_string_equal(db_ask(db, "SELECT halted_by || ' ' || halted_note FROM makegood.steering"),
                        "t_operator the first");
    assert_string_equal(db_ask(two, "SELECT makegood.lift('a test', false)"), "t");
    assert_string_equal(db_ask(one, "SELECT makegood.lift('a test', false)"), "f");
    PQfinish(db);
    PQfinish(two);
    PQfinish(one);
}

static void an_operator_who_thinks_it_over_holds_nobody_up(void **state)
{
    (void)state;
    PGconn *operator= db_open(KIOSK, "t_operator"), *db = impatient();
    struct element e = claimed(db, "SH12", 100);
    db_do(operator, "BEGIN; SELECT makegood.pause('steer-x', NULL, 'a test', false)");
    db_do(db, "SELECT makegood.announce('{steer-x}', '{1000}')");
    assert_contains(beat(db, "me", "{}"), " f {}");
    kiosk_attempt(db, "SH13", "steer-x", 100, "");
    db_do(operator, "SELECT makegood.halt('a test', false)");
    assert_int_equal(claim_rows(db, "steer-x", 1, &e), 1);
    db_do(operator, "ROLLBACK");
    settle_rows(db, &e, 1);
    assert_settled(&e, "conflict", "missing"); /* there is no order SH13: nothing is halted */
    PQfinish(db);
    PQfinish(operator);
}

/* --- programs older than the schema ----------------------------------------------------------------------- */

static void programs_may_be_older_down_to_the_first_release(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon");
    int newest = (int)db_number(db, "SELECT makegood.overview() ->> 'schema'");
    assert_true(newest >= 13);
    for (int version = 9; version <= newest; version++)
        assert_int_equal(
            db_number(db, "SELECT count(*) FROM makegood.verify(%d, '%s')", version, KIOSK_MAPPING), 0);
    assert_contains(db_ask(db, "SELECT fault FROM makegood.verify(%d, '%s')", newest + 1, KIOSK_MAPPING),
                    "needs");
    assert_contains(db_ask(db, "SELECT mend FROM makegood.verify(8, '%s')", KIOSK_MAPPING), "newer program");
    PQfinish(db);
}

static void what_operators_did_is_never_changed(void **state)
{
    (void)state;
    PGconn *db = impatient();
    db_do(db, "SELECT makegood.halt('a test', false)");
    assert_contains(db_refused(db, "UPDATE makegood.operator_log SET who = 'nobody'"), "is never changed");
    assert_contains(db_refused(db, "DELETE FROM makegood.operator_log"), "is never changed");
    db_do(db, "SET ROLE makegood_owner");
    assert_contains(db_refused(db, "TRUNCATE makegood.operator_log"), "42501");
    PQfinish(db);
}

int run_steer_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_afresh, hold_nothing_back)
    const struct CMUnitTest tests[] = {
        TEST(a_paused_channel_is_not_claimed_from_and_others_are),
        TEST(a_pause_that_has_run_out_is_none),
        TEST(a_pause_holds_up_no_settlement),
        TEST(halted_nothing_is_claimed_and_nothing_ends),
        TEST(a_repeat_while_halted_answers_what_was_recorded),
        TEST(halt_waits_for_a_settlement_under_way),
        TEST(halt_does_not_wait_for_ever),
        TEST(two_who_halt_at_once_are_told_apart),
        TEST(an_operator_who_thinks_it_over_holds_nobody_up),
        TEST(programs_may_be_older_down_to_the_first_release),
        TEST(what_operators_did_is_never_changed),
    };
    return cmocka_run_group_tests_name("sql steer", tests, NULL, NULL);
}
