/* The daemon as a service: SIGTERM and its bound, systemd's notification protocol, a log without secrets and without
 * control characters, a process that gives nothing away. */
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* --- ending ---------------------------------------------------------------------------------------------------- */

/* What is being asked is answered and settled, what was only claimed is given back. */
static void test_term_drains(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 400, "slow:600 paid");
    stage_begin();
    daemon_start(0, &(struct settings){.lease = "4s", .timeout = "2s"});
    wait_for(WAIT_MS, "SELECT count(*) > 20 FROM makegood.query_log");
    int64_t begun_ms = now_ms();
    daemon_stop(0);
    assert_in_range(now_ms() - begun_ms, 100, 5000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE token IS NOT NULL"),
                     0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE due_at > now()"), 0);
    assert_in_range(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 1, 380);
    assert_int_equal(log_count(0, "event=stopping"), 1);
    assert_int_equal(log_count(0, "event=stopped"), 1);
    ledger_load();
    assert_int_equal(db_number(stage.db, "SELECT (SELECT sum(asked) FROM truth.bank_says)"
                                         " - (SELECT count(*) FROM makegood.query_log)"),
                     0);
    ledger_check();
}

static const struct settings patient = {
    .lease = "30s", .timeout = "20s", .low_speed = "20s", .stop_timeout = "15s"};

static void silence_begin(const struct settings *settings)
{
    stage_open(&orders_shop);
    stage_orders(1, 50, "silence");
    stage_begin();
    daemon_start(0, settings);
    wait_for(WAIT_MS, "SELECT count(*) > 0 FROM makegood.lost_order WHERE token IS NOT NULL");
    sleep_ms(300);
}

static void test_second_term_ends_at_once(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    (void)state;
    for (int i = 0; i < 2; i++) {
        silence_begin(&patient);
        kill(stage.daemons[0], signals[i]);
        wait_for_log(0, "event=stopping", WAIT_MS);
        sleep_ms(700);
        assert_true(process_lives(stage.daemons[0])); /* it waits for the answers */
        kill(stage.daemons[0], signals[1 - i]);
        assert_int_equal(process_wait(stage.daemons[0], 1500), 1);
        stage.daemons[0] = 0;
        assert_int_equal(log_count(0, "event=stopped_at_once"), 1);
        stage_teardown(state);
    }
}

static void test_stop_has_a_bound(void **state)
{
    struct settings bounded = patient;
    (void)state;
    bounded.stop_timeout = "1s";
    silence_begin(&bounded);
    int64_t begun_ms = now_ms();
    daemon_stop(0);
    assert_in_range(now_ms() - begun_ms, 900, 5000);
    assert_int_equal(log_count(0, "event=stop_bound_reached"), 1);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 50);
}

/* Stopped while the database is away: it ends within its bound all the same. */
static void test_term_without_database(void **state)
{
    struct settings bounded = patient;
    (void)state;
    bounded.stop_timeout = "2s";
    silence_begin(&bounded);
    cluster_stop("immediate");
    int64_t begun_ms = now_ms();
    daemon_stop(0);
    assert_in_range(now_ms() - begun_ms, 0, 6000);
}

/* --- systemd's protocol ---------------------------------------------------------------------------------------- */

static int notify_open(char variable[128])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", stage.folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    snprintf(variable, 128, "NOTIFY_SOCKET=%s/notify", stage.folder);
    return fd;
}

/* The next message that begins so, or "" after the time. Others are passed over, and counted when they begin with
 * other. */
static const char *heard(int fd, const char *begins, int64_t within_ms, const char *other, int *count)
{
    static char message[4096];
    int64_t end_ms = now_ms() + within_ms;
    for (;;) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0)
            return "";
        struct timeval wait = {left_ms / 1000, left_ms % 1000 * 1000 + 1};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        ssize_t got = recv(fd, message, sizeof(message) - 1, 0);
        message[got > 0 ? got : 0] = '\0';
        if (got > 0 && strncmp(message, begins, strlen(begins)) == 0)
            return message;
        if (got > 0 && other && strncmp(message, other, strlen(other)) == 0)
            ++*count;
    }
}

static void test_notify(void **state)
{
    char variable[128];
    int early = 0;
    (void)state;
    stage_open(&orders_shop);
    stage_order(1, "paid");
    stage_begin();
    int fd = notify_open(variable);
    cluster_stop("fast");
    daemon_start_with(0, &(struct settings){0}, (const char *const[]){variable, NULL});
    assert_string_equal(heard(fd, "READY=1", 1200, NULL, NULL),
                        ""); /* not before the database was found fit */
    cluster_start();
    assert_contains(heard(fd, "READY=1", WAIT_MS, "STOPPING", &early), "READY=1");
    kill(stage.daemons[0], SIGHUP);
    assert_contains(heard(fd, "RELOADING=1", WAIT_MS, "READY=1", &early), "\nMONOTONIC_USEC=");
    assert_contains(heard(fd, "READY=1", WAIT_MS, NULL, NULL), "READY=1");
    assert_int_equal(early, 0);
    const char *status = heard(fd, "STATUS=", 20000, NULL, NULL);
    assert_contains(status, "waiting 0, parked 0");
    assert_contains(status, "resolved 1");
    kill(stage.daemons[0], SIGTERM);
    assert_contains(heard(fd, "STOPPING=1", WAIT_MS, NULL, NULL), "EXTEND_TIMEOUT_USEC=11000000");
    assert_int_equal(process_wait(stage.daemons[0], 10000), 0);
    close(fd);
}

static void test_watchdog(void **state)
{
    char variable[128];
    int count = 0;
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 30, "silence");
    stage_begin();
    int fd = notify_open(variable);
    daemon_start_with(0, &(struct settings){0},
                      (const char *const[]){variable, "WATCHDOG_USEC=400000", NULL});
    assert_contains(heard(fd, "READY=1", WAIT_MS, NULL, NULL), "READY=1");
    assert_string_equal(heard(fd, "nothing", 3000, "WATCHDOG=1", &count), "");
    assert_in_range(count, 7, 20);
    kill(stage.daemons[0], SIGSTOP);
    heard(fd, "nothing", 500, NULL, NULL); /* what was on its way */
    count = 0;
    assert_string_equal(heard(fd, "nothing", 1200, "WATCHDOG=1", &count), "");
    assert_int_equal(count, 0);
    kill(stage.daemons[0], SIGCONT);
    assert_contains(heard(fd, "WATCHDOG=1", WAIT_MS, NULL, NULL), "WATCHDOG=1");
    close(fd);
    daemon_stop(0);
}

/* --- secrets and control characters ---------------------------------------------------------------------------- */

static void assert_no_secret(const char *text)
{
    assert_lacks(text, BANK_KEY);
    assert_lacks(text, PASSWORD);
}

static char *proc_read(const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)stage.daemons[0], name);
    return file_read(path);
}

/* A database that refuses the password, a bank that refuses the key, faults of every kind, the log at its loudest. */
static void test_no_secret_is_told(void **state)
{
    static const char *const scripts[] = {
        "unauthorized paid", "garbage paid", "cut paid",   "paid",  "html paid",
        "reset*3 paid",      "wrong_amount", "flood paid", "closed"};
    (void)state;
    stage_open(&orders_shop);
    for (int i = 0; i < 9; i++)
        stage_order(i + 1, scripts[i]);
    stage_order_at(10, "paid", 100, "dead", NULL);
    stage_begin();
    db_do(stage.db, "CREATE ROLE end_barred LOGIN NOINHERIT"); /* may connect, and may do nothing */
    daemon_start(1, &(struct settings){.log_level = "debug", .user = "end_barred"});
    daemon_start(2, &(struct settings){.log_level = "debug", .user = "end_stranger"});
    daemon_start(0, &(struct settings){.log_level = "debug"});
    wait_for_log(2, "event=database_down", WAIT_MS);
    assert_int_equal(process_wait(stage.daemons[1], WAIT_MS), 1); /* unfit: it ends, and says why */
    stage.daemons[1] = 0;
    wait_for_end(WAIT_MS);
    for (int i = 0; i < DAEMONS_MAX; i++) {
        char *log = daemon_log(i);
        assert_true(*log);
        assert_no_secret(log);
        free(log);
    }
    assert_no_secret(db_text(stage.db, "SELECT string_agg(q::text, ' ') FROM makegood.query_log AS q"));
    assert_no_secret(
        db_text(stage.db, "SELECT coalesce(string_agg(p::text, ' '), '') FROM makegood.parked_order AS p"));
    assert_no_secret(db_text(stage.db, "SELECT string_agg(a::text, ' ') FROM pg_stat_activity AS a"));
    char *line = proc_read("cmdline");
    assert_no_secret(line);
    free(line);
    ledger_check();
}

/* Variables that would change what the configuration says are gone, core dumps are off, and the memory is closed to
 * others of the same user. */
static void test_process_is_closed(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 5, "paid");
    stage_begin();
    daemon_start_with(0, &(struct settings){0},
                      (const char *const[]){
                          "https_proxy=http://127.0.0.1:9", "ALL_PROXY=http://127.0.0.1:9", "PGHOST=/nowhere",
                          "PGOPTIONS=-c default_transaction_read_only=on", "PGSSLMODE=require",
                          "SSLKEYLOGFILE=/tmp/makegood-end-keys", "CURL_CA_BUNDLE=/nowhere", NULL});
    wait_for_end(WAIT_MS);
    assert_int_not_equal(access("/tmp/makegood-end-keys", F_OK), 0);
    char *limits = proc_read("limits");
    assert_contains(limits, "Max core file size        0                    0");
    free(limits);
    ledger_check();
}

/* A shop's trigger speaks of anything: each line of the log is one line, of printable characters. */
static void test_log_is_escaped(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 3, "paid");
    stage_begin();
    db_do(stage.db, "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    " RAISE EXCEPTION E'red \\033[31m\\nevent=\"forged\"\\r\\u009b'; END $$;"
                    "CREATE TRIGGER refuse BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION"
                    " public.refuse()");
    daemon_start(0, &(struct settings){.log_level = "debug"});
    wait_for_end(WAIT_MS);
    daemon_stop(0);
    char *log = daemon_log(0);
    assert_contains(log, "detail=\"red \\x1b[31m event=\\\"forged\\\"\\r\\xc2\\x9b\"");
    for (const char *c = log; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\n')
            fail_msg("the log holds the byte %d", *c);
    assert_lacks(log, "\nevent=\"forged\"");
    assert_lacks(log, "\xc2\x9b");
    free(log);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason = 'poison'"), 3);
}

int main(void)
{
#define SERVICE(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        SERVICE(test_term_drains),
        SERVICE(test_second_term_ends_at_once),
        SERVICE(test_stop_has_a_bound),
        SERVICE(test_term_without_database),
        SERVICE(test_notify),
        SERVICE(test_watchdog),
        SERVICE(test_no_secret_is_told),
        SERVICE(test_process_is_closed),
        SERVICE(test_log_is_escaped),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
