/* Everything goes wrong, over and over, while orders are being settled: daemons are killed, the database stops hard,
 * connections are cut, the shop settles the same orders and holds their locks, the configuration is reloaded, the bank
 * stalls and lies. After each test the ledger must hold, and everything that can end must have ended. The moments are
 * random: the seed is printed, MAKEGOOD_SEED replays it. */
#include "stage.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static uint64_t chance;

static long random_between(long least, long most)
{
    chance += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = (chance ^ chance >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return least + (long)(z % (uint64_t)(most - least + 1));
}

static void sleep_between(long least_ms, long most_ms)
{
    sleep_ms(random_between(least_ms, most_ms));
}

/* Short leases, so that what a killed daemon held is soon due again; slow enough to be hit in the middle. */
static const struct settings hasty = {.lease = "2200ms", .rate = "250"};
static const struct settings slow = {.lease = "2200ms", .rate = "150", .burst = "40"};

/* count orders of mixed fates, all of which end. */
static void crowd_begin(const struct shop *shop, int count)
{
    stage_open(shop);
    stage_orders(1, count, "paid");
    db_do(stage.db,
          "UPDATE truth.attempt SET script = ('{paid,pending paid,pending*2 paid,server_error paid,closed,"
          "garbage paid,refunded,slow:120 paid,not_found paid,other_order paid,unknown_state paid,cut paid,"
          "pending closed}'::text[])[1 + n %% 13]");
    stage_begin();
}

/* Every order met its fate. What was claimed again and again by daemons that were killed may be parked as `crashes`:
 * a visible end, and rare. */
static void crowd_check(void)
{
    wait_for_end(WAIT_MS);
    ledger_check();
    const char *differing = db_text(
        stage.db, "SELECT coalesce(string_agg(format('%%s (%%s) is %%s, %%s', a.order_no, a.script, o.status,"
                  " p.reason), E'\\n'), '')"
                  " FROM truth.attempt AS a JOIN truth.shop_order AS o USING (order_no)"
                  " LEFT JOIN makegood.parked_order AS p USING (attempt_id)"
                  " WHERE o.status <> regexp_replace(a.script, '^.* ', '')"
                  " AND coalesce(p.reason, '') <> ALL (CASE WHEN a.script ~ 'refunded'"
                  " THEN '{refund_seen,crashes}'::text[] ELSE '{crashes}' END)");
    if (*differing)
        fail_msg("fates differ:\n%s", differing);
    long crashes = db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason = 'crashes'");
    print_message("             %d kills, %s audit rows, %ld parked as crashes, outcomes: %s\n", stage.kills,
                  db_text(stage.db, "SELECT count(*) FROM makegood.query_log"), crashes,
                  db_text(stage.db,
                          "SELECT string_agg(outcome || ' ' || count, ', ') FROM (SELECT outcome, count(*)"
                          " FROM makegood.query_log GROUP BY 1 ORDER BY 1) AS o"));
    assert_true(crashes <= (stage.kills ? 5 : 0));
}

/* --- the daemon ------------------------------------------------------------------------------------------------ */

/* The last life: there must still be work for it, or the kills before came too late to show anything. */
static void start_for_good(int which)
{
    int ups = log_count(which, "event=database_up");
    assert_true(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order") > 0);
    daemon_start(which, &hasty);
    for (int64_t end_ms = now_ms() + WAIT_MS; log_count(which, "event=database_up") == ups; sleep_ms(10))
        assert_true(now_ms() < end_ms);
}

static void test_daemon_is_killed(void **state)
{
    (void)state;
    crowd_begin(&orders_shop, 1500);
    for (int i = 0; i < 20; i++) {
        daemon_start(0, &slow);
        sleep_between(120, 900);
        daemon_kill(0);
    }
    start_for_good(0);
    crowd_check();
}

/* Frozen for longer than its lease, the daemon wakes with answers about orders that are another's by now. */
static void test_daemon_is_frozen(void **state)
{
    const struct settings brisk = {.lease = "2200ms"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 200, "pending*14 paid");
    stage_begin();
    bank_mode("slow*1000000:250 own"); /* so that it always holds some questions */
    daemon_start(0, &brisk);
    daemon_start(1, &brisk);
    for (int i = 0; i < 4; i++) {
        sleep_between(300, 600);
        kill(stage.daemons[0], SIGSTOP);
        sleep_between(2500, 2800);
        kill(stage.daemons[0], SIGCONT);
    }
    crowd_check();
    assert_true(db_number(stage.db, "SELECT count(*) FROM makegood.query_log WHERE outcome = 'fenced'") > 20);
}

static void test_one_of_two_is_killed(void **state)
{
    (void)state;
    crowd_begin(&purchases_shop, 1000);
    daemon_start(0, &slow);
    for (int i = 0; i < 6; i++) {
        daemon_start(1, &slow);
        sleep_between(200, 900);
        daemon_kill(1);
    }
    start_for_good(1);
    crowd_check();
    assert_int_equal(db_number(stage.db, "SELECT count(DISTINCT instance) FROM makegood.query_log"), 2);
}

/* --- the database ---------------------------------------------------------------------------------------------- */

static void test_database_stops_hard(void **state)
{
    (void)state;
    crowd_begin(&orders_shop, 800);
    daemon_start(0, &hasty);
    for (int i = 0; i < 5; i++) {
        sleep_between(300, 900);
        cluster_stop("immediate");
        sleep_between(0, 700);
        cluster_start();
    }
    crowd_check();
    assert_true(log_count(0, "event=database_down") > 0);
}

static void test_connections_are_cut(void **state)
{
    (void)state;
    crowd_begin(&purchases_shop, 800);
    daemon_start(0, &hasty);
    daemon_start(1, &hasty);
    long cut = 0;
    for (int i = 0; i < 40; i++) {
        sleep_between(20, 250);
        cut += db_number(stage.db,
                         "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                         " WHERE usename = 'end_daemon' AND (%ld = 0 OR state = 'active')",
                         random_between(0, 2));
    }
    assert_true(cut > 20);
    crowd_check();
}

/* --- the shop -------------------------------------------------------------------------------------------------- */

/* The notification arrives after all, for some orders at this very moment: the shop's own transaction. */
static void shop_settles(PGconn *shop, long n)
{
    const struct shop *table = stage.shop;
    bool resolves_first = random_between(0, 1) == 1;
    const char *key = db_text(stage.db, "SELECT order_no FROM truth.attempt WHERE n = %ld", n);
    db_do(shop, "BEGIN");
    if (resolves_first)
        db_do(shop, "SELECT makegood.resolve('%s', 'main', 'pi_%06ld')", key, n);
    db_do(shop, "UPDATE %s SET %s = %s WHERE %s = '%s' AND %s = %s", table->table, table->status, table->paid,
          table->key, key, table->status, table->unpaid);
    if (!resolves_first)
        db_do(shop, "SELECT makegood.resolve('%s', 'main', 'pi_%06ld')", key, n);
    db_do(shop, "COMMIT");
}

static void test_shop_settles_too(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 700, "pending paid");
    stage_begin();
    PGconn *shop = db_open(stage.database, "end_shop");
    daemon_start(0, &hasty);
    daemon_start(1, &hasty);
    for (int i = 0; i < 500; i++) {
        shop_settles(shop, random_between(1, 700));
        sleep_between(0, 12);
    }
    PQfinish(shop);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 700);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    long own = db_number(stage.db, "SELECT count(*) FROM truth.change WHERE who = 'end_shop'");
    print_message("             the shop settled %ld of 700 itself, %s questions came too late\n", own,
                  db_text(stage.db, "SELECT count(*) FROM makegood.query_log WHERE outcome = 'fenced'"));
    assert_in_range(own, 20, 680);
}

/* The shop's transactions hold order rows for longer than a lease; makegood waits for none of them. */
static void test_shop_holds_locks(void **state)
{
    (void)state;
    stage_open(&purchases_shop);
    stage_orders(1, 400, "paid");
    stage_begin();
    PGconn *holder = db_open(stage.database, "end_shop");
    db_do(holder, "BEGIN");
    assert_int_equal(db_number(holder,
                               "SELECT count(*) FROM (SELECT FROM shop.purchases WHERE id <= 60 FOR UPDATE)"
                               " AS held"),
                     60);
    daemon_start(0, &hasty);
    wait_for(WAIT_MS, "SELECT count(*) = 60 FROM makegood.lost_order"); /* its neighbours passed */
    sleep_ms(4500);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change WHERE order_no::int <= 60"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 60);
    db_do(holder, "ROLLBACK");
    PQfinish(holder);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 400);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
}

/* --- the configuration ----------------------------------------------------------------------------------------- */

static void reload(const struct settings *settings)
{
    char path[160];
    config_path(0, path);
    config_write(path, settings, "end-0");
    kill(stage.daemons[0], SIGHUP);
}

static void reload_faulty(void)
{
    int before = log_count(0, "event=reload_refused");
    reload(&(struct settings){.lease = "2200ms", .rate = "many"});
    for (int64_t end_ms = now_ms() + 10000; log_count(0, "event=reload_refused") == before; sleep_ms(20))
        assert_true(now_ms() < end_ms);
}

static void test_reload_under_load(void **state)
{
    static const char *const rates[] = {"250", "100", "2000", "400"};
    (void)state;
    crowd_begin(&orders_shop, 1000);
    daemon_start(0, &hasty);
    wait_for_log(0, "event=database_up", WAIT_MS);
    for (int i = 0; i < 12; i++) {
        sleep_between(50, 350);
        if (i % 3 == 2)
            reload_faulty();
        else
            reload(&(struct settings){.lease = "2200ms", .rate = rates[random_between(0, 3)]});
    }
    crowd_check();
    assert_int_equal(log_count(0, "event=reload_refused"), 4);
    assert_true(log_count(0, "event=reloaded") > 0);
    assert_true(log_count(0, "key=\"channels[0].rate\"") + log_count(0, "key=channels[0].rate") > 0);
}

/* --- the bank -------------------------------------------------------------------------------------------------- */

static void test_bank_storms(void **state)
{
    static const char *const storms[] = {"silence",      "cut",          "flood",        "garbage",
                                         "server_error", "unauthorized", "rate_limited", "reset",
                                         "drip",         "html",         "other_order"};
    (void)state;
    crowd_begin(&purchases_shop, 700);
    daemon_start(0, &(struct settings){.lease = "3s", .rate = "250", .timeout = "400ms"});
    for (int i = 0; i < 11; i++) {
        sleep_between(100, 300);
        bank_mode(storms[i]);
        sleep_between(300, 700);
        bank_mode(NULL);
    }
    crowd_check();
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason <> 'refund_seen'"), 0);
}

/* The bank answers that everything was paid, with another amount: our reading is wrong, or the bank lies. The channel
 * halts, its rows stay; the operator's reload sets it free. */
static void test_bank_lies(void **state)
{
    const struct settings guarded = {.lease = "2200ms", .rate = "400", .guard = "50%"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 600, "pending paid");
    stage_begin();
    bank_mode("wrong_amount");
    daemon_start(0, &guarded);
    wait_for_log(0, "event=channel_halted", WAIT_MS);
    sleep_ms(1500);
    long parked =
        db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason = 'amount_mismatch'");
    assert_in_range(parked, 1, 64 + 16);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 600 - parked);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change"), 0);
    bank_mode(NULL);
    reload(&guarded);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"),
                     600 - parked);
}

int main(void)
{
#define CHAOS(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        CHAOS(test_daemon_is_killed),    CHAOS(test_daemon_is_frozen),    CHAOS(test_one_of_two_is_killed),
        CHAOS(test_database_stops_hard), CHAOS(test_connections_are_cut), CHAOS(test_shop_settles_too),
        CHAOS(test_shop_holds_locks),    CHAOS(test_reload_under_load),   CHAOS(test_bank_storms),
        CHAOS(test_bank_lies),
    };
    const char *given = getenv("MAKEGOOD_SEED");
    chance = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("MAKEGOOD_SEED=%" PRIu64 "\n", chance);
    return cmocka_run_group_tests(tests, world_open, world_close);
}
