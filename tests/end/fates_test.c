/* Every fate that the bank knows, on both shops, to its right end, with complete audit rows; through prepared and
 * unprepared statements, and through PgBouncer in session and in transaction mode. */
#include "stage.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUNCER "/usr/sbin/pgbouncer"

/* Ends: a status; "parked:REASON"; "waiting", and then the bank never answered. For the audit: at least so many
 * queries, one of them with this evidence and HTTP status. */
struct fate {
    const char *script;
    const char *expires_in;
    const char *channel;
    const char *ends;
    const char *ends_otherwise; /* at shop B, where that differs */
    const char *evidence;
    int http;
    int queries;
};

static const struct fate fates[] = {
    {"paid", NULL, "main", "paid", NULL, "paid", 200, 1},
    {"pending*2 paid", NULL, "main", "paid", NULL, "pending", 200, 3},
    {"unpaid*2 paid", NULL, "main", "paid", NULL, "pending", 200, 3},
    {"slow:400 paid", NULL, "main", "paid", NULL, "paid", 200, 1},
    {"not_found paid", NULL, "main", "paid", NULL, "not_found", 404, 2},
    {"closed", NULL, "main", "closed", NULL, "closed", 200, 1},
    {"pending closed", NULL, "main", "closed", NULL, "closed", 200, 2},
    {"not_found", "1s", "main", "closed", NULL, "not_found", 404, 2},
    {"refunded", NULL, "main", "refunded", "parked:refund_seen", "refunded", 200, 1},
    {"refund_part", NULL, "main", "parked:refund_seen", NULL, "refunded", 200, 1},
    {"disputed", NULL, "main", "parked:flagged", NULL, "paid_flagged", 200, 1},
    {"wrong_amount", NULL, "main", "parked:amount_mismatch", NULL, "paid", 200, 1},
    {"wrong_currency", NULL, "main", "parked:currency_mismatch", NULL, "paid", 200, 1},
    {"unknown_state", NULL, "main", "parked:unknown_state", NULL, "unknown_state", 200, 3},
    {"unknown_state*2 paid", NULL, "main", "paid", NULL, "unknown_state", 200, 3},
    {"pending", "1s", "main", "parked:unclosable", NULL, "pending", 200, 2},
    {"garbage*2 paid", NULL, "main", "paid", NULL, "garbage", 200, 3},
    {"html paid", NULL, "main", "paid", NULL, "garbage", 200, 2},
    {"other_order*2 paid", NULL, "main", "paid", NULL, "other_order", 200, 3},
    {"server_error*2 paid", NULL, "main", "paid", NULL, "server_error", 500, 3},
    {"unauthorized*2 paid", NULL, "main", "paid", NULL, "unauthorized", 401, 3},
    {"rate_limited:1 paid", NULL, "main", "paid", NULL, "rate_limited", 429, 2},
    {"silence paid", NULL, "main", "paid", NULL, "timeout", 0, 2},
    {"cut*2 paid", NULL, "main", "paid", NULL, "unreachable", 200, 3},
    {"drip paid", NULL, "main", "paid", NULL, "timeout", 200, 2},
    {"flood*2 paid", NULL, "main", "paid", NULL, "too_large", 200, 3},
    {"reset*4 paid", NULL, "main", "paid", NULL, "unreachable", 0, 2},
    {"garbage", NULL, "main", "waiting", NULL, "garbage", 200, 3},
    {"html", NULL, "main", "waiting", NULL, "garbage", 200, 3},
    {"other_order", NULL, "main", "waiting", NULL, "other_order", 200, 3},
    {"server_error", NULL, "main", "waiting", NULL, "server_error", 500, 3},
    {"unauthorized", NULL, "main", "waiting", NULL, "unauthorized", 401, 3},
    {"silence", NULL, "main", "waiting", NULL, "timeout", 0, 2},
    {"drip", NULL, "main", "waiting", NULL, "timeout", 200, 2},
    {"flood", NULL, "main", "waiting", NULL, "too_large", 200, 3},
    {"paid", NULL, "dead", "waiting", NULL, "unreachable", 0, 3},
    {"paid", "1s", "dead", "waiting", NULL, "unreachable", 0, 3},
};
#define FATES ((int)(sizeof(fates) / sizeof(fates[0])))

static const char *ends_of(const struct fate *fate)
{
    bool otherwise = stage.shop == &purchases_shop && fate->ends_otherwise;
    return otherwise ? fate->ends_otherwise : fate->ends;
}

static void fates_place(void)
{
    db_do(
        stage.db,
        "CREATE TABLE truth.fate (n integer PRIMARY KEY, ends text, evidence text, http integer,"
        " queries integer);"
        "CREATE VIEW truth.seen AS SELECT a.*, f.ends, f.evidence, f.http, f.queries,"
        " CASE WHEN l.attempt_id IS NOT NULL THEN 'waiting'"
        " WHEN p.attempt_id IS NOT NULL THEN 'parked:' || p.reason ELSE o.status END AS seen,"
        " coalesce(l.answers, 0) AS answers, q.count, q.fitting"
        " FROM truth.attempt AS a JOIN truth.fate AS f USING (n) JOIN truth.shop_order AS o USING (order_no)"
        " LEFT JOIN makegood.lost_order AS l USING (attempt_id)"
        " LEFT JOIN makegood.parked_order AS p USING (attempt_id),"
        " LATERAL (SELECT count(*), count(*) FILTER (WHERE q.evidence = f.evidence"
        "   AND coalesce(q.http_status, 0) = f.http) AS fitting"
        "   FROM makegood.query_log AS q WHERE q.attempt_id = a.attempt_id) AS q");
    for (int i = 0; i < FATES; i++) {
        const struct fate *fate = &fates[i];
        stage_order_at(i + 1, fate->script, 1000 + i * 37, fate->channel, fate->expires_in);
        db_do(stage.db, "INSERT INTO truth.fate VALUES (%d, '%s', '%s', %d, %d)", i + 1, ends_of(fate),
              fate->evidence, fate->http, fate->queries);
    }
}

static void fates_check(const struct settings *settings)
{
    fates_place();
    stage_begin();
    daemon_start(0, settings);
    wait_for(WAIT_MS,
             "SELECT bool_and((seen = ends OR seen NOT IN ('waiting', 'unpaid')) AND count >= queries)"
             " FROM truth.seen");
    daemon_stop(0);
    const char *differing = db_text(
        stage.db, "SELECT coalesce(string_agg(format('%%s %%s: %%s instead of %%s, %%s answers, %%s of %%s"
                  " queries say %%s %%s', script, order_no, seen, ends, answers, fitting, count, evidence,"
                  " http), E'\\n'), '') FROM truth.seen"
                  " WHERE seen <> ends OR fitting = 0 OR (ends = 'waiting' AND answers > 0)");
    if (*differing)
        fail_msg("fates differ:\n%s", differing);
    ledger_check();
}

static void test_orders(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    fates_check(&(struct settings){0});
}

static void test_purchases(void **state)
{
    (void)state;
    stage_open(&purchases_shop);
    fates_check(&(struct settings){0});
}

static void test_unprepared(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    fates_check(&(struct settings){.prepared = "false"});
}

/* The channel's own number, the time and nothing else are written beside the status. */
static void test_columns(void **state)
{
    (void)state;
    stage_open(&purchases_shop);
    stage_order(1, "paid");
    stage_order(2, "closed");
    stage_order(3, "disputed");
    stage_begin();
    db_do(stage.db, "UPDATE shop.purchases SET trade_no = 'from-the-shop' WHERE id = 2");
    daemon_start(0, &(struct settings){.more = "    accept_flagged: yes\n"});
    wait_for_end(WAIT_MS);
    daemon_stop(0);
    assert_string_equal(
        db_text(stage.db, "SELECT concat_ws('|', state, trade_no, abs(extract(epoch FROM paid_on - now()"
                          " AT TIME ZONE current_setting('TimeZone'))) < 60) FROM shop.purchases"
                          " WHERE id = 1"),
        "2|ch_pi_000001|t");
    assert_string_equal(db_text(stage.db,
                                "SELECT concat_ws('|', state, trade_no, paid_on IS NULL) FROM shop.purchases"
                                " WHERE id = 2"),
                        "9|from-the-shop|t");
    assert_string_equal(db_text(stage.db,
                                "SELECT concat_ws('|', q.evidence, q.verdict, q.code, q.channel_rule,"
                                " q.channel_number, q.status_before, q.status_after, q.amount_minor,"
                                " q.currency, q.number, q.asked) FROM makegood.query_log AS q"
                                " WHERE q.order_no = '1'"),
                        db_text(stage.db,
                                "SELECT 'paid|paid|succeeded|paid|ch_pi_000001|1|2|8019|CNY|pi_000001|"
                                "GET https://localhost:%d/main/v1/payment_intents/pi_000001'",
                                stage.bank_port));
}

/* --- PgBouncer -------------------------------------------------------------------------------------------------- */

static void bouncer_write(const char *ini, const char *users, const char *mode, int port)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "[databases]\n* = host=%s\n[pgbouncer]\nlisten_addr =\nlisten_port = %d\nunix_socket_dir = /%s\n"
             "auth_type = trust\nauth_file = %s\npool_mode = %s\ndefault_pool_size = "
             "4\nserver_reset_query_always = 0\n",
             world_host, port, world_host + 1, users, mode);
    file_write(ini, text);
    file_write(users, "\"end_daemon\" \"\"\n");
}

/* PgBouncer refuses root; it then runs as the cluster's user. */
static void bouncer_start(const char *mode, int port)
{
    char ini[160];
    char users[160];
    char log[160];
    snprintf(ini, sizeof(ini), "%s/bouncer.ini", stage.folder);
    snprintf(users, sizeof(users), "%s/users.txt", stage.folder);
    snprintf(log, sizeof(log), "%s/bouncer.log", stage.folder);
    bouncer_write(ini, users, mode, port);
    const char *const as_root[] = {
        "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL", BOUNCER, ini,
        NULL};
    process_start(geteuid() == 0 ? as_root : (const char *const[]){BOUNCER, ini, NULL}, log, NULL);
    char socket[160];
    snprintf(socket, sizeof(socket), "%s/.s.PGSQL.%d", world_host, port);
    for (int64_t end_ms = now_ms() + 10000; access(socket, F_OK) != 0; sleep_ms(20))
        if (now_ms() > end_ms)
            fail_msg("PgBouncer did not start: %s", file_read(log));
}

static void fates_through_bouncer(const struct shop *shop, const char *mode, const struct settings *settings)
{
    char port[16];
    int number = strcmp(mode, "session") == 0 ? 6432 : 6433;
    struct settings through = *settings;
    snprintf(port, sizeof(port), "%d", number);
    through.port = port;
    stage_open(shop);
    bouncer_start(mode, number);
    fates_check(&through);
}

static void test_bouncer_session(void **state)
{
    (void)state;
    fates_through_bouncer(&orders_shop, "session", &(struct settings){0});
}

static void test_bouncer_transaction(void **state)
{
    (void)state;
    fates_through_bouncer(&purchases_shop, "transaction", &(struct settings){.prepared = "false"});
}

int main(void)
{
#define FATE_TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        FATE_TEST(test_orders),  FATE_TEST(test_purchases),       FATE_TEST(test_unprepared),
        FATE_TEST(test_columns), FATE_TEST(test_bouncer_session), FATE_TEST(test_bouncer_transaction),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
