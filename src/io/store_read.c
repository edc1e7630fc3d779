/* Reading rows: see store_read.h. A column is found by its place; the statement names them in that order. */
#include "io/store_read.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "io/number.h"
#include "io/uuid.h"

enum {
    AT_ATTEMPT_ID,
    AT_TOKEN,
    AT_CLAIMED_US,
    AT_ORDER_NO,
    AT_CHANNEL,
    AT_NUMBER,
    AT_CHANNEL_DATA,
    AT_AMOUNT_MINOR,
    AT_CURRENCY,
    AT_METHOD,
    AT_AGE_MS,
    AT_LEFT_MS,
    AT_PHASE,
    AT_ANSWERS,
    AT_ERRORS,
    AT_UNKNOWNS,
    AT_CLAIMS,
    CLAIM_WIDTH,
    AT_LATE_MS = CLAIM_WIDTH, /* of claim_told() */
    CLAIM_TOLD_WIDTH,
    AT_NEXT_MS = CLAIM_TOLD_WIDTH, /* of claim_due() */
    CLAIM_DUE_WIDTH
};

/* --- one row of claim() --------------------------------------------------------------------------------- */

static bool is_token(const char *text)
{
    unsigned char bytes[UUID_BYTES];
    return uuid_parse(text, bytes);
}

static bool is_currency(const char *text)
{
    return strlen(text) == CURRENCY_BYTES - 1 && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_number_or_empty(const char *text)
{
    return *text == '\0' || order_number_is_valid(text);
}

static bool is_any(const char *text)
{
    (void)text;
    return true;
}

/* A null is an empty text. */
static bool texts_read(const PGresult *rows, int row, struct lost_order *out, const char **why)
{
#define FIELD(name) offsetof(struct lost_order, name), sizeof(((struct lost_order *)0)->name)
    static const struct {
        int column;
        size_t offset, bytes;
        bool (*is_good)(const char *text);
        const char *why;
    } fields[] = {
        {AT_TOKEN, FIELD(token), is_token, "its token is not a UUID"},
        {AT_ORDER_NO, FIELD(order_no), order_number_is_valid, "its order_no is not a valid order number"},
        {AT_CHANNEL, FIELD(channel), channel_name_is_valid, "its channel is not a valid name"},
        {AT_NUMBER, FIELD(number), is_number_or_empty, "its number may not be sent to a channel"},
        {AT_CHANNEL_DATA, FIELD(channel_data), is_any, "its channel_data is too long"},
        {AT_CURRENCY, FIELD(currency), is_currency, "its currency is not three upper-case letters"},
        {AT_METHOD, FIELD(method), is_any, "its method is too long"},
    };
#undef FIELD
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *text = PQgetvalue(rows, row, fields[i].column);
        size_t length = strlen(text);
        *why = fields[i].why;
        if (length >= fields[i].bytes || !fields[i].is_good(text))
            return false;
        memcpy((char *)out + fields[i].offset, text, length + 1);
    }
    return true;
}

static bool column_read(const PGresult *rows, int row, int column, int64_t least, int64_t most, int64_t *out)
{
    return number_parse(PQgetvalue(rows, row, column), least, most, out); /* a null reads as "": refused */
}

static bool numbers_read(const PGresult *rows, int row, struct lost_order *out, const char **why)
{
    *why = "its amount_minor is not a whole number above zero";
    if (!column_read(rows, row, AT_AMOUNT_MINOR, 1, INT64_MAX, &out->amount_minor))
        return false;
    *why = "its attempt_id, claim time, age or expiry is not a number in range";
    out->left_ms = NO_END;
    return column_read(rows, row, AT_ATTEMPT_ID, INT64_MIN, INT64_MAX, &out->attempt_id) &&
           column_read(rows, row, AT_CLAIMED_US, INT64_MIN, INT64_MAX, &out->claimed_us) &&
           column_read(rows, row, AT_AGE_MS, INT64_MIN, INT64_MAX, &out->age_ms) &&
           (PQgetisnull(rows, row, AT_LEFT_MS) ||
            column_read(rows, row, AT_LEFT_MS, INT64_MIN, NO_END - 1, &out->left_ms));
}

static bool late_read(const PGresult *rows, int row, struct lost_order *out, const char **why)
{
    *why = "it was not due";
    out->late_ms = 0;
    return PQnfields(rows) < CLAIM_TOLD_WIDTH ||
           column_read(rows, row, AT_LATE_MS, 0, INT64_MAX / 2, &out->late_ms);
}

static bool phase_read(const PGresult *rows, int row, struct lost_order *out, const char **why)
{
    *why = "its phase is none that this program knows";
    return phase_parse(PQgetvalue(rows, row, AT_PHASE), &out->phase);
}

static bool counters_read(const PGresult *rows, int row, struct lost_order *out, const char **why)
{
    int *const counters[] = {&out->answers, &out->errors, &out->unknowns, &out->claims};
    *why = "one of its counters is not a number in range";
    for (int i = 0; i < 4; i++) {
        int64_t value;
        if (!column_read(rows, row, AT_ANSWERS + i, 0, INT_MAX, &value))
            return false;
        *counters[i] = (int)value;
    }
    return true;
}

bool claim_is_readable(const PGresult *rows)
{
    return CLAIM_WIDTH <= PQnfields(rows) && PQnfields(rows) <= CLAIM_DUE_WIDTH;
}

bool next_due_read(const PGresult *rows, int row, struct next_due *out)
{
    if (PQnfields(rows) < CLAIM_DUE_WIDTH || PQgetisnull(rows, row, AT_NEXT_MS))
        return false;
    out->channel = PQgetvalue(rows, row, AT_CHANNEL);
    return column_read(rows, row, AT_NEXT_MS, INT64_MIN, INT64_MAX / 2, &out->in_ms);
}

const char *order_read(const PGresult *rows, int row, struct lost_order *out)
{
    const char *why;
    bool good = texts_read(rows, row, out, &why) && numbers_read(rows, row, out, &why) &&
                late_read(rows, row, out, &why) && phase_read(rows, row, out, &why) &&
                counters_read(rows, row, out, &why);
    return good ? NULL : why;
}

/* --- settle() and backlog() ----------------------------------------------------------------------------- */

/* One row speaks for the orders from its place up to another. */
static const char *outcome_read(const PGresult *rows, int row, enum outcome *outcome,
                                enum park_reason *reason)
{
    if (!outcome_parse(PQgetvalue(rows, row, 2), outcome))
        return "makegood.settle answered an outcome that this program does not know";
    if (!park_reason_parse(PQgetvalue(rows, row, 3), reason))
        return "makegood.settle answered a reason that this program does not know";
    if ((*outcome == OUTCOME_CONFLICT) != (*reason != PARK_NOTHING))
        return "makegood.settle answered a conflict without a reason, or a reason without a conflict";
    return NULL;
}

const char *outcomes_read(const PGresult *rows, int count, enum outcome *outcomes, enum park_reason *reasons)
{
    int64_t done = 0;
    if (PQnfields(rows) != 4)
        return "makegood.settle did not answer four columns";
    for (int row = 0; row < PQntuples(rows); row++) {
        enum outcome outcome;
        enum park_reason reason;
        int64_t place, upto;
        if (!column_read(rows, row, 0, done + 1, done + 1, &place) ||
            !column_read(rows, row, 1, place, count, &upto))
            return "makegood.settle did not answer in the order of the question";
        const char *why = outcome_read(rows, row, &outcome, &reason);
        if (why)
            return why;
        for (; done < upto; done++) {
            outcomes[done] = outcome;
            reasons[done] = reason;
        }
    }
    return done == count ? NULL : "makegood.settle did not answer for every order";
}

const char *heard_read(const PGresult *rows, struct heard *out)
{
    int64_t place = 0;
    int64_t living = 0;
    bool good = PQnfields(rows) == 4 && PQntuples(rows) == 1 &&
                column_read(rows, 0, 1, 1, INT32_MAX, &living) &&
                column_read(rows, 0, 0, 0, living - 1, &place);
    if (!good)
        return "makegood.beat did not answer a place among the living";
    *out = (struct heard){(int)place, (int)living, strcmp(PQgetvalue(rows, 0, 2), "t") == 0,
                          PQgetvalue(rows, 0, 3)};
    return NULL;
}

const char *backlog_read(const PGresult *rows, struct backlog *out)
{
    bool good = PQnfields(rows) == 3 && PQntuples(rows) == 1 &&
                column_read(rows, 0, 0, 0, INT64_MAX, &out->waiting) &&
                column_read(rows, 0, 1, 0, INT64_MAX, &out->parked) &&
                column_read(rows, 0, 2, 0, INT64_MAX, &out->oldest_age_ms);
    return good ? NULL : "makegood.backlog did not answer three numbers";
}
