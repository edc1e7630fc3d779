/* Through a real PgBouncer: in session mode everything works as it does without; in transaction mode with
 * prepared: false (correctness 29). */
#include "line.h"

#define CALLS 40

static struct place place;
static struct line lines[3];
static pid_t bouncer;
static char conninfo[256];

STATEMENT(echo, 1, "SELECT $1::text");
STATEMENT(divide, 1, "SELECT 1 / $1::int");
STATEMENT(write_row, 1, "INSERT INTO written VALUES ($1) RETURNING x");
STATEMENT(count_rows, 0, "SELECT count(*) FROM written");
STATEMENT(measure, 1, "SELECT length($1)");
STATEMENT(sleeping, 1, "SELECT pg_sleep($1::float)");

static int cluster_start(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    line_open(&lines[0], place.conninfo, false);
    STATEMENT(make_table, 0, "CREATE TABLE written (x text)");
    assert_true(ask(&lines[0], &make_table, NULL).ok);
    line_close(&lines[0]);
    return 0;
}

static int cluster_stop(void **state)
{
    (void)state;
    place_leave(&place);
    return 0;
}

/* Two server connections for all clients, so that in transaction mode they really are shared. */
static void bouncer_start(const char *mode)
{
    char folder[96], path[128];
    snprintf(folder, sizeof(folder), "%s/%s", place.folder, mode);
    assert_true(mkdir(folder, 0777) == 0 && chmod(folder, 0777) == 0);
    snprintf(path, sizeof(path), "%s/ini", folder);
    write_file(
        path,
        "[databases]\n* = host=%s/pg/socket user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
        "unix_socket_dir = %s\nauth_type = any\npool_mode = %s\ndefault_pool_size = 2\nlogfile = %s/log\n",
        place.folder, folder, mode, folder);
    const char *const arguments[] = {"/usr/sbin/pgbouncer", "-q", path, NULL};
    bouncer = program_start(true, arguments);
    snprintf(conninfo, sizeof(conninfo), "host=%s port=6432 user=postgres dbname=postgres", folder);
}

static int session_start(void **state)
{
    (void)state;
    bouncer_start("session");
    return 0;
}

static int transaction_start(void **state)
{
    (void)state;
    bouncer_start("transaction");
    return 0;
}

static int bouncer_stop(void **state)
{
    (void)state;
    program_stop(bouncer);
    return 0;
}

static void check_pipeline(struct line *line)
{
    struct reply replies[CALLS];
    int before = line->replies;
    for (int i = 0; i < CALLS; i++)
        call(line, &replies[i], &divide, i % 8 == 5 ? "0" : "1");
    line_until(line, &line->replies, before + CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(replies[i].turn, before + i + 1);
        if (i % 8 == 5)
            assert_string_equal(replies[i].sqlstate, "22012");
        else
            assert_string_equal(replies[i].text, "1");
    }
    assert_int_equal(line->downs, 0);
}

static void test_session_mode_works_as_is(void **state)
{
    (void)state;
    line_open(&lines[0], conninfo, true);
    lines[0].downs = 0; /* the bouncer may not have listened yet */
    check_pipeline(&lines[0]);
    assert_string_equal(ask(&lines[0], &echo, "hello").text, "hello");
    line_close(&lines[0]);
}

static void check_bulk(struct line *line)
{
    enum { BULK = 1 << 20 };
    static char bulk[BULK + 1];
    struct reply replies[8];
    int before = line->replies;
    memset(bulk, 'x', BULK);
    for (int i = 0; i < 8; i++)
        call(line, &replies[i], &measure, bulk);
    line_until(line, &line->replies, before + 8);
    for (int i = 0; i < 8; i++)
        assert_string_equal(replies[i].text, "1048576");
}

/* Three clients on two server connections, each with calls in its pipeline. */
static void test_transaction_mode_works_unprepared(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        line_open(&lines[i], conninfo, false);
        lines[i].downs = 0;
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 3; i++)
            check_pipeline(&lines[i]);
    for (int i = 0; i < 3; i++)
        check_bulk(&lines[i]);
    for (int i = 0; i < 3; i++)
        line_close(&lines[i]);
}

/* Really at the same time: every line's pipeline is full before any is read. */
static void test_transaction_mode_shares_connections(void **state)
{
    struct reply replies[3][CALLS];
    (void)state;
    for (int i = 0; i < 3; i++) {
        line_open(&lines[i], conninfo, false);
        lines[i].downs = 0;
    }
    for (int j = 0; j < CALLS; j++)
        for (int i = 0; i < 3; i++)
            call(&lines[i], &replies[i][j], &write_row, "row");
    for (int i = 0; i < 3; i++)
        line_until(&lines[i], &lines[i].replies, CALLS);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < CALLS; j++)
            assert_true(replies[i][j].ok);
    assert_string_equal(ask(&lines[0], &count_rows, NULL).text, "120");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lines[i].downs, 0);
        line_close(&lines[i]);
    }
}

static void test_a_bouncer_that_dies_leaves_calls_unknown(void **state)
{
    struct reply cut;
    (void)state;
    line_open(&lines[0], conninfo, false);
    call(&lines[0], &cut, &sleeping, "30");
    for (int i = 0; i < 5; i++)
        uv_run(&lines[0].loop, UV_RUN_NOWAIT);
    program_stop(bouncer);
    line_until(&lines[0], &cut.turn, 1);
    assert_int_equal(cut.failure, FAILURE_UNKNOWN);
    line_close(&lines[0]);
}

static int nothing(void **state)
{
    (void)state;
    return 0;
}

int main(void)
{
    const struct CMUnitTest session[] = {
        cmocka_unit_test_setup_teardown(test_session_mode_works_as_is, session_start, bouncer_stop)};
    const struct CMUnitTest transaction[] = {
        cmocka_unit_test_setup_teardown(test_transaction_mode_works_unprepared, transaction_start, nothing),
        cmocka_unit_test(test_transaction_mode_shares_connections),
        cmocka_unit_test(test_a_bouncer_that_dies_leaves_calls_unknown),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(session, cluster_start, cluster_stop);
    return failed + cmocka_run_group_tests(transaction, cluster_start, cluster_stop);
}
