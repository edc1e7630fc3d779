/* makegood run: starts the parts, hands the signals out, and ends in order. Loop's thread only. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/commands.h"
#include "daemon/config_differs.h"
#include "daemon/daemon.h"
#include "daemon/expiry.h"
#include "daemon/pages.h"
#include "io/log.h"
#include "io/notify.h"

#define UPKEEP_MS       (6 * 3600 * 1000)
#define UPKEEPS_A_DAY   4
#define EXIT_AT_ONCE    1
#define KEPT_PER_WORKER 128

/* --- ending -------------------------------------------------------------------------------------------------- */

static void on_stop_bound(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    struct engine_view view;
    engine_look(daemon->engine, &view);
    char left[16];
    snprintf(left, sizeof(left), "%d", view.in_flight);
    log_event(LOG_WARNED, "stop_bound_reached", "in_flight", left, "detail", "their leases take care of them",
              NULL);
    uv_stop(&daemon->loop);
}

static void on_term(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;
    if (daemon->stopping) {
        log_event(LOG_WARNED, "stopped_at_once", "signal", strsignal(number), NULL);
        _exit(EXIT_AT_ONCE);
    }
    daemon->stopping = true;
    log_event(LOG_NOTED, "stopping", "signal", strsignal(number), NULL);
    notify_stopping(daemon->config->stop_ms);
    engine_stop(daemon->engine, daemon_now_ms());
    if (daemon->broker)
        broker_stop(daemon->broker);
    daemon_beat_stop(daemon);
    uv_timer_start(&daemon->stop_bound, on_stop_bound, (uint64_t)daemon->config->stop_ms, 0);
}

/* --- reloading ----------------------------------------------------------------------------------------------- */

static int config_take(struct daemon *daemon, struct config *next)
{
    if (engine_configure(daemon->engine, &next->engine, daemon_now_ms()) < 0)
        return -ENOMEM;
    struct config *old = daemon->config;
    daemon->config = next;
    log_start((enum log_priority)next->log_level, getenv("JOURNAL_STREAM") != NULL);
    daemon_channels_hold(daemon);
    daemon_drop_config(daemon, old);
    store_announce(daemon->store, next->policies, next->channel_count);
    return 0;
}

/* Files are read anew, but what the service manager handed over is a copy of what they were at the start. */
static void credentials_log(void)
{
    if (getenv("CREDENTIALS_DIRECTORY"))
        log_event(LOG_NOTED, "credentials_stay", "detail",
                  "files of LoadCredential= are those of the start; restart the service to change them",
                  NULL);
}

static void on_hup(uv_signal_t *signal, int number)
{
    (void)number;
    struct daemon *daemon = signal->data;
    struct faults faults;
    struct config *next = NULL;
    faults_init(&faults);
    notify_reloading();
    int result = config_load(&next, daemon->config->file, &faults);
    if (result == 0)
        result = config_differs_fixed(daemon->config, next, &faults);
    if (result == 0)
        result = config_take(daemon, next);
    if (result == 0) {
        daemon->counters.reloads++;
        log_event(LOG_NOTED, "reloaded", "file", daemon->config->file, NULL);
        credentials_log();
        expiry_log(daemon->config);
    } else {
        daemon->counters.reloads_refused++;
        daemon_faults_log(&faults, "reload_fault");
        log_event(LOG_FAILED, "reload_refused", "detail", "the old configuration stays in force", NULL);
        if (next)
            config_drop(next);
    }
    daemon->counters.reload_refused = result < 0;
    if (daemon->ready)
        notify_ready();
    faults_finish(&faults);
}

/* --- starting ------------------------------------------------------------------------------------------------ */

static void on_upkeep(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (daemon->fit)
        store_prepare_months(daemon->store);
    if (++daemon->upkeeps % UPKEEPS_A_DAY == 0)
        expiry_log(daemon->config);
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer; /* the turn that follows does the work */
}

/* Before the loop sleeps: everything that happened in this turn is in, the engine draws its conclusions at once. */
static void on_turn(uv_prepare_t *turn)
{
    struct daemon *daemon = turn->data;
    daemon->turns++;
    if (!daemon->fit && !daemon->stopping)
        return;
    int64_t now_ms = daemon_now_ms();
    int64_t next_ms = engine_advance(daemon->engine, now_ms);
    pool_flush(daemon->pool);
    if (daemon->left && engine_is_idle(daemon->engine)) {
        uv_stop(&daemon->loop);
        return;
    }
    uv_update_time(&daemon->loop);
    if (next_ms == INT64_MAX)
        uv_timer_stop(&daemon->wake);
    else
        uv_timer_start(&daemon->wake, on_wake, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 0, 0);
}

static void loop_init(struct daemon *daemon)
{
    uv_loop_init(&daemon->loop);
    uv_timer_t *timers[] = {&daemon->wake,     &daemon->stop_bound, &daemon->status,
                            &daemon->watchdog, &daemon->upkeep,     &daemon->beat};
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        uv_timer_init(&daemon->loop, timers[i]);
        timers[i]->data = daemon;
    }
    uv_signal_t *signals[] = {&daemon->hup, &daemon->term, &daemon->interrupt};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        uv_signal_init(&daemon->loop, signals[i]);
        signals[i]->data = daemon;
    }
    uv_prepare_init(&daemon->loop, &daemon->turn);
    daemon->turn.data = daemon;
}

/* While nobody listens (starting, ending), a signal waits instead of killing: how is SIG_BLOCK or SIG_UNBLOCK. */
static void signals_hold(int how)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(how, &ours, NULL);
}

static void loop_watch(struct daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_start(&daemon->hup, on_hup, SIGHUP);
    uv_signal_start(&daemon->term, on_term, SIGTERM);
    uv_signal_start(&daemon->interrupt, on_term, SIGINT);
    uv_prepare_start(&daemon->turn, on_turn);
    uv_timer_start(&daemon->upkeep, on_upkeep, UPKEEP_MS, UPKEEP_MS);
    daemon_status_start(daemon);
    daemon_watchdog_start(daemon);
    signals_hold(SIG_UNBLOCK);
}

static int parts_create(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return -errno;
    struct pg_options pg = {.conninfo = config->database_url,
                            .application_name = "makegood",
                            .prepared = config->prepared,
                            .connect_timeout_ms = config->connect_timeout_ms,
                            .call_timeout_ms = config->call_timeout_ms,
                            .backoff_first_ms = 100,
                            .backoff_max_ms = 5000};
    struct pool_options pool = {.workers = config->workers,
                                .connections = KEPT_PER_WORKER,
                                .user_agent = "makegood/" MAKEGOOD_VERSION,
                                .done = daemon_questions_done,
                                .self = daemon};
    daemon->errands = calloc((size_t)config->engine.in_flight, sizeof(*daemon->errands));
    int result = daemon->errands ? 0 : -ENOMEM;
    if (result == 0)
        result = engine_create(&daemon->engine, &config->engine, &daemon_world, daemon, seed);
    if (result == 0)
        result = pool_create(&daemon->pool, &daemon->loop, &pool);
    if (result == 0)
        result = store_create(&daemon->store, &daemon->loop, &pg, config->instance, config->precise,
                              &daemon_store_events, daemon);
    if (result == 0)
        result = daemon_post_create(daemon);
    if (result == 0)
        result = pages_create(&daemon->pages, daemon, &pg);
    return result;
}

static void on_walk(uv_handle_t *handle, void *self)
{
    (void)self;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void parts_destroy(struct daemon *daemon)
{
    signals_hold(SIG_BLOCK);
    pages_destroy(daemon->pages);
    if (daemon->broker)
        broker_destroy(daemon->broker);
    if (daemon->store)
        store_destroy(daemon->store);
    if (daemon->pool)
        pool_destroy(daemon->pool);
    uv_run(&daemon->loop, UV_RUN_NOWAIT);
    uv_walk(&daemon->loop, on_walk, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
    for (int i = 0; daemon->errands && i < daemon->config->engine.in_flight; i++)
        if (daemon->errands[i].config)
            config_drop(daemon->errands[i].config);
    engine_destroy(daemon->engine);
    free(daemon->errands);
    free(daemon->paused);
    free(daemon->topics);
}

int command_run(const struct options *options)
{
    struct daemon daemon = {
        .progress = options->progress, .started_ms = daemon_now_ms(), .started_s = (int64_t)time(NULL)};
    struct faults faults;
    faults_init(&faults);
    signals_hold(SIG_BLOCK);
    log_start(LOG_NOTED, getenv("JOURNAL_STREAM") != NULL);
    if (config_load(&daemon.config, options->config_file, &faults) < 0) {
        daemon_faults_log(&faults, "config_fault");
        faults_finish(&faults);
        return 1;
    }
    log_start((enum log_priority)daemon.config->log_level, getenv("JOURNAL_STREAM") != NULL);
    log_event(LOG_NOTED, "started", "version", MAKEGOOD_VERSION, "instance", daemon.config->instance,
              "config", options->config_file, NULL);
    expiry_log(daemon.config);
    loop_init(&daemon);
    int result = parts_create(&daemon);
    if (result == 0) {
        loop_watch(&daemon);
        uv_run(&daemon.loop, UV_RUN_DEFAULT);
    } else {
        log_event(LOG_FAILED, "start_failed", "detail", strerror(-result), NULL);
        daemon.exit_code = 1;
    }
    parts_destroy(&daemon);
    config_drop(daemon.config);
    faults_finish(&faults);
    log_event(LOG_NOTED, "stopped", NULL);
    return daemon.exit_code;
}
