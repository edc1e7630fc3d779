/* makegood audit: does the chain of the audit hold, its anchor for keeping elsewhere, and the retention of whole months. The
 * chain is sql/012_audit.sql's; nothing here trusts it more than an anchor that somebody kept. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/quantity.h"
#include "daemon/desk.h"
#include "daemon/say.h"
#include "daemon/table.h"

#define LINKS_AT_ONCE "100"
#define HASH_CHARS    64

/* --- verify -------------------------------------------------------------------------------------------------- */

struct verification {
    json_int_t links;
    json_int_t rows;     /* read again */
    json_int_t detached; /* links whose month is not here any more */
    json_t *faults;      /* sentences */
    const char *anchor;  /* NUMBER:HASH, or NULL */
    bool anchor_met;
};

__attribute__((format(printf, 2, 3))) static void fault_add(struct verification *verification,
                                                            const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_array_append_new(verification->faults, json_string(text));
}

/* "17:9f86d0..." */
static bool anchor_is(const char *anchor, json_int_t number, const char *hash)
{
    char spelled[32 + HASH_CHARS];
    snprintf(spelled, sizeof(spelled), "%" JSON_INTEGER_FORMAT ":%.64s", number, hash);
    return strcmp(anchor, spelled) == 0;
}

static void link_take(struct verification *verification, const json_t *link)
{
    json_int_t number = json_integer_value(json_object_get(link, "number"));
    const char *fault = json_string_value(json_object_get(link, "fault"));
    const char *hash = json_string_value(json_object_get(link, "hash"));
    const json_t *rows = json_object_get(link, "rows");
    verification->links++;
    verification->rows += json_integer_value(rows);
    verification->detached += json_is_null(rows);
    if (fault && *fault)
        fault_add(verification, "link %" JSON_INTEGER_FORMAT ": %s", number, fault);
    if (!verification->anchor || number != atoll(verification->anchor))
        return;
    verification->anchor_met = anchor_is(verification->anchor, number, hash ? hash : "");
    if (!verification->anchor_met)
        fault_add(verification, "link %" JSON_INTEGER_FORMAT " is not the one that the anchor names", number);
}

/* False: the database failed, which was said. */
static bool links_verify(struct desk *desk, struct verification *verification)
{
    bool shown = isatty(STDERR_FILENO);
    for (;;) {
        char from[24];
        snprintf(from, sizeof(from), "%" JSON_INTEGER_FORMAT, verification->links + 1);
        const char *values[] = {from, LINKS_AT_ONCE};
        json_t *links =
            desk_rows(desk, "SELECT to_jsonb(v) FROM makegood.audit_verify($1, $2) AS v", 2, values);
        size_t i;
        const json_t *link;
        size_t count = json_array_size(links);
        if (!links)
            return false;
        json_array_foreach(links, i, link) link_take(verification, link);
        json_decref(links);
        if (shown)
            fprintf(stderr, "\r%" JSON_INTEGER_FORMAT " links, %" JSON_INTEGER_FORMAT " rows%s",
                    verification->links, verification->rows, count == 0 ? "\n" : "");
        if (count == 0 || json_array_size(verification->faults) > 0)
            return true;
    }
}

static int verification_tell(struct verification *verification, json_t *state, const struct options *options)
{
    size_t i;
    const json_t *fault;
    bool holds = json_array_size(verification->faults) == 0;
    json_object_set_new(state, "holds", json_boolean(holds));
    json_object_set_new(state, "read_again", json_integer(verification->rows));
    json_object_set_new(state, "detached_links", json_integer(verification->detached));
    json_object_set(state, "faults", verification->faults);
    if (options->json) {
        json_say(state);
        return holds ? 0 : EXIT_LOOK;
    }
    json_array_foreach(verification->faults, i, fault) printf("! %s\n", json_string_value(fault));
    printf("%s: %" JSON_INTEGER_FORMAT " links, %" JSON_INTEGER_FORMAT
           " rows read again, %" JSON_INTEGER_FORMAT " links of detached months, %" JSON_INTEGER_FORMAT
           " rows not sealed yet\n",
           holds ? "the audit holds" : "THE AUDIT DOES NOT HOLD", verification->links, verification->rows,
           verification->detached, json_integer_value(json_object_get(state, "unsealed")));
    return holds ? 0 : EXIT_LOOK;
}

static int verify_work(struct desk *desk, const struct options *options)
{
    struct verification verification = {.faults = json_array(), .anchor = options->anchor};
    json_t *outside = NULL;
    json_t *state = NULL;
    int code = EXIT_FAULT;
    if (links_verify(desk, &verification)) {
        outside = desk_rows(desk, "SELECT makegood.audit_outside()", 0, NULL);
        state = desk_rows(desk, "SELECT makegood.audit_state()", 0, NULL);
    }
    if (outside && state) {
        json_int_t strays = json_integer_value(json_array_get(outside, 0));
        if (strays > 0)
            fault_add(&verification,
                      "%" JSON_INTEGER_FORMAT " rows stand outside of every link: slipped in later", strays);
        if (options->anchor && !verification.anchor_met && json_array_size(verification.faults) == 0)
            fault_add(&verification, "there is no link %" PRId64 ": the end of the chain was cut off",
                      (int64_t)atoll(options->anchor));
        code = verification_tell(&verification, json_array_get(state, 0), options);
    }
    json_decref(outside);
    json_decref(state);
    json_decref(verification.faults);
    return code;
}

/* --- anchor -------------------------------------------------------------------------------------------------- */

static int anchor_work(struct desk *desk, const struct options *options)
{
    json_t *rows = desk_rows(desk, "SELECT makegood.audit_state()", 0, NULL);
    const json_t *state = json_array_get(rows, 0);
    const char *hash = json_string_value(json_object_get(state, "hash"));
    if (!rows)
        return EXIT_FAULT;
    if (options->json)
        json_say(state);
    else if (hash)
        printf("%" JSON_INTEGER_FORMAT ":%s\n", json_integer_value(json_object_get(state, "links")), hash);
    else
        puts("Nothing is sealed yet.");
    int code = hash ? 0 : EXIT_LOOK;
    json_decref(rows);
    return code;
}

/* --- retention ----------------------------------------------------------------------------------------------- */

static const struct table_column month_columns[] = {{"MONTH", "partition", CELL_TEXT},
                                                    {"DETACHED", "done", CELL_TEXT},
                                                    {"", "why", CELL_TEXT},
                                                    {.title = NULL}};

static int retention_work(struct desk *desk, const struct options *options)
{
    const char *values[] = {options->keep, options->dry_run ? "true" : "false"};
    json_t *rows = desk_rows(desk, "SELECT to_jsonb(d) FROM makegood.audit_detach($1, $2) AS d", 2, values);
    if (!rows)
        return EXIT_FAULT;
    if (options->json)
        json_say(rows);
    else if (json_array_size(rows) > 0)
        table_print(stdout, month_columns, rows);
    else
        printf("No month is older than %s whole ones.\n", options->keep);
    if (!options->json && options->dry_run)
        puts("Nothing was done: this is what would be.");
    json_decref(rows);
    return 0;
}

/* --- the command --------------------------------------------------------------------------------------------- */

static bool anchor_is_sound(const char *anchor)
{
    size_t digits = anchor ? strspn(anchor, "0123456789") : 0;
    if (!anchor ||
        (digits > 0 && digits < 19 && anchor[digits] == ':' &&
         strspn(anchor + digits + 1, "0123456789abcdef") == HASH_CHARS && !anchor[digits + 1 + HASH_CHARS]))
        return true;
    say_fault("--anchor %.100s is none; write it as makegood audit anchor printed it", anchor);
    return false;
}

static bool keep_is_sound(const char *keep)
{
    int64_t months = 0;
    if (keep && quantity_parse_integer(keep, &months) && months >= 1 && months <= 1200)
        return true;
    say_fault("say how many whole months are kept beside the present one, as --keep 13");
    return false;
}

int command_audit(const struct options *options)
{
    const char *what = options->operands[0];
    if (strcmp(what, "verify") == 0)
        return anchor_is_sound(options->anchor) ? desk_run(options, "audit", verify_work) : EXIT_MISUSE;
    if (strcmp(what, "anchor") == 0)
        return desk_run(options, "audit", anchor_work);
    if (strcmp(what, "retention") == 0)
        return keep_is_sound(options->keep) ? desk_run_as_owner(options, "audit", retention_work)
                                            : EXIT_MISUSE;
    say_fault("audit can verify, anchor or retention; it has no %.40s", what);
    return EXIT_MISUSE;
}
