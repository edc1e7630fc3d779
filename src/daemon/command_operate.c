/* What operators change: retry, park, unpark, resolve, approve, pause, resume, halt, lift. The work is done by functions of the
 * schema (sql/013_operate.sql), under the operator's own login, and kept there with the note. */
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "daemon/desk.h"
#include "daemon/say.h"
#include "daemon/table.h"

static bool note_is_there(const struct options *options)
{
    if (options->note && *options->note)
        return true;
    say_fault("say why, as --note \"the bank asked for it\"; it is kept with your login's name");
    return false;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

/* --- attempts ------------------------------------------------------------------------------------------------ */

static const struct table_column deed_columns[] = {{"ATTEMPT", "attempt_id", CELL_NUMBER},
                                                   {"ORDER", "order_no", CELL_TEXT},
                                                   {"CHANNEL", "channel", CELL_TEXT},
                                                   {"WAS", "was", CELL_TEXT},
                                                   {"DONE", "done", CELL_TEXT},
                                                   {"", "detail", CELL_TEXT},
                                                   {.title = NULL}};

static int deeds_tell(json_t *rows, const struct options *options)
{
    size_t i;
    json_t *row;
    size_t done = 0;
    json_array_foreach(rows, i, row) done += json_is_true(json_object_get(row, "done"));
    if (options->json)
        json_say(rows);
    else if (json_array_size(rows) > 0)
        table_print(stdout, deed_columns, rows);
    if (!options->json && options->dry_run)
        puts("Nothing was done: this is what would be.");
    else if (!options->json && done == 0)
        puts("Nothing was there to do it to.");
    json_decref(rows);
    return done > 0 ? 0 : EXIT_LOOK;
}

static int deeds_do(struct desk *desk, const char *sql, int count, const char *const *values,
                    const struct options *options)
{
    json_t *rows = desk_rows(desk, sql, count, values);
    return rows ? deeds_tell(rows, options) : EXIT_FAULT;
}

static int retry_or_unpark(struct desk *desk, const struct options *options, bool waiting)
{
    const char *values[] = {options->operands[0], options->channel, options->reason,
                            truth(waiting),       options->note,    truth(options->dry_run)};
    return deeds_do(desk,
                    "SELECT to_jsonb(d) FROM makegood.retry($1, $2, $3, $4::boolean, $5, $6::boolean) AS d",
                    6, values, options);
}

static int retry_work(struct desk *desk, const struct options *options)
{
    return retry_or_unpark(desk, options, true);
}

static int unpark_work(struct desk *desk, const struct options *options)
{
    return retry_or_unpark(desk, options, false);
}

static int park_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->operands[0], options->channel, options->note, truth(options->dry_run)};
    return deeds_do(desk, "SELECT to_jsonb(d) FROM makegood.park($1, $2, $3, $4::boolean) AS d", 4, values,
                    options);
}

/* --- ending by hand ------------------------------------------------------------------------------------------ */

/* What the database answered, for people. */
static const char *ending_sentence(const char *outcome)
{
    if (strcmp(outcome, "already") == 0)
        return ", it was so already by the same payment";
    if (strcmp(outcome, "left") == 0)
        return ", the attempt is over; the order stays as it is, for another attempt lives or it was closed";
    return "";
}

static int ending_tell(PGresult *result, const char *what, const struct options *options)
{
    const char *outcome = PQgetvalue(result, 0, 0);
    const char *approval =
        PQnfields(result) > 1 && !PQgetisnull(result, 0, 1) ? PQgetvalue(result, 0, 1) : NULL;
    bool waits = strcmp(outcome, "needs_approval") == 0;
    if (options->json) {
        json_t *told =
            json_pack("{ss ss* sb}", "outcome", outcome, "approval", approval, "dry_run", options->dry_run);
        json_say(told);
        json_decref(told);
    } else if (waits && approval) {
        printf("%s waits for a second operator: makegood approve %s --note \"...\"\n", what, approval);
    } else if (waits) {
        printf("%s would wait for a second operator; nothing was done\n", what);
    } else {
        printf("%s: %s%s%s\n", what, outcome, ending_sentence(outcome),
               options->dry_run ? " (tried, and taken back)" : "");
    }
    return waits ? EXIT_LOOK : 0;
}

static int ending_do(struct desk *desk, const char *sql, int count, const char *const *values,
                     const char *what, const struct options *options)
{
    PGresult *result = desk_ask(desk, sql, count, values);
    int code = result ? ending_tell(result, what, options) : EXIT_FAULT;
    PQclear(result);
    return code;
}

static int resolve_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->operands[0], options->channel,        options->as,     options->trade_no,
                            options->note,        truth(options->dry_run), options->attempt};
    return ending_do(
        desk,
        "SELECT outcome, approval FROM makegood.resolve_by_hand($1, $2, $3, $4, $5, $6::boolean, $7::bigint)",
        7, values, options->operands[0], options);
}

static const struct table_column approval_columns[] = {
    {"NUMBER", "id", CELL_NUMBER},       {"ORDER", "order_no", CELL_TEXT},
    {"CHANNEL", "channel", CELL_TEXT},   {"AMOUNT", "amount", CELL_NUMBER},
    {"", "currency", CELL_TEXT},         {"AS", "verdict", CELL_TEXT},
    {"TRADE NO", "trade_no", CELL_TEXT}, {"ASKED BY", "asked_by", CELL_TEXT},
    {"NOTE", "note", CELL_TEXT},         {.title = NULL}};

static int approvals_list(struct desk *desk, const struct options *options)
{
    json_t *rows = desk_rows(desk, "SELECT * FROM makegood.approvals()", 0, NULL);
    size_t count = json_array_size(rows);
    if (!rows)
        return EXIT_FAULT;
    if (options->json)
        json_say(rows);
    else if (count > 0)
        table_print(stdout, approval_columns, rows);
    else
        puts("Nothing waits for approval.");
    json_decref(rows);
    return count > 0 ? EXIT_LOOK : 0;
}

static int approve_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->operands[0], options->note, truth(options->dry_run)};
    return ending_do(desk, "SELECT makegood.approve($1, $2, $3::boolean)", 3, values, options->operands[0],
                     options);
}

/* --- channels, and everything -------------------------------------------------------------------------------- */

/* The first column says what came of it; "f": it was so already. */
static int change_do(struct desk *desk, const char *sql, int count, const char *const *values,
                     const char *done, const char *already, const struct options *options)
{
    PGresult *result = desk_ask(desk, sql, count, values);
    if (!result)
        return EXIT_FAULT;
    bool changed = strcmp(PQgetvalue(result, 0, 0), "f") != 0;
    if (options->json) {
        json_t *told = json_pack("{sb ss sb}", "changed", changed, "answer", PQgetvalue(result, 0, 0),
                                 "dry_run", options->dry_run);
        json_say(told);
        json_decref(told);
    } else {
        printf("%s%s\n", changed ? done : already, options->dry_run ? " (would be: nothing was done)" : "");
    }
    PQclear(result);
    return changed ? 0 : EXIT_LOOK;
}

static int pause_work(struct desk *desk, const struct options *options)
{
    char span[INTERVAL_BYTES];
    char done[160];
    if (!desk_interval("for", options->span, span))
        return EXIT_MISUSE;
    snprintf(done, sizeof(done), "%.64s is paused %s%.32s", options->operands[0],
             options->span ? "for " : "until it is resumed", options->span ? options->span : "");
    const char *values[] = {options->operands[0], *span ? span : NULL, options->note,
                            truth(options->dry_run)};
    return change_do(desk, "SELECT makegood.pause($1, $2::interval, $3, $4::boolean)", 4, values, done, "",
                     options);
}

static int resume_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->operands[0], options->note, truth(options->dry_run)};
    return change_do(desk, "SELECT makegood.resume($1, $2, $3::boolean)", 3, values, "resumed",
                     "it was not paused", options);
}

static int halt_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->note, truth(options->dry_run)};
    return change_do(desk, "SELECT makegood.halt($1, $2::boolean)", 2, values,
                     "everything is halted: makegood lift ends that", "everything was halted already",
                     options);
}

static int lift_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->note, truth(options->dry_run)};
    return change_do(desk, "SELECT makegood.lift($1, $2::boolean)", 2, values, "the halt is lifted",
                     "nothing was halted", options);
}

/* --- the commands -------------------------------------------------------------------------------------------- */

static int changing_run(const struct options *options, const char *command,
                        int (*work)(struct desk *desk, const struct options *options))
{
    return note_is_there(options) ? desk_run(options, command, work) : EXIT_MISUSE;
}

/* Not everything by an oversight. */
static bool something_is_meant(const struct options *options, const char *command)
{
    if (options->operands[0] || options->channel || options->reason)
        return true;
    say_fault("%s needs to know what; name an ORDER, a --channel or a --reason", command);
    return false;
}

int command_retry(const struct options *options)
{
    return something_is_meant(options, "retry") ? changing_run(options, "retry", retry_work) : EXIT_MISUSE;
}

int command_unpark(const struct options *options)
{
    return something_is_meant(options, "unpark") ? changing_run(options, "unpark", unpark_work) : EXIT_MISUSE;
}

int command_park(const struct options *options)
{
    return changing_run(options, "park", park_work);
}

int command_resolve(const struct options *options)
{
    int64_t attempt = 0;
    bool paid = options->as && strcmp(options->as, "paid") == 0;
    if (!paid && !(options->as && strcmp(options->as, "closed") == 0))
        say_fault("say what the order becomes, as --as paid or --as closed");
    else if (paid != (options->trade_no != NULL))
        say_fault("--trade-no is the channel's own number of the payment: required for paid, and only there");
    else if (options->attempt && !quantity_parse_integer(options->attempt, &attempt))
        say_fault("--attempt %s is no number of an attempt; makegood explain tells them", options->attempt);
    else
        return changing_run(options, "resolve", resolve_work);
    return EXIT_MISUSE;
}

int command_approve(const struct options *options)
{
    int64_t number = 0;
    if (!options->operands[0])
        return desk_run(options, "approve", approvals_list);
    if (!quantity_parse_integer(options->operands[0], &number)) {
        say_fault("%s is no number of an approval; makegood approve lists them", options->operands[0]);
        return EXIT_MISUSE;
    }
    return changing_run(options, "approve", approve_work);
}

int command_pause(const struct options *options)
{
    return changing_run(options, "pause", pause_work);
}

int command_resume(const struct options *options)
{
    return changing_run(options, "resume", resume_work);
}

int command_halt(const struct options *options)
{
    return changing_run(options, "halt", halt_work);
}

int command_lift(const struct options *options)
{
    return changing_run(options, "lift", lift_work);
}
