/* Beating: once a second this daemon tells the others that it lives and what it does, and hears what it may do: its share
 * of every channel's limits, and which channels are held back. Loop's thread only; starts when the database is fit.
 *
 * A schema from before there was beating (the first release's) leaves the daemon alone with all limits to itself. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/daemon.h"
#include "io/log.h"

#define BEAT_MS 1000
#define SEAL_MS 60000

/* --- what it tells ------------------------------------------------------------------------------------------- */

static json_t *lane_tell(const struct lane_view *lane)
{
    return json_pack("{sI sI sI sI sI si si si si ss sb sb ss*}", "queries",
                     (json_int_t)lane->counters.queries, "answers", (json_int_t)lane->counters.answers,
                     "faults", (json_int_t)lane->counters.faults, "paid", (json_int_t)lane->counters.paid,
                     "ended", (json_int_t)lane->counters.ended, "ready", lane->ready, "asking", lane->asking,
                     "concurrency", lane->concurrency, "rate", lane->rate_per_second, "breaker",
                     lane->breaker_open ? "open" : "closed", "doubted", lane->halted, "shadow", lane->shadow,
                     "held", lane->held);
}

/* To be freed; NULL without memory. */
static char *lanes_tell(struct daemon *daemon)
{
    struct lane_view lane;
    json_t *lanes = json_object();
    for (int i = 0; engine_look_lane(daemon->engine, i, daemon_now_ms(), &lane); i++)
        json_object_set_new(lanes, lane.channel, lane_tell(&lane));
    char *text = json_dumps(lanes, JSON_COMPACT);
    json_decref(lanes);
    return text;
}

/* --- what it hears ------------------------------------------------------------------------------------------- */

static bool word_is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static bool is_in_maintenance(const struct policy *policy, int64_t utc_s)
{
    for (int i = 0; i < policy->window_count; i++)
        if (window_holds(&policy->windows[i], utc_s))
            return true;
    return false;
}

/* As it was heard last; also when a channel is new, or a window has begun. */
void daemon_channels_hold(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    for (int i = 0; i < config->channel_count; i++) {
        const struct policy *policy = &config->policies[i];
        const char *why = NULL;
        if (daemon->halted)
            why = "halted";
        else if (daemon->paused && word_is_among(daemon->paused, policy->channel))
            why = "paused";
        else if (is_in_maintenance(policy, (int64_t)time(NULL)))
            why = "maintenance";
        engine_hold(daemon->engine, policy->channel, why);
    }
}

static void share_take(struct daemon *daemon, int place, int living)
{
    if (daemon->place == place && daemon->living == living)
        return;
    char text[32];
    snprintf(text, sizeof(text), "%d of %d", place + 1, living);
    log_event(LOG_NOTED, "share_changed", "instance", text, NULL);
    daemon->place = place;
    daemon->living = living;
    engine_share(daemon->engine, place, living, daemon_now_ms());
}

/* The first answer is what the engine waits for: so many share the channels, those are held back. */
static void engine_let(struct daemon *daemon)
{
    if (daemon->fit)
        return;
    daemon->fit = true;
    engine_poke(daemon->engine);
}

static void held_take(struct daemon *daemon, bool halted, const char *paused)
{
    char *names = strdup(paused); /* without memory: what was heard last */
    if (names) {
        free(daemon->paused);
        daemon->paused = names;
        daemon->halted = halted;
    }
    daemon_channels_hold(daemon);
}

static void schema_is_old(struct daemon *daemon)
{
    if (!daemon->alone)
        log_event(
            LOG_WARNED, "schema_is_older", "detail",
            "run `makegood migrate`; until then nothing can be paused, and several daemons share no limits",
            NULL);
    daemon->alone = true;
    held_take(daemon, false, "");
    engine_let(daemon);
}

static void on_heard(void *self, const struct heard *heard, enum failure failure)
{
    struct daemon *daemon = self;
    daemon->beating = false;
    if (daemon->stopping)
        return;
    if (heard) {
        daemon->alone = false;
        share_take(daemon, heard->place, heard->living);
        held_take(daemon, heard->halted, heard->paused);
        engine_let(daemon);
    } else if (failure == FAILURE_SCHEMA) {
        schema_is_old(daemon);
    }
}

/* --- the beat ------------------------------------------------------------------------------------------------ */

/* Once a minute, and before it sleeps; by the first of the living. */
static void audit_seal(struct daemon *daemon, bool falls_asleep)
{
    int64_t now_ms = daemon_now_ms();
    if (daemon->alone || daemon->place != 0 || (!falls_asleep && now_ms - daemon->sealed_ms < SEAL_MS))
        return;
    daemon->sealed_ms = now_ms;
    store_seal(daemon->store);
}

static void beat(struct daemon *daemon, int64_t period_ms)
{
    char *lanes = lanes_tell(daemon);
    daemon->beating = true;
    store_beat(daemon->store, MAKEGOOD_VERSION, period_ms, lanes ? lanes : "{}", on_heard, daemon);
    free(lanes);
}

/* Nothing was done since the last beat, nothing will be until it is due or announced, and whatever operators do is. */
static bool is_asleep(struct daemon *daemon)
{
    struct engine_view view;
    engine_look(daemon->engine, &view);
    bool idle = view.queries == daemon->queries_beaten && engine_is_asleep(daemon->engine);
    daemon->queries_beaten = view.queries;
    return idle && !daemon->halted && !(daemon->paused && *daemon->paused);
}

/* Only one at a time: a database that is slow to answer is not asked faster. Asleep it beats in step with the scans; the
 * others miss it after five of the periods that it tells, which is two of those beats. */
static void on_beat(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (daemon->beating || daemon->stopping)
        return;
    if (daemon->alone && ++daemon->beats_missed % 60 != 0) { /* somebody may migrate meanwhile */
        daemon_channels_hold(daemon);
        return;
    }
    int64_t seldom_ms = daemon->config->engine.rescan_ms;
    bool seldom = seldom_ms > BEAT_MS && is_asleep(daemon);
    audit_seal(daemon, seldom && !daemon->beats_seldom);
    beat(daemon, seldom ? seldom_ms * 2 / 5 : BEAT_MS);
    if (seldom != daemon->beats_seldom)
        uv_timer_set_repeat(timer, (uint64_t)(seldom ? seldom_ms : BEAT_MS));
    daemon->beats_seldom = seldom;
}

void daemon_beat_start(struct daemon *daemon)
{
    daemon->beats_seldom = false;
    uv_timer_start(&daemon->beat, on_beat, 0, BEAT_MS);
}

void daemon_beat_often(struct daemon *daemon)
{
    if (daemon->beats_seldom)
        daemon_beat_start(daemon);
}

void daemon_beat_now(struct daemon *daemon)
{
    if (daemon->fit && !daemon->stopping)
        daemon_beat_start(daemon);
}

static void on_left(void *self)
{
    struct daemon *daemon = self;
    daemon->left = true;
}

void daemon_beat_stop(struct daemon *daemon)
{
    uv_timer_stop(&daemon->beat);
    if (daemon->alone)
        daemon->left = true;
    else
        store_leave(daemon->store, on_left, daemon);
}
