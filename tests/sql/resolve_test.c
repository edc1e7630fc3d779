/* Ending an order by hand (sql/014_resolve.sql): every fate that settle knows, and the second person, also against a
 * daemon, a shop and another operator at the same moment. */
#include "db.h"

#include <stdlib.h>

static PGconn *as(const char *user)
{
    PGconn *db = db_open(KIOSK, user);
    db_do(db, "SET statement_timeout = '3s'");
    return db;
}

static int nobody_approves(void **state)
{
    (void)state;
    PGconn *db = as(NULL);
    db_do(db, "UPDATE makegood.steering SET approve_above = NULL, halted_at = NULL");
    PQfinish(db);
    return 0;
}

static void order_make(PGconn *db, const char *order_no, const char *order_state, long long amount)
{
    char channel[CHANNEL_BYTES];
    channel_of("re", order_no, channel);
    kiosk_order(db, order_no, order_state, amount);
    kiosk_attempt(db, order_no, channel, amount, "");
}

static struct element claimed(PGconn *db, const char *order_no)
{
    struct element e;
    char channel[CHANNEL_BYTES];
    channel_of("re", order_no, channel);
    order_make(db, order_no, "paying", 100);
    assert_int_equal(claim_rows(db, channel, 1, &e), 1);
    return e;
}

/* verdict: paid (with the number T1) or closed. */
#define BY_HAND(dry)                                                                                      \
    "SELECT concat_ws(' ', outcome, approval) FROM makegood.resolve_by_hand('%s', NULL, '%s', CASE '%s' " \
    "WHEN "                                                                                               \
    "'paid' THEN 'T1' END, 'seen in the bank''s console', " dry ")"

static const char *resolved(PGconn *db, const char *order_no, const char *verdict)
{
    return db_ask(db, BY_HAND("false"), order_no, verdict, verdict);
}

static const char *refused(PGconn *db, const char *order_no, const char *verdict)
{
    return db_refused(db, BY_HAND("false"), order_no, verdict, verdict);
}

static long open_rows(PGconn *db, const char *order_no)
{
    return db_number(db,
                     "SELECT (SELECT count(*) FROM makegood.lost_order WHERE order_no = '%s') + "
                     "(SELECT count(*) FROM makegood.parked_order WHERE order_no = '%s')",
                     order_no, order_no);
}

/* --- the fates -------------------------------------------------------------------------------------------- */

/* outcome NULL: refused, with that word in the sentence, and nothing is done. parked: in which phase it was parked. */
static const struct {
    const char *name, *state, *parked, *verdict, *outcome, *after;
} fates[] = {
    {"an unpaid order is paid", "paying", NULL, "paid", "applied", "paid"},
    {"an unpaid order is closed", "paying", NULL, "closed", "applied", "closed"},
    {"a parked one is paid", "created", "open", "paid", "applied", "paid"},
    {"a parked one is closed", "created", "check", "closed", "applied", "closed"},
    {"a late payment is accepted", "closed", "tail", "paid", "applied", "paid"},
    {"a late payment of an order that the shop closed", "closed", "open", "paid", "applied", "paid"},
    {"a late payment was paid back", "closed", "tail", "closed", "left", "closed"},
    {"the shop closed it", "cancelled", NULL, "closed", "already", "cancelled"},
    {"it was paid already by that payment", "paid", NULL, "paid", "already", "paid"},
    {"it was paid already, this attempt was not", "paid", "open", "closed", "already", "paid"},
    {"it was paid by another payment", "shipped", NULL, "paid", NULL, "paid_twice"},
    {"a status that late payments may not leave", "cancelled", "tail", "paid", NULL, "late_payment"},
    {"a status that nobody knows", "strange", NULL, "closed", NULL, "status_unexpected"},
    {"a refunded one is not paid", "refunded", "open", "paid", NULL, "status_unexpected"},
};

static void fate_make(PGconn *root, size_t i, const char *order_no)
{
    order_make(root, order_no, fates[i].state, 100);
    if (strcmp(fates[i].name, "it was paid already by that payment") == 0)
        db_do(root,
              "SET search_path = kiosk; UPDATE orders SET pay_channel = 're-fate%zu', trade_no = 'T1' WHERE "
              "order_no = "
              "'%s'; RESET search_path",
              i, order_no);
    if (fates[i].parked != NULL)
        db_do(root,
              "UPDATE makegood.lost_order SET phase = '%s' WHERE order_no = '%s'; "
              "SELECT makegood.park('%s', NULL, 'n', false)",
              fates[i].parked, order_no, order_no);
}

static void every_fate(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        char order_no[16];
        snprintf(order_no, sizeof order_no, "FATE%zu", i);
        fate_make(root, i, order_no);
        print_message("           %s\n", fates[i].name);
        if (fates[i].outcome == NULL) {
            assert_contains(refused(db, order_no, fates[i].verdict), fates[i].after);
            assert_string_equal(kiosk_state(root, order_no), fates[i].state);
            assert_int_equal(open_rows(root, order_no), 1);
            assert_int_equal(
                db_number(root, "SELECT count(*) FROM makegood.query_log WHERE order_no = '%s'", order_no),
                0);
            continue;
        }
        assert_string_equal(db_ask(db, BY_HAND("true"), order_no, fates[i].verdict, fates[i].verdict),
                            fates[i].outcome);
        assert_string_equal(resolved(db, order_no, fates[i].verdict), fates[i].outcome);
        assert_string_equal(kiosk_state(root, order_no), fates[i].after);
        assert_int_equal(open_rows(root, order_no), 0);
        assert_int_equal(
            db_number(root,
                      "SELECT count(*) FROM makegood.operator_log WHERE order_no = '%s' AND action = "
                      "'resolve' AND who = 't_operator'",
                      order_no),
            1);
    }
    PQfinish(db);
    PQfinish(root);
}

static void the_audit_and_the_order_tell_who_and_what(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    order_make(root, "AU1", "paying", 100);
    resolved(db, "AU1", "paid");
    assert_string_equal(
        db_ask(root,
               "SELECT concat_ws(', ', instance, verdict, rule, evidence, channel_number, detail, outcome, "
               "status_before, status_after) FROM makegood.query_log WHERE order_no = 'AU1'"),
        "operator t_operator, paid, operator, operator, T1, seen in the bank's console, applied, paying, "
        "paid");
    assert_string_equal(
        db_ask(root, "SELECT concat_ws(' ', pay_channel, trade_no, paid_at IS NOT NULL) FROM kiosk.orders "
                     "WHERE order_no = 'AU1'"),
        "re-au1 T1 t");
    assert_string_equal(
        db_ask(root, "SELECT concat_ws(', ', who, action, channel, note, detail) FROM makegood.operator_log "
                     "WHERE order_no = 'AU1'"),
        "t_operator, resolve, re-au1, seen in the bank's console, paid T1 applied");
    assert_contains(refused(db, "AU1", "paid"), "0 such attempts that wait or are parked; its history tells");
    PQfinish(db);
    PQfinish(root);
}

static void closed_leaves_the_order_while_another_attempt_lives(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    order_make(root, "AL1", "paying", 100);
    long second = kiosk_attempt(root, "AL1", "re-al1", 100, "2"),
         third = kiosk_attempt(root, "AL1", "re-other", 100, "");
    assert_contains(refused(db, "AL1", "closed"), "3 such attempts (");
    assert_contains(
        db_refused(db, "SELECT makegood.resolve_by_hand('AL1', 're-al1', 'closed', NULL, 'n', false)"),
        "2 such attempts (");
    assert_contains(
        db_refused(db, "SELECT makegood.resolve_by_hand('AL2', NULL, 'closed', NULL, 'n', false, %ld)",
                   second),
        "order AL2 has 0 such attempts");
    assert_string_equal(
        db_ask(db,
               "SELECT outcome FROM makegood.resolve_by_hand('AL1', 're-al1', 'closed', NULL, 'n', "
               "false, %ld)",
               second),
        "left");
    db_do(db, "SELECT makegood.park('AL1', 're-al1', 'n', false)"); /* parked it lives as well */
    assert_string_equal(
        db_ask(db,
               "SELECT outcome FROM makegood.resolve_by_hand('AL1', 're-other', 'closed', NULL, 'n', false)"),
        "left");
    assert_string_equal(kiosk_state(root, "AL1"), "paying");
    assert_string_equal(resolved(db, "AL1", "closed"), "applied");
    assert_string_equal(kiosk_state(root, "AL1"), "closed");
    assert_int_equal(
        db_number(root, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'AL1' AND attempt_id = %ld",
                  third),
        1);
    PQfinish(db);
    PQfinish(root);
}

static void what_a_resolution_must_say(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    order_make(root, "WS1", "paying", 100);
    static const char *const words[] = {"'paid', NULL, 'n'", "'paid', ' ', 'n'", "'closed', 'T1', 'n'",
                                        "'refunded', '', 'n'", "NULL, 'T1', 'n'"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_contains(db_refused(db, "SELECT makegood.resolve_by_hand('WS1', NULL, %s, false)", words[i]),
                        "resolved as paid, with the channel's number");
    assert_contains(db_refused(db, "SELECT makegood.resolve_by_hand('WS1', NULL, 'closed', NULL, '', false)"),
                    "say why");
    assert_contains(db_refused(db, "SELECT makegood.resolve_by_hand(NULL, NULL, 'closed', NULL, 'n', false)"),
                    "0 such");
    assert_int_equal(open_rows(root, "WS1"), 1);
    PQfinish(db);
    PQfinish(root);
}

/* --- rivals ----------------------------------------------------------------------------------------------- */

static void what_a_daemon_asks_about_is_left_to_it(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    struct element e = claimed(root, "RV1");
    assert_contains(refused(db, "RV1", "closed"), "55P03 makegood: order RV1 is being asked about right now");
    db_do(root, "UPDATE makegood.lost_order SET due_at = now() WHERE order_no = 'RV1'"); /* it died */
    assert_string_equal(resolved(db, "RV1", "closed"), "applied");
    settle_rows(root, &e, 1);
    assert_settled(&e, "fenced", "");
    assert_string_equal(kiosk_state(root, "RV1"), "closed");
    PQfinish(db);
    PQfinish(root);
}

static void a_daemon_that_claims_at_that_moment_wins_or_loses_whole(void **state)
{
    (void)state;
    PGconn *daemon = as(NULL), *db = as("t_operator"), *root = as(NULL);
    struct element e;
    order_make(root, "RV2", "paying", 100);
    db_do(daemon, "BEGIN");
    assert_int_equal(claim_rows(daemon, "re-rv2", 1, &e), 1);
    assert_contains(refused(db, "RV2", "closed"), "is being asked about right now");
    db_do(daemon, "ROLLBACK");
    db_do(db, "BEGIN");
    assert_string_equal(resolved(db, "RV2", "closed"), "applied");
    assert_int_equal(claim_rows(daemon, "re-rv2", 1, &e), 0);
    db_do(db, "ROLLBACK");
    assert_int_equal(claim_rows(daemon, "re-rv2", 1, &e), 1);
    assert_string_equal(kiosk_state(root, "RV2"), "paying");
    PQfinish(root);
    PQfinish(db);
    PQfinish(daemon);
}

static void an_order_that_the_shop_holds_is_tried_again_later(void **state)
{
    (void)state;
    PGconn *shop = as(NULL), *root = as(NULL), *db = as("t_operator");
    order_make(root, "RV3", "paying", 100);
    db_do(root, "SELECT makegood.park('RV3', NULL, 'n', false)");
    db_do(shop,
          "SET search_path = kiosk; BEGIN; UPDATE orders SET expires_at = now() WHERE order_no = 'RV3'");
    assert_contains(refused(db, "RV3", "paid"),
                    "can not become paid (somebody holds it right now; try again)");
    assert_string_equal(db_ask(root, "SELECT reason FROM makegood.parked_order WHERE order_no = 'RV3'"),
                        "operator");
    db_do(shop,
          "UPDATE orders SET state = 'paid', pay_channel = 're-rv3', trade_no = 'T1' WHERE order_no = 'RV3'; "
          "SELECT makegood.resolve('RV3', 're-rv3'); COMMIT");
    assert_contains(refused(db, "RV3", "paid"), "0 such attempts");
    PQfinish(db);
    PQfinish(root);
    PQfinish(shop);
}

static void what_the_shops_table_refuses_is_refused_and_stays(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    order_make(root, "RV4", "paying", 66601);
    assert_contains(refused(db, "RV4", "paid"), "the kiosk does not want this");
    assert_contains(db_refused(db, BY_HAND("true"), "RV4", "paid", "paid"), "the kiosk does not want this");
    order_make(root, "RV5", "paying", 66600);
    assert_contains(refused(db, "RV5", "paid"), "status_unexpected");
    assert_int_equal(open_rows(root, "RV4") + open_rows(root, "RV5"), 2);
    PQfinish(db);
    PQfinish(root);
}

static void halted_nobody_ends_anything_by_hand(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator"), *second = as("t_second");
    order_make(root, "RV6", "paying", 100);
    db_do(second, "BEGIN; SELECT makegood.halt('a test', false)"); /* not even before it is committed */
    assert_contains(refused(db, "RV6", "closed"), "everything is halted; lift that first");
    db_do(second, "COMMIT");
    assert_contains(db_refused(db, BY_HAND("true"), "RV6", "closed", "closed"), "everything is halted");
    assert_int_equal(open_rows(root, "RV6"), 1);
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

/* --- the second person ------------------------------------------------------------------------------------ */

static void approve_from(PGconn *root, const char *above)
{
    db_do(root, "SELECT makegood.approve_from(%s)", above);
}

static long asked(PGconn *db, const char *order_no, const char *verdict)
{
    const char *answer = resolved(db, order_no, verdict);
    assert_contains(answer, "needs_approval ");
    return strtol(answer + strlen("needs_approval "), NULL, 10);
}

static void another_login_approves(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator"), *second = as("t_second");
    approve_from(root, "1");
    order_make(root, "AP1", "paying", 100);
    order_make(root, "AP2", "paying", 101);
    assert_string_equal(resolved(db, "AP1", "paid"), "applied"); /* not above */
    long number = asked(db, "AP2", "paid");
    assert_string_equal(kiosk_state(root, "AP2"), "paying");
    assert_int_equal(asked(db, "AP2", "paid"), number); /* the same again */
    assert_int_not_equal(asked(db, "AP2", "closed"), number);
    assert_contains(db_refused(db, "SELECT makegood.approve(%ld, 'n', false)", number),
                    "t_operator asked for it and can not approve it; another login has to");
    assert_contains(db_refused(second, "SELECT makegood.approve(%ld, '', false)", number), "say why");
    assert_int_equal(db_number(second, "SELECT count(*) FROM makegood.approvals()"), 2);
    assert_string_equal(db_ask(second, "SELECT makegood.approve(%ld, 'n', true)", number), "applied");
    assert_string_equal(db_ask(second, "SELECT makegood.approve(%ld, 'n', NULL)", number), "applied");
    assert_string_equal(kiosk_state(root, "AP2"), "paying");
    assert_string_equal(db_ask(second, "SELECT makegood.approve(%ld, 'I saw it too', false)", number),
                        "applied");
    assert_string_equal(kiosk_state(root, "AP2"), "paid");
    assert_string_equal(
        db_ask(root, "SELECT who || ': ' || note FROM makegood.operator_log WHERE order_no = 'AP2'"),
        "t_second: seen in the bank's console (asked by t_operator; approved by t_second: I saw it too)");
    assert_contains(db_refused(second, "SELECT makegood.approve(%ld, 'n', false)", number),
                    "nothing with the number");
    assert_int_equal(db_number(second, "SELECT count(*) FROM makegood.approvals()"),
                     0); /* the other's attempt went */
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

/* Where the amount can not be compared somebody has to approve: no currency evades. */
static void no_currency_evades_approval(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    static const struct {
        const char *above, *currency;
        long amount;
        bool needed;
    } cases[] = {
        {"100.50", "JPY", 101, true}, {"100.50", "JPY", 100, false},
        {"0.005", "CNY", 1, true},    {"99999999999999999999", "CNY", 1, false},
        {"100", "XQX", 1, true},      {"100", "KWD", 100000, false},
        {"100", "KWD", 100001, true}, {"0", "CNY", 1, true},
        {"NULL", "XQX", 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        approve_from(root, cases[i].above);
        db_do(root,
              "INSERT INTO kiosk.orders (order_no, state, total, currency) VALUES ('CU%zu', 'paying', %ld, "
              "'%s')",
              i, cases[i].amount, cases[i].currency);
        db_do(root, "SELECT makegood.track('CU%zu', 're-cu', %ld, '%s')", i, cases[i].amount,
              cases[i].currency);
        assert_string_equal(
            db_ask(db,
                   "SELECT outcome FROM makegood.resolve_by_hand('CU%zu', NULL, 'closed', NULL, 'n', true)",
                   i),
            cases[i].needed ? "needs_approval" : "applied");
    }
    assert_contains(db_refused(root, "SELECT makegood.approve_from(-1)"), "23514");
    PQfinish(db);
    PQfinish(root);
}

static void approval_is_asked_only_for_what_could_be_done(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator");
    approve_from(root, "1");
    order_make(root, "AP3", "strange", 20000);
    assert_contains(refused(db, "AP3", "paid"), "status_unexpected");
    assert_int_equal(db_number(root, "SELECT count(*) FROM makegood.approval WHERE order_no = 'AP3'"), 0);
    PQfinish(db);
    PQfinish(root);
}

static void an_approval_that_can_not_be_carried_out_stays_open(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator"), *second = as("t_second");
    struct element e;
    approve_from(root, "1");
    order_make(root, "AP4", "paying", 20000);
    long number = asked(db, "AP4", "paid");
    assert_int_equal(claim_rows(root, "re-ap4", 1, &e), 1);
    assert_contains(db_refused(second, "SELECT makegood.approve(%ld, 'n', false)", number),
                    "is being asked about right now");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.approvals()"), 1);
    settle_rows(root, &e, 1); /* the daemon found it */
    assert_settled(&e, "applied", "");
    assert_contains(db_refused(second, "SELECT makegood.approve(%ld, 'n', false)", number),
                    "is not what it was when");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.approvals()"), 0);
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

static void two_who_approve_at_once_end_it_once(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator"), *second = as("t_second");
    approve_from(root, "1");
    order_make(root, "AP5", "paying", 20000);
    long number = asked(db, "AP5", "paid");
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT makegood.approve(%ld, 'n', false)", number);
    db_do(second, "BEGIN");
    assert_string_equal(db_ask(second, "SELECT makegood.approve(%ld, 'n', false)", number), "applied");
    assert_int_equal(PQsendQuery(root, sql), 1); /* the superuser is a second person as well */
    db_do(second, "SELECT pg_sleep(0.1)");
    db_do(second, "COMMIT");
    PGresult *rows = PQgetResult(root);
    assert_contains(PQresultErrorMessage(rows), "nothing with the number");
    PQclear(rows);
    assert_null(PQgetResult(root));
    assert_int_equal(db_number(root, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'AP5'"), 1);
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

static void two_long_notes_fit(void **state)
{
    (void)state;
    PGconn *root = as(NULL), *db = as("t_operator"), *second = as("t_second");
    approve_from(root, "1");
    order_make(root, "AP6", "paying", 20000);
    long number = db_number(
        db, "SELECT approval FROM makegood.resolve_by_hand('AP6', NULL, 'closed', NULL, repeat('字', 333), "
            "false)");
    assert_string_equal(db_ask(second, "SELECT makegood.approve(%ld, repeat('字', 333), false)", number),
                        "applied");
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

int run_resolve_tests(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, nobody_approves)
    const struct CMUnitTest tests[] = {
        TEST(every_fate),
        TEST(the_audit_and_the_order_tell_who_and_what),
        TEST(closed_leaves_the_order_while_another_attempt_lives),
        TEST(what_a_resolution_must_say),
        TEST(what_a_daemon_asks_about_is_left_to_it),
        TEST(a_daemon_that_claims_at_that_moment_wins_or_loses_whole),
        TEST(an_order_that_the_shop_holds_is_tried_again_later),
        TEST(what_the_shops_table_refuses_is_refused_and_stays),
        TEST(halted_nobody_ends_anything_by_hand),
        TEST(another_login_approves),
        TEST(no_currency_evades_approval),
        TEST(approval_is_asked_only_for_what_could_be_done),
        TEST(an_approval_that_can_not_be_carried_out_stays_open),
        TEST(two_who_approve_at_once_end_it_once),
        TEST(two_long_notes_fit),
    };
    return cmocka_run_group_tests_name("sql resolve", tests, NULL, NULL);
}
