/* The status page and what it is fed with, as JSON: the summary from memory, for everybody; single orders from the database,
 * for who knows the password or comes by the Unix socket. Reads only. */
#include <stdlib.h>
#include <string.h>

#include "daemon/pages_inner.h"

#define JSON       "application/json"
#define ORDERS     "50" /* of one list */
#define ORDER_MOST 200  /* bytes of an order's number */

/* --- who may see orders -------------------------------------------------------------------------------------- */

static bool may_see_orders(const struct pages *pages, const struct web_visit *visit)
{
    const char *password = pages->daemon->config->page_password;
    return web_is_by_socket(visit) || (password && web_knows(visit, password));
}

/* True when it was answered: may not. */
static bool is_turned_away(const struct pages *pages, struct web_visit *visit)
{
    static const char ask[] = "The orders are behind the password of page_password_file.\n";
    static const char never[] = "Orders are shown behind a password (page_password_file in the "
                                "configuration), or on a Unix socket.\n";
    if (may_see_orders(pages, visit))
        return false;
    if (pages->daemon->config->page_password)
        web_answer(visit, &(struct web_answer){401, PLAIN, ask, sizeof(ask) - 1, true});
    else
        text_answer(visit, 403, PLAIN, never);
    return true;
}

/* --- the page ------------------------------------------------------------------------------------------------ */

void file_answer(struct web_visit *visit, const char *path)
{
    for (const struct page_file *file = page_files; file->path; file++)
        if (strcmp(file->path, path) == 0) {
            web_answer(visit, &(struct web_answer){200, file->type, file->bytes, file->length, false});
            return;
        }
    text_answer(visit, 404, PLAIN, "There is /, /metrics, /healthz and /readyz.\n");
}

/* The same page; a browser asks for the password on the way to it, and sends it along from then on. */
void orders_page_answer(struct pages *pages, struct web_visit *visit)
{
    if (!is_turned_away(pages, visit))
        file_answer(visit, "/");
}

/* --- the summary --------------------------------------------------------------------------------------------- */

/* What operators wrote may name orders. */
static void notes_remove(json_t *of)
{
    json_object_del(of, "note");
    json_object_del(of, "by");
}

static json_t *overview_for(const struct pages *pages, bool all)
{
    json_t *overview = pages_are_fresh(pages) ? json_deep_copy(pages->overview) : NULL;
    size_t i;
    json_t *channel;
    if (!overview || all)
        return overview;
    notes_remove(json_object_get(overview, "halted"));
    json_array_foreach(json_object_get(overview, "channels"), i, channel)
        notes_remove(json_object_get(channel, "paused"));
    return overview;
}

static const char *orders_word(const struct pages *pages, bool all)
{
    if (all)
        return "shown";
    return pages->daemon->config->page_password ? "password" : "hidden";
}

void summary_answer(struct pages *pages, struct web_visit *visit)
{
    const struct daemon *daemon = pages->daemon;
    bool all = may_see_orders(pages, visit);
    const char *unready = daemon_unready(daemon);
    json_t *summary = json_pack("{ss ss ss ss? so? sO? sI}", "instance", daemon->config->instance, "version",
                                MAKEGOOD_VERSION, "orders", orders_word(pages, all), "unready", unready,
                                "overview", overview_for(pages, all), "over_time", pages->over_time, "at_s",
                                (json_int_t)pages->overview_s);
    char *text = json_dumps(summary, JSON_COMPACT);
    text_answer(visit, text ? 200 : 503, text ? JSON : PLAIN, text ? text : "out of memory\n");
    free(text);
    json_decref(summary);
}

/* --- orders -------------------------------------------------------------------------------------------------- */

static void on_seen(void *self, const char *json)
{
    text_answer(self, json ? 200 : 503, json ? JSON : PLAIN, json ? json : "The database does not answer.\n");
}

void orders_answer(struct pages *pages, struct web_visit *visit)
{
    const char *list = web_argument(visit, "list");
    bool parked = strcmp(list, "parked") == 0;
    bool known = parked || strcmp(list, "oldest") == 0 || strcmp(list, "riskiest") == 0;
    const char *const arguments[] = {
        NULL, NULL, parked ? "true" : "false", NULL, NULL, parked ? "oldest" : list, ORDERS};
    if (is_turned_away(pages, visit))
        return;
    if (known)
        look_ask(pages->look, LOOK_ORDERS, arguments, on_seen, visit);
    else
        text_answer(visit, 400, PLAIN, "list is one of oldest, riskiest, parked.\n");
}

static void order_answer(struct pages *pages, struct web_visit *visit, enum look_kind kind)
{
    const char *order_no = web_argument(visit, "order_no");
    size_t length = strlen(order_no);
    if (is_turned_away(pages, visit))
        return;
    if (length > 0 && length <= ORDER_MOST)
        look_ask(pages->look, kind, &order_no, on_seen, visit);
    else
        text_answer(visit, 400, PLAIN, "order_no names an order.\n");
}

void explain_answer(struct pages *pages, struct web_visit *visit)
{
    order_answer(pages, visit, LOOK_EXPLAIN);
}

void history_answer(struct pages *pages, struct web_visit *visit)
{
    order_answer(pages, visit, LOOK_HISTORY);
}
