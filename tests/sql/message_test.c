/* Orders that come as messages (sql/017_message.sql): they are settled by the rules of rows, leave no row, are done once
 * however often they come, and take the safety net's row along when they end. */
#include "db.h"

#include <stdlib.h>

#define CHAIN "00000000-0000-4000-8000-0000000000aa"

struct message {
    const char *order_no, *verdict;
    int step;          /* of the chain */
    const char *phase; /* NULL: open */
    const char *rule;
    long amount;         /* 0: 100 */
    const char *next;    /* phase; NULL: none */
    const char *request; /* NULL: q */
};

static const char * or (const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* What came of it: "outcome reason". */
static const char *settle_message(PGconn *db, struct message m)
{
    static char told[64];
    const char *answer = db_ask(
        db,
        "SELECT concat_ws(' ', outcome, nullif(reason, '')) FROM makegood.settle_messages('me', '{" CHAIN
        "}', '{%d}', "
        "'{%s}', '{msg-a}', '{P-%s}', '{%s}', '{%s}', '{%s}', '{%s}', '{%s}', '{true}', '{1}', '{0}', '{0}', "
        "'{%s}', "
        "'{true}', '{%ld}', '{CNY}', '{T-%s}', '{OK}', '{r}', '{200}', '{5}', '{d}', '{GET x}', '{%s}', "
        "'{false}', '{x}', "
        "'{\"\"}', '{app}', '{100}', '{CNY}', '{5000}', '{NULL}', '{%s}')",
        1000000 * m.step, m.order_no, m.order_no, m.verdict,
        strcmp(m.verdict, "park") == 0 ? "flagged" : "\"\"", or (m.rule, "test"),
        strcmp(m.verdict, "retry") == 0 || m.next ? "5000" : "NULL", or (m.next, "NULL"),
        strcmp(m.verdict, "paid") == 0 ? "paid" : "pending", m.amount ? m.amount : 100L, m.order_no,
        or (m.request, "q"), or (m.phase, "open"));
    snprintf(told, sizeof(told), "%s", answer);
    return told;
}

static void order_make(PGconn *db, const char *order_no)
{
    db_do(db,
          "INSERT INTO kiosk.orders (order_no, state, total, currency) VALUES ('%s', 'paying', 100, 'CNY')",
          order_no);
}

static long rows(PGconn *db, const char *order_no)
{
    return db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = '%s'", order_no);
}

static long audits(PGconn *db, const char *order_no)
{
    return db_number(db, "SELECT count(*) FROM makegood.query_log WHERE order_no = '%s'", order_no);
}

static const char *state(PGconn *db, const char *order_no)
{
    return db_ask(db, "SELECT state FROM kiosk.orders WHERE order_no = '%s'", order_no);
}

/* "look amount currency" of a message that was written by the question about another one. */
static const char *look_after(PGconn *db, const char *order_no, const char *attempt, int step, int before,
                              const char *request)
{
    return db_ask(
        db,
        "SELECT concat_ws(' ', look, amount_minor, currency) FROM makegood.look_messages('{%s}', '{msg-a}', "
        "'{\"%s\"}', '{" CHAIN "}', '{%d}', '{%d}', '{\"%s\"}')",
        order_no, attempt, 1000000 * step, 1000000 * before, request);
}

static const char *look(PGconn *db, const char *order_no, int step)
{
    return look_after(db, order_no, "", step, 0, "");
}

static void a_message_is_settled_without_a_row(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, "t_daemon"), *root = db_open(KIOSK, NULL);
    order_make(root, "MSG1");
    assert_string_equal(look(db, "MSG1", 1), "ask 100 CNY");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG1", .verdict = "retry", .step = 1}), "applied");
    assert_int_equal(rows(root, "MSG1"), 0);
    assert_string_equal(look(db, "MSG1", 1), "done 100 CNY"); /* continued: the next one is on its way */
    assert_string_equal(look(db, "MSG1", 2), "ask 100 CNY");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG1", .verdict = "paid", .step = 2}), "applied");
    assert_string_equal(state(root, "MSG1"), "paid");
    assert_int_equal(rows(root, "MSG1"), 0);
    assert_int_equal(audits(root, "MSG1"), 2);
    assert_string_equal(look(db, "MSG1", 2), "done 100 CNY");
    assert_string_equal(look(db, "MSG1", 3), "done 100 CNY"); /* whatever comes late */
    assert_string_equal(look(db, "MSG-NOWHERE", 1), "ask");
    PQfinish(db);
    PQfinish(root);
}

static void a_message_that_comes_again_is_done_once(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG2");
    for (int i = 0; i < 3; i++)
        assert_string_equal(
            settle_message(db, (struct message){.order_no = "MSG2", .verdict = "paid", .step = 1}),
            "applied");
    assert_int_equal(audits(db, "MSG2"), 1);
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG2", .verdict = "paid", .step = 2}),
        "already"); /* another of its chain */
    assert_int_equal(rows(db, "MSG2"), 0);
    PQfinish(db);
}

/* Both asked, both settle: the second waits for the first, and hears what came of it. */
static void two_daemons_with_one_message(void **s)
{
    (void)s;
    PGconn *one = db_open(KIOSK, NULL), *other = db_open(KIOSK, NULL);
    order_make(one, "MSG3");
    db_do(one, "BEGIN");
    assert_string_equal(
        settle_message(one, (struct message){.order_no = "MSG3", .verdict = "paid", .step = 1}), "applied");
    db_do(other, "SET lock_timeout = '300ms'");
    assert_contains(
        db_refused(other,
                   "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) "
                   "VALUES ('MSG3', 'msg-a', 1, 'CNY', now())"),
        "55P03");
    db_do(one, "COMMIT");
    assert_string_equal(
        settle_message(other, (struct message){.order_no = "MSG3", .verdict = "paid", .step = 1}), "applied");
    assert_int_equal(audits(one, "MSG3"), 1);
    PQfinish(one);
    PQfinish(other);
}

/* One message was with two daemons, and both asked: one of them is heard, both are audited. */
static void two_questions_about_one_message(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG11");
    struct message first = {.order_no = "MSG11", .verdict = "retry", .step = 1, .request = "one"};
    struct message second = {.order_no = "MSG11", .verdict = "paid", .step = 1, .request = "two"};
    assert_string_equal(settle_message(db, first), "applied");
    assert_string_equal(settle_message(db, second), "fenced");
    assert_string_equal(settle_message(db, first), "applied"); /* told again */
    assert_int_equal(audits(db, "MSG11"), 2);
    assert_int_equal(rows(db, "MSG11"), 0);
    assert_string_equal(state(db, "MSG11"), "paying");
    PQfinish(db);
}

static void a_message_counts_once_its_step_is_recorded(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, "t_daemon"), *root = db_open(KIOSK, NULL);
    order_make(root, "MSG12");
    assert_string_equal(look_after(db, "MSG12", "", 2, 1, "one"), "wait 100 CNY");
    settle_message(db,
                   (struct message){.order_no = "MSG12", .verdict = "retry", .step = 1, .request = "one"});
    assert_string_equal(look_after(db, "MSG12", "", 2, 1, "one"), "ask 100 CNY");
    assert_string_equal(look_after(db, "MSG12", "", 2, 1, "two"), "done 100 CNY"); /* another delivery's */
    settle_message(db, (struct message){.order_no = "MSG12", .verdict = "park", .step = 2, .request = "one"});
    assert_string_equal(look_after(db, "MSG12", "", 3, 2, "one"), "done 100 CNY"); /* a person's now */
    db_do(root, "DELETE FROM makegood.parked_order WHERE order_no = 'MSG12'");
    PQfinish(db);
    PQfinish(root);
}

/* Where the shop tells attempts apart, a paid order may have been paid by another one: this one's payer gets an answer. */
static void a_named_attempt_is_asked_though_the_order_is_paid(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG13");
    settle_message(db, (struct message){.order_no = "MSG13", .verdict = "paid", .step = 1});
    assert_string_equal(look_after(db, "MSG13", "", 7, 0, ""), "done 100 CNY");
    assert_string_equal(look_after(db, "MSG13", "second", 7, 0, ""), "ask 100 CNY");
    PQfinish(db);
}

/* The net of an order that was closed is a tail, and stands in no other attempt's way. */
static void the_net_of_a_closed_order_is_a_tail(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG14");
    db_do(db, "SELECT makegood.track('MSG14', 'msg-a', 100, 'CNY', p_due_in => '1 hour')");
    settle_message(db, (struct message){.order_no = "MSG14", .verdict = "closed", .step = 1, .next = "tail"});
    assert_string_equal(state(db, "MSG14"), "closed");
    assert_string_equal(
        db_ask(db, "SELECT concat_ws(' ', round(extract(epoch FROM due_at - now()) / 60), phase, token) FROM "
                   "makegood.lost_order WHERE order_no = 'MSG14'"),
        "60 tail");
    settle_message(db,
                   (struct message){.order_no = "MSG14", .verdict = "closed", .step = 2, .phase = "tail"});
    assert_int_equal(rows(db, "MSG14"), 0);
    PQfinish(db);
}

static void what_contradicts_is_parked(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG4");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG4", .verdict = "paid", .step = 1, .amount = 99}),
        "conflict amount_mismatch");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG5", .verdict = "paid", .step = 1}),
        "conflict missing");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG6", .verdict = "park", .step = 1}), "applied");
    assert_string_equal(db_ask(db, "SELECT string_agg(reason || ' ' || number, ',' ORDER BY order_no) FROM "
                                   "makegood.parked_order WHERE channel = 'msg-a'"),
                        "amount_mismatch P-MSG4,missing P-MSG5,flagged P-MSG6");
    assert_string_equal(state(db, "MSG4"), "paying");
    assert_int_equal(rows(db, "MSG4") + rows(db, "MSG5") + rows(db, "MSG6"), 0);
    assert_string_equal(look(db, "MSG4", 9), "done 100 CNY"); /* the shop sent it twice: a person has it */
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG4", .verdict = "paid", .step = 9}), "fenced");
    assert_string_equal(state(db, "MSG4"), "paying");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'MSG4'"), 1);
    order_make(db, "MSG16");
    db_do(db, "SELECT makegood.message_unread('MSG16', 'msg-a', 'nonsense')");
    assert_string_equal(look(db, "MSG16", 1), "ask 100 CNY"); /* that was another message */
    db_do(db, "DELETE FROM makegood.parked_order WHERE channel = 'msg-a'");
    PQfinish(db);
}

static void the_safety_net_goes_with_its_order_and_else_stays(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    static const char net[] =
        "SELECT concat_ws(' ', round(extract(epoch FROM due_at - now()) / 60), phase, answers, claims, "
        "token) FROM makegood.lost_order WHERE order_no = 'MSG7'";
    order_make(db, "MSG7");
    db_do(db, "SELECT makegood.track('MSG7', 'msg-a', 100, 'CNY', p_due_in => '1 hour')");
    assert_string_equal(
        settle_message(
            db, (struct message){.order_no = "MSG7", .verdict = "retry", .step = 1, .next = "closing"}),
        "applied");
    assert_string_equal(db_ask(db, net), "60 open 0 0");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG7", .verdict = "closed", .step = 2}), "applied");
    assert_string_equal(state(db, "MSG7"), "closed");
    assert_int_equal(rows(db, "MSG7"), 0);
    PQfinish(db);
}

/* The goalkeeper has it: the message comes again. */
static void a_net_that_is_being_asked_is_not_touched(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG8");
    db_do(db, "SELECT makegood.track('MSG8', 'msg-a', 100, 'CNY', p_due_in => '0')");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.claim('net', '{msg-a}', '{9}', 60000)"), 1);
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG8", .verdict = "paid", .step = 1}), "fenced");
    assert_string_equal(look(db, "MSG8", 1), "ask 100 CNY");
    assert_string_equal(state(db, "MSG8"), "paying");
    db_do(db, "UPDATE makegood.lost_order SET due_at = now() WHERE order_no = 'MSG8'"); /* its lease ends */
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG8", .verdict = "paid", .step = 1}), "applied");
    assert_int_equal(rows(db, "MSG8"), 0);
    PQfinish(db);
}

static void a_late_payment_in_the_tail(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG9");
    assert_string_equal(
        settle_message(db,
                       (struct message){.order_no = "MSG9", .verdict = "closed", .step = 1, .next = "tail"}),
        "applied");
    assert_string_equal(state(db, "MSG9"), "closed");
    assert_int_equal(rows(db, "MSG9"), 0); /* the tail travels in the next message */
    assert_string_equal(look(db, "MSG9", 2), "ask 100 CNY");
    assert_string_equal(
        settle_message(db,
                       (struct message){.order_no = "MSG9", .verdict = "paid", .step = 2, .phase = "tail"}),
        "applied");
    assert_string_equal(state(db, "MSG9"), "paid");
    PQfinish(db);
}

static void halted_nothing_ends_and_nothing_is_lost(void **s)
{
    (void)s;
    PGconn *db = db_open(KIOSK, NULL);
    order_make(db, "MSG10");
    db_do(db, "SELECT makegood.halt('n', false)");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG10", .verdict = "paid", .step = 1}), "fenced");
    db_do(db, "SELECT makegood.lift('n', false)");
    assert_string_equal(look(db, "MSG10", 1), "ask 100 CNY");
    assert_string_equal(
        settle_message(db, (struct message){.order_no = "MSG10", .verdict = "paid", .step = 1}), "applied");
    PQfinish(db);
}

int run_message_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_settled_without_a_row),
        cmocka_unit_test(a_message_that_comes_again_is_done_once),
        cmocka_unit_test(two_daemons_with_one_message),
        cmocka_unit_test(two_questions_about_one_message),
        cmocka_unit_test(a_message_counts_once_its_step_is_recorded),
        cmocka_unit_test(a_named_attempt_is_asked_though_the_order_is_paid),
        cmocka_unit_test(the_net_of_a_closed_order_is_a_tail),
        cmocka_unit_test(what_contradicts_is_parked),
        cmocka_unit_test(the_safety_net_goes_with_its_order_and_else_stays),
        cmocka_unit_test(a_net_that_is_being_asked_is_not_touched),
        cmocka_unit_test(a_late_payment_in_the_tail),
        cmocka_unit_test(halted_nothing_ends_and_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("sql message", tests, NULL, NULL);
}
