/* The pages: see pages.h. Owns the web server, the connection to look through, and what was seen last. */
#include "daemon/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/pages_inner.h"
#include "io/log.h"

#define LOOK_FIRST_MS 100 /* until something was seen */
#define LOOK_MS       10000
#define PATIENCE_MS   20000

void text_answer(struct web_visit *visit, unsigned status, const char *type, const char *text)
{
    web_answer(visit,
               &(struct web_answer){.status = status, .type = type, .body = text, .bytes = strlen(text)});
}

/* --- figures of the database --------------------------------------------------------------------------------- */

bool pages_are_fresh(const struct pages *pages)
{
    return pages->overview && (int64_t)time(NULL) - pages->overview_s <= FRESH_S;
}

static bool seen_take(const char *json, json_t **out)
{
    json_t *seen = json ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!seen)
        return false;
    json_decref(*out);
    *out = seen;
    return true;
}

static void on_overview(void *self, const char *json)
{
    struct pages *pages = self;
    pages->looking--;
    if (seen_take(json, &pages->overview))
        pages->overview_s = (int64_t)time(NULL);
}

static void on_over_time(void *self, const char *json)
{
    struct pages *pages = self;
    pages->looking--;
    seen_take(json, &pages->over_time);
}

/* A schema from before there was looking tells nothing, and is not asked. */
static void on_timer(uv_timer_t *timer)
{
    struct pages *pages = timer->data;
    const struct daemon *daemon = pages->daemon;
    if (pages->looking || !daemon->fit || daemon->alone)
        return;
    pages->looking = 2;
    look_ask(pages->look, LOOK_OVERVIEW, NULL, on_overview, pages);
    look_ask(pages->look, LOOK_OVER_TIME, (const char *const[]){"24 hours"}, on_over_time, pages);
    uv_timer_start(timer, on_timer, LOOK_MS, LOOK_MS);
}

/* --- visits -------------------------------------------------------------------------------------------------- */

static void on_visited(void *self, struct web_visit *visit)
{
    static const struct {
        const char *path;
        page_answer answer;
    } routes[] = {{"/metrics", metrics_answer},     {"/healthz", healthz_answer},
                  {"/readyz", readyz_answer},       {"/api/summary", summary_answer},
                  {"/orders", orders_page_answer},  {"/api/orders", orders_answer},
                  {"/api/explain", explain_answer}, {"/api/history", history_answer}};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(web_path(visit), routes[i].path) == 0) {
            routes[i].answer(self, visit);
            return;
        }
    file_answer(visit, web_path(visit));
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
        uv_timer_start(&pages->timer, on_timer, LOOK_FIRST_MS, LOOK_FIRST_MS);
    return result;
}

static void on_closed(uv_handle_t *handle)
{
    struct pages *pages = handle->data;
    json_decref(pages->overview);
    json_decref(pages->over_time);
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
