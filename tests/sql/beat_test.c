/* Beating (sql/010_steer.sql): who lives and in which place, and counters that add up: over restarts, lost answers and two
 * that beat at once. Several connections. */
#include "db.h"

#define LANES(queries, paid)                                                                    \
    "{\"steer-x\": {\"queries\": " #queries ", \"answers\": 0, \"faults\": 0, \"paid\": " #paid \
    ", \"ended\": 0}}"

static PGconn *impatient(void)
{
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SET statement_timeout = '3s'; SET search_path = kiosk");
    return db;
}

static int begin_afresh(void **state)
{
    (void)state;
    PGconn *db = impatient();
    db_do(db, "DELETE FROM makegood.instance; DELETE FROM makegood.tally; DELETE FROM makegood.shop_word; "
              "DELETE FROM makegood.lost_order WHERE channel = 'steer-x'; "
              "SELECT makegood.announce('{steer-x}', '{1000}')");
    PQfinish(db);
    return 0;
}

static const char *beat(PGconn *db, const char *name, const char *lanes)
{
    return db_ask(
        db, "SELECT concat_ws(' ', place, living, halted, paused) FROM makegood.beat('%s', 'v', 1000, '%s')",
        name, lanes);
}

static long tallied(PGconn *db, const char *what)
{
    return db_number(db, "SELECT coalesce(sum(%s), 0) FROM makegood.tally WHERE channel = 'steer-x'", what);
}

static void the_living_know_their_places(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon"), *root = impatient();
    assert_string_equal(beat(db, "b", "{}"), "0 1 f {}");
    assert_string_equal(beat(db, "c", "{}"), "1 2 f {}");
    assert_string_equal(beat(db, "a", "{}"), "0 3 f {}");
    assert_string_equal(beat(db, "c", "{}"), "2 3 f {}");
    db_do(db, "SELECT makegood.leave('b')");
    assert_string_equal(beat(db, "c", "{}"), "1 2 f {}");
    db_do(root, "UPDATE makegood.instance SET seen_at = now() - interval '5 s' WHERE name = 'a'"); /* dead */
    assert_string_equal(beat(db, "c", "{}"), "0 1 f {}");
    db_do(root, "UPDATE makegood.instance SET period_ms = 2000 WHERE name = 'a'"); /* it is slow */
    assert_string_equal(beat(db, "c", "{}"), "1 2 f {}");
    PQfinish(root);
    PQfinish(db);
}

/* The clock was set back by an hour: who died before that does not live for an hour; who lives beats again. */
static void a_beat_from_the_future_is_no_life(void **state)
{
    (void)state;
    PGconn *db = impatient();
    beat(db, "dead", "{}");
    beat(db, "me", "{}");
    db_do(db, "UPDATE makegood.instance SET seen_at = seen_at + interval '1 h'");
    assert_string_equal(beat(db, "me", "{}"), "0 1 f {}");
    assert_string_equal(beat(db, "dead", "{}"), "0 2 f {}");
    PQfinish(db);
}

static void counters_add_up_over_restarts(void **state)
{
    (void)state;
    PGconn *db = impatient();
    beat(db, "me", LANES(0, 0));
    beat(db, "me", LANES(7, 2));
    beat(db, "me", LANES(7, 2));
    assert_int_equal(tallied(db, "queries"), 7);
    db_do(db, "UPDATE makegood.instance SET started_at = now() - interval '1 h'");
    beat(db, "me", LANES(9, 2));
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM makegood.instance WHERE started_at > now() - interval '1 min'"),
        0);
    beat(db, "me", LANES(0, 0)); /* killed and started */
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM makegood.instance WHERE started_at > now() - interval '1 min'"),
        1);
    beat(db, "me", LANES(20, 5)); /* more than before */
    assert_int_equal(tallied(db, "queries"), 29);
    db_do(db, "SELECT makegood.leave('me')");
    beat(db, "me", LANES(25, 5)); /* stopped and started */
    beat(db, "me", "{}");         /* the channel left the configuration */
    beat(db, "me", LANES(1, 1));  /* and came back */
    assert_int_equal(tallied(db, "queries"), 55);
    assert_int_equal(tallied(db, "paid"), 13);
    PQfinish(db);
}

/* The line was cut, the backend goes on, the daemon beats again on another line. */
static void a_beat_whose_answer_was_lost_is_counted_once(void **state)
{
    (void)state;
    PGconn *zombie = db_open(KIOSK, NULL), *db = db_open(KIOSK, NULL);
    beat(db, "me", LANES(0, 0));
    db_do(zombie, "BEGIN");
    beat(zombie, "me", LANES(10, 0));
    assert_int_equal(PQsendQuery(db, "SELECT makegood.beat('me', 'v', 1000, '" LANES(12, 0) "')"), 1);
    db_do(zombie, "SELECT pg_sleep(0.1)");
    db_do(zombie, "COMMIT");
    PGresult *rows = PQgetResult(db);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    PQclear(rows);
    assert_null(PQgetResult(db));
    assert_int_equal(tallied(db, "queries"), 12);
    PQfinish(db);
    PQfinish(zombie);
}

static void the_shops_word_is_counted_once(void **state)
{
    (void)state;
    PGconn *shop = db_open(KIOSK, "t_shop"), *one = db_open(KIOSK, NULL), *db = impatient();
    for (int i = 0; i < 3; i++)
        db_do(shop,
              "SELECT makegood.track('SW%d', 'steer-x', 100, 'CNY'), makegood.resolve('SW%d', 'steer-x')", i,
              i);
    db_do(shop, "SELECT makegood.resolve('SW0', 'steer-x')"); /* nothing waited for it */
    db_do(shop,
          "BEGIN; SELECT makegood.track('SW4', 'steer-x', 100, 'CNY'), makegood.resolve('SW4', 'steer-x')");
    beat(db, "two", "{}");
    db_do(db, "INSERT INTO makegood.shop_word SELECT 'steer-x' FROM generate_series(1, 5)");
    db_do(one, "BEGIN");
    beat(one, "one", "{}");
    assert_int_equal(PQsendQuery(db, "SELECT makegood.beat('two', 'v', 1000, '{}')"),
                     1); /* at the same moment */
    db_do(one, "SELECT pg_sleep(0.1)");
    db_do(one, "COMMIT");
    PGresult *rows = PQgetResult(db);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    PQclear(rows);
    assert_null(PQgetResult(db));
    db_do(shop, "ROLLBACK");
    beat(db, "two", "{}");
    assert_int_equal(tallied(db, "paid_by_shop"), 8);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.shop_word"), 0);
    PQfinish(db);
    PQfinish(one);
    PQfinish(shop);
}

/* Without a daemon that beats nobody takes them away: a shop fills no disk. */
static void the_shops_words_are_bounded(void **state)
{
    (void)state;
    PGconn *db = impatient();
    db_do(db, "BEGIN; INSERT INTO makegood.shop_word SELECT 'steer-x' FROM generate_series(1, 480000)");
    long before = db_number(db, "SELECT count(*) FROM makegood.shop_word");
    db_do(db, "SELECT makegood.track('SW9', 'steer-x', 100, 'CNY')");
    assert_int_equal(db_number(db, "SELECT makegood.resolve('SW9', 'steer-x')"), 1);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.shop_word"), before);
    db_do(db, "TRUNCATE makegood.shop_word; COMMIT");
    PQfinish(db);
}

/* Both add to the same hundred channels of the same slots, which both begin; one comes from the channels' table, where
 * they lie the other way round: their order must save them. */
static void two_that_beat_at_once_never_cross(void **state)
{
    (void)state;
    static const char rounds[] = "DO $$ DECLARE rounds int := 0; BEGIN WHILE rounds < 300 LOOP "
                                 "PERFORM makegood.tally_add(to_timestamp(floor(extract(epoch FROM "
                                 "clock_timestamp()) * 50) / 50), '{}', "
                                 "(SELECT jsonb_object_agg('cross-' || 1000 + i, '{\"queries\": 1}'::jsonb) "
                                 "FROM generate_series(1, 100) AS i), %s); "
                                 "COMMIT; rounds := rounds + 1; END LOOP; END $$";
    PGconn *db[2] = {db_open(KIOSK, NULL), db_open(KIOSK, NULL)};
    db_do(db[0],
          "INSERT INTO makegood.channel SELECT 'cross-' || 1100 - i, 1 FROM generate_series(0, 99) AS i");
    for (int i = 0; i < 2; i++) {
        char sql[600];
        snprintf(sql, sizeof sql, rounds, i == 0 ? "true" : "false");
        assert_int_equal(PQsendQuery(db[i], sql), 1);
    }
    for (int i = 0; i < 2; i++) {
        PGresult *rows = PQgetResult(db[i]);
        if (PQresultStatus(rows) != PGRES_COMMAND_OK)
            fail_msg("%s", PQresultErrorMessage(rows));
        PQclear(rows);
        assert_null(PQgetResult(db[i]));
    }
    assert_string_equal(
        db_ask(db[0], "SELECT concat_ws(' ', count(*), min(n), max(n)) FROM (SELECT sum(queries) AS n FROM "
                      "makegood.tally WHERE channel LIKE 'cross-%%' GROUP BY channel) AS t"),
        "100 600 600");
    db_do(db[0], "DELETE FROM makegood.channel WHERE name LIKE 'cross-%%'");
    PQfinish(db[0]);
    PQfinish(db[1]);
}

static void the_first_counts_the_backlog_once_a_slot_and_forgets(void **state)
{
    (void)state;
    PGconn *db = impatient();
    kiosk_attempt(db, "SB1", "steer-x", 100, "");
    kiosk_attempt(db, "SB2", "steer-x", 100, "");
    db_do(db, "UPDATE makegood.lost_order SET phase = 'tail' WHERE order_no = 'SB2'");
    db_do(db,
          "INSERT INTO makegood.tally (slot, channel) VALUES (now() - interval '9 days', 'steer-x'); "
          "INSERT INTO makegood.instance VALUES ('old', 'v', now(), now() - interval '2 days', 1000, '{}')");
    beat(db, "b", "{}");
    db_do(db, "DELETE FROM makegood.lost_order WHERE order_no = 'SB1'");
    beat(db, "a", LANES(3, 0)); /* the first now, and busy */
    beat(db, "a", LANES(4, 0));
    assert_int_equal(tallied(db, "waiting"), 1);
    assert_int_equal(tallied(db, "extract(day FROM now() - slot)"), 0);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.instance"), 2);
    PQfinish(db);
}

int run_beat_tests(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin_afresh)
    const struct CMUnitTest tests[] = {
        TEST(the_living_know_their_places),      TEST(a_beat_from_the_future_is_no_life),
        TEST(counters_add_up_over_restarts),     TEST(a_beat_whose_answer_was_lost_is_counted_once),
        TEST(the_shops_word_is_counted_once),    TEST(the_shops_words_are_bounded),
        TEST(two_that_beat_at_once_never_cross), TEST(the_first_counts_the_backlog_once_a_slot_and_forgets),
    };
    return cmocka_run_group_tests_name("sql beat", tests, NULL, NULL);
}
