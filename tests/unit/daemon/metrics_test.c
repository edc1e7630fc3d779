/* Metrics are formatting: both formats, every kind of sample, and what becomes of an overview. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/metric_text.h"
#include "daemon/metrics.h"

/* --- the text ------------------------------------------------------------------------------------------------- */

static char *written;
static size_t written_bytes;

static struct metric_text text_begin(bool open)
{
    free(written);
    written = NULL;
    return (struct metric_text){.out = open_memstream(&written, &written_bytes), .open = open};
}

static void text_is(struct metric_text *text, const char *expected)
{
    metric_end(text);
    fclose(text->out);
    assert_string_equal(written, expected);
}

static void counters_end_in_total(void **state)
{
    (void)state;
    struct metric_text text = text_begin(false);
    metric_family(&text, METRIC_COUNTER, "things", "What there was.");
    metric_count(&text, UINT64_MAX, NULL);
    metric_count(&text, 1, "a", "b", "c", "d", NULL);
    text_is(&text, "# HELP things_total What there was.\n# TYPE things_total counter\n"
                   "things_total 18446744073709551615\nthings_total{a=\"b\",c=\"d\"} 1\n");
    text = text_begin(true);
    metric_family(&text, METRIC_COUNTER, "things", "What there was.");
    metric_count(&text, 1, NULL);
    text_is(&text, "# HELP things What there was.\n# TYPE things counter\nthings_total 1\n# EOF\n");
}

static void labels_are_escaped(void **state)
{
    (void)state;
    struct metric_text text = text_begin(false);
    metric_family(&text, METRIC_GAUGE, "x", "X.");
    metric_number(&text, -7, "a", "q\"b\\n\nz", NULL);
    text_is(&text, "# HELP x X.\n# TYPE x gauge\nx{a=\"q\\\"b\\\\n\\nz\"} -7\n");
}

static void durations_are_seconds(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0.0"},     {1, "0.001"},      {10, "0.01"},
                 {100, "0.1"},   {1500, "1.5"},     {60000, "60.0"},
                 {-1, "-0.001"}, {-61000, "-61.0"}, {INT64_MIN, "-9223372036854775.808"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[100];
        struct metric_text text = text_begin(false);
        metric_family(&text, METRIC_GAUGE, "x", "X.");
        metric_seconds(&text, cases[i].ms, NULL);
        snprintf(expected, sizeof(expected), "# HELP x X.\n# TYPE x gauge\nx %s\n", cases[i].text);
        text_is(&text, expected);
    }
}

static void histograms_add_up(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 9);
    histogram_add(&histogram, 400);
    histogram_add(&histogram, 100000);
    struct metric_text text = text_begin(true);
    metric_family(&text, METRIC_HISTOGRAM, "x_seconds", "X.");
    metric_durations(&text, &histogram, "c", "one");
    text_is(&text, "# HELP x_seconds X.\n# TYPE x_seconds histogram\n"
                   "x_seconds_bucket{c=\"one\",le=\"0.01\"} 1\nx_seconds_bucket{c=\"one\",le=\"0.025\"} 1\n"
                   "x_seconds_bucket{c=\"one\",le=\"0.05\"} 1\nx_seconds_bucket{c=\"one\",le=\"0.1\"} 1\n"
                   "x_seconds_bucket{c=\"one\",le=\"0.25\"} 1\nx_seconds_bucket{c=\"one\",le=\"0.5\"} 2\n"
                   "x_seconds_bucket{c=\"one\",le=\"1.0\"} 2\nx_seconds_bucket{c=\"one\",le=\"2.5\"} 2\n"
                   "x_seconds_bucket{c=\"one\",le=\"5.0\"} 2\nx_seconds_bucket{c=\"one\",le=\"10.0\"} 2\n"
                   "x_seconds_bucket{c=\"one\",le=\"30.0\"} 2\nx_seconds_bucket{c=\"one\",le=\"60.0\"} 2\n"
                   "x_seconds_bucket{c=\"one\",le=\"+Inf\"} 3\nx_seconds_sum{c=\"one\"} 100.409\n"
                   "x_seconds_count{c=\"one\"} 3\n# EOF\n");
}

static void the_scraper_chooses(void **state)
{
    (void)state;
    assert_true(metric_wants_open("application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5"));
    assert_false(metric_wants_open("text/plain;version=0.0.4"));
    assert_false(metric_wants_open("*/*"));
    assert_false(metric_wants_open(""));
}

/* --- the whole ------------------------------------------------------------------------------------------------ */

static struct channel one = {.name = "one", .credential_end = 1900000000};
static struct channel two = {.name = "two"};
static struct config config = {.channels = (struct channel *[]){&one, &two}, .channel_count = 2};

static struct metrics_seen seen_make(void)
{
    static struct lane_view lanes[2];
    lanes[0] = (struct lane_view){.channel = "one",
                                  .tokens = 17,
                                  .breaker_open = true,
                                  .held = "paused",
                                  .has_skew = true,
                                  .skew_ms = -1500};
    lanes[1] = (struct lane_view){.channel = "two"};
    lanes[0].counters.queries = 5;
    lanes[0].counters.evidence[EVIDENCE_UNAUTHENTIC] = 3;
    lanes[0].counters.verdicts[VERDICT_PAID] = 2;
    lanes[0].counters.parked[PARK_AMOUNT_MISMATCH] = 4;
    lanes[0].counters.parked[PARK_MERCHANT_MISMATCH] = 1;
    lanes[0].counters.outcomes[OUTCOME_CONFLICT] = 6;
    lanes[0].counters.held_back[VERDICT_CLOSED] = 8;
    return (struct metrics_seen){
        .config = &config,
        .lanes = lanes,
        .lane_count = 2,
        .living = 3,
        .engine = {.settle_failures = {[FAILURE_UNKNOWN] = 9}},
        .counters = {.connects = 3, .reloads = 1, .reloads_refused = 2, .reload_refused = true},
        .overview_s = 1800000000};
}

static void seen_write(const struct metrics_seen *seen, bool open)
{
    struct metric_text text = text_begin(open);
    metrics_write(text.out, open, seen);
    fclose(text.out);
}

static void has(const char *line)
{
    char whole[300];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (!strstr(written, whole))
        fail_msg("no line says: %s", line);
}

static void has_not(const char *part)
{
    if (strstr(written, part))
        fail_msg("it says: %s", part);
}

static void a_daemon_is_told(void **state)
{
    (void)state;
    struct metrics_seen seen = seen_make();
    seen_write(&seen, false);
    has("makegood_queries_total{channel=\"one\"} 5");
    has("makegood_queries_total{channel=\"two\"} 0");
    has("makegood_signature_failures_total{channel=\"one\"} 3");
    has("makegood_results_total{channel=\"one\",evidence=\"unauthentic\"} 3");
    has("makegood_resolved_total{channel=\"one\",verdict=\"paid\"} 2");
    has("makegood_resolved_total{channel=\"two\",verdict=\"refunded\"} 0");
    has("makegood_mismatches_total{channel=\"one\"} 5");
    has("makegood_parked_total{channel=\"one\",reason=\"amount_mismatch\"} 4");
    has("makegood_settle_conflicts_total{channel=\"one\"} 6");
    has("makegood_held_back_total{channel=\"one\",verdict=\"closed\"} 8");
    has("makegood_unknown_commits_total 9");
    has("makegood_settle_failures_total{failure=\"unknown\"} 9");
    has("makegood_database_reconnects_total 2");
    has("makegood_reloads_total{result=\"refused\"} 2");
    has("makegood_reload_successful 0");
    has("makegood_instances 3");
    has("makegood_bucket_tokens{channel=\"one\"} 17");
    has("makegood_breaker_open{channel=\"one\"} 1");
    has("makegood_channel_held{channel=\"one\"} 1");
    has("makegood_channel_held{channel=\"two\"} 0");
    has("makegood_clock_skew_seconds{channel=\"one\"} -1.5");
    has("makegood_certificate_expiry_timestamp_seconds{channel=\"one\"} 1900000000");
    has_not("makegood_clock_skew_seconds{channel=\"two\"}");
    has_not("makegood_certificate_expiry_timestamp_seconds{channel=\"two\"}");
    has_not("reason=\"\"");
    has_not("makegood_backlog_orders");
    has_not("# EOF");
    has_not("_total_total");
}

static void the_open_format_is_the_same(void **state)
{
    (void)state;
    struct metrics_seen seen = seen_make();
    seen_write(&seen, true);
    has("# TYPE makegood_queries counter");
    has("makegood_queries_total{channel=\"one\"} 5");
    assert_string_equal(written + strlen(written) - 6, "# EOF\n");
}

static void an_overview_is_told(void **state)
{
    (void)state;
    struct metrics_seen seen = seen_make();
    json_t *overview = json_loads(
        "{\"schema\":13,\"halted\":null,\"channels\":["
        "{\"channel\":\"\",\"waiting\":0,\"due\":0,\"late_s\":null,\"oldest_s\":null,\"at_risk\":{},"
        "\"parked\":{\"untrackable\":2},\"lately\":{}},"
        "{\"channel\":\"gone\",\"waiting\":4,\"due\":4,\"late_s\":50,\"oldest_s\":60,"
        "\"at_risk\":{\"CNY\":{\"minor\":1,\"text\":\"0.01\"}},\"parked\":{\"missing\":1},\"lately\":{}},"
        "{\"channel\":\"one\",\"waiting\":7,\"due\":1,\"tail\":2,\"in_flight\":3,\"late_s\":0,\"oldest_s\":"
        "100,"
        "\"at_risk\":{\"CNY\":{\"minor\":123456789012345678,\"text\":\"1234567890123456.78\"},"
        "\"JPY\":{\"minor\":5,\"text\":\"5\"}},\"parked\":{\"amount_mismatch\":2,\"operator\":1},"
        "\"lately\":{\"missed_share\":0.25}}]}",
        0, NULL);
    assert_non_null(overview);
    seen.overview = overview;
    seen_write(&seen, false);
    json_decref(overview);
    has("makegood_schema_version 13");
    has("makegood_halted 0");
    has("makegood_backlog_orders{channel=\"one\"} 7");
    has("makegood_backlog_orders{channel=\"two\"} 0");
    has("makegood_backlog_orders{channel=\"(other)\"} 4");
    has("makegood_due_orders{channel=\"one\"} 1");
    has("makegood_tail_orders{channel=\"one\"} 2");
    has("makegood_claimed_orders{channel=\"one\"} 3");
    has("makegood_oldest_order_timestamp_seconds{channel=\"one\"} 1799999900");
    has("makegood_oldest_order_timestamp_seconds{channel=\"(other)\"} 1799999940");
    has("makegood_first_due_timestamp_seconds{channel=\"(other)\"} 1799999950");
    has_not("makegood_first_due_timestamp_seconds{channel=\"one\"}"); /* nothing is overdue */
    has_not("makegood_oldest_order_timestamp_seconds{channel=\"two\"}");
    has("makegood_money_at_risk{channel=\"one\",currency=\"CNY\"} 1234567890123456.78"); /* to the cent */
    has("makegood_money_at_risk{channel=\"one\",currency=\"JPY\"} 5");
    has("makegood_parked_orders{channel=\"one\",reason=\"amount_mismatch\"} 2");
    has("makegood_parked_orders{channel=\"one\",reason=\"operator\"} 1");
    has("makegood_parked_orders{channel=\"one\",reason=\"missing\"} 0");
    has("makegood_parked_orders{channel=\"(other)\",reason=\"untrackable\"} 2");
    has("makegood_parked_orders{channel=\"(other)\",reason=\"missing\"} 1");
    has("makegood_missed_notification_ratio{channel=\"one\"} 0.2500");
    has_not("gone"); /* labels are the configuration's */
}

static int finish(void **state)
{
    (void)state;
    free(written);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_end_in_total),       cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(durations_are_seconds),       cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(the_scraper_chooses),         cmocka_unit_test(a_daemon_is_told),
        cmocka_unit_test(the_open_format_is_the_same), cmocka_unit_test(an_overview_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
