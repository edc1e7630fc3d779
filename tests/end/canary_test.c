/* Nothing that is secret and nothing about the one who pays is written anywhere. Canaries sit in every secret file, in URLs,
 * headers, the database's password and the page's, and in what five providers and others answer, be it paid, refused,
 * forged or broken. Then everything is searched that a daemon writes: its log at debug level, each table of makegood's,
 * every statement that the database heard from it, the metrics and pages, and what operators are told by commands. */
#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bank/payer.h"
#include "providers.h"
#include "visit.h"

#define PAGE_PASSWORD "canary_of_page_9b1d"
#define TOKEN_OF_SHOP "canary_auth_token_202611BB"
#define KEY_IN_URL    "canary_url_key_77ab"
#define KEY_IN_HEADER "canary_header_key_31cd"
#define OTHER_KEY     "canary_other_key_44ef"
#define USER_IN_URL   "canary_user_in_url"
#define PHONE_OF_SHOP "13911112222" /* what a shop told track() for the question */
#define MORE_CHANNELS 4

static char out[OUTPUT_BYTES];
static char err[OUTPUT_BYTES];

/* --- the scene ------------------------------------------------------------------------------------------------- */

static void secret_write(const char *name, const char *secret)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", stage.folder, name);
    file_write(path, secret);
    assert_int_equal(chmod(path, 0600), 0);
}

/* One that is answered, and three whose key the bank does not take. */
static void channel_add(FILE *file, const char *name, const char *auth, const char *secret_file)
{
    fprintf(file,
            "  - name: %s\n    ca_file: %s/tls/ca.crt\n    auth: {%s}\n    secret_file: %s\n"
            "    url: https://localhost:%d/%s/v1/payment_intents/{number}?api_key=" KEY_IN_URL
            "&phone={data.phone}\n    headers:\n      - {name: X-Partner-Key, value: " KEY_IN_HEADER "}\n"
            "      - {name: X-Payer, value: \"{data.phone}\"}\n    rate: 2000\n    burst: 200\n"
            "    schedule: 200ms 300ms\n    error_first: 150ms\n    error_max: 500ms\n    guard: 0%%\n"
            "    breaker_failures: 40\n    answer: {number: /id, status: /status, code: /error/code,"
            " currency: /currency,\n             amount: {at: /amount_received}}\n    rules:\n"
            "      - {name: paid, evidence: paid, http: [200], when: [{at: /status, is: [succeeded]}]}\n"
            "      - {name: pending, evidence: pending, http: [200],\n"
            "         when: [{at: /status, is: [processing]}]}\n",
            name, world_folder, auth, secret_file, stage.bank_port, name);
}

/* All channels; valid until the next call. */
static const char *channels(void)
{
    static char *text;
    size_t size;
    char *lines = providers_lines(NULL, "");
    char *alipay = strstr(lines, "type: alipay\n");
    char known[96], other[96], token[96];
    snprintf(known, sizeof(known), "%s/bank.key", world_folder);
    snprintf(other, sizeof(other), "%s/other.key", stage.folder);
    snprintf(token, sizeof(token), "%s/token.key", stage.folder);
    free(text);
    FILE *file = open_memstream(&text, &size);
    assert_true(file && alipay);
    alipay += strlen("type: alipay\n");
    fprintf(file, "%.*s    app_auth_token_file: %s\n%s", (int)(alipay - lines), lines, token, alipay);
    channel_add(file, "keyed", "type: bearer", known);
    channel_add(file, "basic", "type: basic, user: shop", other);
    channel_add(file, "header", "type: header, header: X-Key", other);
    channel_add(file, "hmac", "type: hmac-sha256, header: X-Seal, text: \"{path}\"", other);
    assert_int_equal(fclose(file), 0);
    free(lines);
    return text;
}

static struct settings settings_of_all(void)
{
    static char top[300];
    snprintf(top, sizeof(top), "listen: 127.0.0.1:%d\npage_password_file: %s/page.password\n", visit_port(),
             stage.folder);
    return (struct settings){.more = channels(), .top = top, .lease = "30s", .log_level = "debug"};
}

/* Whatever can come back: personal data stands in nearly all of it. */
static void orders_place(void)
{
    static const char *const scripts[] = {
        "paid",      "pending",     "closed",        "refunded",     "wrong_amount",   "unknown_state",
        "not_found", "other_order", "bad_signature", "no_signature", "unknown_signer", "html",
        "garbage",   "cut",         "bad_gateway",   "server_error", "unauthorized",   "rate_limited:1"};
    static const char *const more[MORE_CHANNELS] = {"keyed", "basic", "header", "hmac"};
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        for (int p = 0; p < PROVIDERS; p++)
            providers_order(providers[p], scripts[i], i % 2 ? "1s" : NULL);
        for (int p = 0; p < MORE_CHANNELS; p++)
            providers_order(more[p], scripts[i], NULL);
    }
    db_do(stage.db, "UPDATE truth.attempt SET data = '{\"phone\": \"" PHONE_OF_SHOP
                    "\"}' WHERE channel IN ('keyed', 'basic', 'header', 'hmac')");
}

/* Everything the daemon tells the database stands in the server's log as well. */
static void daemon_is_overheard(void)
{
    db_do(stage.db, "ALTER ROLE end_daemon SET log_statement = 'all'");
}

/* A configuration that must be refused tells its mistake, not what stood there. */
static void reload_refused(struct settings with)
{
    char path[160];
    int before = log_count(0, "event=reload_refused");
    config_path(0, path);
    config_write(path, &with, "end-0");
    kill(stage.daemons[0], SIGHUP);
    for (int64_t end_ms = now_ms() + WAIT_MS; log_count(0, "event=reload_refused") == before; sleep_ms(20))
        if (now_ms() > end_ms)
            fail_msg("the reload was not refused");
}

static void reloads_are_refused(void)
{
    static char bad[OUTPUT_BYTES];
    struct settings settings = settings_of_all();
    snprintf(bad, sizeof(bad),
             "%s  - name: named\n    url: https://" USER_IN_URL ":" OTHER_KEY
             "@localhost/{number}\n    rules: [{name: paid, evidence: paid}]\n",
             settings.more);
    settings.more = bad;
    reload_refused(settings);
    settings = settings_of_all();
    secret_write("page.password", PAGE_PASSWORD "\nand more\n" PAGE_PASSWORD "\n");
    secret_write("other.key", OTHER_KEY "\n" OTHER_KEY "\n");
    reload_refused(settings);
    secret_write("page.password", PAGE_PASSWORD "\n");
    secret_write("other.key", OTHER_KEY "\n");
    config_write((config_path(0, out), out), &settings, "end-0");
}

static void scene(void)
{
    providers_open(&orders_shop);
    secret_write("page.password", PAGE_PASSWORD "\n");
    secret_write("other.key", OTHER_KEY "\n");
    secret_write("token.key", TOKEN_OF_SHOP "\n");
    orders_place();
    stage_begin();
    daemon_is_overheard();
    struct settings settings = settings_of_all();
    daemon_start(0, &settings);
    wait_for(WAIT_MS, "SELECT count(*) = (SELECT count(*) FROM truth.attempt) FROM truth.attempt AS a WHERE"
                      " EXISTS (SELECT FROM makegood.query_log AS q WHERE q.attempt_id = a.attempt_id"
                      " AND q.asked <> '')");
    wait_for(WAIT_MS, "SELECT count(DISTINCT q.channel) = 5 FROM makegood.query_log AS q"
                      " JOIN truth.attempt AS a USING (attempt_id) WHERE q.outcome = 'applied'"
                      " AND q.verdict = 'paid' AND q.channel NOT IN ('keyed')");
    reloads_are_refused();
    db_do(stage.db, "SELECT makegood.seal(100000)");
    assert_true(db_number(stage.db, "SELECT count(*) FROM makegood.audit_link") > 0);
    assert_true(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order") > 0);
}

/* --- canaries -------------------------------------------------------------------------------------------------- */

/* Searched for by their beginning, so that a part of one is found as well. */
static void canary_add(const char *what, const char *canary)
{
    db_do(stage.db, "INSERT INTO truth.canary VALUES ('%s', left('%s', 12))", what, canary);
}

static void canaries_gather(void)
{
    static const char script[] = "cat \"$1\"/*.key | grep -v -e ----- | sort -u";
    static const char *const planted[][2] = {
        {"name", PAYER_NAME},         {"email", PAYER_EMAIL},          {"phone", PAYER_PHONE},
        {"login", PAYER_LOGIN},       {"openid", PAYER_OPENID},        {"user", PAYER_USER},
        {"card", PAYER_CARD},         {"client", PAYER_CLIENT_SECRET}, {"bank", BANK_KEY},
        {"database", PASSWORD},       {"page", PAGE_PASSWORD},         {"token", TOKEN_OF_SHOP},
        {"url", KEY_IN_URL},          {"header", KEY_IN_HEADER},       {"other", OTHER_KEY},
        {"user in url", USER_IN_URL}, {"access token", "A21AA-"},      {"told by the shop", PHONE_OF_SHOP},
    };
    db_do(stage.db, "CREATE TABLE truth.canary (what text, text text)");
    for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++)
        canary_add(planted[i][0], planted[i][1]);
    assert_int_equal(run((const char *const[]){"bash", "-c", script, "bash", stage.keys, NULL}, out, NULL),
                     0);
    db_do(stage.db,
          "INSERT INTO truth.canary SELECT 'private key', left(line, 30)"
          " FROM regexp_split_to_table('%s', '\\s+') AS line WHERE length(line) >= 40;"
          "INSERT INTO truth.canary SELECT 'basic', left(encode(convert_to(v, 'UTF8'), 'base64'), 30)"
          " FROM unnest(ARRAY['AeA1QIZXiflr1_-client-id:" BANK_KEY "', 'shop:" OTHER_KEY "']) AS v",
          out);
}

/* --- what was written ------------------------------------------------------------------------------------------ */

static void written_add(const char *place, const char *text)
{
    const char *const values[] = {place, text};
    PGresult *result = PQexecParams(
        stage.db, "INSERT INTO truth.written SELECT $1, line FROM regexp_split_to_table($2, '\\n') AS line",
        2, NULL, values, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
}

/* What a shop told track() is the shop's: it waits and is parked with the order. */
static void tables_gather(void)
{
    db_do(stage.db, "DO $$ DECLARE t record; BEGIN FOR t IN SELECT c.relname FROM pg_class AS c"
                    " WHERE c.relnamespace = 'makegood'::regnamespace AND c.relkind IN ('r', 'p') AND NOT "
                    "c.relispartition"
                    " LOOP EXECUTE format('INSERT INTO truth.written SELECT %%L, replace(w::text, %%L, %%L)"
                    " FROM makegood.%%I AS w', t.relname, CASE WHEN t.relname IN ('lost_order', "
                    "'parked_order') THEN '" PHONE_OF_SHOP "' ELSE '' END, '', t.relname); END LOOP; END $$");
}

static void pages_gather(void)
{
    static const char *const pages[] = {"/",
                                        "/metrics",
                                        "/healthz",
                                        "/readyz",
                                        "/api/summary",
                                        "/api/orders?list=parked",
                                        "/api/orders?list=oldest",
                                        "/api/explain?order_no=ORD-000002",
                                        "/api/history?order_no=ORD-000001"};
    char header[200];
    snprintf(header, sizeof(header), "Authorization: Basic %s",
             db_text(stage.db, "SELECT encode('me:" PAGE_PASSWORD "', 'base64')"));
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        char *page = visit(pages[i], header, 200);
        written_add(pages[i], page);
        free(page);
    }
}

#define COMMAND(...)                                                                                      \
    do {                                                                                                  \
        int code = run((const char *const[]){makegood_program, __VA_ARGS__, "-c", file, NULL}, out, err); \
        if (code != 0 && code != 3)                                                                       \
            fail_msg("exit code %d: %s", code, err);                                                      \
        written_add("command", out);                                                                      \
        written_add("command", err);                                                                      \
    } while (0)

static void commands_gather(void)
{
    char file[160];
    db_do(stage.db, "GRANT makegood_operator TO end_daemon");
    config_path(0, file);
    COMMAND("check");
    COMMAND("status");
    COMMAND("status", "--json");
    COMMAND("list", "--json");
    COMMAND("list", "--parked", "--json");
    COMMAND("history", "ORD-000001", "--json");
    COMMAND("explain", "ORD-000002", "--json");
    COMMAND("audit", "anchor");
    COMMAND("audit", "verify", "--json");
    db_do(stage.db, "REVOKE makegood_operator FROM end_daemon");
}

static void writing_gather(void)
{
    db_do(stage.db, "CREATE TABLE truth.written (place text, text text)");
    pages_gather();
    commands_gather();
    daemon_stop(0);
    tables_gather();
    char *log = daemon_log(0);
    assert_contains(log, "event=database_up");
    written_add("log", log);
    free(log);
    db_do(stage.db, "INSERT INTO truth.written SELECT 'server', line"
                    " FROM regexp_split_to_table(pg_read_file('server.log'), '\\n') AS line");
    assert_true(db_number(stage.db, "SELECT count(*) FROM truth.written WHERE place = 'server'"
                                    " AND text ~ 'makegood[.]settle'") > 0);
}

/* --- the search ------------------------------------------------------------------------------------------------ */

#define FOUND " FROM truth.written AS w JOIN truth.canary AS c ON strpos(w.text, c.text) > 0 "

/* A search is worth what it finds: each canary among the same lines must be found, and the bank must have told them. */
static void canaries_are_searchable(void)
{
    static const char *const asked[PROVIDERS][2] = {{"wechatpay", PAYER_OPENID},
                                                    {"alipay", PAYER_NAME},
                                                    {"unionpay", PAYER_CARD},
                                                    {"paypal", PAYER_EMAIL},
                                                    {"stripe", PAYER_PHONE}};
    char file[160];
    config_path(0, file);
    for (int i = 0; i < PROVIDERS; i++) {
        const char *number =
            db_text(stage.db, "SELECT number FROM truth.attempt WHERE channel = '%s' AND script = 'paid'",
                    asked[i][0]);
        run((const char *const[]){makegood_program, "query", asked[i][0], number, "--data",
                                  "{\"txn_time\": \"20260101000000\"}", "-c", file, NULL},
            out, err);
        if (!strstr(out, asked[i][1]))
            fail_msg("%s does not tell %s: %s%s", asked[i][0], asked[i][1], out, err);
    }
    db_do(stage.db, "INSERT INTO truth.written SELECT 'planted', 'x=' || text || ';' FROM truth.canary");
    assert_int_equal(db_number(stage.db, "SELECT count(DISTINCT c.text)" FOUND),
                     db_number(stage.db, "SELECT count(DISTINCT text) FROM truth.canary"));
}

static void test_no_canary_sings(void **state)
{
    (void)state;
    scene();
    canaries_gather();
    writing_gather();
    const char *found = db_text(
        stage.db,
        "SELECT string_agg(f, E'\\n') FROM (SELECT DISTINCT ON (c.what, w.place) format('%%s in %%s: ...%%s',"
        " c.what, w.place, substr(w.text, greatest(1, strpos(w.text, c.text) - 60), 100)) AS f" FOUND
        "LIMIT 7) AS v");
    if (*found)
        fail_msg("canaries sing:\n%s", found);
    canaries_are_searchable();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_canary_sings, stage_teardown),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
