/* Metrics and health of a running daemon: live numbers against SQL truth, promtool's opinion, what the alert rules and
 * the dashboard name, and readiness while the database comes and goes. */
#include "stage.h"
#include "visit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIGURES_MS 30000 /* the database is looked at every ten seconds */

static void daemon_listens(const struct settings *settings)
{
    static char top[200];
    struct settings with = *settings;
    snprintf(top, sizeof(top), "listen: 127.0.0.1:%d\n%s", visit_port(), settings->top ? settings->top : "");
    with.top = top;
    daemon_start(0, &with);
    wait_for_log(0, "event=listening", WAIT_MS);
}

/* --- numbers --------------------------------------------------------------------------------------------------- */

/* The value of one sample, -1 when there is none. */
static double sample(const char *metrics, const char *name)
{
    char line[200];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = strstr(metrics, line);
    return found ? strtod(found + strlen(line), NULL) : -1;
}

/* Until the sample says what the query says. */
static void sample_becomes(const char *name, const char *query)
{
    int64_t end_ms = now_ms() + FIGURES_MS;
    for (;;) {
        char *metrics = visit("/metrics", NULL, 200);
        double told = sample(metrics, name);
        double truth = strtod(db_text(stage.db, "%s", query), NULL);
        free(metrics);
        if (told > truth - 0.001 && told < truth + 0.001)
            return;
        if (now_ms() > end_ms)
            fail_msg("%s is %f, %s says %f", name, told, query, truth);
        sleep_ms(200);
    }
}

#define ASKED  "SELECT count(*) FROM makegood.query_log WHERE channel = 'main' AND asked <> ''"
#define PARKED "SELECT count(*) FROM makegood.parked_order WHERE reason = "

/* A sample, and what SQL says it must be. */
static const char *const truths[][2] = {
    {"makegood_resolved_total{channel=\"main\",verdict=\"paid\"}",
     "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"},
    {"makegood_resolved_total{channel=\"main\",verdict=\"closed\"}",
     "SELECT count(*) FROM truth.shop_order WHERE status = 'closed'"},
    {"makegood_queries_total{channel=\"main\"}", ASKED},
    {"makegood_query_duration_seconds_count{channel=\"main\"}", ASKED},
    {"makegood_query_duration_seconds_bucket{channel=\"main\",le=\"+Inf\"}", ASKED},
    {"makegood_query_delay_seconds_count{channel=\"main\"}", ASKED},
    /* The first question about each was late: nobody was there to ask it. */
    {"makegood_query_delay_seconds_bucket{channel=\"main\",le=\"2.5\"}",
     "SELECT count(*) - count(DISTINCT attempt_id) FROM makegood.query_log WHERE channel = 'main' AND asked "
     "<> ''"},
    {"makegood_query_delay_seconds_count{channel=\"main\"}", ASKED},
    {"makegood_results_total{channel=\"main\",evidence=\"pending\"}", ASKED " AND evidence = 'pending'"},
    {"makegood_results_total{channel=\"main\",evidence=\"server_error\"}",
     ASKED " AND evidence = 'server_error'"},
    {"makegood_answers_total{channel=\"main\"}", ASKED " AND evidence IN ('paid', 'closed', 'pending')"},
    {"makegood_faults_total{channel=\"main\"}", ASKED " AND evidence IN ('server_error', 'garbage')"},
    {"makegood_mismatches_total{channel=\"main\"}", PARKED "'amount_mismatch'"},
    {"makegood_settle_conflicts_total{channel=\"main\"}", "SELECT 1"},
    {"makegood_parked_orders{channel=\"main\",reason=\"amount_mismatch\"}", PARKED "'amount_mismatch'"},
    {"makegood_parked_orders{channel=\"main\",reason=\"status_unexpected\"}", PARKED "'status_unexpected'"},
    {"makegood_backlog_orders{channel=\"main\"}",
     "SELECT count(*) FROM makegood.lost_order WHERE channel = 'main'"},
    {"makegood_backlog_orders{channel=\"(other)\"}", "SELECT 1"},
    {"makegood_money_at_risk{channel=\"main\",currency=\"CNY\"}",
     "SELECT sum(amount_minor) / 100.0 FROM makegood.lost_order WHERE channel = 'main'"},
    {"makegood_money_at_risk{channel=\"dead\",currency=\"CNY\"}", "SELECT 47.11"},
    {"makegood_schema_version", "SELECT max(version) FROM makegood.schema_version"},
    {"makegood_instances", "SELECT 1"},
};

static void test_numbers_are_true(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 20, "paid");
    stage_orders(21, 3, "wrong_amount");
    stage_orders(24, 4, "closed");
    stage_orders(28, 5, "server_error garbage pending");
    stage_order_at(40, "paid", 4711, "dead", NULL);
    stage_order_at(41, "paid", 1000, "elsewhere", NULL);
    stage_order(42, "paid");
    stage_prepare();
    db_do(stage.db, "UPDATE public.orders SET status = 'cancelled' WHERE order_no = 'ORD-000042'");
    stage_track();
    sleep_ms(3000);
    daemon_listens(&(struct settings){.schedule = "1s 60s"});
    wait_for(WAIT_MS, "SELECT count(*) = 24 FROM truth.shop_order WHERE status IN ('paid', 'closed')");
    wait_for(WAIT_MS, "SELECT count(*) = 5 FROM makegood.lost_order WHERE channel = 'main' AND answers >= 1");
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
        sample_becomes(truths[i][0], truths[i][1]);
    char *metrics = visit("/metrics", NULL, 200);
    double oldest = sample(metrics, "makegood_oldest_order_timestamp_seconds{channel=\"main\"}");
    double created =
        strtod(db_text(stage.db, "SELECT extract(epoch FROM min(created_at)) FROM makegood.lost_order"
                                 " WHERE channel = 'main'"),
               NULL);
    assert_true(oldest > created - 3 && oldest < created + 3);
    assert_true(sample(metrics, "process_resident_memory_bytes") > 1e6);
    assert_true(sample(metrics, "process_open_fds") > 5);
    assert_true(sample(metrics, "makegood_breaker_openings_total{channel=\"dead\"}") >= 0);
    assert_lacks(metrics, "ORD-"); /* no order, no secret */
    assert_lacks(metrics, "pi_");
    assert_lacks(metrics, BANK_KEY);
    assert_lacks(metrics, PASSWORD);
    assert_lacks(metrics, "elsewhere");
    free(metrics);
    ledger_check();
}

/* --- what others make of them ---------------------------------------------------------------------------------- */

static void shell(const char *command)
{
    static char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
    if (run((const char *const[]){"bash", "-c", command, NULL}, out, err) != 0)
        fail_msg("%s: %s%s", command, out, err);
    if (*out && strstr(command, "comm "))
        fail_msg("nobody tells: %s", out);
}

/* Every metric that the rules and the dashboard name is one that the daemon tells. */
static void test_metrics_are_well_formed(void **state)
{
    char path[160], command[1000];
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 10, "paid");
    stage_orders(11, 2, "wrong_amount");
    stage_orders(13, 2, "pending");
    stage_begin();
    daemon_listens(&(struct settings){.schedule = "1s 60s"});
    sample_becomes("makegood_parked_orders{channel=\"main\",reason=\"amount_mismatch\"}", "SELECT 2");
    char *metrics = visit("/metrics", NULL, 200);
    snprintf(path, sizeof(path), "%s/metrics", stage.folder);
    file_write(path, metrics);
    snprintf(command, sizeof(command), "promtool check metrics <%s 2>&1", path);
    shell(command);
    static const char *const files[] = {"config/prometheus/makegood-alerts.yaml",
                                        "config/grafana/makegood.json"};
    for (int i = 0; i < 2; i++) {
        snprintf(
            command, sizeof(command),
            "comm -23 <(grep -ohE '\\b(makegood|process)_[a-z_]+' %s | sed -E 's/_(bucket|sum|count)$//' |"
            " grep -v '^makegood_broker_up$' | sort -u)" /* this daemon has none; see broker_source */
            " <(sed -n 's/^# TYPE \\([^ ]*\\) .*/\\1/p' %s | sort -u)",
            files[i], path);
        shell(command);
    }
    shell("promtool check rules config/prometheus/makegood-alerts.yaml");
    shell("cd config/prometheus && promtool test rules makegood-alerts-test.yaml");
    free(metrics);
    char *open =
        visit("/metrics", "Accept: application/openmetrics-text; version=1.0.0, text/plain;q=0.5", 200);
    assert_string_equal(open + strlen(open) - 6, "# EOF\n");
    free(open);
    ledger_check();
}

static void test_alerts_lead_to_the_runbook(void **state)
{
    (void)state;
    char *rules = file_read("config/prometheus/makegood-alerts.yaml");
    char *runbook = file_read("doc/runbook.md");
    char *tests = file_read("config/prometheus/makegood-alerts-test.yaml");
    int alerts = 0;
    for (const char *at = rules; (at = strstr(at, "alert: ")) != NULL; at++, alerts++) {
        char name[60], heading[100], link[140];
        assert_int_equal(sscanf(at, "alert: %59[A-Za-z]", name), 1);
        snprintf(heading, sizeof(heading), "\n## %s\n\n**Means** ", name);
        assert_contains(runbook, heading);
        snprintf(heading, sizeof(heading), "eval_time: 10h, alertname: %s}", name);
        assert_contains(tests, heading);
        for (char *letter = name; *letter; letter++)
            *letter |= 0x20;
        snprintf(link, sizeof(link), "runbook_url: file:///usr/share/doc/makegood/runbook.md#%s\n", name);
        assert_contains(at, link);
    }
    assert_in_range(alerts, 5, 10);
    free(rules);
    free(runbook);
    free(tests);
}

/* --- health ---------------------------------------------------------------------------------------------------- */

static void ready_becomes(long status, const char *line, int64_t within_ms)
{
    int64_t end_ms = now_ms() + within_ms;
    for (;;) {
        long got;
        char *page = visit_status("/readyz", NULL, &got);
        bool as_said = got == status && strcmp(page, line) == 0;
        if (!as_said && now_ms() > end_ms)
            fail_msg("/readyz says %ld %s", got, page);
        free(page);
        if (as_said)
            return;
        sleep_ms(100);
    }
}

static void healthy(void)
{
    char *page = visit("/healthz", NULL, 200);
    assert_string_equal(page, "ok\n");
    free(page);
}

static void test_health(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_order(1, "paid");
    stage_begin();
    cluster_stop("fast");
    daemon_listens(&(struct settings){0});
    healthy();
    ready_becomes(503, "not ready: the database was not found fit yet\n", 0);
    cluster_start();
    ready_becomes(200, "ready\n", WAIT_MS);
    cluster_stop("immediate");
    int64_t begun_ms = now_ms();
    healthy();
    ready_becomes(200, "ready\n", 0); /* a failover is no alarm */
    ready_becomes(503, "not ready: the database is down\n", 20000);
    assert_true(now_ms() - begun_ms > 8000);
    healthy();
    char *metrics = visit("/metrics", NULL, 200);
    assert_int_equal((int)sample(metrics, "makegood_ready"), 0);
    assert_int_equal((int)sample(metrics, "makegood_database_up"), 0);
    free(metrics);
    cluster_start();
    ready_becomes(200, "ready\n", WAIT_MS);
    metrics = visit("/metrics", NULL, 200);
    assert_int_equal((int)sample(metrics, "makegood_database_reconnects_total"), 1);
    free(metrics);
    wait_for_end(WAIT_MS);
    ledger_check();
}

/* What the configuration says goes; a refused reload is seen. */
static void test_reloads_are_counted(void **state)
{
    char path[160];
    (void)state;
    stage_open(&orders_shop);
    stage_order(1, "paid");
    stage_begin();
    daemon_listens(&(struct settings){0});
    ready_becomes(200, "ready\n", WAIT_MS);
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reloaded", WAIT_MS);
    sample_becomes("makegood_reloads_total{result=\"applied\"}", "SELECT 1");
    sample_becomes("makegood_reload_successful", "SELECT 1");
    config_path(0, path);
    file_write(path, "channels: none\n");
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reload_refused", WAIT_MS);
    sample_becomes("makegood_reloads_total{result=\"refused\"}", "SELECT 1");
    sample_becomes("makegood_reload_successful", "SELECT 0");
    ledger_check();
}

/* --- listening ------------------------------------------------------------------------------------------------- */

static void test_a_taken_address_is_refused(void **state)
{
    char top[100], log_part[200];
    (void)state;
    stage_open(&orders_shop);
    stage_order(1, "paid");
    stage_begin();
    daemon_listens(&(struct settings){0});
    snprintf(top, sizeof(top), "listen: 127.0.0.1:%d\n", visit_port());
    daemon_start(1, &(struct settings){.top = top});
    assert_int_equal(process_wait(stage.daemons[1], 10000), 1);
    stage.daemons[1] = 0;
    snprintf(log_part, sizeof(log_part), "nothing can listen at 127.0.0.1:%d: Address already in use",
             visit_port());
    wait_for_log(1, log_part, 1000);
    healthy();
    ledger_check();
}

static void test_a_unix_socket(void **state)
{
    char top[200], path[160];
    struct stat status;
    (void)state;
    stage_open(&orders_shop);
    stage_order(1, "paid");
    stage_begin();
    snprintf(path, sizeof(path), "%s/web.sock", stage.folder);
    snprintf(top, sizeof(top), "listen: unix:%s\n", path);
    for (int life = 0; life < 2; life++) { /* the second finds what the first left when it was killed */
        daemon_start(0, &(struct settings){.top = top});
        wait_for_log(0, "event=listening", WAIT_MS);
        visit_by(path);
        for (int64_t end_ms = now_ms() + 5000; stat(path, &status) != 0 && now_ms() < end_ms;)
            sleep_ms(20);
        ready_becomes(200, "ready\n", WAIT_MS);
        assert_int_equal(status.st_mode & 0777, 0660);
        if (life == 0)
            daemon_kill(0);
    }
    daemon_stop(0);
    visit_by(NULL);
    assert_int_not_equal(access(path, F_OK), 0);
    ledger_check();
}

int main(void)
{
#define WEB(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        WEB(test_numbers_are_true),
        WEB(test_metrics_are_well_formed),
        cmocka_unit_test(test_alerts_lead_to_the_runbook),
        WEB(test_health),
        WEB(test_reloads_are_counted),
        WEB(test_a_taken_address_is_refused),
        WEB(test_a_unix_socket),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
