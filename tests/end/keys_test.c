/* Keys change under load: the bank signs with new ones, or takes no longer what we sign with the old; SIGHUP reads what lies
 * in the files by then. Meanwhile nothing is lost, and nothing is paid without proof. Two folders: the bank's own keys, and
 * what the daemon was given of them. */
#include "providers.h"

#include <signal.h>
#include <stdlib.h>

#define OF_EACH 30
#define ALL     (OF_EACH * PROVIDERS)

static char ours[sizeof(stage.keys)];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    static char err[OUTPUT_BYTES];
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (run((const char *const[]){"bash", "-c", command, NULL}, NULL, err) != 0)
        fail_msg("%s: %s", command, err);
}

static void key_change(const char *name, const char *issuer)
{
    shell(SOURCE_DIR "/tests/end/keys.sh %s %s %s", stage.keys, name, issuer);
}

/* The channels with our files; their text is valid until the next call. */
static const char *our_lines(void)
{
    static char *lines;
    char theirs[sizeof(stage.keys)];
    free(lines);
    lines = NULL;
    memcpy(theirs, stage.keys, sizeof(theirs));
    snprintf(stage.keys, sizeof(stage.keys), "%s", ours);
    lines = providers_lines(NULL, "");
    memcpy(stage.keys, theirs, sizeof(theirs));
    return lines;
}

static struct settings our_settings(void)
{
    return (struct settings){.more = our_lines(), .lease = "30s"};
}

/* Every order was asked about once, and is pending; from now on the ledger says that they are paid. */
static void orders_under_way(void)
{
    providers_open(&orders_shop);
    for (int i = 0; i < ALL; i++)
        providers_order(providers[i % PROVIDERS], "paid", NULL);
    stage_prepare();
    snprintf(ours, sizeof(ours), "%s/ours", stage.folder);
    shell("cp -rp %s %s", stage.keys, ours);
    bank_mode("pending");
    stage_track();
    struct settings settings = our_settings();
    daemon_start(0, &settings);
    wait_for(WAIT_MS,
             "SELECT count(DISTINCT attempt_id) = %d FROM makegood.query_log WHERE evidence = 'pending'",
             ALL);
}

static void reload(void)
{
    char path[160];
    struct settings settings = our_settings();
    config_path(0, path);
    config_write(path, &settings, "end-0");
    kill(stage.daemons[0], SIGHUP);
}

/* The two lives of the bank do not know of each other, so its count of questions tells nothing. */
static void laws_check(void)
{
    static const char *const laws[] = {"lost", "twice", "proof", "outage"};
    daemon_stop(0);
    ledger_load();
    for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++)
        if (ledger_violations(laws[i]) > 0)
            fail_msg("%s: %s", laws[i],
                     db_text(stage.db, "SELECT what FROM truth.violation WHERE law = '%s' LIMIT 1", laws[i]));
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), ALL);
}

/* UnionPay's answers bring their certificate, so a new one needs nothing from us. */
static void test_bank_changes_its_keys(void **state)
{
    (void)state;
    orders_under_way();
    key_change("wechatpay-platform", "ca");
    key_change("alipay", "alipay-root");
    key_change("unionpay-signer", "unionpay-root");
    bank_restart();
    wait_for(WAIT_MS,
             "SELECT count(DISTINCT attempt_id) = %d FROM makegood.query_log WHERE evidence = 'unauthentic'",
             2 * OF_EACH);
    wait_for(WAIT_MS, "SELECT count(*) = %d FROM truth.shop_order WHERE status = 'paid'", 3 * OF_EACH);
    assert_int_equal(db_number(stage.db,
                               "SELECT count(*) FROM makegood.lost_order WHERE channel IN ('wechatpay',"
                               " 'alipay')"),
                     2 * OF_EACH);
    shell("cp -p %s/{wechatpay-platform,alipay}.* %s", stage.keys, ours);
    reload();
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(log_count(0, "event=reload_refused"), 0);
    laws_check();
}

/* While only half of the files is there, the reload is refused, and everything goes on as it was. */
static void test_our_keys_change(void **state)
{
    (void)state;
    orders_under_way();
    key_change("wechatpay-merchant", "ca");
    key_change("alipay-app", "alipay-root");
    key_change("unionpay-merchant", "unionpay-root");
    bank_restart();
    wait_for(WAIT_MS,
             "SELECT count(DISTINCT attempt_id) = %d FROM makegood.query_log WHERE evidence = 'unauthorized'",
             3 * OF_EACH);
    shell("cp -p %s/unionpay-merchant.crt %s", stage.keys, ours);
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reload_refused", WAIT_MS);
    wait_for(WAIT_MS, "SELECT count(*) = %d FROM truth.shop_order WHERE status = 'paid'", 2 * OF_EACH);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 3 * OF_EACH);
    shell("cp -p %s/{wechatpay-merchant,alipay-app,unionpay-merchant}.* %s", stage.keys, ours);
    reload();
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    laws_check();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bank_changes_its_keys),
        TEST(test_our_keys_change),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
