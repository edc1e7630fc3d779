/* Metrics and health: see pages.h. From memory alone; no visit asks the database. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/metric_text.h"
#include "daemon/metrics.h"
#include "daemon/pages_inner.h"

#define LANES_MAX 512 /* of the configuration, and those that are leaving */

/* A failover takes so long: not worth a word to who decides about us. */
#define DOWN_MOST_MS 10000

/* --- health -------------------------------------------------------------------------------------------------- */

const char *daemon_unready(const struct daemon *daemon)
{
    struct engine_view view;
    engine_look(daemon->engine, &view);
    if (daemon->stopping)
        return "it ends";
    if (!daemon->fit)
        return "the database was not found fit yet";
    if (daemon->down_since_ms && daemon_now_ms() - daemon->down_since_ms > DOWN_MOST_MS)
        return "the database is down";
    if (view.unfit)
        return "the database refuses to claim or to settle; makegood check says why";
    return NULL;
}

void healthz_answer(struct pages *pages, struct web_visit *visit)
{
    (void)pages;
    text_answer(visit, 200, PLAIN, "ok\n"); /* the loop turns: it has just said so */
}

void readyz_answer(struct pages *pages, struct web_visit *visit)
{
    char line[128];
    const char *why = daemon_unready(pages->daemon);
    snprintf(line, sizeof(line), "not ready: %s\n", why ? why : "");
    text_answer(visit, why ? 503 : 200, PLAIN, why ? line : "ready\n");
}

/* --- metrics ------------------------------------------------------------------------------------------------- */

static int lanes_look(const struct daemon *daemon, struct lane_view lanes[LANES_MAX])
{
    int count = 0;
    while (count < LANES_MAX && engine_look_lane(daemon->engine, count, daemon_now_ms(), &lanes[count]))
        count++;
    return count;
}

/* To be freed; NULL without memory. */
static char *metrics_text(const struct pages *pages, bool open)
{
    const struct daemon *daemon = pages->daemon;
    struct broker_view broker;
    if (daemon->broker)
        broker_look(daemon->broker, &broker);
    struct metrics_seen seen = {.config = daemon->config,
                                .broker = daemon->broker ? &broker : NULL,
                                .counters = daemon->counters,
                                .ready = !daemon_unready(daemon),
                                .database_up = store_is_up(daemon->store),
                                .living = daemon->living,
                                .overview = pages_are_fresh(pages) ? pages->overview : NULL,
                                .overview_s = pages->overview_s};
    char *text = NULL;
    size_t bytes = 0;
    struct lane_view *lanes = calloc(LANES_MAX, sizeof(*lanes));
    FILE *out = lanes ? open_memstream(&text, &bytes) : NULL;
    if (out) {
        seen.lanes = lanes;
        seen.lane_count = lanes_look(daemon, lanes);
        engine_look(daemon->engine, &seen.engine);
        process_look(daemon->started_s, &seen.process);
        metrics_write(out, open, &seen);
    }
    if (out && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    free(lanes);
    return text;
}

void metrics_answer(struct pages *pages, struct web_visit *visit)
{
    bool open = metric_wants_open(web_header(visit, "Accept"));
    char *text = metrics_text(pages, open);
    if (text)
        text_answer(visit, 200, open ? METRIC_TYPE_OPEN : METRIC_TYPE, text);
    else
        text_answer(visit, 503, PLAIN, "out of memory\n");
    free(text);
}
