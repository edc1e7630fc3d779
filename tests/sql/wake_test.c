/* Waking (sql/016_wake.sql): what a claim tells of the next row, who is announced, and who is not. */
#include "db.h"

#include <stdlib.h>

#define NEXT                                                                                                 \
    "SELECT coalesce(string_agg(channel || '=' || round(next_ms / 1000.0), ' ' ORDER BY channel), '') FROM " \
    "makegood.claim_due('me', '{wake-a,wake-b}', '{9,9}', 60000, %s) WHERE attempt_id IS NULL"

static void row_make(PGconn *db, const char *order, const char *channel, const char *due)
{
    db_do(db, "SELECT makegood.track('%s', '%s', 100, 'CNY', p_due_in => '%s')", order, channel, due);
}

/* Payloads of what was notified since the last time. */
static const char *heard(PGconn *db)
{
    static char names[256];
    PGnotify *notice;
    names[0] = '\0';
    db_do(db, "SELECT 1");
    while ((notice = PQnotifies(db))) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s:%s ", notice->relname, notice->extra);
        PQfreemem(notice);
    }
    return names;
}

static void wake_clear(PGconn *db)
{
    db_do(db, "DELETE FROM makegood.lost_order WHERE channel LIKE 'wake-%%'");
    db_do(db, "INSERT INTO makegood.wake VALUES ('wake-a', '-infinity'), ('wake-b', '-infinity') "
              "ON CONFLICT (channel) DO UPDATE SET due_at = excluded.due_at");
}

static void a_claim_tells_when_the_next_row_is_due(void **state)
{
    (void)state;
    PGconn *root = db_open(KIOSK, NULL), *db = db_open(KIOSK, "t_daemon");
    db_do(root, "SELECT makegood.announce('{wake-a,wake-b}', '{0,0}')");
    wake_clear(root);
    assert_string_equal(db_ask(db, NEXT, "true"), "");
    row_make(root, "WA1", "wake-a", "-1 s");
    row_make(root, "WA2", "wake-a", "30 s");
    row_make(root, "WB1", "wake-b", "90 s");
    assert_string_equal(db_ask(db, NEXT, "true"), "wake-a=30 wake-b=90");
    db_do(root, "DELETE FROM makegood.lost_order WHERE order_no = 'WA2'");
    assert_string_equal(db_ask(db, NEXT, "true"), "wake-a=60 wake-b=90"); /* the lease of the first */
    assert_string_equal(db_ask(db, NEXT, "false"), "");
    wake_clear(root);
    PQfinish(root);
    PQfinish(db);
}

static void what_a_limit_left_is_due_already(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    row_make(db, "WA1", "wake-a", "-2 s");
    row_make(db, "WA2", "wake-a", "-1 s");
    assert_string_equal(db_ask(db, "SELECT count(attempt_id) || ' ' || bool_and(next_ms = 0) FROM "
                                   "makegood.claim_due('me', '{wake-a}', '{1}', 60000, true)"),
                        "1 true");
    assert_string_equal(db_ask(db, "SELECT due_at FROM makegood.wake WHERE channel = 'wake-a'"), "-infinity");
    wake_clear(db);
    PQfinish(db);
}

static void only_what_is_due_before_the_daemons_wake_is_announced(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL), *listener = db_open(KIOSK, "t_daemon");
    db_do(listener, "LISTEN makegood_due");
    row_make(db, "WA1", "wake-a", "0 s"); /* they are awake */
    assert_string_equal(heard(listener), "");
    db_do(
        db,
        "UPDATE makegood.lost_order SET due_at = clock_timestamp() + interval '30 s' WHERE order_no = 'WA1'");
    db_ask(db, NEXT, "true");
    row_make(db, "WA2", "wake-a", "31 s");
    assert_string_equal(heard(listener), "");
    row_make(db, "WA3", "wake-a", "29 s");
    assert_string_equal(heard(listener), "makegood_due:wake-a ");
    row_make(db, "WB1", "wake-b", "1 hour"); /* nothing was there: they sleep for ever */
    assert_string_equal(heard(listener), "makegood_due:wake-b ");
    wake_clear(db);
    PQfinish(db);
    PQfinish(listener);
}

/* What a daemon gives back it can not ask. */
static void what_the_shop_closes_is_announced_and_what_is_given_back_is_not(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL), *listener = db_open(KIOSK, "t_daemon");
    db_do(listener, "LISTEN makegood_due");
    row_make(db, "WA1", "wake-a", "20 s");
    db_ask(db, NEXT, "true");
    heard(listener);
    row_make(db, "WA5", "wake-a", "25 s");
    db_ask(db, NEXT, "true");
    heard(listener);
    db_do(db, "UPDATE kiosk.orders SET state = 'closed' WHERE order_no = 'WA5'");
    db_do(db, "SELECT makegood.order_seen('WA5', 'closed', 'paying', 'wake-a', NULL, 100, 'CNY', NULL)");
    assert_string_equal(heard(listener), "makegood_due:wake-a ");
    db_do(db, "SELECT attempt_id FROM makegood.claim('me', '{wake-a}', '{9}', 60000)");
    db_ask(db, NEXT, "true");
    db_do(db, "SELECT makegood.release(array_agg(attempt_id), array_agg(token)) FROM makegood.lost_order "
              "WHERE channel = 'wake-a'");
    assert_string_equal(heard(listener), "");
    wake_clear(db);
    PQfinish(db);
    PQfinish(listener);
}

static void steering_is_announced(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL), *listener = db_open(KIOSK, "t_daemon");
    db_do(listener, "LISTEN makegood_steer");
    db_do(db, "SELECT makegood.pause('wake-a', '1 hour', 'n', false)");
    assert_string_equal(heard(listener), "makegood_steer: ");
    db_do(db, "SELECT makegood.resume('wake-a', 'n', false)");
    assert_string_equal(heard(listener), "makegood_steer: ");
    db_do(db, "SELECT makegood.halt('n', false)");
    assert_string_equal(heard(listener), "makegood_steer: ");
    db_do(db, "SELECT makegood.lift('n', false)");
    assert_string_equal(heard(listener), "makegood_steer: ");
    row_make(db, "WA1", "wake-a", "20 s");
    db_do(db, "SELECT makegood.retry('WA1', NULL, NULL, true, 'soon', false)");
    assert_string_equal(heard(listener), "makegood_steer: ");
    wake_clear(db);
    PQfinish(db);
    PQfinish(listener);
}

/* Neither waits for the other: the announcement of either is as good. */
static void two_that_claim_at_once_do_not_wait(void **state)
{
    (void)state;
    PGconn *one = db_open(KIOSK, NULL), *other = db_open(KIOSK, NULL);
    row_make(one, "WA1", "wake-a", "20 s");
    db_do(one, "BEGIN");
    db_ask(one, NEXT, "true");
    db_do(other, "SET lock_timeout = '2 s'");
    db_ask(other, NEXT, "true");
    db_do(one, "COMMIT");
    wake_clear(one);
    PQfinish(one);
    PQfinish(other);
}

/* Nobody waits until a claim is on disk; what else is done in that session does. */
static void a_claim_does_not_wait_for_the_disk(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "BEGIN");
    db_ask(db, NEXT, "true");
    assert_string_equal(db_ask(db, "SHOW synchronous_commit"), "off");
    db_do(db, "COMMIT");
    assert_string_equal(db_ask(db, "SHOW synchronous_commit"), "on");
    PQfinish(db);
}

int run_wake_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_tells_when_the_next_row_is_due),
        cmocka_unit_test(what_a_limit_left_is_due_already),
        cmocka_unit_test(only_what_is_due_before_the_daemons_wake_is_announced),
        cmocka_unit_test(what_the_shop_closes_is_announced_and_what_is_given_back_is_not),
        cmocka_unit_test(steering_is_announced),
        cmocka_unit_test(two_that_claim_at_once_do_not_wait),
        cmocka_unit_test(a_claim_does_not_wait_for_the_disk),
    };
    return cmocka_run_group_tests_name("sql wake", tests, NULL, NULL);
}
