/* Claim, release and the small talk (sql/003_daemon.sql), and that a claim costs the same however much waits.
 */
#include "db.h"

#include <stdlib.h>

static void make_due(PGconn *db, const char *channel, int count)
{
    db_do(db,
          "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) "
          "SELECT '%s-' || i, '%s', 100, 'CNY', now() - i * interval '1 s' FROM generate_series(1, %d) AS i",
          channel, channel, count);
}

static void the_oldest_due_rows_come_first_up_to_each_channels_limit(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon");
    PGconn *root = db_open(KIOSK, NULL);
    make_due(root, "c1a", 5);
    make_due(root, "c1b", 5);
    db_do(root, "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) "
                "VALUES ('later', 'c1a', 1, 'CNY', now() + interval '1 minute')");
    static const char sql[] = "SELECT string_agg(order_no, ' ' ORDER BY order_no) FROM "
                              "makegood.claim('me', '{c1a,c1b}', '{%d,%d}', 60000)";
    assert_string_equal(db_ask(db, sql, 2, 3), "c1a-4 c1a-5 c1b-3 c1b-4 c1b-5");
    assert_string_equal(db_ask(db, sql, 9, 1), "c1a-1 c1a-2 c1a-3 c1b-2");
    assert_string_equal(db_ask(db, sql, 9, 0), "(null)");
    PQfinish(root);
    PQfinish(db);
}

static void a_claim_is_a_lease_with_one_token_and_is_counted(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    make_due(db, "c2", 3);
    db_do(db, "UPDATE makegood.lost_order SET expires_at = now() + interval '1 hour', number = 'N', method = "
              "'app', "
              "channel_data = '{\"x\": 1}', created_at = now() - interval '10 s' WHERE order_no = 'c2-1'");
    assert_string_equal(
        db_ask(db,
               "WITH c AS MATERIALIZED (SELECT * FROM makegood.claim('me', '{c2}', '{9}', 60000)) "
               "SELECT concat_ws(' ', count(*), count(DISTINCT token), min(claims), max(claims), "
               "count(left_ms), "
               "max(left_ms) BETWEEN 3500000 AND 3600000, max(age_ms) BETWEEN 10000 AND 20000, max(number), "
               "max(method), max(channel_data), "
               "max(claimed_us) BETWEEN extract(epoch FROM now()) * 1e6 - 1e6 AND extract(epoch FROM now()) "
               "* 1e6 + 1e7)"
               " FROM c"),
        "3 1 1 1 1 t t N app {\"x\": 1} t");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.claim('me', '{c2}', '{9}', 60000)"), 0);
    assert_string_equal(db_ask(db, "SELECT string_agg(DISTINCT concat_ws(' ', claimed_by, claims, "
                                   "round(extract(epoch FROM due_at - claimed_at))), ',') "
                                   "FROM makegood.lost_order WHERE channel = 'c2'"),
                        "me 1 60");
    db_do(db, "UPDATE makegood.lost_order SET due_at = now() WHERE channel = 'c2'"); /* the lease ends */
    assert_int_equal(db_number(db, "SELECT min(claims) FROM makegood.claim('you', '{c2}', '{9}', 60000)"), 2);
    PQfinish(db);
}

static void a_claim_tells_how_late_it_is(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon");
    PGconn *root = db_open(KIOSK, NULL);
    make_due(root, "c2late", 3);
    assert_string_equal(
        db_ask(db, "SELECT string_agg(order_no || ' ' || late_ms / 1000, ', ' ORDER BY order_no) FROM "
                   "makegood.claim_told('me', '{c2late}', '{9}', 60000)"),
        "c2late-1 1, c2late-2 2, c2late-3 3");
    db_do(root, "INSERT INTO makegood.paused_channel (channel, paused_until, paused_by, paused_note) VALUES "
                "('c2late', 'infinity', 'me', 'x')");
    db_do(root, "UPDATE makegood.lost_order SET due_at = now() WHERE channel = 'c2late'");
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM makegood.claim_told('me', '{c2late}', '{9}', 60000)"), 0);
    db_do(root, "DELETE FROM makegood.paused_channel WHERE channel = 'c2late'");
    PQfinish(root);
    PQfinish(db);
}

static void two_claimers_never_get_the_same_row_and_never_wait(void **state)
{
    (void)state;
    PGconn *one = db_open(KIOSK, NULL), *two = db_open(KIOSK, NULL);
    make_due(one, "c3", 10);
    db_do(one, "BEGIN");
    struct element mine[10], yours[10];
    assert_int_equal(claim_rows(one, "c3", 4, mine), 4);
    assert_int_equal(claim_rows(two, "c3", 10, yours), 6);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 6; j++)
            assert_string_not_equal(mine[i].attempt_id, yours[j].attempt_id);
    db_do(one, "COMMIT");
    assert_int_equal(claim_rows(two, "c3", 10, yours), 0);
    PQfinish(one);
    PQfinish(two);
}

static void a_row_that_became_due_later_meanwhile_is_not_taken(void **state)
{
    (void)state;
    PGconn *one = db_open(KIOSK, NULL), *two = db_open(KIOSK, NULL);
    make_due(one, "c4", 1);
    db_do(one, "BEGIN ISOLATION LEVEL READ COMMITTED; UPDATE makegood.lost_order SET due_at = now() + "
               "interval '1 h' "
               "WHERE channel = 'c4'");
    struct element element;
    assert_int_equal(claim_rows(two, "c4", 1, &element), 0);
    db_do(one, "COMMIT");
    assert_int_equal(claim_rows(two, "c4", 1, &element), 0);
    PQfinish(one);
    PQfinish(two);
}

static void release_gives_rows_back_only_under_their_token(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    make_due(db, "c5", 2);
    struct element rows[2];
    assert_int_equal(claim_rows(db, "c5", 2, rows), 2);
    assert_int_equal(
        db_number(db, "SELECT makegood.release('{%s,%s}', '{%s,00000000-0000-0000-0000-000000000000}')",
                  rows[0].attempt_id, rows[1].attempt_id, rows[0].token),
        1);
    struct element again[2];
    assert_int_equal(claim_rows(db, "c5", 2, again), 1);
    assert_string_equal(again[0].attempt_id, rows[0].attempt_id);
    assert_int_equal(
        db_number(db, "SELECT claims FROM makegood.lost_order WHERE attempt_id = %s", again[0].attempt_id),
        1);
    settle_rows(db, rows, 1); /* the first claim's answer comes after all */
    assert_settled(&rows[0], "fenced", "");
    PQfinish(db);
}

static void backlog_counts_and_tells_the_oldest(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "BEGIN; DELETE FROM makegood.lost_order; DELETE FROM makegood.parked_order");
    assert_string_equal(db_ask(db, "SELECT makegood.backlog()"), "(0,0,0)");
    make_due(db, "c6b", 30);
    make_due(db, "c6a", 50);
    db_do(db, "INSERT INTO makegood.parked_order (order_no, reason) VALUES ('x', 'flagged')");
    assert_string_equal(
        db_ask(db, "SELECT concat_ws(' ', waiting, parked, oldest_age_ms / 10000) FROM makegood.backlog()"),
        "80 1 5");
    make_due(db, "c6c", 10500);
    db_do(db, "ANALYZE makegood.lost_order");
    assert_int_equal(db_number(db, "SELECT waiting FROM makegood.backlog()"), 10580);
    db_do(db, "ROLLBACK");
    PQfinish(db);
}

static void months_are_made_ahead_and_only_once(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    static const char count[] =
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'makegood.query_log'::regclass";
    assert_int_equal(db_number(db, count), 4); /* default, this month, two ahead */
    db_do(db, "SELECT makegood.prepare_months()");
    assert_int_equal(db_number(db, count), 4);
    PQfinish(db);
}

static void a_month_that_can_not_be_made_now_fails_nothing(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "BEGIN; SELECT 1");
    db_do(
        db,
        "DO $$ BEGIN EXECUTE 'DROP TABLE makegood.query_log_' || to_char(now() AT TIME ZONE 'UTC' + interval "
        "'1 month', 'YYYY_MM'); END $$");
    db_do(
        db,
        "INSERT INTO makegood.query_log (claimed_at, token, attempt_id, instance, order_no, channel, "
        "evidence, "
        "authentic, verdict, reason, rule, outcome) VALUES (date_trunc('month', now() + interval '1 month') "
        "+ "
        "interval '2 days', gen_random_uuid(), 1, 'i', 'o', 'c', 'paid', true, 'paid', '', 'r', 'applied')");
    db_do(db, "SELECT makegood.prepare_months()");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log_default"), 1);
    db_do(db, "ROLLBACK");
    PQfinish(db);
}

/* Buffers that one claim of 500 touches. */
static long claim_buffers(PGconn *db, const char *channel)
{
    db_do(db, "BEGIN");
    PGresult *plan = PQexec(db, "SET LOCAL client_min_messages = error");
    PQclear(plan);
    char sql[200];
    snprintf(sql, sizeof sql,
             "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM "
             "makegood.claim_told('me', '{%s}', '{500}', 60000)",
             channel);
    plan = PQexec(db, sql);
    assert_int_equal(PQresultStatus(plan), PGRES_TUPLES_OK);
    const char *json = PQgetvalue(plan, 0, 0);
    assert_contains(json, "\"Actual Rows\": 500");
    long hit = strtol(strstr(json, "\"Shared Hit Blocks\":") + 20, NULL, 10);
    long read = strtol(strstr(json, "\"Shared Read Blocks\":") + 21, NULL, 10);
    PQclear(plan);
    db_do(db, "ROLLBACK");
    return hit + read;
}

static void a_claim_costs_the_same_however_much_waits(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "TRUNCATE makegood.lost_order");
    make_due(db, "flat", 500);
    db_do(
        db,
        "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) SELECT 'w' || "
        "i, "
        "'flat', 100, 'CNY', now() + interval '1 h' + i * interval '1 s' FROM generate_series(1, 500) AS i");
    db_do(db, "VACUUM ANALYZE makegood.lost_order");
    claim_buffers(db, "flat"); /* plans are made and kept, for a small table */
    db_do(db, "VACUUM makegood.lost_order");
    long small = claim_buffers(db, "flat");
    db_do(db, "INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) SELECT "
              "'v' || i, "
              "'flat', 100, 'CNY', now() + interval '2 h' + i * interval '1 ms' FROM generate_series(1, "
              "199000) AS i");
    long stale = claim_buffers(db, "flat"); /* nobody told the planner */
    db_do(db, "VACUUM ANALYZE makegood.lost_order");
    long large = claim_buffers(db, "flat");
    print_message("claim of 500: %ld buffers of 1,000 rows; %ld of 200,000, %ld with stale statistics\n",
                  small, large, stale);
    assert_true(large < 2 * small);
    assert_true(stale < 2 * small);
    db_do(db, "TRUNCATE makegood.lost_order");
    PQfinish(db);
}

int run_claim_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_due_rows_come_first_up_to_each_channels_limit),
        cmocka_unit_test(a_claim_is_a_lease_with_one_token_and_is_counted),
        cmocka_unit_test(a_claim_tells_how_late_it_is),
        cmocka_unit_test(two_claimers_never_get_the_same_row_and_never_wait),
        cmocka_unit_test(a_row_that_became_due_later_meanwhile_is_not_taken),
        cmocka_unit_test(release_gives_rows_back_only_under_their_token),
        cmocka_unit_test(backlog_counts_and_tells_the_oldest),
        cmocka_unit_test(months_are_made_ahead_and_only_once),
        cmocka_unit_test(a_month_that_can_not_be_made_now_fails_nothing),
        cmocka_unit_test(a_claim_costs_the_same_however_much_waits),
    };
    return cmocka_run_group_tests_name("sql claim", tests, NULL, NULL);
}
