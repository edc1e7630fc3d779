/* Plays a story on one engine. One thread, virtual time; called by scenario_test. */
#include "stage.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage_inner.h"

bool stage_fails(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(stage->why, stage->why_bytes, format, arguments);
    va_end(arguments);
    return false;
}

/* --- the world ------------------------------------------------------------------------------------------ */

static void stage_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct stage *stage = self;
    assert(lease_ms == stage->config.lease_ms);
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(stage->claim + used, sizeof(stage->claim) - used, "%s%s=%d", i ? " " : "",
                                 wants[i].channel, wants[i].limit);
}

static void stage_ask(void *self, struct job *job)
{
    struct stage *stage = self;
    stage->asked[stage->asked_count++] = job;
}

static void stage_settle(void *self, struct batch *batch)
{
    struct stage *stage = self;
    stage->settles[stage->settle_count++] = batch;
}

static void stage_release(void *self, struct batch *batch)
{
    struct stage *stage = self;
    stage->releases[stage->release_count++] = batch;
}

static void stage_note(void *self, const struct note *note)
{
    struct stage *stage = self;
    stage->noted[note->kind] = true;
}

static const struct engine_world stage_world = {
    .sources = {[SOURCE_TABLE] = {stage_claim, stage_settle, stage_release, NULL}},
    .ask = stage_ask,
    .note = stage_note};

static void stage_advance(struct stage *stage)
{
    if (stage->engine)
        stage->next_ms = engine_advance(stage->engine, stage->now_ms);
}

/* --- values --------------------------------------------------------------------------------------------- */

int64_t stage_number(const char *text)
{
    char *unit;
    int64_t number = strtoll(text, &unit, 10);
    if (strcmp(unit, "s") == 0)
        return number * 1000;
    if (strcmp(unit, "m") == 0)
        return number * 60000;
    if (strcmp(unit, "h") == 0)
        return number * 3600000;
    return number;
}

/* The value of "key=value" among the words from the given one on, or the fallback. */
static const char *value_of(struct stage *stage, int from, const char *key, const char *fallback)
{
    size_t length = strlen(key);
    for (int i = from; i < stage->word_count; i++)
        if (strncmp(stage->words[i], key, length) == 0 && stage->words[i][length] == '=')
            return stage->words[i] + length + 1;
    return fallback;
}

static int64_t ms_of(struct stage *stage, int from, const char *key, const char *fallback)
{
    return stage_number(value_of(stage, from, key, fallback));
}

static int int_of(struct stage *stage, int from, const char *key, const char *fallback)
{
    return (int)stage_number(value_of(stage, from, key, fallback));
}

struct job *stage_asked_job(struct stage *stage, const char *number)
{
    for (int i = 0; i < stage->asked_count; i++)
        if (strcmp(stage->asked[i]->order.number, number) == 0)
            return stage->asked[i];
    return NULL;
}

/* --- what is said --------------------------------------------------------------------------------------- */

static int durations_read(int64_t *durations_ms, const char *text)
{
    char copy[128];
    char *rest = copy;
    int count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *entry = strtok_r(copy, ",", &rest); entry; entry = strtok_r(NULL, ",", &rest))
        durations_ms[count++] = stage_number(entry);
    return count;
}

static bool say_policy(struct stage *stage)
{
    if (!stage->policies_said)
        stage->policy_count = 0;
    stage->policies_said = true;
    struct policy *policy = &stage->policies[stage->policy_count++];
    *policy = (struct policy){
        .error_first_ms = ms_of(stage, 2, "error_first", "1s"),
        .error_max_ms = ms_of(stage, 2, "error_max", "8s"),
        .not_found_grace_ms = ms_of(stage, 2, "grace", "10s"),
        .horizon_ms = ms_of(stage, 2, "horizon", "1h"),
        .probe_ms = ms_of(stage, 2, "probe", "60s"),
        .shadow = value_of(stage, 2, "shadow", NULL) != NULL,
        .attempt_limit = int_of(stage, 2, "attempt_limit", "0"),
        .unknown_limit = int_of(stage, 2, "unknown_limit", "3"),
        .concurrency = int_of(stage, 2, "concurrency", "4"),
        .rate_per_second = int_of(stage, 2, "rate", "1000"),
        .burst = int_of(stage, 2, "burst", "1000"),
        .timeout_ms = ms_of(stage, 2, "timeout", "2s"),
        .retry_after_max_ms = ms_of(stage, 2, "retry_after_max", "60s"),
        .breaker_failures = int_of(stage, 2, "breaker_failures", "3"),
        .breaker_open_ms = ms_of(stage, 2, "breaker_open", "5s"),
        .breaker_open_max_ms = ms_of(stage, 2, "breaker_open_max", "20s"),
        .guard_percent = int_of(stage, 2, "guard", "50"),
        .found_lately_ms = ms_of(stage, 2, "found_lately", "1h"),
    };
    snprintf(policy->channel, sizeof(policy->channel), "%s", stage->words[1]);
    policy->can_close = value_of(stage, 2, "close", NULL);
    policy->closes = strcmp(value_of(stage, 2, "close", ""), "always") == 0;
    policy->accept_late = strcmp(value_of(stage, 2, "late", ""), "accept") == 0;
    policy->schedule.length =
        durations_read(policy->schedule.delays_ms, value_of(stage, 2, "schedule", "5s,30s"));
    policy->tail.length = durations_read(policy->tail.delays_ms, value_of(stage, 2, "tail", ""));
    return true;
}

static bool say_engine(struct stage *stage)
{
    stage->config.in_flight = int_of(stage, 1, "in_flight", "8");
    stage->config.batch_size = int_of(stage, 1, "batch", "4");
    stage->config.poll_ms = ms_of(stage, 1, "poll", "1s");
    stage->config.rescan_ms = ms_of(stage, 1, "rescan", "30s");
    stage->config.collect_ms = ms_of(stage, 1, "collect", "0");
    stage->config.lease_ms = ms_of(stage, 1, "lease", "60s");
    stage->config.crash_limit = int_of(stage, 1, "crash_limit", "3");
    stage->config.settle_cap = int_of(stage, 1, "cap", "0");
    return true;
}

static bool say_start(struct stage *stage)
{
    stage->policies_said = false;
    stage->config.policies = stage->policies;
    stage->config.policy_count = stage->policy_count;
    int result = stage->engine ? engine_configure(stage->engine, &stage->config, stage->now_ms)
                               : engine_create(&stage->engine, &stage->config, &stage_world, stage, 1);
    stage_advance(stage);
    return result == 0 || stage_fails(stage, "the engine was not created");
}

static bool say_stop(struct stage *stage)
{
    engine_stop(stage->engine, stage->now_ms);
    stage_advance(stage);
    return true;
}

static bool say_share(struct stage *stage)
{
    engine_share(stage->engine, (int)stage_number(stage->words[1]), (int)stage_number(stage->words[2]),
                 stage->now_ms);
    stage_advance(stage);
    return true;
}

/* Why is kept by the engine: a word that stays. */
static bool say_hold(struct stage *stage)
{
    engine_hold(stage->engine, stage->words[1], "paused");
    stage_advance(stage);
    return true;
}

static bool say_free(struct stage *stage)
{
    engine_hold(stage->engine, stage->words[1], NULL);
    stage_advance(stage);
    return true;
}

static bool pass_until(struct stage *stage, int64_t then_ms)
{
    for (int turns = 0; stage->next_ms <= then_ms; turns++) {
        if (turns > 10000)
            return stage_fails(stage, "the engine wants to be called for ever at %" PRId64 " ms",
                               stage->now_ms);
        if (stage->next_ms > stage->now_ms)
            stage->now_ms = stage->next_ms;
        int64_t before_ms = stage->next_ms;
        stage_advance(stage);
        if (stage->next_ms <= before_ms && stage->next_ms <= stage->now_ms)
            stage->next_ms = stage->now_ms + 1;
    }
    stage->now_ms = then_ms;
    stage_advance(stage);
    return true;
}

static bool say_at(struct stage *stage)
{
    return pass_until(stage, stage_number(stage->words[1]));
}

static bool say_after(struct stage *stage)
{
    return pass_until(stage, stage->now_ms + stage_number(stage->words[1]));
}

static bool say_row(struct stage *stage)
{
    struct lost_order *row = &stage->rows[stage->row_count++];
    *row = (struct lost_order){
        .attempt_id = stage->row_count,
        .amount_minor = ms_of(stage, 3, "amount", "100"),
        .age_ms = ms_of(stage, 3, "age", "0"),
        .left_ms = NO_END,
        .answers = int_of(stage, 3, "answers", "0"),
        .errors = int_of(stage, 3, "errors", "0"),
        .unknowns = int_of(stage, 3, "unknowns", "0"),
        .claims = int_of(stage, 3, "claims", "1"),
    };
    if (!phase_parse(value_of(stage, 3, "phase", "open"), &row->phase))
        return stage_fails(stage, "there is no such phase");
    if (value_of(stage, 3, "left", NULL))
        row->left_ms = ms_of(stage, 3, "left", "0");
    snprintf(row->number, sizeof(row->number), "%s", stage->words[1]);
    snprintf(row->order_no, sizeof(row->order_no), "%s", stage->words[1]);
    snprintf(row->channel, sizeof(row->channel), "%s", stage->words[2]);
    snprintf(row->currency, sizeof(row->currency), "%s", value_of(stage, 3, "currency", "CNY"));
    return true;
}

static bool say_claimed(struct stage *stage)
{
    if (!stage->claim[0])
        return stage_fails(stage, "no claim is under way");
    stage->claim[0] = '\0';
    engine_claimed(stage->engine, SOURCE_TABLE, stage->rows, stage->row_count, stage->now_ms);
    stage->row_count = 0;
    stage_advance(stage);
    return true;
}

/* What the database tells after a claim, or announces. */
static bool say_next(struct stage *stage)
{
    engine_due(stage->engine, stage->words[1], stage_number(stage->words[2]), stage->now_ms);
    engine_sleeps(stage->engine, true);
    stage_advance(stage);
    return true;
}

static bool say_due(struct stage *stage)
{
    engine_due(stage->engine, stage->words[1], 0, stage->now_ms);
    stage_advance(stage);
    return true;
}

static bool say_claim_fails(struct stage *stage)
{
    enum failure failure;
    if (!stage->claim[0] || !failure_parse(stage->words[2], &failure))
        return stage_fails(stage, "no claim is under way, or no such failure");
    stage->claim[0] = '\0';
    engine_claim_failed(stage->engine, SOURCE_TABLE, failure, "42501", stage->now_ms);
    stage_advance(stage);
    return true;
}

static bool say_answer(struct stage *stage)
{
    struct job *job = stage_asked_job(stage, stage->words[1]);
    struct evidence evidence = {.authentic = !value_of(stage, 3, "forged", NULL)};
    if (!job || !evidence_kind_parse(stage->words[2], &evidence.kind))
        return stage_fails(stage, "%s is not being asked, or there is no evidence %s", stage->words[1],
                           stage->words[2]);
    evidence.has_skew = value_of(stage, 3, "skew", NULL);
    evidence.skew_ms = ms_of(stage, 3, "skew", "0");
    evidence.has_amount = true;
    evidence.amount_minor = ms_of(stage, 3, "amount", "100");
    evidence.has_refunded = value_of(stage, 3, "refunded", NULL) != NULL;
    evidence.refunded_minor = ms_of(stage, 3, "refunded", "0");
    evidence.retry_after_ms = ms_of(stage, 3, "retry_after", "0");
    snprintf(evidence.currency, sizeof(evidence.currency), "%.3s", value_of(stage, 3, "currency", "CNY"));
    job->evidence = evidence;
    for (int i = 0, kept = 0; i < stage->asked_count; i++)
        if (stage->asked[i] != job)
            stage->asked[kept++] = stage->asked[i];
    stage->asked_count--;
    engine_answered(stage->engine, job, stage->now_ms);
    stage_advance(stage);
    return true;
}

static struct batch *batch_first(struct batch **batches, int *count)
{
    struct batch *first = batches[0];
    memmove(batches, batches + 1, (size_t)-- * count * sizeof(*batches));
    return first;
}

static bool say_settled(struct stage *stage)
{
    enum outcome outcomes[BATCH_MAX] = {OUTCOME_APPLIED};
    enum park_reason reasons[BATCH_MAX] = {PARK_NOTHING};
    if (stage->settle_count == 0)
        return stage_fails(stage, "no settle is under way");
    struct batch *batch = batch_first(stage->settles, &stage->settle_count);
    for (int i = 0; i < batch->count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s", value_of(stage, 1, batch->jobs[i]->order.number, "applied"));
        char *colon = strchr(text, ':');
        if (colon)
            *colon++ = '\0';
        if (!outcome_parse(text, &outcomes[i]) || (colon && !park_reason_parse(colon, &reasons[i])))
            return stage_fails(stage, "no such outcome: %s", text);
    }
    engine_settled(stage->engine, batch, outcomes, reasons, stage->now_ms);
    stage_advance(stage);
    return true;
}

static bool say_settle_fails(struct stage *stage)
{
    enum failure failure;
    if (stage->settle_count == 0 || !failure_parse(stage->words[2], &failure))
        return stage_fails(stage, "no settle is under way, or no such failure");
    struct batch *batch = batch_first(stage->settles, &stage->settle_count);
    const char *sqlstate = stage->word_count > 3 ? stage->words[3] : "";
    engine_settle_failed(stage->engine, batch, failure, sqlstate, stage->now_ms);
    stage_advance(stage);
    return true;
}

static bool say_released(struct stage *stage)
{
    if (stage->release_count == 0)
        return stage_fails(stage, "no release is under way");
    engine_released(stage->engine, batch_first(stage->releases, &stage->release_count), stage->now_ms);
    stage_advance(stage);
    return true;
}

/* --- the table of words --------------------------------------------------------------------------------- */

static const struct {
    const char *first;
    const char *second; /* or NULL: any */
    int least;          /* words */
    bool (*say)(struct stage *stage);
} sentences[] = {
    {"policy", NULL, 2, say_policy},
    {"engine", NULL, 1, say_engine},
    {"start", NULL, 1, say_start},
    {"reload", NULL, 1, say_start},
    {"stop", NULL, 1, say_stop},
    {"share", NULL, 3, say_share},
    {"hold", NULL, 2, say_hold},
    {"free", NULL, 2, say_free},
    {"at", NULL, 2, say_at},
    {"after", NULL, 2, say_after},
    {"row", NULL, 3, say_row},
    {"claimed", NULL, 1, say_claimed},
    {"next", NULL, 3, say_next},
    {"due", NULL, 2, say_due},
    {"claim", "fails", 3, say_claim_fails},
    {"answer", NULL, 3, say_answer},
    {"settled", NULL, 1, say_settled},
    {"settle", "fails", 3, say_settle_fails},
    {"released", NULL, 1, say_released},
    {"expect", "claim", 3, expect_claim},
    {"expect", "asked", 3, expect_asked},
    {"expect", "settle", 3, expect_settle},
    {"expect", "release", 3, expect_release},
    {"expect", "note", 3, expect_note},
    {"expect", "idle", 2, expect_idle},
    {"expect", "no", 3, expect_no},
    {"expect", "not", 4, expect_not_asked},
};

static bool line_plays(struct stage *stage, char *line)
{
    line[strcspn(line, "#\n")] = '\0';
    stage->word_count = 0;
    char *rest;
    for (char *word = strtok_r(line, " \t", &rest); word && stage->word_count < WORDS;
         word = strtok_r(NULL, " \t", &rest))
        stage->words[stage->word_count++] = word;
    if (stage->word_count == 0)
        return true;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        bool first = strcmp(stage->words[0], sentences[i].first) == 0;
        bool enough = stage->word_count >= sentences[i].least;
        if (first && enough && (!sentences[i].second || strcmp(stage->words[1], sentences[i].second) == 0))
            return sentences[i].say(stage);
    }
    return stage_fails(stage, "the stage does not know the sentence `%s ...`", stage->words[0]);
}

bool story_plays(const char *file, char *why, unsigned why_bytes)
{
    static const char defaults[] = "engine";
    char reason[512] = "";
    char line[512];
    struct stage stage = {.why = reason, .why_bytes = sizeof(reason), .next_ms = INT64_MAX};
    memcpy(line, defaults, sizeof(defaults));
    bool plays = line_plays(&stage, line);
    FILE *story = fopen(file, "r");
    int number = 0;
    while (plays && story && fgets(line, sizeof(line), story)) {
        number++;
        plays = line_plays(&stage, line);
    }
    if (!story || !plays)
        snprintf(why, why_bytes, "%s:%d: %s", file, number, story ? reason : "can not be opened");
    if (story)
        fclose(story);
    engine_destroy(stage.engine);
    return story && plays;
}
