/* Settle and its rivals: a second connection holds locks, commits late, resolves or settles at the same
 * moment. Every query here has a timeout far above what it needs: whatever waits for a lock fails. */
#include "db.h"

static PGconn *impatient(void)
{
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SET statement_timeout = '3s'; SET search_path = kiosk");
    return db;
}

static struct element claimed(PGconn *db, const char *order_no, const char *attempt)
{
    struct element element;
    char channel[CHANNEL_BYTES];
    channel_of("race", order_no, channel);
    if (attempt[0] == '\0')
        kiosk_order(db, order_no, "paying", 100);
    kiosk_attempt(db, order_no, channel, 100, attempt);
    assert_int_equal(claim_rows(db, channel, 1, &element), 1);
    return element;
}

static long audited(PGconn *db, const char *order_no, const char *outcome)
{
    return db_number(db, "SELECT count(*) FROM makegood.query_log WHERE order_no = '%s' AND outcome = '%s'",
                     order_no, outcome);
}

static void a_shop_that_holds_its_order_makes_it_busy_at_once(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, NULL), *db = impatient();
    struct element e[2] = {claimed(db, "H1", ""), claimed(db, "H2", "")};
    db_do(shop, "BEGIN; UPDATE kiosk.orders SET expires_at = now() WHERE order_no = 'H1'");
    settle_rows(db, e, 2);
    assert_settled(&e[0], "busy", "");
    assert_settled(&e[1], "applied", ""); /* its neighbour goes through */
    assert_int_equal(audited(db, "H1", "busy"), 0);
    db_do(shop, "COMMIT");
    settle_rows(db, e, 2);
    assert_settled(&e[0], "applied", "");
    assert_settled(&e[1], "applied", "");
    assert_string_equal(kiosk_state(db, "H1"), "paid");
    PQfinish(shop);
    PQfinish(db);
}

static void a_foreign_key_of_the_shop_holds_nothing_up(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "H3", "");
    db_do(shop,
          "BEGIN; INSERT INTO kiosk.order_history VALUES ('H3', '', ''); SET CONSTRAINTS ALL IMMEDIATE");
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    db_do(shop, "COMMIT");
    PQfinish(shop);
    PQfinish(db);
}

static void the_last_try_is_audited_and_the_row_goes_back(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "H4", "");
    e.last = true;
    db_do(shop, "BEGIN; UPDATE kiosk.orders SET expires_at = now() WHERE order_no = 'H4'");
    settle_rows(db, &e, 1);
    assert_settled(&e, "busy", "");
    db_do(shop, "COMMIT");
    assert_int_equal(audited(db, "H4", "busy"), 1);
    assert_string_equal(
        db_ask(db, "SELECT concat_ws(' ', token IS NULL, claims, answers) FROM makegood.lost_order "
                   "WHERE order_no = 'H4'"),
        "t 0 1");
    settle_rows(db, &e, 1); /* the commit's answer was lost */
    assert_settled(&e, "busy", "");
    assert_int_equal(audited(db, "H4", "busy"), 1);
    assert_string_equal(kiosk_state(db, "H4"), "paying");
    PQfinish(shop);
    PQfinish(db);
}

static void the_last_try_on_a_locked_row_is_audited_and_final(void **state)
{
    (void)state;
    PGconn *other = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "H5", "");
    db_do(other, "BEGIN; SELECT FROM makegood.lost_order WHERE order_no = 'H5' FOR UPDATE");
    settle_rows(db, &e, 1);
    assert_settled(&e, "busy", "");
    assert_int_equal(audited(db, "H5", "busy"), 0);
    e.last = true;
    settle_rows(db, &e, 1);
    assert_settled(&e, "busy", "");
    db_do(other, "COMMIT");
    settle_rows(db, &e, 1); /* the row is free now and still has the token: what was recorded stands */
    assert_settled(&e, "busy", "");
    assert_int_equal(audited(db, "H5", "busy"), 1);
    assert_string_equal(kiosk_state(db, "H5"), "paying");
    PQfinish(other);
    PQfinish(db);
}

static void a_settlement_under_way_is_busy_then_recorded(void **state)
{
    (void)state;
    PGconn *zombie = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "Z1", ""), again = e;
    db_do(zombie, "BEGIN");
    settle_rows(zombie, &e, 1); /* the line is cut here, the backend goes on */
    settle_rows(db, &again, 1);
    assert_settled(&again, "busy", "");
    db_do(zombie, "COMMIT");
    settle_rows(db, &again, 1);
    assert_settled(&again, "applied", "");
    assert_int_equal(audited(db, "Z1", "applied"), 1);
    assert_int_equal(db_number(db, "SELECT count(*) FROM kiosk.order_history WHERE order_no = 'Z1'"), 1);
    PQfinish(zombie);
    PQfinish(db);
}

static void an_aborted_settlement_is_done_by_its_repeat(void **state)
{
    (void)state;
    PGconn *zombie = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "Z2", "");
    db_do(zombie, "BEGIN");
    settle_rows(zombie, &e, 1);
    PQfinish(zombie);
    for (int tries = 0; tries < 100; tries++) { /* until the server noticed */
        settle_rows(db, &e, 1);
        if (strcmp(e.outcome, "busy") != 0)
            break;
        db_do(db, "SELECT pg_sleep(0.02)");
    }
    assert_settled(&e, "applied", "");
    assert_int_equal(audited(db, "Z2", "applied"), 1);
    PQfinish(db);
}

static void two_closes_of_one_order_leave_it_closed(void **state)
{
    (void)state;
    PGconn *one = db_open(KIOSK, NULL), *two = impatient();
    struct element a = claimed(one, "C1", ""), b = claimed(one, "C1", "2");
    a.verdict = b.verdict = "closed";
    db_do(one, "BEGIN");
    settle_rows(one, &a, 1);
    assert_settled(&a, "applied", ""); /* the other lives: the order stays */
    settle_rows(two, &b, 1);
    assert_settled(&b, "busy", "");
    db_do(one, "COMMIT");
    settle_rows(two, &b, 1);
    assert_settled(&b, "applied", "");
    assert_string_equal(kiosk_state(two, "C1"), "closed");
    PQfinish(one);
    PQfinish(two);
}

static void a_notification_that_resolves_a_claimed_row_wins(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_shop"), *db = impatient();
    struct element e = claimed(db, "N1", "");
    db_do(db, "UPDATE kiosk.orders SET state = 'paid', pay_channel = 'race-n1', trade_no = 'T1' WHERE "
              "order_no = 'N1'");
    db_do(shop, "SELECT makegood.resolve('N1', 'race-n1')");
    settle_rows(db, &e, 1);
    assert_settled(&e, "fenced", "");
    assert_int_equal(audited(db, "N1", "fenced"), 1);
    assert_int_equal(db_number(db, "SELECT count(*) FROM kiosk.order_history WHERE order_no = 'N1'"), 1);
    PQfinish(shop);
    PQfinish(db);
}

static void a_notification_just_before_settling_is_already(void **state)
{
    (void)state;
    PGconn *db = impatient();
    struct element e = claimed(db, "N2", "");
    db_do(db, "UPDATE kiosk.orders SET state = 'paid', pay_channel = 'race-n2', trade_no = 'T1' WHERE "
              "order_no = 'N2'");
    settle_rows(db, &e, 1);
    assert_settled(&e, "already", "");
    PQfinish(db);
}

static void resolve_waits_for_a_settlement_and_takes_what_it_parked(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "N3", "");
    e.verdict = "park";
    e.reason = "flagged";
    db_do(db, "BEGIN");
    settle_rows(db, &e, 1);
    assert_int_equal(PQsendQuery(shop, "SELECT makegood.resolve('N3', 'race-n3')"), 1);
    db_do(db, "SELECT pg_sleep(0.1)");
    db_do(db, "COMMIT");
    PGresult *rows = PQgetResult(shop);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    assert_string_equal(PQgetvalue(rows, 0, 0), "1");
    PQclear(rows);
    assert_null(PQgetResult(shop));
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'N3'"), 0);
    PQfinish(shop);
    PQfinish(db);
}

static void a_fenced_audit_written_twice_at_once_is_written_once(void **state)
{
    (void)state;
    PGconn *zombie = db_open(KIOSK, NULL), *db = impatient();
    struct element e = claimed(db, "Z3", "");
    db_do(db, "SELECT makegood.resolve('Z3', 'race-z3')");
    settle_rows(zombie, &e, 1);
    settle_rows(db, &e, 1);
    assert_settled(&e, "fenced", "");
    assert_int_equal(audited(db, "Z3", "fenced"), 1);
    PQfinish(zombie);
    PQfinish(db);
}

int run_race_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shop_that_holds_its_order_makes_it_busy_at_once),
        cmocka_unit_test(a_foreign_key_of_the_shop_holds_nothing_up),
        cmocka_unit_test(the_last_try_is_audited_and_the_row_goes_back),
        cmocka_unit_test(the_last_try_on_a_locked_row_is_audited_and_final),
        cmocka_unit_test(a_settlement_under_way_is_busy_then_recorded),
        cmocka_unit_test(an_aborted_settlement_is_done_by_its_repeat),
        cmocka_unit_test(two_closes_of_one_order_leave_it_closed),
        cmocka_unit_test(a_notification_that_resolves_a_claimed_row_wins),
        cmocka_unit_test(a_notification_just_before_settling_is_already),
        cmocka_unit_test(resolve_waits_for_a_settlement_and_takes_what_it_parked),
        cmocka_unit_test(a_fenced_audit_written_twice_at_once_is_written_once),
    };
    return cmocka_run_group_tests_name("sql race", tests, NULL, NULL);
}
