/* What SIGHUP reads anew beside the configuration itself: the files of secrets, and the certificates that it names. */
#include "stage.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static void secret_write(const char *text)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/bank.key", world_folder);
    file_write(path, text);
    chmod(path, 0600);
}

static int secret_restore(void **state)
{
    secret_write(BANK_KEY "\n");
    return stage_teardown(state);
}

/* The bank has another key than the file: nothing is known of any order until the file is corrected and read again; the
 * configuration stays the same to the byte. */
static void test_changed_secret_alone(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 50, "paid");
    stage_begin();
    secret_write("sk_of_yesterday\n");
    daemon_start(0, &(struct settings){0});
    wait_for(WAIT_MS, "SELECT count(*) > 0 FROM makegood.query_log WHERE evidence = 'unauthorized'");
    secret_write(BANK_KEY "\n");
    sleep_ms(1000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 50);
    kill(stage.daemons[0], SIGHUP);
    wait_for_end(WAIT_MS);
    assert_int_equal(log_count(0, "event=reloaded"), 1);
    assert_int_equal(log_count(0, "event=credentials_stay"), 0);
    daemons_stop(); /* no ledger_check: the bank does not count who has the wrong key */
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 50);
}

/* A file that is gone is a fault like any other: the old secret stays in force. */
static void test_secret_is_gone(void **state)
{
    char path[96];
    (void)state;
    snprintf(path, sizeof(path), "%s/bank.key", world_folder);
    stage_open(&orders_shop);
    stage_orders(1, 20, "pending*3 paid");
    stage_begin();
    daemon_start(0, &(struct settings){0});
    wait_for_log(0, "event=database_up", WAIT_MS);
    assert_int_equal(remove(path), 0);
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reload_refused", WAIT_MS);
    wait_for_end(WAIT_MS);
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"), 20);
}

/* --- certificates that end ------------------------------------------------------------------------------------- */

static void certificate_make(int days)
{
    static const char script[] =
        "umask 077 && openssl req -x509 -newkey rsa:2048 -nodes -days \"$2\" -subj /CN=wechat "
        "-keyout \"$1/wechat.key\" -out \"$1/wechat.crt\"";
    char text[16];
    snprintf(text, sizeof(text), "%d", days);
    assert_int_equal(
        run((const char *const[]){"bash", "-c", script, "bash", stage.folder, text, NULL}, NULL, NULL), 0);
}

/* One more channel, which nobody asks. */
static const char *wechat_lines(const char *certificate)
{
    static char lines[1024];
    snprintf(lines, sizeof(lines),
             "  - name: wechat\n    type: wechatpay\n    timeout: 1s\n    url: https://localhost:%d\n    "
             "merchant: \"1900000001\"\n"
             "    serial: A1\n    private_key_file: %s/wechat.key\n    platform_certificate_files: [%s]\n",
             dead_port, stage.folder, certificate);
    return lines;
}

/* Told at the start and after a reload, until a newer certificate lies in its place. */
static void test_certificate_ends_soon(void **state)
{
    char certificate[128];
    (void)state;
    stage_open(&orders_shop);
    certificate_make(10);
    snprintf(certificate, sizeof(certificate), "%s/wechat.crt", stage.folder);
    daemon_start_with(
        0, &(struct settings){.more = wechat_lines(certificate)},
        (const char *const[]){"CREDENTIALS_DIRECTORY=/nonexistent", "JOURNAL_STREAM=1:1", NULL});
    wait_for_log(0, "event=database_up", WAIT_MS);
    assert_int_equal(log_count(0, "<4>event=credential_expiring channel=wechat days_left="), 1);
    certificate_make(100);
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reloaded", WAIT_MS);
    wait_for_log(0, "event=credentials_stay", WAIT_MS);
    daemons_stop();
    assert_int_equal(log_count(0, "event=credential_expiring"), 1);
}

/* An end that is past is an error, for the daemon and for `check`; neither refuses to run. */
static void test_certificate_has_ended(void **state)
{
    static char out[OUTPUT_BYTES];
    char certificate[512];
    char path[160];
    (void)state;
    stage_open(&orders_shop);
    certificate_make(10);
    snprintf(certificate, sizeof(certificate), "%s/%s", SOURCE_DIR "/tests/vectors/wechatpay/certs",
             "java-wechat_pay_certificate.pem");
    daemon_start_with(0, &(struct settings){.more = wechat_lines(certificate)},
                      (const char *const[]){"JOURNAL_STREAM=1:1", NULL});
    wait_for_log(0, "<3>event=credential_expiring channel=wechat days_left=-", WAIT_MS);
    wait_for_log(0, "event=database_up", WAIT_MS);
    config_path(0, path);
    assert_int_equal(run((const char *const[]){makegood_program, "check", "-c", path, NULL}, out, NULL), 0);
    assert_contains(out, "warning: channel wechat: one of its certificates ended ");
    assert_contains(out, " days ago; put a newer one in its place\n");
}

int main(void)
{
#define RELOAD(name) cmocka_unit_test_teardown(name, secret_restore)
    const struct CMUnitTest tests[] = {
        RELOAD(test_changed_secret_alone),
        RELOAD(test_secret_is_gone),
        RELOAD(test_certificate_ends_soon),
        RELOAD(test_certificate_has_ended),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
