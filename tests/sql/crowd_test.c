/* A crowd: two daemons, a shop, an operator who does all that operators can, and one who halts and lifts, each on a line of
 * its own at once, on the same few orders. Nobody may be taken for a deadlock, nothing ends twice or while all is halted,
 * and no attempt is lost or in two places. */
#include "db.h"

#define ORDERS "30"

static const char daemon_text[] =
    "DO $$ DECLARE r record; BEGIN FOR i IN 1..250 LOOP "
    "SELECT array_agg(c.attempt_id) AS ids, array_agg(c.token) AS tokens, array_agg(c.claimed_us) AS times, "
    "array_agg(c.order_no) AS orders, array_agg(c.channel) AS channels, array_agg(c.number) AS numbers, "
    "array_agg(('{paid,closed,retry,retry,close,park}'::text[])[1 + floor(random() * 6)]) AS verdicts, "
    "array_agg(c.phase) AS phases, array_agg(c.amount_minor) AS amounts, count(*)::int AS n INTO r "
    "FROM makegood.claim('crowd', '{crowd-a,crowd-b}', '{4,4}', 60000) AS c; COMMIT; "
    "CONTINUE WHEN r.n = 0; "
    "PERFORM makegood.settle('crowd', r.ids, r.tokens, r.times, r.orders, r.channels, r.numbers, r.verdicts, "
    "array_fill('flagged'::text, ARRAY[r.n]), array_fill('crowd'::text, ARRAY[r.n]), array_fill(0::bigint, "
    "ARRAY[r.n]), "
    "r.phases, array_fill(false, ARRAY[r.n]), array_fill(0, ARRAY[r.n]), array_fill(0, ARRAY[r.n]), "
    "array_fill(0, ARRAY[r.n]), array_fill('crowd'::text, ARRAY[r.n]), array_fill(true, ARRAY[r.n]), "
    "r.amounts, "
    "array_fill('CNY'::text, ARRAY[r.n]), r.orders, r.orders, r.orders, array_fill(200, ARRAY[r.n]), "
    "array_fill(1, ARRAY[r.n]), r.orders, r.orders, r.orders, array_fill(true, ARRAY[r.n]), r.orders); "
    "COMMIT; "
    "END LOOP; END $$";

/* Tracks every attempt (again), now and then in pairs, and takes back what it closed, so that the crowd has work. */
static const char shop_text[] =
    "DO $$ DECLARE n text; BEGIN FOR i IN 1..600 LOOP n := 'CROWD' || floor(random() * " ORDERS "); "
    "BEGIN CASE floor(random() * 5) "
    "WHEN 0 THEN PERFORM makegood.resolve(n, 'crowd-a'); "
    "WHEN 1 THEN UPDATE kiosk.orders SET state = 'paying' WHERE order_no = n AND state = 'closed'; "
    "WHEN 2 THEN PERFORM makegood.track(n, 'crowd-b', 100, 'CNY', p_due_in => '0'); "
    "ELSE PERFORM makegood.track(n, 'crowd-a', 100, 'CNY', p_due_in => '0'), makegood.track(n, 'crowd-b', "
    "100, 'CNY', "
    "p_due_in => '0'); END CASE; "
    "EXCEPTION WHEN lock_not_available THEN NULL; END; COMMIT; END LOOP; END $$";

static const char operator_text[] =
    "DO $$ DECLARE n text; BEGIN FOR i IN 1..250 LOOP n := 'CROWD' || floor(random() * " ORDERS "); "
    "BEGIN CASE floor(random() * 8) "
    "WHEN 0 THEN PERFORM makegood.park(n, NULL, 'n', false); "
    "WHEN 1 THEN PERFORM makegood.retry(NULL, NULL, 'flagged', false, 'n', false); "
    "WHEN 2 THEN PERFORM makegood.retry(n, NULL, NULL, true, 'n', false); "
    "WHEN 3 THEN PERFORM makegood.retry(NULL, 'crowd-b', NULL, true, 'n', false); "
    "WHEN 4 THEN PERFORM makegood.resolve_by_hand(n, 'crowd-a', 'paid', n, 'n', false); "
    "WHEN 5 THEN PERFORM makegood.resolve_by_hand(n, 'crowd-b', 'closed', NULL, 'n', false); "
    "WHEN 6 THEN PERFORM makegood.resolve_by_hand(n, 'crowd-b', 'closed', NULL, 'n', true); "
    "ELSE PERFORM makegood.pause('crowd-a', '3 ms', 'n', false), makegood.overview(); END CASE; "
    "EXCEPTION WHEN lock_not_available OR object_not_in_prerequisite_state OR invalid_parameter_value THEN "
    "NULL; END; "
    "COMMIT; END LOOP; END $$";

static const char halting_text[] =
    "DO $$ DECLARE was bigint; became bigint; BEGIN FOR i IN 1..15 LOOP "
    "PERFORM makegood.halt('n', false); COMMIT; "
    "SELECT count(*) INTO was FROM makegood.query_log WHERE verdict IN ('paid', 'closed', 'park') AND "
    "outcome <> 'fenced'; "
    "PERFORM pg_sleep(0.02); "
    "SELECT count(*) INTO became FROM makegood.query_log WHERE verdict IN ('paid', 'closed', 'park') AND "
    "outcome <> "
    "'fenced'; "
    "IF was <> became THEN RAISE EXCEPTION '% ended while all was halted', became - was; END IF; "
    "PERFORM makegood.lift('n', false); COMMIT; PERFORM pg_sleep(0.03); END LOOP; END $$";

/* Each is a line of its own: the user, and what it does. */
static const struct {
    const char *user, *text;
} crowd[] = {
    {"t_daemon", daemon_text},     {"t_daemon", daemon_text},   {NULL, shop_text},
    {"t_operator", operator_text}, {"t_second", operator_text}, {NULL, halting_text},
};
#define CROWD (sizeof crowd / sizeof crowd[0])

static void crowd_run(void)
{
    PGconn *db[CROWD];
    for (size_t i = 0; i < CROWD; i++) {
        db[i] = db_open(KIOSK, crowd[i].user);
        assert_int_equal(PQsendQuery(db[i], crowd[i].text), 1);
    }
    for (size_t i = 0; i < CROWD; i++) {
        PGresult *rows = PQgetResult(db[i]);
        if (PQresultStatus(rows) != PGRES_COMMAND_OK)
            fail_msg("%zu: %s", i, PQresultErrorMessage(rows));
        PQclear(rows);
        assert_null(PQgetResult(db[i]));
        PQfinish(db[i]);
    }
}

static void everybody_at_once(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SELECT makegood.announce('{crowd-a,crowd-b}', '{0,0}'); "
              "ALTER ROLE CURRENT_USER IN DATABASE " KIOSK " SET search_path = kiosk; "
              "INSERT INTO kiosk.orders (order_no, state, total, currency) SELECT 'CROWD' || i, 'paying', "
              "100, 'CNY' FROM "
              "generate_series(0, " ORDERS " - 1) AS i");
    db_do(db, "SELECT makegood.track('CROWD' || i, 'crowd-a', 100, 'CNY', p_due_in => '0') FROM "
              "generate_series(0, " ORDERS " - 1) AS i");
    crowd_run();
    db_do(db, "ALTER ROLE CURRENT_USER IN DATABASE " KIOSK " RESET search_path");
    assert_int_equal(
        db_number(db,
                  "SELECT count(*) FROM makegood.lost_order JOIN makegood.parked_order USING (attempt_id)"),
        0);
    /* an order is left for paid once for each time that it was unpaid, and each time is in the audit */
    assert_int_equal(db_number(db,
                               "SELECT count(*) FROM kiosk.order_history WHERE order_no LIKE 'CROWD%%' AND "
                               "became = 'paid' AND was NOT IN ('paying', 'closed')"),
                     0);
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM kiosk.order_history WHERE order_no LIKE 'CROWD%%' AND became IN "
                      "('paid', 'closed')"),
        db_number(db, "SELECT count(*) FROM makegood.query_log WHERE order_no LIKE 'CROWD%%' AND outcome = "
                      "'applied' AND status_before <> status_after"));
    long ended = db_number(
        db, "SELECT count(*) FROM makegood.query_log WHERE order_no LIKE 'CROWD%%' AND instance LIKE "
            "'operator %%'");
    long held = db_number(
        db, "SELECT count(*) FROM makegood.query_log WHERE order_no LIKE 'CROWD%%' AND rule = 'halted'");
    print_message("           %ld ended by hand, %ld held back\n", ended, held);
    assert_true(ended > 0);
    db_do(db, "DELETE FROM makegood.lost_order WHERE channel LIKE 'crowd-%%'; "
              "DELETE FROM makegood.parked_order WHERE channel LIKE 'crowd-%%'; DELETE FROM "
              "makegood.paused_channel");
    PQfinish(db);
}

int run_crowd_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_at_once),
    };
    return cmocka_run_group_tests_name("sql crowd", tests, NULL, NULL);
}
