/* Metrics of this daemon: see metrics.h. Those of the database are in metrics_database.c. */
#include "daemon/metrics_inner.h"

/* --- channels ------------------------------------------------------------------------------------------------ */

typedef uint64_t (*lane_count)(const struct lane_view *lane);
typedef int64_t (*lane_level)(const struct lane_view *lane);

struct lane_counter {
    const char *name;
    const char *help;
    lane_count of;
};

struct lane_gauge {
    const char *name;
    const char *help;
    lane_level of;
};

#define COUNT(function, expression)                             \
    static uint64_t function(const struct lane_view *lane)      \
    {                                                           \
        const struct lane_counters *counters = &lane->counters; \
        return expression;                                      \
    }
#define LEVEL(function, expression)                       \
    static int64_t function(const struct lane_view *lane) \
    {                                                     \
        return expression;                                \
    }
COUNT(queries, counters->queries)
COUNT(answers, counters->answers)
COUNT(faults, counters->faults)
COUNT(openings, counters->openings)
COUNT(forgeries, counters->evidence[EVIDENCE_UNAUTHENTIC])
COUNT(mismatches, counters->parked[PARK_AMOUNT_MISMATCH] + counters->parked[PARK_CURRENCY_MISMATCH] +
                      counters->parked[PARK_MERCHANT_MISMATCH])
COUNT(conflicts, counters->outcomes[OUTCOME_CONFLICT])
LEVEL(ready, lane->ready)
LEVEL(asking, lane->asking)
LEVEL(concurrency, lane->concurrency)
LEVEL(rate, lane->rate_per_second)
LEVEL(tokens, lane->tokens)
LEVEL(breaker_open, lane->breaker_open)
LEVEL(halted, lane->halted)
LEVEL(held, lane->held != NULL)

static const struct lane_counter counters_of_lanes[] = {
    {"makegood_queries", "Questions that were sent to the channel.", queries},
    {"makegood_answers", "Authentic answers.", answers},
    {"makegood_faults", "Questions without an authentic answer.", faults},
    {"makegood_signature_failures", "Answers whose signature was absent, wrong or stale.", forgeries},
    {"makegood_mismatches", "Orders parked for another amount, currency or merchant than ours.", mismatches},
    {"makegood_settle_conflicts", "Verdicts that the shop's own table contradicted.", conflicts},
    {"makegood_breaker_openings", "How often the circuit breaker opened.", openings},
};

static const struct lane_gauge gauges_of_lanes[] = {
    {"makegood_ready_orders", "Claimed orders that wait to be asked about.", ready},
    {"makegood_asking", "Questions under way.", asking},
    {"makegood_concurrency_limit", "This instance's share of the questions under way at once.", concurrency},
    {"makegood_rate_limit", "This instance's share of the questions per second.", rate},
    {"makegood_bucket_tokens", "Questions that the rate limit lets start at once.", tokens},
    {"makegood_breaker_open", "1 while the circuit breaker is open.", breaker_open},
    {"makegood_channel_halted", "1 while the channel is halted: too many of its answers are doubtful.",
     halted},
    {"makegood_channel_held", "1 while the channel is paused, halted by an operator or in maintenance.",
     held},
};

static void lane_counters_write(struct metric_text *text, const struct metrics_seen *seen)
{
    for (size_t i = 0; i < sizeof(counters_of_lanes) / sizeof(counters_of_lanes[0]); i++) {
        const struct lane_counter *counter = &counters_of_lanes[i];
        metric_family(text, METRIC_COUNTER, counter->name, counter->help);
        for (int j = 0; j < seen->lane_count; j++)
            metric_count(text, counter->of(&seen->lanes[j]), "channel", seen->lanes[j].channel, NULL);
    }
}

static void lane_gauges_write(struct metric_text *text, const struct metrics_seen *seen)
{
    for (size_t i = 0; i < sizeof(gauges_of_lanes) / sizeof(gauges_of_lanes[0]); i++) {
        const struct lane_gauge *gauge = &gauges_of_lanes[i];
        metric_family(text, METRIC_GAUGE, gauge->name, gauge->help);
        for (int j = 0; j < seen->lane_count; j++)
            metric_number(text, gauge->of(&seen->lanes[j]), "channel", seen->lanes[j].channel, NULL);
    }
}

/* --- channels, by one of our lists of words ------------------------------------------------------------------ */

static void results_write(struct metric_text *text, const struct lane_view *lane)
{
    for (int i = EVIDENCE_UNASKABLE; i < (int)EVIDENCE_KINDS; i++)
        metric_count(text, lane->counters.evidence[i], "channel", lane->channel, "evidence",
                     evidence_kind_text((enum evidence_kind)i), NULL);
}

static void resolved_write(struct metric_text *text, const struct lane_view *lane)
{
    for (int i = 0; i < (int)VERDICT_KINDS; i++)
        if (verdict_ends((enum verdict_kind)i))
            metric_count(text, lane->counters.verdicts[i], "channel", lane->channel, "verdict",
                         verdict_kind_text((enum verdict_kind)i), NULL);
}

static void parked_write(struct metric_text *text, const struct lane_view *lane)
{
    for (int i = PARK_NOTHING + 1; i < (int)PARK_REASONS; i++)
        metric_count(text, lane->counters.parked[i], "channel", lane->channel, "reason",
                     park_reason_text((enum park_reason)i), NULL);
}

static void held_back_write(struct metric_text *text, const struct lane_view *lane)
{
    for (int i = 0; i < (int)VERDICT_KINDS; i++)
        if (i != VERDICT_RETRY)
            metric_count(text, lane->counters.held_back[i], "channel", lane->channel, "verdict",
                         verdict_kind_text((enum verdict_kind)i), NULL);
}

static void outcomes_write(struct metric_text *text, const struct lane_view *lane)
{
    for (int i = 0; i < (int)OUTCOMES; i++)
        metric_count(text, lane->counters.outcomes[i], "channel", lane->channel, "outcome",
                     outcome_text((enum outcome)i), NULL);
}

static void skew_write(struct metric_text *text, const struct lane_view *lane)
{
    if (lane->has_skew)
        metric_seconds(text, lane->skew_ms, "channel", lane->channel, NULL);
}

static void durations_write(struct metric_text *text, const struct lane_view *lane)
{
    metric_durations(text, &lane->counters.durations, "channel", lane->channel);
}

static void delays_write(struct metric_text *text, const struct lane_view *lane)
{
    metric_durations(text, &lane->counters.delays, "channel", lane->channel);
}

struct lane_family {
    enum metric_kind kind;
    const char *name;
    const char *help;
    void (*write)(struct metric_text *text, const struct lane_view *lane);
};

static const struct lane_family families_of_lanes[] = {
    {METRIC_COUNTER, "makegood_results", "What came of the questions.", results_write},
    {METRIC_COUNTER, "makegood_resolved", "Orders that makegood ended.", resolved_write},
    {METRIC_COUNTER, "makegood_parked", "Orders that were parked, by this instance.", parked_write},
    {METRIC_COUNTER, "makegood_held_back",
     "Verdicts that came to nothing: in shadow mode, over the cap, or of a halted channel.", held_back_write},
    {METRIC_COUNTER, "makegood_settle_outcomes", "What the database did with verdicts.", outcomes_write},
    {METRIC_GAUGE, "makegood_clock_skew_seconds", "Our clock minus the channel's, of its last answer.",
     skew_write},
    {METRIC_HISTOGRAM, "makegood_query_duration_seconds", "How long questions took.", durations_write},
    {METRIC_HISTOGRAM, "makegood_query_delay_seconds",
     "From the moment that an order was due to its question.", delays_write},
};

static void lane_families_write(struct metric_text *text, const struct metrics_seen *seen)
{
    for (size_t i = 0; i < sizeof(families_of_lanes) / sizeof(families_of_lanes[0]); i++) {
        const struct lane_family *family = &families_of_lanes[i];
        metric_family(text, family->kind, family->name, family->help);
        for (int j = 0; j < seen->lane_count; j++)
            family->write(text, &seen->lanes[j]);
    }
}

static void certificates_write(struct metric_text *text, const struct config *config)
{
    metric_family(text, METRIC_GAUGE, "makegood_certificate_expiry_timestamp_seconds",
                  "When the first of the channel's certificates ends.");
    for (int i = 0; i < config->channel_count; i++)
        if (config->channels[i]->credential_end)
            metric_number(text, config->channels[i]->credential_end, "channel", config->channels[i]->name,
                          NULL);
}

/* --- the whole ----------------------------------------------------------------------------------------------- */

static void count_write(struct metric_text *text, const char *name, const char *help, uint64_t value)
{
    metric_family(text, METRIC_COUNTER, name, help);
    metric_count(text, value, NULL);
}

static void level_write(struct metric_text *text, const char *name, const char *help, int64_t value)
{
    metric_family(text, METRIC_GAUGE, name, help);
    metric_number(text, value, NULL);
}

static void engine_write(struct metric_text *text, const struct engine_view *engine)
{
    level_write(text, "makegood_in_flight_orders", "Orders in memory.", engine->in_flight);
    count_write(text, "makegood_claims", "Calls that claim orders.", engine->claims);
    count_write(text, "makegood_settles", "Calls that settle orders.", engine->settles);
    count_write(text, "makegood_unknown_commits",
                "Settlements that were cut before their commit was confirmed, and repeated.",
                engine->settle_failures[FAILURE_UNKNOWN]);
    metric_family(text, METRIC_COUNTER, "makegood_settle_failures", "Calls that settle orders and failed.");
    for (int i = 0; i < (int)FAILURES; i++)
        metric_count(text, engine->settle_failures[i], "failure", failure_text((enum failure)i), NULL);
}

static void daemon_write(struct metric_text *text, const struct metrics_seen *seen)
{
    const struct daemon_counters *counters = &seen->counters;
    metric_family(text, METRIC_GAUGE, "makegood_build_info", "The program that runs.");
    metric_number(text, 1, "version", MAKEGOOD_VERSION, NULL);
    level_write(text, "makegood_ready", "1 while /readyz says so.", seen->ready);
    level_write(text, "makegood_instances", "Living instances, as this one heard last.", seen->living);
    level_write(text, "makegood_database_up", "1 while the database is connected.", seen->database_up);
    count_write(text, "makegood_database_reconnects", "Times that the database came back.",
                counters->connects > 0 ? counters->connects - 1 : 0);
    metric_family(text, METRIC_COUNTER, "makegood_reloads", "Reloads of the configuration.");
    metric_count(text, counters->reloads, "result", "applied", NULL);
    metric_count(text, counters->reloads_refused, "result", "refused", NULL);
    level_write(text, "makegood_reload_successful", "0 while the last reload was refused.",
                !counters->reload_refused);
}

static void broker_write(struct metric_text *text, const struct broker_view *broker)
{
    level_write(text, "makegood_broker_up", "1 while there is a session with RocketMQ's proxy.", broker->up);
    metric_family(text, METRIC_COUNTER, "makegood_messages", "Messages of RocketMQ, by what became of them.");
    for (int i = 0; i < (int)MESSAGE_FATES; i++)
        metric_count(text, broker->messages[i], "fate", message_fate_text((enum message_fate)i), NULL);
}

static void process_write(struct metric_text *text, const struct process_seen *process)
{
    metric_family(text, METRIC_COUNTER, "process_cpu_seconds", "User and system CPU time.");
    metric_seconds(text, process->cpu_ms, NULL);
    level_write(text, "process_start_time_seconds", "When the process started, since 1970.",
                process->started_s);
    level_write(text, "process_resident_memory_bytes", "Resident memory.", process->resident_bytes);
    level_write(text, "process_virtual_memory_bytes", "Virtual memory.", process->virtual_bytes);
    level_write(text, "process_open_fds", "Open file descriptors.", process->open_files);
    level_write(text, "process_max_fds", "How many may be open.", process->open_files_most);
}

void metrics_write(FILE *out, bool open, const struct metrics_seen *seen)
{
    struct metric_text text = {.out = out, .open = open};
    daemon_write(&text, seen);
    if (seen->broker)
        broker_write(&text, seen->broker);
    lane_counters_write(&text, seen);
    lane_gauges_write(&text, seen);
    lane_families_write(&text, seen);
    certificates_write(&text, seen->config);
    engine_write(&text, &seen->engine);
    metrics_database_write(&text, seen);
    process_write(&text, &seen->process);
    metric_end(&text);
}
