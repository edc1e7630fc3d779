/* The control of the simulated bank, for tests only: /_bank/stats, /_bank/asks, /_bank/firsts, /_bank/mode. Owns the modes.
 * Called by the server's threads; never waits and never touches an order's own script. */
#include "bank/bank.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void modes_init(struct modes *modes)
{
    memset(modes, 0, sizeof *modes);
    pthread_mutex_init(&modes->lock, NULL);
}

void modes_finish(struct modes *modes)
{
    for (int i = 0; i < modes->count; i++)
        script_destroy(modes->items[i].script);
    pthread_mutex_destroy(&modes->lock);
}

static struct mode *mode_find(struct modes *modes, const char *account)
{
    for (int i = 0; i < modes->count; i++)
        if (strcmp(modes->items[i].account, account) == 0)
            return &modes->items[i];
    return NULL;
}

/* An account's own mode goes before the one for all. */
static bool mode_fate(struct modes *modes, const char *account, struct fate *out)
{
    pthread_mutex_lock(&modes->lock);
    struct mode *mode = mode_find(modes, account);
    if (!mode)
        mode = mode_find(modes, "");
    if (mode)
        *out = script_fate(mode->script, mode->asks++);
    pthread_mutex_unlock(&modes->lock);
    return mode != NULL;
}

struct fate modes_fate(struct bank *bank, const char *account, struct order *order)
{
    struct fate fate = {.word = WORD_OWN};
    if (bank->modes.count > 0 && mode_fate(&bank->modes, account, &fate) && fate.word != WORD_OWN)
        return fate;
    struct fate own = script_fate(bank->ledger.scripts[order->script], order->step++);
    own.delay_ms += fate.delay_ms;
    return own;
}

static struct mode *mode_add(struct modes *modes, const char *account)
{
    int count = modes->count;
    if (count == MODES_MAX)
        return NULL;
    modes->items[count] = (struct mode){0};
    strcpy(modes->items[count].account, account);
    modes->count = count + 1;
    return &modes->items[count];
}

static void mode_clear(struct modes *modes, struct mode *mode)
{
    int last = modes->count - 1;
    script_destroy(mode->script);
    *mode = modes->items[last];
    modes->count = last;
}

/* Takes the script; NULL clears. False when there is no room for one more. */
static bool mode_set(struct modes *modes, const char *account, struct script *script)
{
    struct mode *mode = mode_find(modes, account);
    if (!script) {
        if (mode)
            mode_clear(modes, mode);
        return true;
    }
    if (!mode && !(mode = mode_add(modes, account)))
        return false;
    script_destroy(mode->script);
    mode->script = script;
    mode->asks = 0;
    return true;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             size_t length, char *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return done;
}

__attribute__((format(printf, 3, 4))) static enum MHD_Result
reply_json(struct MHD_Connection *connection, unsigned status, const char *format, ...)
{
    char *body = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&body, format, arguments);
    va_end(arguments);
    return length < 0 ? MHD_NO : reply(connection, status, "application/json", (size_t)length, body);
}

static enum MHD_Result mode_answer(struct bank *bank, struct MHD_Connection *connection)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "script");
    const char *account = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "account");
    struct script *script = NULL;
    const char *why = NULL;
    account = account ? account : "";
    if (strlen(account) >= ACCOUNT_BYTES)
        return reply_json(connection, 400, "{\"error\":\"the account's name is too long\"}\n");
    if (text && *text && script_parse(text, strlen(text), &script, &why) < 0)
        return reply_json(connection, 400, "{\"error\":\"%s\"}\n", why);
    pthread_mutex_lock(&bank->modes.lock);
    bool done = mode_set(&bank->modes, account, script);
    pthread_mutex_unlock(&bank->modes.lock);
    if (done)
        return reply_json(connection, 200, "{\"mode\":%s}\n", script ? "true" : "false");
    script_destroy(script);
    return reply_json(connection, 400, "{\"error\":\"too many accounts have a mode\"}\n");
}

static enum MHD_Result stats_answer(struct bank *bank, struct MHD_Connection *connection)
{
    struct counters *counters = &bank->counters;
    char words[WORDS * 48];
    size_t at = 0;
    words[0] = '\0';
    for (int i = 0; i < WORDS; i++)
        if (counters->answers[i] > 0)
            at += (size_t)snprintf(words + at, sizeof words - at, "%s\"%s\":%llu", at ? "," : "",
                                   word_text((enum word)i), counters->answers[i]);
    return reply_json(connection, 200,
                      "{\"asks\":%llu,\"closes\":%llu,\"tokens\":%llu,\"unlisted\":%llu,\"answers\":{%s},"
                      "\"concurrent\":{\"now\":%d,\"max\":%d},"
                      "\"connections\":{\"now\":%d,\"total\":%llu}}\n",
                      counters->asks, counters->closes, bank->tokens.made, counters->unlisted, words,
                      counters->now, counters->most, counters->connections_now, counters->connections);
}

static void asks_print(FILE *file, const struct ledger *ledger, const struct order *order)
{
    fprintf(file, "%.*s\t%u\t%u\n", order->number_length, ledger_number(ledger, order), order->asked,
            order->told_paid);
}

/* When it was asked first, in microseconds since 1970. */
static void first_print(FILE *file, const struct ledger *ledger, const struct order *order)
{
    fprintf(file, "%.*s\t%lld\n", order->number_length, ledger_number(ledger, order), order->first_us);
}

static enum MHD_Result orders_answer(struct bank *bank, struct MHD_Connection *connection,
                                     void (*print)(FILE *file, const struct ledger *, const struct order *))
{
    const struct ledger *ledger = &bank->ledger;
    char *body = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&body, &length);
    if (!file)
        return MHD_NO;
    for (uint32_t i = 0; i < ledger->count; i++)
        print(file, ledger, &ledger->orders[i]);
    if (fclose(file) != 0) {
        free(body);
        return MHD_NO;
    }
    return reply(connection, 200, "text/tab-separated-values", length, body);
}

static enum MHD_Result asks_answer(struct bank *bank, struct MHD_Connection *connection)
{
    return orders_answer(bank, connection, asks_print);
}

static enum MHD_Result firsts_answer(struct bank *bank, struct MHD_Connection *connection)
{
    return orders_answer(bank, connection, first_print);
}

enum MHD_Result control_answer(struct bank *bank, struct MHD_Connection *connection, const char *url)
{
    static const struct {
        const char *url;
        enum MHD_Result (*answer)(struct bank *, struct MHD_Connection *);
    } pages[] = {{"/_bank/stats", stats_answer},
                 {"/_bank/asks", asks_answer},
                 {"/_bank/firsts", firsts_answer},
                 {"/_bank/mode", mode_answer}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(url, pages[i].url) == 0)
            return pages[i].answer(bank, connection);
    return reply_json(connection, 404, "{\"error\":\"no such page: ask for stats, asks, firsts or mode\"}\n");
}
