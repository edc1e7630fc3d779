/* The pages: see pages.h. Owns the web server, the connection to look through, and the last overview. */
#include "daemon/pages.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/metric_text.h"
#include "daemon/metrics.h"
#include "io/log.h"
#include "io/look.h"
#include "io/web.h"

#define LOOK_MS     10000
#define FRESH_S     60 /* older figures are not told */
#define PATIENCE_MS 20000
#define LANES_MAX   512 /* of the configuration, and those that are leaving */
#define PLAIN       "text/plain; charset=utf-8"

/* A failover takes so long: not worth a word to who decides about us. */
#define DOWN_MOST_MS 10000

struct pages {
    struct daemon *daemon;
    struct web *web;
    struct look *look;
    uv_timer_t timer;
    bool looking; /* an overview is under way */
    json_t *overview;
    int64_t overview_s;
};

static void text_answer(struct web_visit *visit, unsigned status, const char *type, const char *text)
{
    web_answer(visit,
               &(struct web_answer){.status = status, .type = type, .body = text, .bytes = strlen(text)});
}

/* --- figures of the database --------------------------------------------------------------------------------- */

static void on_overview(void *self, const char *json)
{
    struct pages *pages = self;
    json_t *overview = json ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    pages->looking = false;
    if (!json_is_object(overview)) {
        json_decref(overview);
        return;
    }
    json_decref(pages->overview);
    pages->overview = overview;
    pages->overview_s = (int64_t)time(NULL);
}

/* A schema from before there was looking tells nothing, and is not asked. */
static void on_timer(uv_timer_t *timer)
{
    struct pages *pages = timer->data;
    const struct daemon *daemon = pages->daemon;
    if (pages->looking || !daemon->fit || daemon->alone)
        return;
    pages->looking = true;
    look_ask(pages->look, LOOK_OVERVIEW, NULL, on_overview, pages);
    uv_timer_set_repeat(timer, LOOK_MS);
    uv_timer_again(timer);
}

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

static void readyz_answer(struct pages *pages, struct web_visit *visit)
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

static bool is_fresh(const struct pages *pages)
{
    return pages->overview && (int64_t)time(NULL) - pages->overview_s <= FRESH_S;
}

/* To be freed; NULL without memory. */
static char *metrics_text(const struct pages *pages, bool open)
{
    const struct daemon *daemon = pages->daemon;
    struct metrics_seen seen = {.config = daemon->config,
                                .counters = daemon->counters,
                                .ready = !daemon_unready(daemon),
                                .database_up = store_is_up(daemon->store),
                                .living = daemon->living,
                                .overview = is_fresh(pages) ? pages->overview : NULL,
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

static void metrics_answer(struct pages *pages, struct web_visit *visit)
{
    bool open = metric_wants_open(web_header(visit, "Accept"));
    char *text = metrics_text(pages, open);
    if (text)
        text_answer(visit, 200, open ? METRIC_TYPE_OPEN : METRIC_TYPE, text);
    else
        text_answer(visit, 503, PLAIN, "out of memory\n");
    free(text);
}

/* --- visits -------------------------------------------------------------------------------------------------- */

static void healthz_answer(struct pages *pages, struct web_visit *visit)
{
    (void)pages;
    text_answer(visit, 200, PLAIN, "ok\n"); /* the loop turns: it has just said so */
}

static void on_visited(void *self, struct web_visit *visit)
{
    static const struct {
        const char *path;
        void (*answer)(struct pages *pages, struct web_visit *visit);
    } routes[] = {{"/metrics", metrics_answer}, {"/healthz", healthz_answer}, {"/readyz", readyz_answer}};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(web_path(visit), routes[i].path) == 0) {
            routes[i].answer(self, visit);
            return;
        }
    text_answer(visit, 404, PLAIN, "There is /metrics, /healthz and /readyz.\n");
}

/* --- creation and destruction -------------------------------------------------------------------------------- */

static int parts_create(struct pages *pages, const struct pg_options *pg)
{
    char why[WEB_WHY_BYTES] = "";
    struct daemon *daemon = pages->daemon;
    const struct web_options options = {
        .listen = daemon->config->listen, .patience_ms = PATIENCE_MS, .visited = on_visited, .self = pages};
    int result = look_create(&pages->look, &daemon->loop, pg);
    if (result == 0)
        result = web_create(&pages->web, &daemon->loop, &options, why);
    if (result < 0)
        log_event(LOG_FAILED, "listen_failed", "detail", *why ? why : strerror(-result), NULL);
    else
        log_event(LOG_NOTED, "listening", "detail", options.listen, NULL);
    return result;
}

int pages_create(struct pages **out, struct daemon *daemon, const struct pg_options *pg)
{
    *out = NULL;
    if (!daemon->config->listen)
        return 0;
    struct pages *pages = calloc(1, sizeof(*pages));
    if (!pages)
        return -ENOMEM;
    pages->daemon = daemon;
    uv_timer_init(&daemon->loop, &pages->timer);
    pages->timer.data = pages;
    *out = pages;
    int result = parts_create(pages, pg);
    if (result == 0)
        uv_timer_start(&pages->timer, on_timer, 100, 100); /* until the first overview; then more slowly */
    return result;
}

static void on_closed(uv_handle_t *handle)
{
    struct pages *pages = handle->data;
    json_decref(pages->overview);
    free(pages);
}

void pages_destroy(struct pages *pages)
{
    if (!pages)
        return;
    if (pages->look)
        look_destroy(pages->look); /* first: who waits is answered */
    if (pages->web)
        web_destroy(pages->web);
    uv_close((uv_handle_t *)&pages->timer, on_closed);
}
