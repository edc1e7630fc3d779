/* The edges of the database's side: times without end, notes that are no attempts, attempts that are parked
 * while the shop tracks them again, months, owners, and settings of the server that the laws rest upon. */
#include "db.h"

#include <stdlib.h>

static long lost(PGconn *db, const char *order_no)
{
    return db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = '%s'", order_no);
}

/* One such row among the due ones would fail every claim: nothing would be asked any more. */
static void a_time_without_end_stops_no_claim(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e[5];
    db_do(
        db,
        "SELECT makegood.track('inf1', 'edge-i', 100, 'CNY', p_expires_at => 'infinity', p_due_in => '-1 s'),"
        " makegood.track('inf2', 'edge-i', 100, 'CNY', p_expires_at => '-infinity', p_due_in => '-1 s')");
    db_do(db,
          "INSERT INTO kiosk.orders (order_no, state, total, currency, pay_channel, created_at, expires_at) "
          "VALUES ('inf3', 'paying', 100, 'CNY', 'edge-i', now(), 'infinity'), "
          "('inf4', 'paying', 100, 'CNY', 'edge-i', 'infinity', NULL)");
    db_do(db, "SELECT makegood.adopt('1 day', NULL)");
    assert_int_equal(lost(db, "inf3") + lost(db, "inf4"), 2);
    db_do(db, "UPDATE makegood.lost_order SET due_at = now() WHERE channel = 'edge-i'");
    assert_int_equal(claim_rows(db, "edge-i", 5, e), 4);
    assert_int_equal(
        db_number(db, "SELECT count(expires_at) FROM makegood.lost_order WHERE channel = 'edge-i'"), 0);
    assert_contains(
        db_refused(db, "UPDATE makegood.lost_order SET expires_at = 'infinity' WHERE order_no = 'inf1'"),
        "23514");
    PQfinish(db);
}

/* A note says that something could not be tracked; it is no attempt that a notification could mean. */
static void a_note_of_the_untrackable_stands_in_no_notifications_way(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    static const char note[] =
        "INSERT INTO makegood.parked_order (order_no, reason) VALUES ('U9', 'untrackable')";
    static const char notes[] = "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'U9'";
    kiosk_attempt(db, "U9", "edge-u", 100, "");
    db_do(db, note);
    db_do(db, note);
    assert_int_equal(db_number(db, "SELECT makegood.resolve('U9', 'edge-u', 'T1')"), 1);
    assert_int_equal(lost(db, "U9"), 0);
    assert_int_equal(db_number(db, notes), 2); /* may be about another payment: a person looks */
    assert_int_equal(db_number(db, "SELECT makegood.resolve('U9', 'edge-u', 'T1')"), 2);
    assert_int_equal(db_number(db, notes), 0);
    PQfinish(db);
}

/* Tracked anew at the moment when it was parked: two rows of one attempt, and the notification means both. */
static void both_rows_of_an_attempt_are_resolved(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    kiosk_attempt(db, "U8", "edge-u", 100, "");
    db_do(db, "INSERT INTO makegood.parked_order (order_no, channel, amount_minor, currency, reason) VALUES "
              "('U8', 'edge-u', 100, 'CNY', 'flagged')");
    assert_int_equal(db_number(db, "SELECT makegood.resolve('U8', 'edge-u')"), 2);
    PQfinish(db);
}

static void an_attempt_that_is_being_parked_is_not_tracked_anew(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, NULL), *db = db_open(KIOSK, NULL);
    struct element e;
    kiosk_order(db, "P9", "paying", 100);
    long id = kiosk_attempt(db, "P9", "edge-p", 100, "");
    assert_int_equal(claim_rows(db, "edge-p", 1, &e), 1);
    e.verdict = "park";
    e.reason = "flagged";
    db_do(db, "BEGIN");
    settle_rows(db, &e, 1);
    assert_int_equal(PQsendQuery(shop, "SELECT makegood.track('P9', 'edge-p', 100, 'CNY', 'N9')"), 1);
    db_do(db, "SELECT pg_sleep(0.1)");
    db_do(db, "COMMIT");
    PGresult *rows = PQgetResult(shop);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    assert_int_equal(strtol(PQgetvalue(rows, 0, 0), NULL, 10), id);
    PQclear(rows);
    assert_null(PQgetResult(shop));
    assert_int_equal(lost(db, "P9"), 0);
    assert_string_equal(db_ask(db, "SELECT number FROM makegood.parked_order WHERE order_no = 'P9'"), "N9");
    PQfinish(shop);
    PQfinish(db);
}

/* By the time of its claim, so that a repeat finds it; what no month was made for is not lost either. */
static void an_audit_row_lies_in_the_month_of_its_claim(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e[2];
    static const char place[] = "SELECT tableoid::regclass FROM makegood.query_log WHERE order_no = '%s'";
    kiosk_order(db, "M1", "paying", 100);
    kiosk_order(db, "M2", "paying", 100);
    kiosk_attempt(db, "M1", "edge-m", 100, "");
    kiosk_attempt(db, "M2", "edge-m", 100, "");
    assert_int_equal(claim_rows(db, "edge-m", 2, e), 2);
    strcpy(e[1].claimed_us, "1000000"); /* 1970 */
    settle_rows(db, e, 2);
    settle_rows(db, e, 2);
    assert_settled(&e[1], "applied", "");
    assert_string_equal(db_ask(db, place, e[0].order_no),
                        db_ask(db, "SELECT 'makegood.query_log_' || to_char(now() AT TIME ZONE 'UTC', "
                                   "'YYYY_MM')"));
    assert_string_equal(db_ask(db, place, e[1].order_no), "makegood.query_log_default");
    PQfinish(db);
}

static void only_its_owners_functions_touch_the_order_table(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    assert_string_equal(
        db_ask(db, "SELECT string_agg(concat_ws(' ', proname, proowner::regrole, prosecdef), ', ' ORDER BY "
                   "proname) FROM pg_proc WHERE pronamespace = 'makegood'::regnamespace "
                   "AND prosrc LIKE '%%kiosk.orders%%' AND 'search_path=kiosk, pg_temp' = ANY (proconfig)"),
        "order_lock t_kiosk_owner t, order_look t_kiosk_owner t, order_pay t_kiosk_owner t, order_present "
        "t_kiosk_owner t, "
        "order_unpaid_since t_kiosk_owner t, order_write t_kiosk_owner t");
    assert_int_equal(db_number(db,
                               "SELECT count(*) FROM pg_proc WHERE pronamespace = 'makegood'::regnamespace "
                               "AND prosrc LIKE '%%kiosk.orders%%'"),
                     6);
    PQfinish(db);
}

/* settle() looks again in each of its statements: under a stricter isolation it would look at the past. */
static void verify_refuses_another_isolation(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon");
    static const char faults[] = "SELECT coalesce(string_agg(fault || '; ' || mend, ' '), 'fit') "
                                 "FROM makegood.verify(9, '%s')";
    assert_string_equal(db_ask(db, faults, KIOSK_MAPPING), "fit");
    db_do(db, "SET default_transaction_isolation = 'repeatable read'");
    assert_string_equal(db_ask(db, faults, KIOSK_MAPPING),
                        "transactions of the role t_daemon are repeatable read; ALTER ROLE t_daemon SET "
                        "default_transaction_isolation = 'read committed'");
    PQfinish(db);
}

int run_edge_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_without_end_stops_no_claim),
        cmocka_unit_test(a_note_of_the_untrackable_stands_in_no_notifications_way),
        cmocka_unit_test(both_rows_of_an_attempt_are_resolved),
        cmocka_unit_test(an_attempt_that_is_being_parked_is_not_tracked_anew),
        cmocka_unit_test(an_audit_row_lies_in_the_month_of_its_claim),
        cmocka_unit_test(only_its_owners_functions_touch_the_order_table),
        cmocka_unit_test(verify_refuses_another_isolation),
    };
    return cmocka_run_group_tests_name("sql edge", tests, NULL, NULL);
}
