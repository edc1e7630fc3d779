/* Telling people: the STATUS= line for systemd, the progress line on stdout, and the watchdog. Loop's thread only. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/daemon.h"
#include "io/notify.h"

#define STATUS_MS   10000
#define PROGRESS_MS 1000

static uint64_t resolved_by(const struct engine_view *view)
{
    return view->verdicts[VERDICT_PAID] + view->verdicts[VERDICT_CLOSED] + view->verdicts[VERDICT_REFUNDED];
}

static void status_tell(struct daemon *daemon, const struct backlog *backlog)
{
    struct engine_view view;
    engine_look(daemon->engine, &view);
    int64_t now_ms = daemon_now_ms();
    int64_t passed_ms = now_ms > daemon->told_ms ? now_ms - daemon->told_ms : 1;
    uint64_t per_second = (view.queries - daemon->queries_told) * 1000 / (uint64_t)passed_ms;
    daemon->queries_told = view.queries;
    daemon->told_ms = now_ms;
    char line[256];
    snprintf(line, sizeof(line),
             "resolved %" PRIu64 ", waiting %" PRId64 ", parked %" PRId64 ", in flight %d, %" PRIu64
             " queries/s, oldest %" PRId64 " s%s",
             resolved_by(&view), backlog->waiting, backlog->parked, view.in_flight, per_second,
             backlog->oldest_age_ms / 1000, view.unfit ? ", DATABASE UNFIT" : "");
    notify_status(line);
    if (!daemon->progress)
        return;
    printf("%5" PRId64 " s  %s\n", (now_ms - daemon->started_ms) / 1000, line);
    fflush(stdout);
}

static void on_backlog(void *self, const struct backlog *found)
{
    struct daemon *daemon = self;
    if (found)
        status_tell(daemon, found);
    else
        notify_status("the database does not answer");
}

static void on_status(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    bool told = daemon->told_asleep;
    daemon->told_asleep = daemon->beats_seldom;
    if (told && daemon->beats_seldom && !daemon->progress)
        return; /* what was told last holds */
    store_backlog(daemon->store, on_backlog, daemon);
}

void daemon_status_start(struct daemon *daemon)
{
    uint64_t period_ms = daemon->progress ? PROGRESS_MS : STATUS_MS;
    daemon->told_ms = daemon->started_ms;
    uv_timer_start(&daemon->status, on_status, period_ms, period_ms);
}

/* Fed only when the loop turned since the last time: a daemon that hangs is restarted by systemd. */
static void on_watchdog(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (daemon->turns != daemon->turns_fed)
        notify_watchdog();
    daemon->turns_fed = daemon->turns;
}

void daemon_watchdog_start(struct daemon *daemon)
{
    int64_t interval_ms = notify_watchdog_interval_ms();
    if (interval_ms > 0)
        uv_timer_start(&daemon->watchdog, on_watchdog, 0, (uint64_t)(interval_ms / 2));
}
