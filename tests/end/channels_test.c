/* One daemon, five providers at once, each with every fate that it can have: forged, cut and foreign answers move nothing,
 * and each order ends as it must. Afterwards no secret is in the log, the audit or what is parked; and where the merchant's
 * own keys are wrong, all orders wait as they did. */
#include "providers.h"

#include <stdlib.h>
#include <sys/stat.h>

/* Of each fate so many orders. */
#define OF_EACH 3

/* "W A U P S": whose fate it is. Ends: a status or "parked:REASON"; the audit holds this evidence at least once. */
struct fate {
    const char *whose;
    const char *script;
    const char *ends;
    const char *evidence;
};

static const struct fate fates[] = {
    {"WAUPS", "paid", "paid", "paid"},
    {"WAUPS", "pending*2 paid", "paid", "pending"},
    {"WAUPS", "unpaid*2 paid", "paid", "pending"},
    {"WAUPS", "closed", "closed", "closed"},
    {"WA", "refunded", "parked:flagged", "paid_flagged"},
    {"P", "refunded", "parked:refund_seen", "refunded"},
    {"S", "refunded", "refunded", "refunded"},
    {"WPS", "refund_part", "parked:flagged", "paid_flagged"},
    {"S", "disputed", "parked:flagged", "paid_flagged"},
    {"WAUPS", "not_found*2 paid", "paid", "not_found"},
    {"WAUPS", "wrong_amount", "parked:amount_mismatch", "paid"},
    {"WAPS", "wrong_currency", "parked:currency_mismatch", "paid"},
    {"U", "wrong_currency", "parked:unknown_state", "unknown_state"}, /* it knows the yuan alone */
    {"WAUPS", "unknown_state*2 paid", "paid", "unknown_state"},
    {"WAUPS", "other_order*2 paid", "paid", "other_order"},
    {"WAU", "bad_signature*2 paid", "paid", "unauthentic"},
    {"W", "stale_signature*2 paid", "paid", "unauthentic"},
    {"WAU", "no_signature*2 paid", "paid", "unauthentic"},
    {"WAU", "unknown_signer*2 paid", "paid", "unauthentic"},
    {"A", "wrong_node*2 paid", "paid", "unauthentic"},
    {"A", "two_nodes*2 paid", "paid", "garbage"},
    {"WAU", "unsigned_404*2 paid", "paid", "unauthentic"},
    {"WAU", "bad_signature*2 closed", "closed", "unauthentic"},
    {"W", "html*2 paid", "paid", "unauthentic"},
    {"AUPS", "html*2 paid", "paid", "garbage"},
    {"WAUPS", "cut*2 paid", "paid", "unreachable"},
    {"WAUPS", "drip paid", "paid", "timeout"},
    {"WAUPS", "bad_gateway*2 paid", "paid", "server_error"},
    {"WAUPS", "server_error*2 paid", "paid", "server_error"},
    {"WAUPS", "rate_limited:1*2 paid", "paid", "rate_limited"},
    {"WAUPS", "reset*12 paid", "paid", "unreachable"},
};
#define FATES ((int)(sizeof(fates) / sizeof(fates[0])))

static bool is_of(const struct fate *fate, int provider)
{
    return strchr(fate->whose, "WAUPS"[provider]) != NULL;
}

static void fate_place(const struct fate *fate, const char *channel)
{
    for (int i = 0; i < OF_EACH; i++) {
        int n = providers_order(channel, fate->script, NULL);
        db_do(stage.db, "INSERT INTO truth.fate VALUES (%d, '%s', '%s')", n, fate->ends, fate->evidence);
    }
}

static void fates_place(void)
{
    db_do(stage.db,
          "CREATE TABLE truth.fate (n integer PRIMARY KEY, ends text, evidence text);"
          "CREATE VIEW truth.seen AS SELECT a.*, f.ends, f.evidence,"
          " CASE WHEN p.attempt_id IS NOT NULL THEN 'parked:' || p.reason ELSE o.status END AS seen,"
          " EXISTS (SELECT FROM makegood.query_log AS q WHERE q.attempt_id = a.attempt_id"
          "  AND q.channel = a.channel AND q.evidence = f.evidence) AS is_audited"
          " FROM truth.attempt AS a JOIN truth.fate AS f USING (n)"
          " JOIN truth.shop_order AS o USING (order_no)"
          " LEFT JOIN makegood.parked_order AS p USING (attempt_id)");
    for (int i = 0; i < FATES; i++)
        for (int provider = 0; provider < PROVIDERS; provider++)
            if (is_of(&fates[i], provider))
                fate_place(&fates[i], providers[provider]);
}

/* --- secrets --------------------------------------------------------------------------------------------------- */

/* Every line of every private key's body, and what paypal and stripe are asked with. */
static void secrets_gather(void)
{
    static const char script[] = "cat \"$1\"/*.key | grep -v -e ----- | sort -u";
    static char lines[OUTPUT_BYTES];
    assert_int_equal(run((const char *const[]){"bash", "-c", script, "bash", stage.keys, NULL}, lines, NULL),
                     0);
    db_do(stage.db,
          "CREATE TABLE truth.secret (text text);"
          "INSERT INTO truth.secret SELECT left(line, 40) FROM regexp_split_to_table('%s', '\\s+') AS line"
          " WHERE length(line) >= 40;"
          "INSERT INTO truth.secret VALUES ('" BANK_KEY "'), ('" PASSWORD "'),"
          " (encode('AeA1QIZXiflr1_-client-id:" BANK_KEY "', 'base64'))",
          lines);
    assert_true(db_number(stage.db, "SELECT count(*) FROM truth.secret") > 100);
}

/* Everything that was written by the daemon: rows of its tables, lines of its log. */
static void writing_gather(void)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/daemon-0.log", stage.folder);
    char *log = file_read(path);
    assert_contains(log, "event=database_up");
    db_do(stage.db, "CREATE TABLE truth.written AS SELECT q::text AS text FROM makegood.query_log AS q"
                    " UNION ALL SELECT p::text FROM makegood.parked_order AS p"
                    " UNION ALL SELECT l::text FROM makegood.lost_order AS l");
    PQclear(PQexecParams(stage.db, "INSERT INTO truth.written SELECT regexp_split_to_table($1, '\\n')", 1,
                         NULL, (const char *const[]){log}, NULL, NULL, 0));
    free(log);
}

static long secrets_written(void)
{
    return db_number(stage.db, "SELECT count(DISTINCT s.text) FROM truth.written AS w JOIN truth.secret AS s"
                               " ON strpos(w.text, s.text) > 0");
}

/* The search is no better than what it finds: a planted secret among the same lines must be found. */
static void secrets_check(void)
{
    secrets_gather();
    writing_gather();
    assert_int_equal(secrets_written(), 0);
    db_do(stage.db, "INSERT INTO truth.written SELECT 'x=' || text || ';' FROM truth.secret");
    assert_int_equal(secrets_written(), db_number(stage.db, "SELECT count(DISTINCT text) FROM truth.secret"));
}

/* --- the tests ------------------------------------------------------------------------------------------------- */

static void fates_check(void)
{
    const char *differing = db_text(
        stage.db,
        "SELECT coalesce(string_agg(format('%%s %%s %%s: %%s instead of %%s, %%s%%s', channel, script,"
        " number, seen, ends, CASE WHEN NOT is_audited THEN 'never ' ELSE '' END, evidence),"
        " E'\\n'), '') FROM truth.seen WHERE seen <> ends OR NOT is_audited");
    if (*differing)
        fail_msg("fates differ:\n%s", differing);
}

static void test_every_fate_of_five_providers(void **state)
{
    (void)state;
    providers_open(&orders_shop);
    fates_place();
    stage_begin();
    char *lines = providers_lines(NULL, "");
    daemon_start(0, &(struct settings){.more = lines, .lease = "30s", .log_level = "debug"});
    free(lines);
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order WHERE phase <> 'tail')");
    daemon_stop(0);
    fates_check();
    ledger_check();
    secrets_check();
}

/* What the merchant signs with is another key: each provider refuses us, and whatever they would have said, nothing ends,
 * nothing is parked, and no attempt is used up, also beyond the end of an order's life. */
static void test_wrong_keys_of_ours(void **state)
{
    static const char script[] =
        "sed -E -e 's|/wechatpay-merchant.key|/server.key|' -e 's|/alipay-app.key|/server.key|'"
        " -e '/app_certificate_file|root_certificates_file: .*alipay/d'"
        " -e 's|alipay_certificate_file: (.*).crt|public_key_file: \\1.pub|' -e "
        "'s|/unionpay-merchant[.]|/unionpay-signer.|'"
        " -e 's|secret_file: .*|secret_file: '\"$2\"'|' <<<\"$1\"";
    static char out[OUTPUT_BYTES];
    char secret[160];
    (void)state;
    providers_open(&orders_shop);
    for (int i = 0; i < 10 * PROVIDERS; i++)
        providers_order(providers[i % PROVIDERS], i % 2 ? "paid" : "not_found", i % 3 ? NULL : "1s");
    stage_begin();
    snprintf(secret, sizeof(secret), "%s/wrong.key", stage.folder);
    file_write(secret, "sk_of_somebody_else\n");
    chmod(secret, 0600);
    char *lines = providers_lines(NULL, "");
    assert_int_equal(run((const char *const[]){"bash", "-c", script, "bash", lines, secret, NULL}, out, NULL),
                     0);
    free(lines);
    daemon_start(0, &(struct settings){.more = out, .lease = "30s"});
    wait_for(
        WAIT_MS,
        "SELECT count(*) = 50 FROM truth.attempt AS a WHERE (SELECT count(*) FROM makegood.query_log AS q"
        " WHERE q.attempt_id = a.attempt_id AND q.evidence = 'unauthorized') >= 3"
        " AND now() > (SELECT l.created_at FROM makegood.lost_order AS l WHERE l.attempt_id ="
        " a.attempt_id) + interval '2 seconds'");
    daemon_stop(0);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE phase = 'open' AND answers = 0"),
        50);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.query_log WHERE evidence <> 'unauthorized'"), 0);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.change"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_fate_of_five_providers),
        TEST(test_wrong_keys_of_ours),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
