/* The engine: creation, claims, and the turn of the wheel. Lanes are in engine_lane.c, settling in engine_settle.c,
 * the one function that moves jobs in engine_job.c. Pure: no clock, thread, socket or global. One thread; called by a world (daemon or
 * simulator). */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_inner.h"

/* --- creation and configuration ------------------------------------------------------------------------- */

static void engine_adopt_config(struct engine *engine, const struct engine_config *config)
{
    int in_flight = engine->config.in_flight;
    engine->config = *config;
    if (in_flight)
        engine->config.in_flight = in_flight;
    engine->config.policies = NULL;
    for (int i = 0; i < SOURCE_KINDS; i++)
        engine->feeds[i].settle_limit = config->batch_size;
    assert(config->batch_size > 0 && config->batch_size <= BATCH_MAX && config->policy_count > 0);
}

int engine_create(struct engine **out, const struct engine_config *config, const struct engine_world *world,
                  void *self, uint64_t seed)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return -ENOMEM;
    engine->world = *world;
    engine->self = self;
    engine->random = seed;
    engine->living = 1;
    for (int i = 0; i < SOURCE_KINDS; i++)
        engine->feeds[i].kind = (enum source_kind)i;
    engine->jobs = calloc((size_t)config->in_flight, sizeof(*engine->jobs));
    if (!engine->jobs)
        goto fail;
    for (int i = 0; i < config->in_flight; i++) {
        engine->jobs[i].slot = (uint32_t)i;
        job_list_move(&engine->jobs[i], &engine->lists[JOB_FREE], false);
    }
    if (engine_configure(engine, config, 0) < 0)
        goto fail;
    *out = engine;
    return 0;
fail:
    engine_destroy(engine);
    return -ENOMEM;
}

static void lanes_destroy(struct lane *lane)
{
    while (lane) {
        struct lane *next = lane->next;
        free(lane);
        lane = next;
    }
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    lanes_destroy(engine->lanes);
    for (int i = 0; i < SOURCE_KINDS; i++)
        free(engine->feeds[i].wants);
    free(engine->jobs);
    free(engine);
}

static struct lane *lane_find(struct engine *engine, const char *channel)
{
    struct lane *lane = engine->lanes;
    while (lane && strcmp(lane->policy.channel, channel) != 0)
        lane = lane->next;
    return lane;
}

/* Lanes for the channels that are new; NULL in *out when there is none. */
static int lanes_create_new(struct engine *engine, const struct engine_config *config, int64_t now_ms,
                            struct lane **out)
{
    *out = NULL;
    for (int i = 0; i < config->policy_count; i++) {
        if (lane_find(engine, config->policies[i].channel))
            continue;
        struct lane *lane = lane_create(&config->policies[i], now_ms);
        if (!lane) {
            lanes_destroy(*out);
            return -ENOMEM;
        }
        lane->next = *out;
        *out = lane;
    }
    return 0;
}

static void lanes_append(struct engine *engine, struct lane *added)
{
    struct lane **end = &engine->lanes;
    while (*end)
        end = &(*end)->next;
    *end = added;
}

/* One for each lane, in each feed. */
static bool wants_reserve(struct engine *engine, int count)
{
    for (int i = 0; i < SOURCE_KINDS; i++) {
        struct claim_want *wants = realloc(engine->feeds[i].wants, (size_t)count * sizeof(*wants));
        if (!wants)
            return false;
        engine->feeds[i].wants = wants;
    }
    return true;
}

int engine_configure(struct engine *engine, const struct engine_config *config, int64_t now_ms)
{
    struct lane *added;
    if (!wants_reserve(engine, config->policy_count) || lanes_create_new(engine, config, now_ms, &added) < 0)
        return -ENOMEM;
    lanes_append(engine, added);
    for (struct lane *lane = engine->lanes; lane; lane = lane->next)
        lane->retired = true;
    for (int i = 0; i < config->policy_count; i++)
        lane_configure(lane_find(engine, config->policies[i].channel), &config->policies[i], now_ms);
    engine->lane_count = config->policy_count;
    engine_adopt_config(engine, config);
    engine_share(engine, engine->place, engine->living, now_ms);
    settle_wake(engine, now_ms);
    engine_poke(engine);
    return 0;
}

/* In any minute no more than the cap may end: a tenth at once, the rest as it comes. */
static void cap_share(struct engine *engine, int64_t now_ms)
{
    int cap = share_of(engine->config.settle_cap, engine->place, engine->living);
    int depth = cap > 10 ? cap / 10 : 1;
    bucket_resize(&engine->cap, cap > depth ? cap - depth : 1, depth, now_ms / 60);
}

void engine_share(struct engine *engine, int place, int living, int64_t now_ms)
{
    assert(0 <= place && place < living);
    engine->place = place;
    engine->living = living;
    for (struct lane *lane = engine->lanes; lane; lane = lane->next)
        lane_share(lane, place, living, now_ms);
    cap_share(engine, now_ms);
}

void engine_hold(struct engine *engine, const char *channel, const char *why)
{
    struct lane *lane = lane_find(engine, channel);
    if (!lane)
        return;
    bool changes = !lane->held != !why;
    lane->held = why;
    if (changes)
        engine_note(engine, why ? NOTE_CHANNEL_HELD : NOTE_CHANNEL_FREED, lane, NULL, why, 0);
    if (changes && !why)
        engine_poke(engine);
}

/* --- claims --------------------------------------------------------------------------------------------- */

static struct lane *lane_after(struct engine *engine, struct lane *lane)
{
    return lane && lane->next ? lane->next : engine->lanes;
}

static int lanes_drawing(const struct engine *engine, enum source_kind kind)
{
    int count = 0;
    for (const struct lane *lane = engine->lanes; lane; lane = lane->next)
        count += lane_draws(lane, kind);
    return count;
}

/* Fills the feed's wants: every lane gets at most its share of what is left of one batch. */
static int wants_gather(struct engine *engine, struct feed *feed, bool polling, int64_t now_ms)
{
    int budget = (int)smaller(engine->lists[JOB_FREE].count, engine->config.batch_size);
    int count = 0;
    int lanes_left = lanes_drawing(engine, feed->kind);
    struct lane *start = feed->first_to_want ? feed->first_to_want : engine->lanes;
    struct lane *lane = start;
    do {
        struct draw *draw = &lane->draws[feed->kind];
        draw->wanted = draw->got = 0;
        if (lane_draws(lane, feed->kind)) {
            int share = (budget + lanes_left - 1) / lanes_left;
            bool due = polling || (draw->due_ms != NEVER_MS && lane_due_ms(feed, lane) <= now_ms);
            int want = lane_wants(engine, lane, feed->kind, due, now_ms);
            lanes_left--;
            draw->wanted = want < share ? want : share;
            draw->more_due = draw->more_due || (due && draw->wanted == 0);
            draw->due_ms = due || draw->wanted > 0 ? NEVER_MS : draw->due_ms;
            budget -= draw->wanted;
        }
        if (draw->wanted > 0)
            feed->wants[count++] = (struct claim_want){lane->policy.channel, draw->wanted};
        lane = lane_after(engine, lane);
    } while (lane != start);
    feed->first_to_want = lane_after(engine, start);
    return count;
}

static int64_t feed_pause_ms(const struct engine *engine, const struct feed *feed)
{
    return feed->sleeps ? engine->config.rescan_ms : engine->config.poll_ms;
}

/* The broker's claim waits: a channel that could want nothing when it was sent need not wait with it. */
static bool claim_is_narrow(struct engine *engine, const struct feed *feed, int64_t now_ms)
{
    if (feed->kind == SOURCE_BROKER)
        for (struct lane *lane = engine->lanes; lane; lane = lane->next)
            if (lane->draws[feed->kind].wanted == 0 && lane_wants(engine, lane, feed->kind, true, now_ms) > 0)
                return true;
    return false;
}

static void feed_claim(struct engine *engine, struct feed *feed, int64_t now_ms)
{
    if (engine->stopping || feed->unfit_settle || now_ms < feed->claim_not_before_ms)
        return;
    if (feed->claiming && !claim_is_narrow(engine, feed, now_ms))
        return;
    bool polling = feed->claiming || now_ms >= feed->poll_at_ms;
    int count = wants_gather(engine, feed, polling, now_ms);
    if (polling)
        feed->poll_at_ms = now_ms + feed_pause_ms(engine, feed);
    if (count == 0)
        return;
    feed->claiming = true;
    feed->claim_sent_ms = now_ms;
    engine->view.claims++;
    engine->world.sources[feed->kind].claim(engine->self, feed->wants, count, engine->config.lease_ms);
}

/* Parked without being asked again: it was claimed too often without a settlement (correctness 11). */
static void job_park_as_crashing(struct engine *engine, struct job *job, int64_t now_ms)
{
    struct situation situation = {.since_claim_ms = now_ms - job->received_at_ms,
                                  .chance = engine_chance(engine)};
    job->verdict = decide(&job->order, &job->evidence, &job->lane->policy, &situation);
    job_move(engine, job, JOB_ANSWERED);
}

/* An order of a channel that went meanwhile, or for which the other source took the last slot, is refused. */
static void order_take(struct engine *engine, struct feed *feed, const struct lost_order *order,
                       int64_t now_ms)
{
    struct lane *lane = lane_find(engine, order->channel);
    struct job *job = engine->lists[JOB_FREE].first;
    const struct source *source = &engine->world.sources[feed->kind];
    if ((!lane || !job) && source->refuse)
        source->refuse(engine->self, order);
    if (!lane || !job)
        return;
    lane->draws[feed->kind].got++;
    job->lane = lane;
    job->source = feed->kind;
    job->order = *order;
    job->evidence = (struct evidence){.kind = EVIDENCE_NONE};
    job->last = job->poison = false;
    job->claimed_at_ms = feed->kind == SOURCE_TABLE ? feed->claim_sent_ms : now_ms;
    job->received_at_ms = now_ms;
    job_move(engine, job, JOB_READY);
    if (order->claims > 2 * engine->config.crash_limit)
        job_park_as_crashing(engine, job, now_ms);
}

/* The broker is asked again at once: it answers when it has something, or after a while. */
void engine_claimed(struct engine *engine, enum source_kind source, const struct lost_order *orders,
                    int count, int64_t now_ms)
{
    struct feed *feed = &engine->feeds[source];
    assert(feed->claiming);
    feed->claiming = false;
    feed->claim_failures = 0;
    if (feed->unfit_claim)
        engine_note(engine, NOTE_DATABASE_FIT, NULL, NULL, "claim", 0);
    feed->unfit_claim = false;
    for (int i = 0; i < count; i++)
        order_take(engine, feed, &orders[i], now_ms);
    for (struct lane *lane = engine->lanes; lane; lane = lane->next)
        if (lane->draws[source].wanted > 0)
            lane->draws[source].more_due = lane->draws[source].got >= lane->draws[source].wanted;
    if (source == SOURCE_BROKER)
        feed->poll_at_ms = now_ms;
}

void engine_due(struct engine *engine, const char *channel, int64_t in_ms, int64_t now_ms)
{
    struct lane *lane = lane_find(engine, channel);
    if (lane)
        lane_is_due(lane, now_ms + in_ms);
}

void engine_sleeps(struct engine *engine, bool sleeps)
{
    struct feed *feed = &engine->feeds[SOURCE_TABLE];
    bool changes = feed->sleeps != sleeps;
    feed->sleeps = sleeps;
    if (changes)
        feed->poll_at_ms = feed->claim_sent_ms + feed_pause_ms(engine, feed);
}

void engine_claim_failed(struct engine *engine, enum source_kind source, enum failure failure,
                         const char *sqlstate, int64_t now_ms)
{
    struct feed *feed = &engine->feeds[source];
    assert(feed->claiming);
    feed->claiming = false;
    bool unfit = failure == FAILURE_SCHEMA || failure == FAILURE_ROW;
    int64_t wait_ms = unfit ? UNFIT_REPEAT_MS : backoff_ms(engine, ++feed->claim_failures);
    feed->claim_not_before_ms = now_ms + wait_ms;
    feed->poll_at_ms = feed->claim_not_before_ms;
    if (unfit && !feed->unfit_claim)
        engine_note(engine, NOTE_DATABASE_UNFIT, NULL, NULL, sqlstate, wait_ms);
    if (!unfit && feed->claim_failures == 1)
        engine_note(engine, NOTE_CLAIM_FAILED, NULL, NULL, failure_text(failure), wait_ms);
    feed->unfit_claim = feed->unfit_claim || unfit;
}

/* --- the turn of the wheel ------------------------------------------------------------------------------ */

static bool is_claiming(const struct engine *engine)
{
    for (int i = 0; i < SOURCE_KINDS; i++)
        if (engine->feeds[i].claiming)
            return true;
    return false;
}

static void lanes_bury(struct engine *engine)
{
    struct lane **place = &engine->lanes;
    while (*place) {
        struct lane *lane = *place;
        if (!lane->retired || lane->used > 0) {
            place = &lane->next;
            continue;
        }
        for (int i = 0; i < SOURCE_KINDS; i++)
            if (engine->feeds[i].first_to_want == lane)
                engine->feeds[i].first_to_want = NULL;
        *place = lane->next;
        free(lane);
    }
}

/* When the feed is to be claimed from. */
static int64_t feed_next_ms(const struct engine *engine, const struct feed *feed, int64_t now_ms)
{
    bool draws = false;
    int64_t claim_ms = feed->poll_at_ms;
    if (feed->claiming || engine->stopping || feed->unfit_settle)
        return NEVER_MS;
    for (struct lane *lane = engine->lanes; lane; lane = lane->next) {
        draws = draws || lane_draws(lane, feed->kind);
        if (lane->draws[feed->kind].due_ms != NEVER_MS && !lane_is_blocked(lane, now_ms))
            claim_ms = smaller(claim_ms, lane_due_ms(feed, lane));
    }
    if (!draws)
        return NEVER_MS;
    return claim_ms > feed->claim_not_before_ms ? claim_ms : feed->claim_not_before_ms;
}

static int64_t engine_next_ms(struct engine *engine, int64_t now_ms)
{
    int64_t next_ms = settle_next_ms(engine, now_ms);
    for (struct lane *lane = engine->lanes; lane; lane = lane->next)
        next_ms = smaller(next_ms, lane_next_ms(engine, lane, now_ms));
    for (int i = 0; i < SOURCE_KINDS; i++)
        next_ms = smaller(next_ms, feed_next_ms(engine, &engine->feeds[i], now_ms));
    return next_ms;
}

int64_t engine_advance(struct engine *engine, int64_t now_ms)
{
    if (!is_claiming(engine)) /* a claim under way holds names of lanes */
        lanes_bury(engine);
    lanes_start(engine, now_ms); /* first: channels take longer than we do */
    settle_advance(engine, now_ms);
    lanes_release(engine, now_ms);
    for (int i = 0; i < SOURCE_KINDS; i++)
        feed_claim(engine, &engine->feeds[i], now_ms);
    return engine_next_ms(engine, now_ms);
}

void engine_stop(struct engine *engine, int64_t now_ms)
{
    engine->stopping = true;
    settle_wake(engine, now_ms);
}

bool engine_is_asleep(const struct engine *engine)
{
    const struct feed *table = &engine->feeds[SOURCE_TABLE];
    return table->sleeps && !table->claiming && engine->lists[JOB_FREE].count == engine->config.in_flight;
}

bool engine_is_idle(const struct engine *engine)
{
    return !is_claiming(engine) && engine->lists[JOB_FREE].count == engine->config.in_flight;
}

void engine_poke(struct engine *engine)
{
    for (int i = 0; i < SOURCE_KINDS; i++)
        engine->feeds[i].poll_at_ms = engine->feeds[i].claim_not_before_ms = 0;
}

static bool is_unfit(const struct engine *engine)
{
    for (int i = 0; i < SOURCE_KINDS; i++)
        if (engine->feeds[i].unfit_claim || engine->feeds[i].unfit_settle)
            return true;
    return false;
}

void engine_look(const struct engine *engine, struct engine_view *out)
{
    *out = engine->view;
    out->in_flight = engine->config.in_flight - engine->lists[JOB_FREE].count;
    out->asking = engine->lists[JOB_ASKING].count;
    out->unfit = is_unfit(engine);
}

bool engine_look_lane(const struct engine *engine, int index, int64_t now_ms, struct lane_view *out)
{
    const struct lane *lane = engine->lanes;
    while (lane && index-- > 0)
        lane = lane->next;
    if (!lane)
        return false;
    *out = (struct lane_view){.channel = lane->policy.channel,
                              .counters = lane->counters,
                              .ready = lane->ready.count + lane->suspects.count,
                              .asking = lane->asking,
                              .concurrency = lane->policy.concurrency,
                              .rate_per_second = lane->policy.rate_per_second,
                              .tokens = bucket_tokens(&lane->bucket, now_ms),
                              .breaker_open = lane->breaker.open,
                              .has_skew = lane->has_skew,
                              .skew_ms = lane->skew_ms,
                              .shadow = lane->policy.shadow,
                              .held = lane->held,
                              .halted = lane->guard.halted,
                              .paused_until_ms = lane->paused_until_ms > now_ms ? lane->paused_until_ms : 0};
    return true;
}
