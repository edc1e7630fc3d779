/* One test's stage: see stage.h. Owns the test's database, its bank and its daemons. */
#include "stage.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage stage;

/* --- up and down ----------------------------------------------------------------------------------------------- */

void stage_open(const struct shop *shop)
{
    static int tests;
    stage = (struct stage){.shop = shop};
    tests++;
    snprintf(stage.folder, sizeof(stage.folder), "%s/%d", world_folder, tests);
    snprintf(stage.database, sizeof(stage.database), "test_%d", tests);
    assert_int_equal(mkdir(stage.folder, 0755), 0);
    PGconn *db = db_open("postgres", NULL);
    db_do(db, "CREATE DATABASE %s TEMPLATE %s", stage.database, shop->name);
    PQfinish(db);
    stage.db = db_open(stage.database, NULL);
}

int stage_teardown(void **state)
{
    (void)state;
    process_kill_all();
    PQfinish(stage.db);
    stage = (struct stage){0};
    cluster_start(); /* a failed test may have left it down */
    return 0;
}

/* --- orders ---------------------------------------------------------------------------------------------------- */

#define NUMBER_OF_N "'pi_' || lpad(n::text, 6, '0')"

void stage_order_at(int n, const char *script, long long amount, const char *channel, const char *expires_in)
{
    db_do(stage.db,
          "INSERT INTO truth.attempt (n, order_no, number, amount, channel, script, expires_in)"
          " SELECT n, %s, " NUMBER_OF_N
          ", %lld, '%s', '%s', nullif('%s', '')::interval FROM (VALUES (%d)) AS v (n)",
          stage.shop->key_of_n, amount, channel, script, expires_in ? expires_in : "", n);
}

void stage_order(int n, const char *script)
{
    stage_order_at(n, script, 100 + n * 7919LL % 99900, "main", NULL);
}

void stage_orders(int n, int count, const char *script)
{
    db_do(stage.db,
          "INSERT INTO truth.attempt (n, order_no, number, amount, script)"
          " SELECT n, %s, " NUMBER_OF_N
          ", 100 + n * 7919::bigint %% 99900, '%s' FROM generate_series(%d, %d) AS n",
          stage.shop->key_of_n, script, n, n + count - 1);
}

static void ledger_write(const char *path)
{
    PGresult *rows = PQexec(stage.db, "SELECT concat_ws(E'\\t', number, order_no, amount, currency, script)"
                                      " FROM truth.attempt ORDER BY n");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (int i = 0; i < PQntuples(rows); i++)
        fprintf(file, "%s\n", PQgetvalue(rows, i, 0));
    assert_int_equal(fclose(file), 0);
    PQclear(rows);
}

static void ledger_path(char out[160])
{
    snprintf(out, 160, "%s/ledger.tsv", stage.folder);
}

static void bank_await(const char *log)
{
    bool listens = false;
    for (int64_t end_ms = now_ms() + 10000; !listens; sleep_ms(10)) {
        char *said = file_read(log);
        listens = sscanf(said, "listening on 127.0.0.1:%d", &stage.bank_port) == 1;
        if (now_ms() > end_ms)
            fail_msg("the bank did not start: %s", said);
        free(said);
    }
}

static void bank_start(void)
{
    char ledger[160], log[160], cert[96], key[96], port[16];
    ledger_path(ledger);
    snprintf(log, sizeof(log), "%s/bank.log", stage.folder);
    snprintf(cert, sizeof(cert), "%s/tls/server.crt", world_folder);
    snprintf(key, sizeof(key), "%s/tls/server.key", world_folder);
    snprintf(port, sizeof(port), "%d", stage.bank_port);
    const char *keys = *stage.keys ? "--keys" : NULL;
    remove(log); /* of an earlier life */
    stage.bank =
        process_start((const char *const[]){BANK_PROGRAM, "--ledger", ledger, "--tls-cert", cert, "--tls-key",
                                            key, "--key", BANK_KEY, "--port", port, keys, stage.keys, NULL},
                      log, NULL);
    bank_await(log);
}

void bank_restart(void)
{
    process_kill(stage.bank);
    bank_start();
}

void stage_prepare(void)
{
    char ledger[160];
    ledger_path(ledger);
    db_do(stage.db, "%s", stage.shop->insert);
    ledger_write(ledger);
    bank_start();
}

void stage_track(void)
{
    db_do(stage.db,
          "UPDATE truth.attempt SET attempt_id = makegood.track(order_no, channel, amount, currency, number,"
          " p_channel_data => data, p_expires_at => now() + expires_in, p_due_in => interval '0')"
          " WHERE attempt_id IS NULL");
}

void stage_begin(void)
{
    stage_prepare();
    stage_track();
}

/* --- the bank's control ---------------------------------------------------------------------------------------- */

struct page {
    char *text;
    size_t length;
};

static size_t on_page(char *bytes, size_t size, size_t count, void *self)
{
    struct page *page = self;
    page->text = realloc(page->text, page->length + size * count + 1);
    assert_non_null(page->text);
    memcpy(page->text + page->length, bytes, size * count);
    page->length += size * count;
    page->text[page->length] = '\0';
    return size * count;
}

char *bank_get(const char *page)
{
    struct page got = {strdup(""), 0};
    char url[512];
    char ca[96];
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "https://localhost:%d/_bank/%s", stage.bank_port, page);
    snprintf(ca, sizeof(ca), "%s/tls/ca.crt", world_folder);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_page);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got);
    CURLcode result = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    if (result != CURLE_OK)
        fail_msg("the bank's page %s: %s", page, curl_easy_strerror(result));
    return got.text;
}

void bank_mode(const char *script)
{
    char page[256];
    char *escaped = curl_easy_escape(NULL, script ? script : "", 0);
    snprintf(page, sizeof(page), "mode?script=%s", escaped);
    curl_free(escaped);
    free(bank_get(page));
}

/* --- daemons --------------------------------------------------------------------------------------------------- */

void config_path(int which, char out[160])
{
    snprintf(out, 160, "%s/daemon-%d.yaml", stage.folder, which);
}

static void log_path(int which, char out[160])
{
    snprintf(out, 160, "%s/daemon-%d.log", stage.folder, which);
}

void daemon_start_with(int which, const struct settings *settings, const char *const environment[])
{
    char config[160];
    char log[160];
    char instance[16];
    assert_int_equal(stage.daemons[which], 0);
    snprintf(instance, sizeof(instance), "end-%d", which);
    config_path(which, config);
    log_path(which, log);
    config_write(config, settings, instance);
    stage.daemons[which] =
        process_start((const char *const[]){makegood_program, "run", "-c", config, NULL}, log, environment);
}

void daemon_start(int which, const struct settings *settings)
{
    daemon_start_with(which, settings, NULL);
}

void daemon_kill(int which)
{
    assert_true(process_lives(stage.daemons[which])); /* it died by itself: that is a finding */
    process_kill(stage.daemons[which]);
    stage.daemons[which] = 0;
    stage.kills++;
}

/* Before its first instruction a program can only be killed by a signal, not asked to stop. */
static bool daemon_hears(pid_t pid, int signal)
{
    char path[64], line[128];
    unsigned long long heard = 0, mask;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "SigBlk: %llx", &mask) == 1 || sscanf(line, "SigCgt: %llx", &mask) == 1)
            heard |= mask;
    if (status)
        fclose(status);
    return heard >> (signal - 1) & 1;
}

void daemon_stop(int which)
{
    for (int i = 0; i < 500 && process_lives(stage.daemons[which]); i++) {
        if (daemon_hears(stage.daemons[which], SIGTERM))
            break;
        usleep(10000);
    }
    kill(stage.daemons[which], SIGTERM);
    int code = process_wait(stage.daemons[which], 30000);
    stage.daemons[which] = 0;
    if (code != 0) {
        char *log = daemon_log(which);
        fail_msg("daemon %d ended with exit code %d; its log ends: %s", which, code,
                 log + (strlen(log) > 2000 ? strlen(log) - 2000 : 0));
    }
}

void daemons_stop(void)
{
    for (int i = 0; i < DAEMONS_MAX; i++)
        if (stage.daemons[i])
            daemon_stop(i);
}

char *daemon_log(int which)
{
    char path[160];
    log_path(which, path);
    return file_read(path);
}

int log_count(int which, const char *part)
{
    char *log = daemon_log(which);
    int count = 0;
    for (const char *at = log; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    free(log);
    return count;
}

void wait_for_log(int which, const char *part, int64_t deadline_ms)
{
    int64_t end_ms = now_ms() + deadline_ms;
    while (log_count(which, part) == 0) {
        if (now_ms() > end_ms) {
            char *log = daemon_log(which);
            fail_msg("the log lacks \"%s\": %s", part, log + (strlen(log) > 3000 ? strlen(log) - 3000 : 0));
        }
        sleep_ms(20);
    }
}

/* --- the ledger ------------------------------------------------------------------------------------------------ */

void ledger_load(void)
{
    PGconn *db = stage_db();
    char *asks = bank_get("asks");
    db_do(db, "TRUNCATE truth.bank_says");
    PQclear(PQexec(db, "COPY truth.bank_says FROM STDIN"));
    assert_int_equal(PQputCopyData(db, asks, (int)strlen(asks)), 1);
    assert_int_equal(PQputCopyEnd(db, NULL), 1);
    PGresult *result = PQgetResult(db);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQclear(PQgetResult(db));
    free(asks);
    db_do(db, "UPDATE truth.run SET kills = %d, questions_at_once = 300", stage.kills);
}

long ledger_violations(const char *law)
{
    return db_number(stage_db(), "SELECT count(*) FROM truth.violation WHERE law = '%s'", law);
}

void ledger_check(void)
{
    daemons_stop();
    ledger_load();
    const char *broken = db_text(stage_db(), "SELECT coalesce(string_agg(law || ': ' || what, E'\\n'), '')"
                                             " FROM (SELECT * FROM truth.violation LIMIT 10) AS v");
    if (*broken)
        fail_msg("laws are broken:\n%s", broken);
}
