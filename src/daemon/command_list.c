/* makegood list, history and explain: lost orders one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "daemon/desk.h"
#include "daemon/explain.h"
#include "daemon/lanes.h"
#include "daemon/mask.h"
#include "daemon/say.h"
#include "daemon/table.h"

#define MOST_DEFAULT "50"

/* --- list ---------------------------------------------------------------------------------------------------- */

static const struct table_column order_columns[] = {{"ORDER", "order_no", CELL_TEXT},
                                                    {"CHANNEL", "channel", CELL_TEXT},
                                                    {"AMOUNT", "amount", CELL_NUMBER},
                                                    {"", "currency", CELL_TEXT},
                                                    {"AGE", "age_s", CELL_SPAN},
                                                    {"STATE", "state", CELL_TEXT},
                                                    {"ASKED IN", "due_in_s", CELL_SPAN},
                                                    {"ANSWERS", "answers", CELL_NUMBER},
                                                    {"ERRORS", "errors", CELL_NUMBER},
                                                    {"REASON", "reason", CELL_TEXT},
                                                    {.title = NULL}};

static int list_work(struct desk *desk, const struct options *options)
{
    char older[INTERVAL_BYTES];
    if (!desk_interval("older", options->older, older))
        return EXIT_MISUSE;
    const char *most = options->most ? options->most : MOST_DEFAULT;
    const char *values[] = {options->channel,      options->parked ? "true" : NULL,           options->reason,
                            *older ? older : NULL, options->riskiest ? "riskiest" : "oldest", most};
    json_t *rows = desk_rows(
        desk, "SELECT * FROM makegood.orders(NULL, $1, $2::boolean, $3, $4::interval, $5, $6::integer)", 6,
        values);
    size_t count = json_array_size(rows);
    if (!rows)
        return EXIT_FAULT;
    if (options->json)
        json_say(rows);
    else if (count > 0)
        table_print(stdout, order_columns, rows);
    else
        puts("No lost order is like that.");
    if (!options->json && count == (size_t)atoi(most))
        printf("There may be more; --most %zu shows them.\n", count * 10);
    if (!options->json)
        desk_say_by_message(desk);
    json_decref(rows);
    return count > 0 ? 0 : EXIT_LOOK;
}

int command_list(const struct options *options)
{
    int64_t number = 0;
    if (options->most && (!quantity_parse_integer(options->most, &number) || number < 1 || number > 1000000))
        say_fault("--most %s is no count; write 1 to 1000000", options->most);
    else
        return desk_run(options, "list", list_work);
    return EXIT_MISUSE;
}

/* --- history ------------------------------------------------------------------------------------------------- */

static const struct table_column history_columns[] = {
    {"AT", "at", CELL_TEXT},           {"WHO", "who", CELL_TEXT},
    {"CHANNEL", "channel", CELL_TEXT}, {"HEARD", "heard", CELL_TEXT},
    {"DECIDED", "decided", CELL_TEXT}, {"BY RULE", "rule", CELL_TEXT},
    {"OUTCOME", "outcome", CELL_TEXT}, {"STATUS", "status", CELL_TEXT},
    {"NOTE", "note", CELL_TEXT},       {.title = NULL}};

/* What the table shows of a question: a few words in place of thirty columns. */
static void query_sum_up(json_t *row)
{
    char http[24] = "";
    int status = (int)json_integer_value(json_object_get(row, "http_status"));
    const char *before = member_text(row, "status_before");
    const char *after = member_text(row, "status_after");
    bool changed = strcmp(before, after) != 0;
    if (status && status != 200)
        snprintf(http, sizeof(http), " HTTP %d", status);
    json_object_set_new(
        row, "heard",
        json_sprintf("%s%s%s%s%s", member_text(row, "evidence"), *member_text(row, "code") ? " " : "",
                     member_text(row, "code"),
                     json_is_false(json_object_get(row, "authentic")) ? " (not authentic)" : "", http));
    json_object_set_new(row, "decided",
                        json_sprintf("%s%s%s", member_text(row, "verdict"),
                                     *member_text(row, "reason") ? ":" : "", member_text(row, "reason")));
    json_object_set_new(
        row, "status", json_sprintf("%s%s%s", before, changed && *after ? " -> " : "", changed ? after : ""));
    json_object_set(row, "who", json_object_get(row, "instance"));
    json_object_set(row, "note", json_object_get(row, "detail"));
}

static void rows_sum_up(json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char at[20];
        if (strcmp(member_text(row, "kind"), "query") == 0)
            query_sum_up(row);
        else
            json_object_set(row, "decided", json_object_get(row, "action"));
        snprintf(at, sizeof(at), "%.19s", member_text(row, "at"));
        json_object_set_new(row, "at", json_string(at));
    }
}

static int history_work(struct desk *desk, const struct options *options)
{
    json_t *rows = desk_rows(desk, "SELECT * FROM makegood.history($1)", 1, options->operands);
    size_t count = json_array_size(rows);
    if (!rows)
        return EXIT_FAULT;
    if (options->json) {
        json_say(rows);
    } else if (count > 0) {
        rows_sum_up(rows);
        table_print(stdout, history_columns, rows);
    } else {
        printf("Order %s was never asked about, and nobody did anything to it; makegood explain %s tells "
               "whether "
               "it is tracked.\n",
               options->operands[0], options->operands[0]);
    }
    json_decref(rows);
    return count > 0 ? 0 : EXIT_LOOK;
}

int command_history(const struct options *options)
{
    return desk_run(options, "history", history_work);
}

/* --- explain ------------------------------------------------------------------------------------------------- */

static void sentences_print(const json_t *attempt, const json_t *sentences)
{
    size_t i;
    const json_t *sentence;
    printf("%s on %s\n", member_text(attempt, "order_no"),
           *member_text(attempt, "channel") ? member_text(attempt, "channel") : "no channel");
    json_array_foreach(sentences, i, sentence)
    {
        char *tame = text_tame(json_string_value(sentence));
        printf("  %s\n", tame ? tame : "(out of memory)");
        free(tame);
    }
}

static int explain_work(struct desk *desk, const struct options *options)
{
    json_t *rows = desk_rows(desk, "SELECT * FROM makegood.explain($1)", 1, options->operands);
    json_t *overviews = rows ? desk_rows(desk, "SELECT makegood.overview()", 0, NULL) : NULL;
    size_t count = json_array_size(rows);
    size_t i;
    json_t *row;
    if (!overviews) {
        json_decref(rows);
        return EXIT_FAULT;
    }
    json_array_foreach(rows, i, row)
    {
        json_t *sentences = explain_attempt(row, config_policy(desk->config, member_text(row, "channel")),
                                            json_array_get(overviews, 0));
        json_object_set_new(row, "sentences", sentences);
        if (!options->json)
            sentences_print(row, sentences);
    }
    if (options->json)
        json_say(rows);
    else if (count == 0)
        printf("No attempt to pay order %s waits or is parked; makegood history %s tells how it ended.\n",
               options->operands[0], options->operands[0]);
    if (count == 0 && !options->json)
        desk_say_by_message(desk);
    json_decref(overviews);
    json_decref(rows);
    return count > 0 ? 0 : EXIT_LOOK;
}

int command_explain(const struct options *options)
{
    return desk_run(options, "explain", explain_work);
}
