/* Operating (sql/013_operate.sql): notes, dry runs that leave nothing behind, asking at once, parking and putting back,
 * each also against a daemon or a shop at the same moment. */
#include "db.h"

static PGconn *operator_open(void)
{
    PGconn *db = db_open(KIOSK, "t_operator");
    db_do(db, "SET statement_timeout = '3s'");
    return db;
}

static const char *channel_for(const char *order_no)
{
    static char channel[CHANNEL_BYTES];
    channel_of("op", order_no, channel);
    return channel;
}

/* An order that is unpaid, and an attempt on a channel of its own. */
static long waiting(PGconn *db, const char *order_no)
{
    kiosk_order(db, order_no, "paying", 100);
    return kiosk_attempt(db, order_no, channel_for(order_no), 100, "");
}

static struct element claimed(PGconn *db, const char *order_no)
{
    struct element e;
    waiting(db, order_no);
    assert_int_equal(claim_rows(db, channel_for(order_no), 1, &e), 1);
    return e;
}

static void settle_as_parked(PGconn *db, const char *order_no, const char *reason)
{
    struct element e = claimed(db, order_no);
    e.verdict = "park";
    e.reason = reason;
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
}

#define DEEDS                                                                                               \
    "SELECT coalesce(string_agg(concat_ws(' ', was, done, nullif(detail, '')), '; ' ORDER BY attempt_id), " \
    "'') FROM makegood."

static const char *retried(PGconn *db, const char *order_no)
{
    return db_ask(db, DEEDS "retry('%s', NULL, NULL, true, 'a test', false)", order_no);
}

static const char *unparked(PGconn *db, const char *order_no)
{
    return db_ask(db, DEEDS "retry('%s', NULL, NULL, false, 'a test', false)", order_no);
}

static const char *parked(PGconn *db, const char *order_no)
{
    return db_ask(db, DEEDS "park('%s', NULL, 'a test', false)", order_no);
}

static long logged(PGconn *db, const char *order_no, const char *action)
{
    return db_number(db, "SELECT count(*) FROM makegood.operator_log WHERE order_no = '%s' AND action = '%s'",
                     order_no, action);
}

/* --- what is refused -------------------------------------------------------------------------------------- */

static void each_deed_says_why(void **state)
{
    (void)state;
    PGconn *db = operator_open();
    static const char *const notes[] = {"NULL", "''", "'  '", "repeat('x', 1001)", "repeat('字', 334)"};
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        assert_contains(db_refused(db, "SELECT makegood.halt(%s, false)", notes[i]),
                        "22023 makegood: say why");
        assert_contains(db_refused(db, "SELECT makegood.retry('x', NULL, NULL, true, %s, true)", notes[i]),
                        "say why");
        assert_contains(db_refused(db, "SELECT makegood.park('x', NULL, %s, true)", notes[i]), "say why");
    }
    PQfinish(db);
}

static void what_means_nothing_or_all_is_refused(void **state)
{
    (void)state;
    PGconn *db = operator_open();
    assert_contains(db_refused(db, "SELECT makegood.retry(NULL, NULL, NULL, true, 'n', true)"),
                    "name an order, a channel or a reason");
    assert_contains(db_refused(db, "SELECT makegood.park(NULL, 'x', 'n', true)"), "name the order to park");
    assert_contains(db_refused(db, "SELECT makegood.pause('nowhere', NULL, 'n', true)"),
                    "no channel 'nowhere'");
    assert_contains(db_refused(db, "SELECT makegood.resume(NULL, 'n', true)"), "no channel NULL");
    db_do(db, "SELECT 1");
    PGconn *root = db_open(KIOSK, NULL);
    db_do(root, "SELECT makegood.announce('{op-known}', '{1}')");
    assert_contains(db_refused(db, "SELECT makegood.pause('op-known', '0', 'n', true)"), "is none");
    assert_contains(db_refused(db, "SELECT makegood.pause('op-known', '-1 h', 'n', true)"), "is none");
    assert_string_equal(db_ask(db, DEEDS "retry('nobody', NULL, NULL, true, 'n', false)"), "");
    PQfinish(root);
    PQfinish(db);
}

/* --- dry runs --------------------------------------------------------------------------------------------- */

/* Everything that could change, and the numbers that were handed out. */
static const char *traces(PGconn *db)
{
    return db_ask(db,
                  "SELECT md5(concat((SELECT string_agg(t::text, ' ' ORDER BY t.attempt_id) FROM "
                  "makegood.lost_order AS t), "
                  "(SELECT string_agg(t::text, ' ' ORDER BY t.attempt_id) FROM makegood.parked_order AS t), "
                  "(SELECT count(*) FROM makegood.query_log), (SELECT count(*) FROM makegood.operator_log), "
                  "(SELECT last_value FROM makegood.operator_log_id_seq), (SELECT last_value FROM "
                  "makegood.approval_id_seq), "
                  "(SELECT last_value FROM makegood.lost_order_attempt_id_seq), "
                  "(SELECT string_agg(t::text, ' ' ORDER BY t.id) FROM makegood.approval AS t), "
                  "(SELECT t::text FROM makegood.steering AS t), "
                  "(SELECT string_agg(t::text, ' ' ORDER BY t.channel) FROM makegood.paused_channel AS t), "
                  "(SELECT string_agg(t::text, ' ' ORDER BY t.order_no) FROM kiosk.orders AS t), "
                  "(SELECT count(*) FROM kiosk.order_history)))");
}

static void a_dry_run_leaves_nothing_behind(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open(), *daemon = db_open(KIOSK, NULL);
    db_do(root, "SELECT makegood.announce('{op-known}', '{1}')");
    waiting(root, "DRY1");
    settle_as_parked(root, "DRY2", "flagged");
    db_do(root, "UPDATE makegood.steering SET approve_above = 100");
    waiting(root, "DRY3");
    kiosk_order(root, "DRY4", "paying", 20000);
    kiosk_attempt(root, "DRY4", "op-dry4", 20000, "");
    static const char *const deeds[] = {
        "pause('op-known', '1 h', 'n', ",
        "halt('n', ",
        "retry('DRY1', NULL, NULL, true, 'n', ",
        "retry(NULL, NULL, 'flagged', true, 'n', ",
        "retry('DRY2', NULL, NULL, false, 'n', ",
        "park('DRY1', NULL, 'n', ",
        "resolve_by_hand('DRY1', NULL, 'paid', 'T1', 'n', ",
        "resolve_by_hand('DRY2', NULL, 'paid', 'T1', 'n', ",
        "resolve_by_hand('DRY3', NULL, 'closed', NULL, 'n', ",
        "resolve_by_hand('DRY4', NULL, 'closed', NULL, 'n', ",
    };
    const char *const dry[] = {"true", "NULL"}; /* nothing said is dry as well */
    char before[40];
    strcpy(before, traces(root));
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        for (int d = 0; d < 2; d++) {
            db_do(db, "BEGIN; SELECT makegood.%s%s)", deeds[i], dry[d]);
            db_do(daemon, "SELECT FROM makegood.lost_order FOR UPDATE NOWAIT"); /* nor a lock */
            db_do(daemon, "SELECT FROM makegood.parked_order FOR UPDATE NOWAIT");
            db_do(db, "COMMIT");
            if (strcmp(before, traces(root)) != 0)
                fail_msg("%s%s) left something behind", deeds[i], dry[d]);
        }
    db_do(root, "UPDATE makegood.steering SET approve_above = NULL");
    PQfinish(daemon);
    PQfinish(db);
    PQfinish(root);
}

static void a_dry_run_tells_what_would_be_done(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    claimed(root, "DT1");
    settle_as_parked(root, "DT2", "flagged");
    assert_string_equal(db_ask(db, DEEDS "retry('DT1', NULL, NULL, true, 'n', true)"),
                        "waiting f it is being asked now");
    assert_string_equal(db_ask(db, DEEDS "retry('DT2', NULL, NULL, true, 'n', true)"), "flagged t");
    assert_string_equal(db_ask(db, DEEDS "park('DT1', NULL, 'n', true)"), "waiting t");
    assert_string_equal(db_ask(db, DEEDS "park('DT2', NULL, 'n', true)"), "");
    PQfinish(db);
    PQfinish(root);
}

/* --- asking at once --------------------------------------------------------------------------------------- */

static void retry_makes_due_what_waits_and_not_what_is_asked(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    struct element e = claimed(root, "RT1");
    assert_string_equal(retried(db, "RT1"), "waiting f it is being asked now");
    assert_int_equal(logged(db, "RT1", "retry"), 0);
    e.verdict = "retry";
    settle_rows(root, &e, 1);
    assert_settled(&e, "applied", "");
    assert_int_equal(claim_rows(root, channel_for("RT1"), 1, &e), 0);
    assert_string_equal(retried(db, "RT1"), "waiting t");
    assert_int_equal(logged(db, "RT1", "retry"), 1);
    assert_int_equal(claim_rows(root, channel_for("RT1"), 1, &e), 1);
    db_do(
        root,
        "UPDATE makegood.lost_order SET due_at = now() - interval '1 min' WHERE order_no = 'RT1'"); /* died */
    assert_string_equal(retried(db, "RT1"), "waiting t");
    PQfinish(db);
    PQfinish(root);
}

static void retry_beside_a_claim_under_way_says_so(void **state)
{
    (void)state;
    PGconn *daemon = db_open(KIOSK, NULL), *db = operator_open();
    waiting(daemon, "RT2");
    struct element e;
    db_do(daemon, "BEGIN");
    assert_int_equal(claim_rows(daemon, channel_for("RT2"), 1, &e), 1);
    assert_string_equal(retried(db, "RT2"), "waiting f somebody holds it right now; try again");
    assert_string_equal(parked(db, "RT2"), "waiting f somebody holds it right now; try again");
    db_do(daemon, "COMMIT");
    settle_rows(daemon, &e, 1);
    assert_settled(&e, "applied", "");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.operator_log WHERE order_no = 'RT2'"), 0);
    PQfinish(db);
    PQfinish(daemon);
}

/* A question asked early would use up one of the tail's few. */
static void the_tail_is_meant_only_by_name(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    waiting(root, "RT3");
    db_do(root, "UPDATE makegood.lost_order SET phase = 'tail', due_at = now() + interval '1 d' WHERE "
                "order_no = 'RT3'");
    assert_string_equal(db_ask(db, DEEDS "retry(NULL, 'op-rt3', NULL, true, 'n', false)"), "");
    assert_string_equal(retried(db, "RT3"), "tail t");
    struct element e;
    assert_int_equal(claim_rows(root, "op-rt3", 1, &e), 1);
    PQfinish(db);
    PQfinish(root);
}

/* --- parking and putting back ----------------------------------------------------------------------------- */

static void park_fences_the_daemon_that_asks(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    struct element e = claimed(root, "PK1");
    assert_string_equal(parked(db, "PK1"), "waiting t");
    settle_rows(root, &e, 1);
    assert_settled(&e, "fenced", "");
    assert_string_equal(kiosk_state(root, "PK1"), "paying");
    assert_string_equal(
        db_ask(db, "SELECT reason || ', ' || detail FROM makegood.parked_order WHERE order_no = 'PK1'"),
        "operator, t_operator: a test");
    assert_string_equal(
        db_ask(db, "SELECT who || ' ' || note || ' ' || detail FROM makegood.operator_log WHERE order_no "
                   "= 'PK1'"),
        "t_operator a test was waiting");
    PQfinish(db);
    PQfinish(root);
}

static void unpark_puts_back_with_new_counters(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    long id = waiting(root, "PK2");
    db_do(
        root,
        "UPDATE makegood.lost_order SET claims = 7, answers = 5, errors = 4, unknowns = 3, phase = 'check', "
        "method = 'qr', channel_data = '{\"a\": 1}', expires_at = now() WHERE order_no = 'PK2'");
    parked(db, "PK2");
    assert_string_equal(db_ask(db, DEEDS "retry(NULL, 'op-pk2', 'flagged', true, 'n', false)"),
                        ""); /* another reason */
    assert_string_equal(unparked(db, "PK2"), "operator t");
    assert_string_equal(unparked(db, "PK2"), "");
    assert_string_equal(db_ask(db,
                               "SELECT concat_ws(' ', attempt_id = %ld, claims, answers, errors, unknowns, "
                               "phase, method, channel_data, "
                               "token IS NULL, due_at <= now(), expires_at IS NOT NULL) FROM "
                               "makegood.lost_order WHERE order_no = 'PK2'",
                               id),
                        "t 0 0 0 0 open qr {\"a\": 1} t t t");
    assert_int_equal(logged(db, "PK2", "unpark"), 1);
    struct element e;
    assert_int_equal(claim_rows(root, channel_for("PK2"), 1, &e), 1);
    settle_rows(root, &e, 1);
    assert_settled(&e, "applied", "");
    PQfinish(db);
    PQfinish(root);
}

static void two_who_unpark_put_back_once(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open(), *second = db_open(KIOSK, "t_second");
    settle_as_parked(root, "PK3", "flagged");
    db_do(second, "BEGIN");
    assert_string_equal(unparked(second, "PK3"), "flagged t");
    assert_string_equal(unparked(db, "PK3"), "flagged f somebody holds it right now; try again");
    db_do(second, "COMMIT");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = 'PK3'"), 1);
    assert_int_equal(logged(db, "PK3", "unpark"), 1);
    PQfinish(second);
    PQfinish(db);
    PQfinish(root);
}

static void what_could_not_be_tracked_stays_parked_with_the_mend(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    db_do(root, "INSERT INTO makegood.parked_order (order_no, channel, reason) VALUES ('PK4', 'op-pk4', "
                "'untrackable')");
    assert_string_equal(unparked(db, "PK4"), "untrackable f it can not be tracked as it is (amount null is "
                                             "not above zero; give it in minor units (cents), as a "
                                             "whole number); track it with its data");
    assert_contains(
        db_refused(db, "SELECT makegood.resolve_by_hand('PK4', NULL, 'closed', NULL, 'n', false)"),
        "can not be ended: it can not be tracked as it is");
    db_do(root, "SELECT makegood.track('PK4', 'op-pk4', 100, 'CNY')");
    assert_string_equal(unparked(db, "PK4"), "");
    PQfinish(db);
    PQfinish(root);
}

/* As adopt() may leave it, when the attempt is being parked at that moment. */
static void tracked_anew(PGconn *db, const char *order_no, long long amount)
{
    db_do(db,
          "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) VALUES ('%s', "
          "'%s', %lld, "
          "'CNY', now())",
          order_no, channel_for(order_no), amount);
}

static void an_attempt_that_was_tracked_anew_goes_on_as_that_one(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    settle_as_parked(root, "TW1", "flagged");
    tracked_anew(root, "TW1", 100);
    assert_contains(
        db_refused(db, "SELECT makegood.resolve_by_hand('TW1', NULL, 'closed', NULL, 'n', false, %s)",
                   db_ask(db, "SELECT attempt_id FROM makegood.parked_order WHERE order_no = 'TW1'")),
        "put it back, then resolve that one");
    assert_string_equal(unparked(db, "TW1"), "flagged t");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.lost_order WHERE order_no = 'TW1'"), 1);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'TW1'"), 0);

    settle_as_parked(root, "TW2", "flagged");
    tracked_anew(root, "TW2", 200);
    assert_contains(unparked(db, "TW2"), "flagged f it was tracked anew as attempt ");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.parked_order WHERE order_no = 'TW2'"), 1);
    PQfinish(db);
    PQfinish(root);
}

/* The shop tracks the twin in a transaction that stays open: the operator gives up, the shop does not hear of it. */
static void a_shop_that_tracks_the_same_is_not_disturbed(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open(), *shop = db_open(KIOSK, NULL);
    settle_as_parked(root, "TW3", "flagged");
    settle_as_parked(root, "TW4", "flagged");
    db_do(shop, "BEGIN");
    tracked_anew(shop, "TW3", 100);
    assert_int_equal(PQsendQuery(db, "SELECT makegood.retry(NULL, NULL, 'flagged', false, 'n', false)"), 1);
    db_do(shop, "SELECT pg_sleep(0.2)");
    db_do(shop, "SELECT makegood.track('TW4', 'op-tw4', 100, 'CNY')"); /* would close the ring */
    PGresult *rows = PQgetResult(db);
    assert_string_equal(PQresultErrorField(rows, PG_DIAG_SQLSTATE), "55P03");
    PQclear(rows);
    assert_null(PQgetResult(db));
    db_do(shop, "COMMIT");
    assert_string_equal(unparked(db, "TW3"), "flagged t");
    PQfinish(shop);
    PQfinish(db);
    PQfinish(root);
}

static void many_are_put_back_and_asked_in_no_time(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = operator_open();
    db_do(root, "INSERT INTO makegood.parked_order (order_no, channel, amount_minor, currency, reason) "
                "SELECT 'MANY' || i, "
                "'op-many', 100, 'CNY', 'many' FROM generate_series(1, 20000) AS i");
    assert_int_equal(
        db_number(db,
                  "SELECT count(*) FROM makegood.retry(NULL, NULL, 'many', false, 'n', false) WHERE done"),
        20000);
    db_do(root, "UPDATE makegood.lost_order SET due_at = now() + interval '1 h' WHERE channel = 'op-many'");
    assert_int_equal(
        db_number(db,
                  "SELECT count(*) FROM makegood.retry(NULL, 'op-many', NULL, true, 'n', false) WHERE done"),
        20000);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.operator_log WHERE channel = 'op-many'"),
                     40000);
    db_do(root, "DELETE FROM makegood.lost_order WHERE channel = 'op-many'");
    PQfinish(db);
    PQfinish(root);
}

/* Somebody holds the whole table: that is told after a while, and nothing is done. */
static void a_locked_table_is_not_waited_for(void **state)
{
    (void)state;
    PGconn *holder = db_open(KIOSK, NULL), *operator= db_open(KIOSK, "t_operator");
    db_do(holder, "BEGIN; LOCK TABLE makegood.lost_order");
    assert_contains(
        db_refused(operator, "SELECT makegood.retry(NULL, 'nobody', NULL, true, 'a test', false)"), "55P03");
    assert_contains(
        db_refused(operator, "SELECT makegood.resolve_by_hand('X', NULL, 'closed', NULL, 'a test', false)"),
        "55P03");
    db_do(holder, "ROLLBACK");
    PQfinish(operator);
    PQfinish(holder);
}

int run_operate_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_deed_says_why),
        cmocka_unit_test(what_means_nothing_or_all_is_refused),
        cmocka_unit_test(a_dry_run_leaves_nothing_behind),
        cmocka_unit_test(a_dry_run_tells_what_would_be_done),
        cmocka_unit_test(retry_makes_due_what_waits_and_not_what_is_asked),
        cmocka_unit_test(retry_beside_a_claim_under_way_says_so),
        cmocka_unit_test(the_tail_is_meant_only_by_name),
        cmocka_unit_test(park_fences_the_daemon_that_asks),
        cmocka_unit_test(unpark_puts_back_with_new_counters),
        cmocka_unit_test(two_who_unpark_put_back_once),
        cmocka_unit_test(what_could_not_be_tracked_stays_parked_with_the_mend),
        cmocka_unit_test(an_attempt_that_was_tracked_anew_goes_on_as_that_one),
        cmocka_unit_test(a_shop_that_tracks_the_same_is_not_disturbed),
        cmocka_unit_test(many_are_put_back_and_asked_in_no_time),
        cmocka_unit_test(a_locked_table_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("sql operate", tests, NULL, NULL);
}
