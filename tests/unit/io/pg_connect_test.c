/* Coming up and going down: a server that stops and returns, hosts that are down, silent or read-only, and
 * what is said about it. */
#include "line.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/pg_inner.h"

static struct place place, standby;
static struct line line;

STATEMENT(echo, 1, "SELECT $1::text");
STATEMENT(whereabouts, 0, "SHOW unix_socket_directories");
STATEMENT(scratch, 0, "CREATE TABLE scratch ()");

static int clusters_start(void **state)
{
    (void)state;
    place_enter(&place);
    place_start_cluster(&place);
    place_enter(&standby);
    place_start_cluster(&standby);
    assert_int_equal(run("echo 'default_transaction_read_only = on' >>%s/pg/data/postgresql.conf && "
                         "scripts/cluster restart %s/pg",
                         standby.folder, standby.folder),
                     0);
    return 0;
}

static int clusters_stop(void **state)
{
    (void)state;
    place_leave(&place);
    place_leave(&standby);
    return 0;
}

static void open_hosts(const char *first, const char *more)
{
    char conninfo[512];
    snprintf(conninfo, sizeof(conninfo), "host=%s,%s/pg/socket user=postgres dbname=postgres %s", first,
             place.folder, more);
    struct pg_options options = options_for(conninfo, true);
    options.connect_timeout_ms = 500;
    line_open_with(&line, &options);
    line_until(&line, &line.ups, 1);
}

static void check_it_is_ours(void)
{
    assert_non_null(strstr(ask(&line, &whereabouts, NULL).text, place.folder));
    line_close(&line);
}

static void test_a_server_that_stops_and_returns(void **state)
{
    (void)state;
    line_open(&line, place.conninfo, true);
    place_stop_cluster(&place, "immediate");
    line_until(&line, &line.downs, 1);
    for (int i = 0; i < 3; i++) {
        struct reply reply = ask(&line, &echo, "anybody?");
        assert_false(reply.ok);
        assert_int_equal(reply.failure, FAILURE_LATER);
        assert_string_equal(reply.sqlstate, "");
    }
    line_until(&line, &line.downs, 4); /* it keeps trying ... */
    assert_non_null(strstr(line.reason, "connection to server on socket"));
    assert_null(strchr(line.reason, '\n'));
    place_start_cluster(&place); /* ... and finds it */
    line_until(&line, &line.ups, 2);
    assert_true(ask(&line, &echo, "you").ok);
    line_close(&line);
}

static void test_attempts_grow_apart(void **state)
{
    struct pg_options options = options_for("host=/nowhere user=x", true);
    (void)state;
    line_open_with(&line, &options);
    uint64_t start = uv_hrtime();
    line_until(&line, &line.downs, 6); /* waits of 20, 40, 80, 160, 200 ms, each at least half of it */
    uint64_t taken_ms = (uv_hrtime() - start) / 1000000;
    assert_in_range(taken_ms, 250, 5000);
    assert_int_equal(line.ups, 0);
    line_close(&line);
}

static void test_a_host_that_is_down_is_skipped(void **state)
{
    (void)state;
    open_hosts("/nowhere", "target_session_attrs=read-write");
    assert_int_equal(line.downs, 0);
    check_it_is_ours();
}

static void test_a_read_only_host_is_skipped(void **state)
{
    char first[128];
    (void)state;
    snprintf(first, sizeof(first), "%s/pg/socket", standby.folder);
    open_hosts(first, "target_session_attrs=read-write");
    assert_int_equal(line.downs, 0);
    check_it_is_ours();
}

static int silent_listener(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void test_a_silent_host_is_given_up_and_the_next_one_tried(void **state)
{
    (void)state;
    int fd = silent_listener(place.folder);
    open_hosts(place.folder, "target_session_attrs=read-write");
    assert_int_equal(line.downs, 1);
    assert_non_null(strstr(line.reason, "connect timeout"));
    check_it_is_ours();
    close(fd);
}

static void test_read_only_looks_for_another_server(void **state)
{
    (void)state;
    line_open(&line, standby.conninfo, true);
    struct reply reply = ask(&line, &scratch, NULL);
    assert_string_equal(reply.sqlstate, "25006");
    assert_int_equal(reply.failure, FAILURE_LATER);
    assert_int_equal(line.downs, 1);
    line_until(&line, &line.ups, 2);
    line_close(&line);
}

static void test_a_bad_string_is_refused_in_silence(void **state)
{
    struct pg_options options = options_for("host=x password = geheim 'oops", true);
    struct pg_events events = {.up = line_up, .down = line_down};
    (void)state;
    uv_loop_init(&line.loop);
    assert_int_equal(pg_create(&line.pg, &line.loop, &options, &events, &line), -EINVAL);
    assert_int_equal(uv_loop_close(&line.loop), 0);
}

static void test_destroyed_while_connecting(void **state)
{
    char conninfo[128];
    (void)state;
    snprintf(conninfo, sizeof(conninfo), "host=%s user=x", standby.folder);
    int fd = silent_listener(standby.folder);
    struct pg_options options = options_for(conninfo, true);
    struct reply reply;
    line_open_with(&line, &options);
    call(&line, &reply, &echo, "early");
    for (int i = 0; i < 5; i++)
        uv_run(&line.loop, UV_RUN_ONCE);
    assert_int_equal(reply.failure, FAILURE_LATER);
    line_close(&line);
    assert_int_equal(line.ups, 0);
    close(fd);
}

static void check_turned(const char *list, int turn, const char *expected)
{
    char *turned = pg_hosts_turned(list, turn);
    assert_string_equal(turned, expected);
    free(turned);
}

static void test_lists_of_hosts_turn(void **state)
{
    struct pg_hosts hosts;
    (void)state;
    check_turned("a,b,c", 0, "a,b,c");
    check_turned("a,b,c", 1, "b,c,a");
    check_turned("a,b,c", 2, "c,a,b");
    check_turned("a,b,c", 4, "b,c,a");
    check_turned("5432", 2, "5432");
    check_turned(",b", 1, "b,");
    assert_int_equal(pg_hosts_init(&hosts, "postgresql://u:p@one:1,two:2,three:3/db"), 0);
    assert_int_equal(pg_hosts_count(&hosts), 3);
    assert_string_equal(hosts.host, "one,two,three");
    assert_string_equal(hosts.port, "1,2,3");
    pg_hosts_finish(&hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_that_stops_and_returns),
        cmocka_unit_test(test_attempts_grow_apart),
        cmocka_unit_test(test_a_host_that_is_down_is_skipped),
        cmocka_unit_test(test_a_read_only_host_is_skipped),
        cmocka_unit_test(test_a_silent_host_is_given_up_and_the_next_one_tried),
        cmocka_unit_test(test_read_only_looks_for_another_server),
        cmocka_unit_test(test_a_bad_string_is_refused_in_silence),
        cmocka_unit_test(test_destroyed_while_connecting),
        cmocka_unit_test(test_lists_of_hosts_turn),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, clusters_start, clusters_stop);
}
