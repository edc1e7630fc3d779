/* makegood status: how it stands, from makegood.overview(). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/quantity.h"
#include "daemon/desk.h"
#include "daemon/lanes.h"
#include "daemon/mask.h"
#include "daemon/say.h"
#include "daemon/table.h"

/* --- what to look at ----------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void attention_add(json_t *attention, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_array_append_new(attention,
                          json_vsprintf(format, arguments)); /* notes may be long: nothing is cut */
    va_end(arguments);
}

static void channel_attend(json_t *attention, const json_t *overview, const json_t *channel)
{
    size_t parked = 0;
    const char *name = member_text(channel, "channel");
    const char *reason;
    const json_t *count;
    const json_t *paused = json_object_get(channel, "paused");
    const char *until = member_text(paused, "until");
    struct lanes lanes = lanes_add_up(overview, name);
    json_object_foreach(json_object_get(channel, "parked"), reason, count) parked +=
        (size_t)json_integer_value(count);
    if (json_is_object(paused))
        attention_add(attention, "%s is paused by %s%s%.19s: %s; makegood resume %s ends that", name,
                      member_text(paused, "by"), *until ? " until " : "", until, member_text(paused, "note"),
                      name);
    if (lanes.breaker_open)
        attention_add(attention, "%s does not answer: its breaker is open", name);
    if (lanes.doubted)
        attention_add(
            attention,
            "%s answers what puts most orders in doubt, and is asked no more; makegood list --parked "
            "--channel %s shows them, a reload begins anew",
            name, name);
    if (parked > 0)
        attention_add(attention, "%zu order%s of %s %s parked; makegood list --parked%s%s shows %s", parked,
                      parked == 1 ? "" : "s", *name ? name : "no channel", parked == 1 ? "is" : "are",
                      *name ? " --channel " : "", name, parked == 1 ? "it" : "them");
    if (json_is_true(json_object_get(channel, "more")))
        attention_add(attention, "%s has more than 100000 lost orders; its figures are at least what is told",
                      name);
    if (member_number(channel, "waiting") > 0 && lanes_living(overview) > 0 && lanes.concurrency == 0 &&
        !lanes.held)
        attention_add(attention, "orders of %s wait, and no living daemon asks it", name);
}

/* What a person should look at, a sentence each. */
static json_t *attention_make(const json_t *overview)
{
    json_t *attention = json_array();
    const json_t *halted = json_object_get(overview, "halted");
    size_t i;
    const json_t *channel;
    if (json_is_object(halted))
        attention_add(attention, "everything is halted by %s: %s; makegood lift ends that",
                      member_text(halted, "by"), member_text(halted, "note"));
    if (lanes_living(overview) == 0)
        attention_add(attention, "no daemon lives; start one, as systemctl start makegood");
    json_array_foreach(json_object_get(overview, "channels"), i, channel)
        channel_attend(attention, overview, channel);
    return attention;
}

/* --- tables -------------------------------------------------------------------------------------------------- */

static const struct table_column channel_columns[] = {{"CHANNEL", "channel", CELL_TEXT},
                                                      {"WAITING", "waiting", CELL_NUMBER},
                                                      {"DUE", "due", CELL_NUMBER},
                                                      {"ASKED", "in_flight", CELL_NUMBER},
                                                      {"OLDEST", "oldest_s", CELL_SPAN},
                                                      {"AT RISK", "at_risk", CELL_NUMBER},
                                                      {"QUERIES/H", "queries", CELL_NUMBER},
                                                      {"FAULTS", "fault_share", CELL_SHARE},
                                                      {"RESOLVED/H", "ended", CELL_NUMBER},
                                                      {"MISSED", "missed_share", CELL_SHARE},
                                                      {"RATE/S", "rate", CELL_NUMBER},
                                                      {"STATE", "state", CELL_TEXT},
                                                      {.title = NULL}};
static const struct table_column parked_columns[] = {{"PARKED", "reason", CELL_TEXT},
                                                     {"CHANNEL", "channel", CELL_TEXT},
                                                     {"ORDERS", "orders", CELL_NUMBER},
                                                     {.title = NULL}};
static const struct table_column instance_columns[] = {{"DAEMON", "instance", CELL_TEXT},
                                                       {"VERSION", "version", CELL_TEXT},
                                                       {"LIVES", "lives", CELL_TEXT},
                                                       {"SEEN AGO", "seen_s", CELL_SPAN},
                                                       {.title = NULL}};

/* "12.34 CNY + 5.00 USD" */
static json_t *risk_say(const json_t *channel)
{
    json_t *told = json_string("");
    const char *currency;
    const json_t *sum;
    json_object_foreach(json_object_get(channel, "at_risk"), currency, sum)
    {
        const char *before = json_string_value(told);
        json_t *longer =
            json_sprintf("%s%s%s %s", before, *before ? " + " : "", member_text(sum, "text"), currency);
        if (!longer)
            break;
        json_decref(told);
        told = longer;
    }
    return told;
}

static json_t *channel_row(const json_t *overview, json_t *channel)
{
    json_t *row = json_copy(channel);
    struct lanes lanes = lanes_add_up(overview, member_text(channel, "channel"));
    json_object_update(row, json_object_get(channel, "lately"));
    json_object_set_new(row, "at_risk", risk_say(channel));
    json_object_set_new(row, "rate", json_integer(lanes.rate));
    json_object_set_new(row, "state",
                        json_string(lanes.held           ? lanes.held
                                    : lanes.doubted      ? "doubted"
                                    : lanes.breaker_open ? "breaker open"
                                    : lanes.shadow       ? "shadow"
                                    : lanes.concurrency  ? "asked"
                                                         : "not asked"));
    return row;
}

static void parked_rows(json_t *rows, const json_t *channel)
{
    const char *reason;
    const json_t *count;
    json_object_foreach(json_object_get(channel, "parked"), reason, count)
        json_array_append_new(rows, json_pack("{ss ss sO}", "reason", reason, "channel",
                                              member_text(channel, "channel"), "orders", count));
}

static void section_print(const struct table_column *columns, json_t *rows)
{
    if (json_array_size(rows) > 0) {
        putchar('\n');
        table_print(stdout, columns, rows);
    }
    json_decref(rows);
}

static void status_print(const json_t *overview, const json_t *attention)
{
    json_t *channels = json_array();
    json_t *parked = json_array();
    size_t i;
    json_t *item;
    printf("makegood at %.19s: schema %d, %zu daemon%s alive\n", member_text(overview, "at"),
           (int)member_number(overview, "schema"), lanes_living(overview),
           lanes_living(overview) == 1 ? "" : "s");
    json_array_foreach(attention, i, item)
    {
        char *tame = text_tame(json_string_value(item));
        printf("! %s\n", tame ? tame : "");
        free(tame);
    }
    json_array_foreach(json_object_get(overview, "channels"), i, item)
    {
        json_array_append_new(channels, channel_row(overview, item));
        parked_rows(parked, item);
    }
    section_print(channel_columns, channels);
    section_print(parked_columns, parked);
    section_print(instance_columns, json_incref(json_object_get(overview, "instances")));
}

/* --- the command --------------------------------------------------------------------------------------------- */

static int status_tell(struct desk *desk, const struct options *options)
{
    json_t *rows = desk_rows(desk, "SELECT makegood.overview()", 0, NULL);
    if (!rows)
        return EXIT_FAULT;
    json_t *overview = json_array_get(rows, 0);
    json_t *attention = attention_make(overview);
    bool look = json_array_size(attention) > 0;
    json_object_set_new(overview, "attention", attention);
    json_object_set_new(overview, "by_message", desk_by_message(desk));
    if (options->watch && isatty(STDOUT_FILENO))
        fputs("\x1b[H\x1b[2J", stdout); /* the screen is cleared */
    if (options->json)
        json_say(overview);
    else
        status_print(overview, attention);
    if (!options->json)
        desk_say_by_message(desk);
    fflush(stdout);
    json_decref(rows);
    return look ? EXIT_LOOK : 0;
}

static int status_work(struct desk *desk, const struct options *options)
{
    int64_t period_ms = 0;
    int code = status_tell(desk, options);
    if (!options->watch || !quantity_parse_duration(options->watch, &period_ms))
        return code;
    while (code != EXIT_FAULT && !ferror(stdout)) {
        struct timespec period = {period_ms / 1000, period_ms % 1000 * 1000000};
        nanosleep(&period, NULL);
        code = status_tell(desk, options);
    }
    return code;
}

int command_status(const struct options *options)
{
    int64_t period_ms = 0;
    if (options->watch && (!quantity_parse_duration(options->watch, &period_ms) || period_ms < 100)) {
        say_fault("--watch %s is no span of at least 100ms; write it as 2s", options->watch);
        return EXIT_MISUSE;
    }
    return desk_run(options, "status", status_work);
}
