/* The end of an attempt's life as row states, one connection: closing at the channel, the check after it, the tail, and
 * a late payment (sql/005_settle.sql, correctness 23 and 24). */
#include "db.h"

static const char *phase_of(PGconn *db, const struct element *e)
{
    return db_ask(db,
                  "SELECT coalesce((SELECT phase FROM makegood.lost_order WHERE attempt_id = %s), 'gone')",
                  e->attempt_id);
}

static void settle_as(PGconn *db, struct element *e, const char *verdict, const char *next_phase)
{
    e->verdict = verdict;
    e->next_phase = next_phase;
    e->due_in_ms = "-1000";
    e->answers = 0;
    settle_rows(db, e, 1);
}

/* As the shop does it: its own trigger wants its own schema. */
static void shop_writes(PGconn *db, const char *order_no, const char *order_state)
{
    db_do(db, "SET search_path = kiosk");
    db_do(db, "UPDATE orders SET state = '%s' WHERE order_no = '%s'", order_state, order_no);
    db_do(db, "RESET search_path");
}

/* The one row of its channel, claimed (again). */
static struct element claimed(PGconn *db, const char *channel)
{
    struct element e;
    assert_int_equal(claim_rows(db, channel, 1, &e), 1);
    return e;
}

static struct element tracked(PGconn *db, const char *order_no, const char *channel)
{
    kiosk_order(db, order_no, "paying", 100);
    kiosk_attempt(db, order_no, channel, 100, "");
    return claimed(db, channel);
}

/* An order that was closed, and whose row is tail and claimed. */
static struct element in_tail(PGconn *db, const char *order_no, const char *channel)
{
    struct element e = tracked(db, order_no, channel);
    settle_as(db, &e, "closed", "tail");
    assert_settled(&e, "applied", "");
    assert_string_equal(kiosk_state(db, order_no), "closed");
    return claimed(db, channel);
}

static void every_step_is_a_state_of_the_row(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    static const char *const steps[][3] = {/* verdict, phase it leaves, phase it enters */
                                           {"close", "open", "closing"},  {"retry", "closing", "check"},
                                           {"close", "check", "closing"}, {"retry", "closing", "check"},
                                           {"closed", "check", "tail"},   {"retry", "tail", "tail"}};
    struct element e = tracked(db, "L1", "life1");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_string_equal(e.phase, steps[i][1]);
        assert_string_equal(kiosk_state(db, "L1"), i < 5 ? "paying" : "closed");
        settle_as(db, &e, steps[i][0], steps[i][2]);
        assert_settled(&e, "applied", "");
        assert_string_equal(phase_of(db, &e), steps[i][2]);
        e = claimed(db, "life1");
    }
    settle_as(db, &e, "closed", "tail"); /* the last one takes the row away, the order was closed before */
    assert_settled(&e, "applied", "");
    assert_string_equal(phase_of(db, &e), "gone");
    assert_string_equal(kiosk_state(db, "L1"), "closed");
    assert_string_equal(
        db_ask(db, "SELECT string_agg(verdict || ' ' || phase, ',' ORDER BY logged_at) "
                   "FROM makegood.query_log WHERE order_no = 'L1'"),
        "close closing,retry check,close closing,retry check,closed tail,retry tail,closed tail");
    PQfinish(db);
}

static void a_repeated_settlement_enters_the_tail_once(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = tracked(db, "L2", "life2");
    settle_as(db, &e, "closed", "tail");
    db_do(db, "UPDATE makegood.lost_order SET due_at = now() + interval '1 h' WHERE order_no = 'L2'");
    settle_rows(db, &e, 1); /* the commit was not heard of */
    assert_settled(&e, "applied", "");
    assert_string_equal(phase_of(db, &e), "tail");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'L2'"), 1);
    PQfinish(db);
}

static void a_late_payment_is_parked_unless_it_is_accepted(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = in_tail(db, "L3", "life3");
    settle_as(db, &e, "paid", "tail");
    assert_settled(&e, "conflict", "late_payment");
    assert_string_equal(kiosk_state(db, "L3"), "closed");

    e = in_tail(db, "L4", "life4");
    e.late = true;
    settle_as(db, &e, "paid", "tail");
    assert_settled(&e, "applied", "");
    assert_string_equal(phase_of(db, &e), "gone");
    assert_string_equal(
        db_ask(db, "SELECT state || ' ' || trade_no || ' ' || (paid_at IS NOT NULL) FROM kiosk.orders "
                   "WHERE order_no = 'L4'"),
        "paid T1 true");
    assert_string_equal(db_ask(db, "SELECT status_before || ' ' || status_after FROM makegood.query_log "
                                   "WHERE order_no = 'L4' AND verdict = 'paid'"),
                        "closed paid");
    PQfinish(db);
}

static void only_the_tail_turns_closed_into_paid(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = tracked(db, "L5", "life5");
    shop_writes(db, "L5", "closed");
    e.late = true; /* said of a row that is not tail */
    settle_as(db, &e, "paid", "open");
    assert_settled(&e, "conflict", "late_payment");

    e = in_tail(db, "L6", "life6");
    shop_writes(db, "L6", "cancelled"); /* not among late_from */
    e.late = true;
    settle_as(db, &e, "paid", "tail");
    assert_settled(&e, "conflict", "late_payment");

    e = in_tail(db, "L7", "life7");
    e.late = true;
    e.amount = 99;
    settle_as(db, &e, "paid", "tail");
    assert_settled(&e, "conflict", "amount_mismatch");
    assert_string_equal(kiosk_state(db, "L7"), "closed");
    PQfinish(db);
}

static void the_mapping_names_what_a_late_payment_may_leave(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    static const char set[] = "SELECT makegood.install_mapping(jsonb_set(%s, '{paid,late_from}', '%s'))";
    static const char old[] = "(SELECT definition FROM makegood.mapping)";
    struct element e = in_tail(db, "L8", "life8");
    db_do(db, set, old, "[\"cancelled\"]");
    shop_writes(db, "L8", "cancelled");
    e.late = true;
    settle_as(db, &e, "paid", "tail");
    assert_settled(&e, "applied", "");
    assert_string_equal(kiosk_state(db, "L8"), "paid");
    assert_contains(db_refused(db, set, old, "[\"paying\"]"), "one of its statuses does not mean closed");
    db_do(db, "SELECT makegood.install_mapping(definition #- '{paid,late_from}') FROM makegood.mapping");
    PQfinish(db);
}

static void a_tail_is_no_backlog_and_keeps_no_order_open(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    long before = db_number(db, "SELECT waiting FROM makegood.backlog()");
    struct element e = in_tail(db, "L9", "life9");
    assert_int_equal(db_number(db, "SELECT waiting FROM makegood.backlog()"), before);
    shop_writes(db, "L9", "paying");
    kiosk_attempt(db, "L9", "life9b", 100, "2");
    struct element second = claimed(db, "life9b");
    settle_as(db, &second, "closed", "open");
    assert_settled(&second, "applied", "");
    assert_string_equal(kiosk_state(db, "L9"), "closed");
    settle_as(db, &e, "closed", "tail");
    assert_string_equal(phase_of(db, &e), "gone");
    PQfinish(db);
}

static void tracking_a_closed_attempt_begins_it_anew_and_fences_the_question_under_way(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = in_tail(db, "L10", "life10");
    shop_writes(db, "L10", "paying");
    kiosk_attempt(db, "L10", "life10", 100, "");
    assert_string_equal(phase_of(db, &e), "open");
    settle_as(db, &e, "closed", "tail");
    assert_settled(&e, "fenced", "");
    e = claimed(db, "life10");
    assert_string_equal(e.phase, "open");
    settle_as(db, &e, "paid", "open");
    assert_string_equal(kiosk_state(db, "L10"), "paid");
    PQfinish(db);
}

static void a_conflict_enters_no_tail(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = tracked(db, "L11", "life11");
    shop_writes(db, "L11", "strange");
    settle_as(db, &e, "closed", "tail");
    assert_settled(&e, "conflict", "status_unexpected");
    assert_string_equal(phase_of(db, &e), "gone");
    assert_string_equal(db_ask(db, "SELECT phase FROM makegood.parked_order WHERE order_no = 'L11'"), "open");
    PQfinish(db);
}

static void what_is_put_off_keeps_its_phase(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    PGconn *shop = db_open(KIOSK, NULL);
    struct element e = tracked(db, "L12", "life12");
    db_do(shop, "BEGIN");
    db_do(shop, "SELECT FROM kiosk.orders WHERE order_no = 'L12' FOR UPDATE");
    e.last = true;
    settle_as(db, &e, "closed", "tail");
    assert_settled(&e, "busy", "");
    assert_string_equal(phase_of(db, &e), "open");
    db_do(shop, "ROLLBACK");
    PQfinish(shop);
    PQfinish(db);
}

int run_life_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_a_state_of_the_row),
        cmocka_unit_test(a_repeated_settlement_enters_the_tail_once),
        cmocka_unit_test(a_late_payment_is_parked_unless_it_is_accepted),
        cmocka_unit_test(only_the_tail_turns_closed_into_paid),
        cmocka_unit_test(the_mapping_names_what_a_late_payment_may_leave),
        cmocka_unit_test(a_tail_is_no_backlog_and_keeps_no_order_open),
        cmocka_unit_test(tracking_a_closed_attempt_begins_it_anew_and_fences_the_question_under_way),
        cmocka_unit_test(a_conflict_enters_no_tail),
        cmocka_unit_test(what_is_put_off_keeps_its_phase),
    };
    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
