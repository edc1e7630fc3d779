/* Settle, one connection: every row of the table of rulings, the audit, and repeats (sql/005_settle.sql). */
#include "db.h"

/* One claimed row of a fresh order, on a channel of its own. */
static struct element one(PGconn *db, const char *order_no, const char *state, long long total,
                          long long amount)
{
    struct element element;
    char channel[CHANNEL_BYTES];
    channel_of("ch", order_no, channel);
    if (state != NULL)
        kiosk_order(db, order_no, state, total);
    kiosk_attempt(db, order_no, channel, amount, "");
    assert_int_equal(claim_rows(db, channel, 1, &element), 1);
    return element;
}

static long audits(PGconn *db, const struct element *e)
{
    return db_number(db,
                     "SELECT count(*) FROM makegood.query_log WHERE attempt_id = %s AND token = '%s' AND "
                     "claimed_at = 'epoch'::timestamptz + %s * interval '1 microsecond'",
                     e->attempt_id, e->token, e->claimed_us);
}

static bool waits(PGconn *db, const struct element *e)
{
    return db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE attempt_id = %s", e->attempt_id) ==
           1;
}

static const char *parked_for(PGconn *db, const struct element *e)
{
    return db_ask(db, "SELECT coalesce((SELECT reason FROM makegood.parked_order WHERE attempt_id = %s), '')",
                  e->attempt_id);
}

/* status of the order, verdict, recorded channel and number -> outcome, reason, status afterwards. Order and
 * attempt say 100 CNY; so does the channel unless the case says otherwise. */
static const struct {
    const char *state, *verdict, *recorded_channel, *recorded_number;
    long long total, amount;
    const char *currency, *outcome, *reason, *after;
} rulings[] = {
    {"created", "paid", NULL, NULL, 100, 100, "CNY", "applied", "", "paid"},
    {"paying", "paid", NULL, NULL, 100, 100, "CNY", "applied", "", "paid"},
    {"paid", "paid", "own", "T1", 100, 100, "CNY", "already", "", "paid"},
    {"shipped", "paid", "own", "T1", 100, 100, "CNY", "already", "", "shipped"},
    {"paid", "paid", "own", "T2", 100, 100, "CNY", "conflict", "paid_twice", "paid"},
    {"paid", "paid", "other", "T1", 100, 100, "CNY", "conflict", "paid_twice", "paid"},
    {"paid", "paid", NULL, NULL, 100, 100, "CNY", "conflict", "paid_twice", "paid"},
    {"shipped", "paid", "own", NULL, 100, 100, "CNY", "conflict", "paid_twice", "shipped"},
    {"closed", "paid", NULL, NULL, 100, 100, "CNY", "conflict", "late_payment", "closed"},
    {"cancelled", "paid", NULL, NULL, 100, 100, "CNY", "conflict", "late_payment", "cancelled"},
    {"refunded", "paid", "own", "T1", 100, 100, "CNY", "conflict", "status_unexpected", "refunded"},
    {"strange", "paid", NULL, NULL, 100, 100, "CNY", "conflict", "status_unexpected", "strange"},
    {"paying", "paid", NULL, NULL, 101, 100, "CNY", "conflict", "amount_mismatch", "paying"},
    {"paying", "paid", NULL, NULL, 100, 99, "CNY", "conflict", "amount_mismatch", "paying"},
    {"paying", "paid", NULL, NULL, 101, 101, "CNY", "conflict", "amount_mismatch", "paying"},
    {"paying", "paid", NULL, NULL, 100, 100, "USD", "conflict", "currency_mismatch", "paying"},
    {"paying", "paid", NULL, NULL, 100, 100, NULL, "conflict", "currency_mismatch", "paying"},
    {"paid", "paid", "own", "T1", 100, 99, "CNY", "conflict", "amount_mismatch", "paid"},
    {NULL, "paid", NULL, NULL, 100, 100, "CNY", "conflict", "missing", NULL},
    {"paying", "closed", NULL, NULL, 100, 0, NULL, "applied", "", "closed"},
    {"closed", "closed", NULL, NULL, 100, 0, NULL, "already", "", "closed"},
    {"cancelled", "closed", NULL, NULL, 100, 0, NULL, "already", "", "cancelled"},
    {"paid", "closed", "other", "T9", 100, 0, NULL, "already", "", "paid"},
    {"refunded", "closed", NULL, NULL, 100, 0, NULL, "conflict", "status_unexpected", "refunded"},
    {NULL, "closed", NULL, NULL, 100, 0, NULL, "conflict", "missing", NULL},
    {"paying", "refunded", NULL, NULL, 100, 100, "CNY", "applied", "", "refunded"},
    {"paid", "refunded", "own", "T1", 100, 100, "CNY", "applied", "", "refunded"},
    {"paid", "refunded", "other", "T9", 100, 100, "CNY", "conflict", "paid_twice", "paid"},
    {"refunded", "refunded", "own", "T1", 100, 100, "CNY", "already", "", "refunded"},
    {"refunded", "refunded", "own", "T7", 100, 100, "CNY", "conflict", "paid_twice", "refunded"},
    {"closed", "refunded", NULL, NULL, 100, 100, "CNY", "conflict", "late_payment", "closed"},
    {"shipped", "refunded", "own", "T1", 100, 100, "CNY", "conflict", "status_unexpected", "shipped"},
    {"paying", "refunded", NULL, NULL, 100, 50, "CNY", "conflict", "amount_mismatch", "paying"},
};

static void the_table_of_rulings(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    for (size_t i = 0; i < sizeof rulings / sizeof rulings[0]; i++) {
        char order_no[16], own[24];
        snprintf(order_no, sizeof order_no, "r%zu", i);
        snprintf(own, sizeof own, "ch-r%zu", i);
        struct element e = one(db, order_no, rulings[i].state, rulings[i].total, 100);
        const char *channel = rulings[i].recorded_channel;
        if (channel != NULL)
            db_do(db, "UPDATE kiosk.orders SET pay_channel = '%s' WHERE order_no = '%s'",
                  strcmp(channel, "own") == 0 ? own : channel, order_no);
        if (rulings[i].recorded_number != NULL)
            db_do(db, "UPDATE kiosk.orders SET trade_no = '%s' WHERE order_no = '%s'",
                  rulings[i].recorded_number, order_no);
        e.verdict = rulings[i].verdict;
        e.amount = rulings[i].amount;
        e.currency = rulings[i].currency;
        settle_rows(db, &e, 1);
        assert_settled(&e, rulings[i].outcome, rulings[i].reason);
        assert_string_equal(parked_for(db, &e), rulings[i].reason);
        assert_false(waits(db, &e));
        assert_int_equal(audits(db, &e), 1);
        if (rulings[i].after != NULL)
            assert_string_equal(kiosk_state(db, order_no), rulings[i].after);
        settle_rows(db, &e, 1); /* a repeat answers what was recorded */
        assert_settled(&e, rulings[i].outcome, rulings[i].reason);
        assert_int_equal(audits(db, &e), 1);
    }
    PQfinish(db);
}

static void a_paid_order_is_written_whole_and_its_own_triggers_work(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon"), *root = db_open(KIOSK, NULL);
    kiosk_order(root, "P1", "paying", 4200);
    kiosk_attempt(root, "P1", "wechat", 4200, "");
    struct element e;
    assert_int_equal(claim_rows(db, "wechat", 1, &e), 1);
    e.channel_number = "4200001";
    settle_rows(db, &e, 1);
    settle_rows(db, &e, 1);
    assert_string_equal(db_ask(root,
                               "SELECT concat_ws(' ', state, pay_channel, trade_no, "
                               "paid_at > now() - interval '1 min') FROM kiosk.orders WHERE order_no = 'P1'"),
                        "paid wechat 4200001 t");
    assert_string_equal(db_ask(root, "SELECT string_agg(was || '>' || became, ',') FROM kiosk.order_history "
                                     "WHERE order_no = 'P1'"),
                        "paying>paid");
    PQfinish(root);
    PQfinish(db);
}

static void the_audit_keeps_everything(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = one(db, "A1", "paying", 100, 100);
    e.number[0] = '\0';
    e.detail = "'; DROP SCHEMA makegood CASCADE; -- {\"\\";
    settle_rows(db, &e, 1);
    assert_string_equal(
        db_ask(
            db,
            "SELECT concat_ws('|', instance, order_no, channel, verdict, rule, evidence, authentic, asked, "
            "request_id, http_status, code, channel_rule, latency_ms, body_digest, amount_minor, currency, "
            "channel_number, outcome, status_before, status_after, detail, answers) "
            "FROM makegood.query_log WHERE order_no = 'A1'"),
        "test|A1|ch-a1|paid|test_rule|paid|t|GET https://bank.example/pay|req-1|200|SUCCESS|rule_paid|120|"
        "9f86d081884c7d65|100|CNY|T1|applied|paying|paid|'; DROP SCHEMA makegood CASCADE; -- {\"\\|1");
    assert_contains(db_refused(db, "UPDATE makegood.query_log SET outcome = 'fenced' WHERE order_no = 'A1'"),
                    "42501 makegood.query_log is never changed");
    assert_contains(db_refused(db, "DELETE FROM makegood.query_log WHERE order_no = 'A1'"), "never changed");
    PQfinish(db);
}

static void retry_puts_the_row_back_with_its_counters(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = one(db, "T1", "paying", 100, 100);
    e.verdict = "retry";
    e.authentic = false;
    e.due_in_ms = "90000";
    e.answers = 3;
    e.errors = 2;
    e.unknowns = 1;
    settle_rows(db, &e, 1);
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(db_ask(db, "SELECT concat_ws(' ', token IS NULL, claims, answers, errors, unknowns, "
                                   "round(extract(epoch FROM due_at - claimed_at))) FROM makegood.lost_order "
                                   "WHERE order_no = 'T1'"),
                        "t 0 3 2 1 90");
    assert_string_equal(kiosk_state(db, "T1"), "paying");
    assert_int_equal(audits(db, &e), 1);
    PQfinish(db);
}

static void park_moves_the_row_with_its_reason(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = one(db, "K1", "paying", 100, 100);
    e.verdict = "park";
    e.reason = "poison";
    e.detail = "22003 value out of range";
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(db_ask(db,
                               "SELECT concat_ws('|', order_no, channel, amount_minor, reason, detail) "
                               "FROM makegood.parked_order WHERE attempt_id = %s",
                               e.attempt_id),
                        "K1|ch-k1|100|poison|22003 value out of range");
    assert_string_equal(kiosk_state(db, "K1"), "paying");
    PQfinish(db);
}

static void a_fenced_worker_changes_nothing_and_is_audited(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element late = one(db, "F1", "paying", 100, 100), now;
    db_do(db, "UPDATE makegood.lost_order SET due_at = now() WHERE order_no = 'F1'");
    assert_int_equal(claim_rows(db, "ch-f1", 1, &now), 1);
    settle_rows(db, &late, 1);
    assert_settled(&late, "fenced", "");
    assert_string_equal(kiosk_state(db, "F1"), "paying");
    assert_int_equal(audits(db, &late), 1);
    settle_rows(db, &late, 1);
    assert_settled(&late, "fenced", "");
    assert_int_equal(audits(db, &late), 1);
    settle_rows(db, &now, 1);
    assert_settled(&now, "applied", "");
    PQfinish(db);
}

static void a_token_serves_its_own_order_only(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element mine = one(db, "F2", "paying", 100, 100);
    kiosk_order(db, "F2-other", "paying", 100);
    strcpy(mine.order_no, "F2-other");
    settle_rows(db, &mine, 1);
    assert_settled(&mine, "fenced", "");
    assert_string_equal(kiosk_state(db, "F2-other"), "paying");
    PQfinish(db);
}

static void only_authentic_evidence_and_known_verdicts_end_an_order(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element e = one(db, "U1", "paying", 100, 100);
    e.authentic = false;
    assert_contains(settle_refused(db, &e, 1),
                    "22023 makegood.settle: only authentic evidence ends an order");
    e.authentic = true;
    e.verdict = "paid'; --";
    assert_contains(settle_refused(db, &e, 1), "22023 makegood.settle: a verdict is none of");
    e.verdict = "retry";
    e.answers = 1;
    e.evidence = NULL;
    assert_contains(settle_refused(db, &e, 1), "23502");
    assert_string_equal(kiosk_state(db, "U1"), "paying");
    assert_true(waits(db, &e));
    PQfinish(db);
}

static void one_attempt_of_an_order_has_its_turn_a_paid_one_first(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    kiosk_order(db, "D1", "paying", 100);
    kiosk_attempt(db, "D1", "turn", 100, "1");
    kiosk_attempt(db, "D1", "turn", 100, "2");
    kiosk_attempt(db, "D1", "turn", 100, "3");
    struct element e[3];
    assert_int_equal(claim_rows(db, "turn", 3, e), 3);
    e[0].verdict = "closed";
    e[2].channel_number = "T3";
    settle_rows(db, e, 3);
    assert_settled(&e[0], "busy", "");
    assert_settled(&e[1], "applied", "");
    assert_settled(&e[2], "busy", "");
    assert_int_equal(audits(db, &e[0]) + audits(db, &e[2]), 0);
    struct element rest[2] = {e[0], e[2]};
    settle_rows(db, &rest[0], 1);
    settle_rows(db, &rest[1], 1);
    assert_settled(&rest[0], "applied", ""); /* another attempt lives: the row goes, the order stays */
    assert_settled(&rest[1], "conflict", "paid_twice");
    assert_string_equal(
        db_ask(db, "SELECT detail FROM makegood.parked_order WHERE order_no = 'D1'"),
        "the channel says paid 100 CNY, payment T3; the order's status is paid, by the payment turn T1");
    assert_string_equal(kiosk_state(db, "D1"), "paid");
    PQfinish(db);
}

static void an_order_closes_with_its_last_attempt(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    kiosk_order(db, "D2", "paying", 100);
    kiosk_attempt(db, "D2", "last", 100, "1");
    kiosk_attempt(db, "D2", "last", 100, "2");
    struct element e[2];
    assert_int_equal(claim_rows(db, "last", 2, e), 2);
    e[0].verdict = "closed";
    e[1].verdict = "park";
    e[1].reason = "unclosable";
    settle_rows(db, e, 1);
    assert_settled(&e[0], "applied", "");
    assert_string_equal(kiosk_state(db, "D2"), "paying");
    settle_rows(db, &e[1], 1);
    kiosk_attempt(db, "D2", "last", 100, "3");
    assert_int_equal(claim_rows(db, "last", 1, e), 1);
    e[0].verdict = "closed";
    settle_rows(db, e, 1); /* the parked one lives still */
    assert_settled(&e[0], "applied", "");
    assert_string_equal(kiosk_state(db, "D2"), "paying");
    db_do(db, "DELETE FROM makegood.parked_order WHERE order_no = 'D2'");
    kiosk_attempt(db, "D2", "last", 100, "4");
    assert_int_equal(claim_rows(db, "last", 1, e), 1);
    e[0].verdict = "closed";
    settle_rows(db, e, 1);
    assert_settled(&e[0], "applied", "");
    assert_string_equal(kiosk_state(db, "D2"), "closed");
    PQfinish(db);
}

static void an_order_that_its_shop_holds_back_is_a_conflict_or_alone(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    struct element silent = one(db, "G1", "paying", 66600, 66600),
                   loud = one(db, "G2", "paying", 66601, 66601);
    settle_rows(db, &silent, 1);
    assert_settled(&silent, "conflict", "status_unexpected");
    assert_string_equal(parked_for(db, &silent), "status_unexpected");
    assert_contains(settle_refused(db, &loud, 1), "P0001 the kiosk does not want this");
    assert_true(waits(db, &loud));
    assert_int_equal(audits(db, &loud), 0);
    PQfinish(db);
}

static void a_batch_of_500_is_settled_in_order(void **state)
{
    (void)state;
    static struct element e[500];
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db,
          "INSERT INTO kiosk.orders (order_no, state, total, currency) SELECT 'b' || i, 'paying', 100, 'CNY' "
          "FROM generate_series(1, 500) AS i WHERE i %% 10 <> 7");
    db_do(db, "SELECT makegood.track('b' || i, 'batch', 100, 'CNY', p_due_in => '-1 s') FROM "
              "generate_series(1, 500) AS i");
    assert_int_equal(claim_rows(db, "batch", 500, e), 500);
    for (int i = 0; i < 500; i++) {
        e[i].verdict = (i % 3 == 0) ? "retry" : (i % 3 == 1) ? "paid" : "closed";
        e[i].amount = (i % 5 == 0) ? 1 : 100;
    }
    settle_rows(db, e, 500);
    for (int i = 0; i < 500; i++) {
        bool missing = e[i].order_no[strlen(e[i].order_no) - 1] == '7';
        if (i % 3 == 0)
            assert_settled(&e[i], "applied", "");
        else if (missing)
            assert_settled(&e[i], "conflict", "missing");
        else if (i % 3 == 1 && i % 5 == 0)
            assert_settled(&e[i], "conflict", "amount_mismatch");
        else
            assert_settled(&e[i], "applied", "");
    }
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log WHERE channel = 'batch'"), 500);
    PQfinish(db);
}

int run_settle_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_rulings),
        cmocka_unit_test(a_paid_order_is_written_whole_and_its_own_triggers_work),
        cmocka_unit_test(the_audit_keeps_everything),
        cmocka_unit_test(retry_puts_the_row_back_with_its_counters),
        cmocka_unit_test(park_moves_the_row_with_its_reason),
        cmocka_unit_test(a_fenced_worker_changes_nothing_and_is_audited),
        cmocka_unit_test(a_token_serves_its_own_order_only),
        cmocka_unit_test(only_authentic_evidence_and_known_verdicts_end_an_order),
        cmocka_unit_test(one_attempt_of_an_order_has_its_turn_a_paid_one_first),
        cmocka_unit_test(an_order_closes_with_its_last_attempt),
        cmocka_unit_test(an_order_that_its_shop_holds_back_is_a_conflict_or_alone),
        cmocka_unit_test(a_batch_of_500_is_settled_in_order),
    };
    return cmocka_run_group_tests_name("sql settle", tests, NULL, NULL);
}
