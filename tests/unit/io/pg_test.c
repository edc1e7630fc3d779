/* Calls on a connection to a real server: order, errors and their neighbours, the commit that fails behind
 * its rows, cuts, timeouts, congestion. With and without prepared statements. */
#include "line.h"

#include "io/log.h"

#define CALLS 50
#define BULK  (4 << 20)

static struct place place;
static struct line line;

STATEMENT(echo, 1, "SELECT $1::text");
STATEMENT(divide, 1, "SELECT 1 / $1::int");
STATEMENT(own_pid, 0, "SELECT pg_backend_pid()");
STATEMENT(sleeping, 1, "SELECT pg_sleep($1::float)");
STATEMENT(transaction, 0, "SELECT pg_current_xact_id()");
STATEMENT(measure, 1, "SELECT length($1)");
STATEMENT(terminate, 1, "SELECT pg_terminate_backend($1::int)");

static int cluster_start(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    return 0;
}

static int cluster_stop(void **state)
{
    (void)state;
    place_leave(&place);
    return 0;
}

static int open_prepared(void **state)
{
    static bool prepared = true;
    *state = &prepared;
    line_open(&line, place.conninfo, true);
    return 0;
}

static int open_unprepared(void **state)
{
    static bool prepared = false;
    *state = &prepared;
    line_open(&line, place.conninfo, false);
    return 0;
}

static int line_shut(void **state)
{
    (void)state;
    line_close(&line);
    return 0;
}

static struct reply run_sql(const char *sql)
{
    struct pg_statement statement = {sql, sql, 0};
    static struct line helper;
    line_open(&helper, place.conninfo, false);
    struct reply reply = ask(&helper, &statement, NULL);
    line_close(&helper);
    return reply;
}

static void test_answers_come_in_order(void **state)
{
    struct reply replies[CALLS];
    char text[CALLS][24];
    (void)state;
    for (int i = 0; i < CALLS; i++) {
        snprintf(text[i], sizeof(text[i]), "call %d", i);
        call(&line, &replies[i], &echo, text[i]);
    }
    line_until(&line, &line.replies, CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_true(replies[i].ok);
        assert_int_equal(replies[i].turn, i + 1);
        assert_string_equal(replies[i].text, text[i]);
    }
    assert_int_equal(line.downs, 0);
}

static void test_an_error_spoils_no_neighbour(void **state)
{
    struct reply before, culprit, after;
    (void)state;
    call(&line, &before, &divide, "1");
    call(&line, &culprit, &divide, "0");
    call(&line, &after, &divide, "1");
    line_until(&line, &line.replies, 3);
    assert_true(before.ok && after.ok);
    assert_false(culprit.ok);
    assert_int_equal(culprit.failure, FAILURE_ROW);
    assert_string_equal(culprit.sqlstate, "22012");
    assert_string_equal(culprit.message, "division by zero");
    assert_int_equal(line.downs, 0);
}

static void test_a_null_travels_as_one(void **state)
{
    STATEMENT(is_null, 1, "SELECT $1::text IS NULL");
    (void)state;
    assert_string_equal(ask(&line, &is_null, NULL).text, "t");
    assert_string_equal(ask(&line, &is_null, "").text, "f");
}

static void test_a_statement_that_can_not_be_parsed_is_tried_anew(void **state)
{
    STATEMENT(late_table, 0, "SELECT x FROM late_table");
    (void)state;
    struct reply first, second;
    call(&line, &first, &late_table, NULL);
    call(&line, &second, &late_table, NULL);
    line_until(&line, &line.replies, 2);
    assert_string_equal(first.sqlstate, "42P01");
    assert_int_equal(first.failure, FAILURE_SCHEMA);
    assert_false(second.ok);
    assert_true(run_sql("CREATE TABLE late_table AS SELECT 7 AS x").ok);
    if (!pg_is_up(line.pg))
        line_until(&line, &line.ups, 2);
    assert_string_equal(ask(&line, &late_table, NULL).text, "7");
    assert_true(run_sql("DROP TABLE late_table").ok);
}

static void test_every_call_is_its_own_transaction(void **state)
{
    struct reply first, second;
    (void)state;
    call(&line, &first, &transaction, NULL);
    call(&line, &second, &transaction, NULL);
    line_until(&line, &line.replies, 2);
    assert_string_not_equal(first.text, second.text);
}

/* The rows arrive, then the commit fails. */
static void test_rows_count_only_after_the_commit(void **state)
{
    STATEMENT(insert_late, 0, "INSERT INTO late VALUES (1) RETURNING x");
    struct reply doomed, neighbour;
    (void)state;
    assert_true(
        run_sql("CREATE TABLE late (x int, CONSTRAINT late_x UNIQUE (x) DEFERRABLE INITIALLY DEFERRED)").ok);
    assert_true(run_sql("INSERT INTO late VALUES (1)").ok);
    call(&line, &doomed, &insert_late, NULL);
    call(&line, &neighbour, &echo, "fine");
    line_until(&line, &line.replies, 2);
    assert_false(doomed.ok);
    assert_string_equal(doomed.sqlstate, "23505");
    assert_int_equal(doomed.failure, FAILURE_ROW);
    assert_true(neighbour.ok);
    assert_string_equal(run_sql("SELECT count(*) FROM late").text, "1");
    assert_true(run_sql("DROP TABLE late").ok);
}

static void kill_backend(const char *pid)
{
    static struct line helper;
    line_open(&helper, place.conninfo, false);
    assert_string_equal(ask(&helper, &terminate, pid).text, "t");
    line_close(&helper);
}

static void test_a_backend_ended_in_mid_call_leaves_it_unknown(void **state)
{
    struct reply pid = ask(&line, &own_pid, NULL);
    struct reply cut, behind;
    (void)state;
    call(&line, &cut, &sleeping, "30");
    call(&line, &behind, &echo, "never sent an answer");
    kill_backend(pid.text);
    line_until(&line, &line.replies, 3);
    assert_false(cut.ok || behind.ok);
    assert_int_equal(cut.failure, FAILURE_UNKNOWN);
    assert_int_equal(behind.failure, FAILURE_UNKNOWN);
    assert_string_equal(cut.sqlstate, "");
    assert_int_equal(line.downs, 1);
    assert_null(strchr(line.reason, '\n'));
    line_until(&line, &line.ups, 2);
    assert_string_equal(ask(&line, &echo, "back").text, "back");
}

static void test_an_idle_backend_that_ends_is_noticed(void **state)
{
    struct reply pid = ask(&line, &own_pid, NULL);
    (void)state;
    kill_backend(pid.text);
    line_until(&line, &line.downs, 1);
    assert_false(pg_is_up(line.pg));
    struct reply refused = ask(&line, &echo, "not now");
    assert_int_equal(refused.failure, FAILURE_LATER);
    line_until(&line, &line.ups, 2);
    assert_true(ask(&line, &echo, "now").ok);
}

static void test_congestion_keeps_the_order(void **state)
{
    static struct reply replies[12];
    static char bulk[BULK + 1];
    (void)state;
    memset(bulk, 'x', BULK);
    for (int i = 0; i < 12; i++) {
        bulk[BULK - i] = '\0';
        call(&line, &replies[i], &measure, bulk);
    }
    line_until(&line, &line.replies, 12);
    for (int i = 0; i < 12; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%d", BULK - i);
        assert_string_equal(replies[i].text, expected);
        assert_int_equal(replies[i].turn, i + 1);
    }
}

/* Zeros and lengths included, whether it could be sent at once or had to be kept. */
static void test_values_of_every_form_are_copied(void **state)
{
    STATEMENT(describe, 3,
              "SELECT octet_length($1::bytea) || ' ' || get_byte($1, 0) || ' ' || get_byte($1, "
              "octet_length($1) - 1) || ' ' || coalesce($2::text, 'null') "
              "|| ' ' || $3::text");
    static struct reply replies[12];
    static char bulk[BULK];
    char text[16];
    (void)state;
    memset(bulk + BULK / 2, 'z', BULK / 2);
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof(text), "call %d", i);
        bulk[0] = (char)i;
        const struct pg_value values[] = {{bulk, BULK - i, true}, pg_text(NULL), pg_text(text)};
        call_with(&line, &replies[i], &describe, values);
    }
    bulk[0] = 'x';
    text[0] = 'x';
    line_until(&line, &line.replies, 12);
    for (int i = 0; i < 12; i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "%d %d %d null call %d", BULK - i, i, 'z', i);
        assert_string_equal(replies[i].text, expected);
    }
}

static void test_destroying_fails_what_is_queued(void **state)
{
    static struct reply replies[12];
    static char bulk[BULK + 1];
    (void)state;
    memset(bulk, 'x', BULK);
    for (int i = 0; i < 12; i++)
        call(&line, &replies[i], &measure, bulk);
    line_close(&line);
    assert_int_equal(line.replies, 12);
    assert_int_equal(replies[0].failure, FAILURE_UNKNOWN); /* a part of it was sent */
    assert_int_equal(replies[11].failure, FAILURE_LATER);  /* nothing of it was */
    for (int i = 0; i < 12; i++)
        assert_false(replies[i].ok);
    line_open(&line, place.conninfo, *(bool *)*state);
}

static void test_a_session_is_set_only_where_it_is_ours(void **state)
{
    STATEMENT(timeout, 0, "SHOW statement_timeout");
    STATEMENT(plans, 0, "SELECT count(*) FROM pg_prepared_statements WHERE name = 'plans'");
    bool prepared = *(bool *)*state;
    assert_string_equal(ask(&line, &timeout, NULL).text, prepared ? "9001ms" : "0");
    assert_string_equal(ask(&line, &plans, NULL).text, prepared ? "1" : "0");
}

static void test_a_forgotten_statement_is_prepared_again(void **state)
{
    STATEMENT(deallocate, 0, "DEALLOCATE ALL");
    (void)state;
    assert_true(ask(&line, &echo, "once").ok);
    assert_true(ask(&line, &deallocate, NULL).ok);
    struct reply forgotten = ask(&line, &echo, "twice");
    assert_false(forgotten.ok);
    assert_string_equal(forgotten.sqlstate, "26000");
    assert_int_equal(forgotten.failure, FAILURE_LATER); /* no fault of the schema */
    assert_int_equal(line.downs, 1);
    assert_non_null(strstr(line.reason, "prepared: false"));
    line_until(&line, &line.ups, 2);
    assert_true(ask(&line, &echo, "thrice").ok);
}

static void test_a_slow_call_breaks_the_connection(void **state)
{
    struct pg_options options = options_for(place.conninfo, false);
    struct reply slow;
    (void)state;
    line_close(&line);
    options.call_timeout_ms = 300;
    line_open_with(&line, &options);
    line_until(&line, &line.ups, 1);
    call(&line, &slow, &sleeping, "20");
    line_until(&line, &slow.turn, 1);
    assert_int_equal(slow.failure, FAILURE_UNKNOWN);
    assert_int_equal(line.downs, 1);
    line_until(&line, &line.ups, 2);
    assert_true(ask(&line, &echo, "back").ok);
    for (int i = 0; i < 3; i++) /* the bound is each call's own, not the sum's */
        assert_true(ask(&line, &sleeping, "0.15").ok);
}

static void test_a_slow_call_is_ended_by_the_server_first(void **state)
{
    struct pg_options options = options_for(place.conninfo, true);
    (void)state;
    line_close(&line);
    options.call_timeout_ms = 1000;
    line_open_with(&line, &options);
    line_until(&line, &line.ups, 1);
    struct reply slow = ask(&line, &sleeping, "20");
    assert_string_equal(slow.sqlstate, "57014");
    assert_int_equal(slow.failure, FAILURE_LATER);
    assert_int_equal(line.downs, 0);
    assert_true(ask(&line, &echo, "still there").ok);
}

static void test_notices_do_not_reach_stderr(void **state)
{
    STATEMENT(notice, 0, "DO 'BEGIN RAISE WARNING $$secret$$; END'");
    char path[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/stderr", place.folder);
    int saved = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w+", stderr));
    struct reply reply = ask(&line, &notice, NULL);
    fflush(stderr);
    struct stat status;
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(reply.ok);
    assert_int_equal(status.st_size, 0);
}

int main(void)
{
#define BOTH(test)                                                     \
    {#test ", prepared", test, open_prepared, line_shut, NULL},        \
    {                                                                  \
#test ", not prepared", test, open_unprepared, line_shut, NULL \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_answers_come_in_order),
        BOTH(test_an_error_spoils_no_neighbour),
        BOTH(test_a_null_travels_as_one),
        BOTH(test_a_statement_that_can_not_be_parsed_is_tried_anew),
        BOTH(test_every_call_is_its_own_transaction),
        BOTH(test_rows_count_only_after_the_commit),
        BOTH(test_a_backend_ended_in_mid_call_leaves_it_unknown),
        BOTH(test_an_idle_backend_that_ends_is_noticed),
        BOTH(test_congestion_keeps_the_order),
        BOTH(test_values_of_every_form_are_copied),
        BOTH(test_destroying_fails_what_is_queued),
        BOTH(test_a_session_is_set_only_where_it_is_ours),
        BOTH(test_notices_do_not_reach_stderr),
        {"a forgotten statement", test_a_forgotten_statement_is_prepared_again, open_prepared, line_shut,
         NULL},
        {"a slow call, not prepared", test_a_slow_call_breaks_the_connection, open_unprepared, line_shut,
         NULL},
        {"a slow call, prepared", test_a_slow_call_is_ended_by_the_server_first, open_prepared, line_shut,
         NULL},
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, cluster_start, cluster_stop);
}
