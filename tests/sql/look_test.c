/* Looking (sql/011_look.sql): every figure against the rows that were put there, what no figure may hide, that looking
 * writes nothing, and that one order is found without reading them all. */
#include "db.h"

#include <stdlib.h>

static PGconn *afresh(void)
{
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "TRUNCATE makegood.lost_order, makegood.parked_order, makegood.tally, makegood.instance; "
              "DELETE FROM makegood.channel; DELETE FROM makegood.paused_channel; "
              "SELECT makegood.announce('{look-a,look-b}', '{1000,1000}')");
    return db;
}

static void lost(PGconn *db, const char *order_no, const char *channel, const char *amount,
                 const char *currency, const char *due, const char *age)
{
    db_do(db,
          "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at, created_at) "
          "VALUES ('%s', "
          "'%s', %s, '%s', now() + interval '%s', now() - interval '%s')",
          order_no, channel, amount, currency, due, age);
}

/* One channel of the overview, at a path of its object. */
static const char *told(PGconn *db, const char *channel, const char *path)
{
    return db_ask(db,
                  "SELECT coalesce((SELECT c #>> '{%s}' FROM jsonb_array_elements(makegood.overview() -> "
                  "'channels') AS c "
                  "WHERE c ->> 'channel' = '%s'), 'none')",
                  path, channel);
}

static void the_overview_tells_what_is_there(void **state)
{
    (void)state;
    PGconn *db = afresh();
    lost(db, "LA1", "look-a", "1234", "CNY", "-90 s", "1 h");
    lost(db, "LA2", "look-a", "66", "CNY", "1 h", "2 h");
    lost(db, "LA3", "look-a", "500", "JPY", "1 min", "1 min");
    lost(db, "LA4", "look-a", "999", "CNY", "1 d", "9 d");
    db_do(db, "UPDATE makegood.lost_order SET token = gen_random_uuid() WHERE order_no IN ('LA1', 'LA3'); "
              "UPDATE makegood.lost_order SET phase = 'tail' WHERE order_no = 'LA4'");
    db_do(
        db,
        "INSERT INTO makegood.parked_order (order_no, channel, reason) VALUES ('LA5', 'look-a', 'flagged'), "
        "('LA6', 'look-a', 'flagged'), ('LA7', 'look-a', 'unclosable'), ('LA8', NULL, 'untrackable'), "
        "('LA9', 'Nobody''s', 'untrackable')");
    static const char *const figures[][2] = {
        {"waiting", "3"},
        {"tail", "1"},
        {"due", "1"},
        {"in_flight", "1"},
        {"more", "false"},
        {"at_risk,CNY,minor", "1300"},
        {"at_risk,CNY,text", "13.00"},
        {"at_risk,JPY,text", "500"},
        {"parked,flagged", "2"},
        {"parked,unclosable", "1"},
        {"known", "true"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        assert_string_equal(told(db, "look-a", figures[i][0]), figures[i][1]);
    assert_in_range(atoi(told(db, "look-a", "late_s")), 90, 95);
    assert_in_range(atoi(told(db, "look-a", "oldest_s")), 7200, 7205);
    assert_string_equal(told(db, "look-b", "waiting"), "0");
    assert_string_equal(told(db, "look-b", "oldest_s"), "0");
    assert_string_equal(told(db, "look-b", "at_risk"), "{}");
    assert_string_equal(told(db, "", "parked"),
                        "{\"untrackable\": 2}"); /* the shop's words are nobody's labels */
    assert_int_equal(db_number(db, "SELECT jsonb_array_length(makegood.overview() -> 'channels')"), 3);
    PQfinish(db);
}

/* Orders that nobody asks about are the last that may be hidden; but a shop that names each channel anew fills no page. */
static void channels_that_nobody_asks_are_told(void **state)
{
    (void)state;
    PGconn *db = afresh();
    lost(db, "LU1", "look-typo", "100", "CNY", "-1 h", "1 h");
    assert_string_equal(told(db, "look-typo", "waiting"), "1");
    assert_string_equal(told(db, "look-typo", "known"), "false");
    db_do(db, "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) SELECT "
              "'LU-' || i, "
              "'each-' || i, 100, 'CNY', now() FROM generate_series(1, 50) AS i");
    assert_int_equal(db_number(db, "SELECT jsonb_array_length(makegood.overview() -> 'channels')"), 22);
    PQfinish(db);
}

static void absurd_amounts_fail_nothing(void **state)
{
    (void)state;
    PGconn *db = afresh();
    lost(db, "LH1", "look-a", "9000000000000000000", "CNY", "1 h", "1 h");
    lost(db, "LH2", "look-a", "9000000000000000000", "CNY", "1 h", "-1 d"); /* made tomorrow */
    lost(db, "LH3", "look-a", "7", "XQX", "1 h", "1 h");
    assert_string_equal(told(db, "look-a", "at_risk,CNY,minor"), "9223372036854775807");
    assert_string_equal(told(db, "look-a", "at_risk,CNY,text"), "180000000000000000.00");
    assert_string_equal(told(db, "look-a", "at_risk,XQX,text"), "7"); /* nobody knows its decimals */
    db_do(db, "SELECT makegood.orders(NULL, NULL, NULL, NULL, NULL, 'riskiest', 10)");
    PQfinish(db);
}

static void beyond_a_hundred_thousand_it_says_at_least(void **state)
{
    (void)state;
    PGconn *db = afresh();
    db_do(db, "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) SELECT "
              "'LM-' || i, "
              "'look-a', 100, 'CNY', now() - i * interval '1 ms' FROM generate_series(1, 100500) AS i");
    assert_string_equal(told(db, "look-a", "more"), "true");
    assert_string_equal(told(db, "look-a", "waiting"), "100001");
    assert_in_range(atoi(told(db, "look-a", "late_s")), 100,
                    105); /* the first due are among those looked at */
    PQfinish(db);
}

static void instances_live_or_do_not(void **state)
{
    (void)state;
    PGconn *db = afresh();
    db_do(db, "INSERT INTO makegood.instance (name, version, seen_at, period_ms, lanes) VALUES "
              "('a', '1', now(), 1000, '{\"look-a\": {\"asking\": 3}}'), ('b', '1', now() - interval '6 s', "
              "1000, '{}'), "
              "('c', '1', now() + interval '1 h', 1000, '{}'), ('d', '1', '-infinity', 1000, '{}')");
    assert_string_equal(db_ask(db, "SELECT string_agg(concat(i ->> 'instance', i ->> 'lives'), ' ') FROM "
                                   "jsonb_array_elements(makegood.overview() -> 'instances') AS i"),
                        "atrue bfalse cfalse dfalse");
    assert_string_equal(db_ask(db, "SELECT makegood.overview() #>> '{instances,0,lanes,look-a,asking}'"),
                        "3");
    PQfinish(db);
}

static void what_is_held_back_is_told(void **state)
{
    (void)state;
    PGconn *db = afresh();
    lost(db, "LP1", "look-a", "100", "CNY", "1 h", "1 h");
    assert_string_equal(db_ask(db, "SELECT makegood.overview() ->> 'halted' IS NULL"), "t");
    assert_string_equal(told(db, "look-a", "paused"), "none");
    db_do(db, "BEGIN; SELECT makegood.pause('look-a', NULL, 'for ever', false), makegood.pause('look-b', '1 "
              "h', 'a while', "
              "false), makegood.halt('all of it', false)");
    assert_string_equal(told(db, "look-a", "paused,note"), "for ever");
    assert_string_equal(told(db, "look-a", "paused,until"), "none");
    assert_contains(told(db, "look-b", "paused,until"), "T");
    assert_string_equal(
        db_ask(db, "SELECT concat_ws(' ', e #>> '{paused,note}', e #>> '{halted,note}', e ->> 'known') "
                   "FROM makegood.explain('LP1') AS e"),
        "for ever all of it true");
    db_do(db, "ROLLBACK");
    PQfinish(db);
}

static void shares_are_of_what_became_known(void **state)
{
    (void)state;
    PGconn *db = afresh();
    db_do(db, "INSERT INTO makegood.tally (slot, channel, queries, answers, faults, paid, ended, "
              "paid_by_shop, waiting) "
              "VALUES (makegood.slot_of(now()), 'look-a', 40, 30, 10, 1, 2, 9, 5), "
              "(makegood.slot_of(now() - interval '30 min'), 'look-a', 10, 10, 0, 2, 2, 18, 6), "
              "(makegood.slot_of(now() - interval '3 h'), 'look-a', 999, 0, 999, 99, 99, 0, 7)");
    assert_string_equal(told(db, "look-a", "lately,queries"), "50");
    assert_string_equal(told(db, "look-a", "lately,fault_share"), "0.2000");
    assert_string_equal(told(db, "look-a", "lately,missed_share"), "0.1000");
    assert_string_equal(told(db, "look-b", "lately,queries"), "0");
    assert_string_equal(told(db, "look-b", "lately,missed_share"), "none"); /* of nothing there is no share */
    assert_string_equal(db_ask(db, "SELECT string_agg(s ->> 'waiting', ' ' ORDER BY s ->> 'slot') FROM "
                                   "makegood.over_time('2 h') AS s"),
                        "6 5");
    PQfinish(db);
}

/* --- one by one ------------------------------------------------------------------------------------------- */

static const char *listed(PGconn *db, const char *filters)
{
    return db_ask(db,
                  "SELECT coalesce(string_agg(o ->> 'order_no', ' '), '') FROM (SELECT * FROM "
                  "makegood.orders(%s)) AS x (o)",
                  filters);
}

static void orders_are_filtered_and_sorted(void **state)
{
    (void)state;
    PGconn *db = afresh();
    lost(db, "LO1", "look-a", "100", "CNY", "-1 s", "1 h");
    lost(db, "LO2", "look-b", "900", "CNY", "1 h", "2 h");
    lost(db, "LO3", "look-a", "500", "CNY", "1 h", "1 min");
    db_do(
        db,
        "UPDATE makegood.lost_order SET token = gen_random_uuid(), claimed_by = 'me' WHERE order_no = 'LO3'; "
        "INSERT INTO makegood.parked_order (order_no, channel, amount_minor, currency, reason, created_at) "
        "VALUES "
        "('LO4', 'look-a', 700, 'CNY', 'flagged', now() - interval '3 h'), (NULL, NULL, NULL, NULL, "
        "'untrackable', now())");
    static const char *const cases[][2] = {
        {"NULL, NULL, NULL, NULL, NULL, 'oldest', 10", "LO4 LO2 LO1 LO3"},
        {"NULL, NULL, NULL, NULL, NULL, 'riskiest', 3", "LO2 LO4 LO3"},
        {"'LO3', NULL, NULL, NULL, NULL, NULL, 10", "LO3"},
        {"NULL, 'look-a', false, NULL, NULL, NULL, 10", "LO1 LO3"},
        {"NULL, NULL, true, 'flagged', NULL, NULL, 10", "LO4"},
        {"NULL, NULL, NULL, NULL, '90 min', NULL, 10", "LO4 LO2"},
        {"NULL, NULL, NULL, NULL, NULL, NULL, 0", ""},
        {"NULL, NULL, NULL, NULL, NULL, NULL, -1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(listed(db, cases[i][0]), cases[i][1]);
    assert_string_equal(
        db_ask(
            db,
            "SELECT string_agg(concat(o ->> 'order_no', ':', o ->> 'state', o ->> 'claimed_by'), ' ') FROM "
            "makegood.orders(NULL, NULL, NULL, NULL, NULL, NULL, 9) AS o"),
        "LO4:parked LO2:waiting LO1:due LO3:askedme :parked");
    PQfinish(db);
}

/* The history of an order that an operator touched, in order; and what is said of it while it is open. */
static void an_orders_history_is_told_in_order(void **state)
{
    (void)state;
    PGconn *db = afresh();
    struct element e;
    kiosk_order(db, "LS1", "paying", 1250);
    kiosk_attempt(db, "LS1", "look-a", 1250, "");
    assert_int_equal(claim_rows(db, "look-a", 1, &e), 1);
    e.verdict = "retry";
    settle_rows(db, &e, 1);
    assert_string_equal(db_ask(db,
                               "SELECT concat_ws(' ', x ->> 'state', x #>> '{last,verdict}', x ->> 'amount') "
                               "FROM makegood.explain('LS1') AS x"),
                        "waiting retry 12.50");
    db_do(db, "SELECT makegood.park('LS1', NULL, 'a test', false)");
    db_do(db, "SELECT makegood.resolve_by_hand('LS1', NULL, 'paid', 'T9', 'a test', false)");
    assert_string_equal(db_ask(db, "SELECT string_agg(concat_ws(':', h ->> 'kind', coalesce(h ->> 'verdict', "
                                   "h ->> 'action'), h ->> 'amount'), ' ') "
                                   "FROM (SELECT * FROM makegood.history('LS1')) AS x (h)"),
                        "query:retry:12.50 operator:park query:paid:12.50 operator:resolve");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.explain('LS1')"), 0);
    PQfinish(db);
}

static void looking_writes_nothing(void **state)
{
    (void)state;
    static const char *const users[] = {"t_reader", "t_operator", "t_daemon"};
    for (int i = 0; i < 3; i++) {
        PGconn *db = db_open(KIOSK, users[i]);
        db_do(db, "BEGIN READ ONLY; SELECT makegood.overview(), makegood.over_time('8 d'), "
                  "makegood.history('LS1'), "
                  "makegood.explain('LS1'), makegood.orders(NULL, NULL, NULL, NULL, NULL, NULL, 10); COMMIT");
        PQfinish(db);
    }
}

/* Both halves of the view go down their own index: the names' collations must not keep them from it. */
static void one_order_is_found_by_an_index(void **state)
{
    (void)state;
    PGconn *db = afresh();
    db_do(db, "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) SELECT "
              "'LX-' || i, "
              "'look-a', 100, 'CNY', now() FROM generate_series(1, 20000) AS i; "
              "INSERT INTO makegood.parked_order (order_no, channel, reason) SELECT 'LX-' || i, 'look-a', "
              "'flagged' FROM "
              "generate_series(1, 20000) AS i; ANALYZE makegood.lost_order, makegood.parked_order");
    PGresult *plan = PQexec(db, "EXPLAIN SELECT FROM makegood.seen_of('LX-7')");
    int indexes = 0;
    for (int i = 0; i < PQntuples(plan); i++) {
        indexes += strstr(PQgetvalue(plan, i, 0), " using ") != NULL;
        if (strstr(PQgetvalue(plan, i, 0), "Seq Scan") != NULL)
            fail_msg("%s", PQgetvalue(plan, i, 0));
    }
    assert_int_equal(indexes, 2);
    PQclear(plan);
    assert_string_equal(listed(db, "'LX-7', 'look-a', NULL, NULL, NULL, NULL, 10"), "LX-7 LX-7");
    db_do(db, "TRUNCATE makegood.lost_order, makegood.parked_order");
    PQfinish(db);
}

int run_look_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_overview_tells_what_is_there),
        cmocka_unit_test(channels_that_nobody_asks_are_told),
        cmocka_unit_test(absurd_amounts_fail_nothing),
        cmocka_unit_test(beyond_a_hundred_thousand_it_says_at_least),
        cmocka_unit_test(instances_live_or_do_not),
        cmocka_unit_test(what_is_held_back_is_told),
        cmocka_unit_test(shares_are_of_what_became_known),
        cmocka_unit_test(orders_are_filtered_and_sorted),
        cmocka_unit_test(an_orders_history_is_told_in_order),
        cmocka_unit_test(looking_writes_nothing),
        cmocka_unit_test(one_order_is_found_by_an_index),
    };
    return cmocka_run_group_tests_name("sql look", tests, NULL, NULL);
}
