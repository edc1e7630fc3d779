/* A lost order: one payment attempt whose result is unknown; in memory a copy of its makegood.lost_order row
 * as it was claimed. Times are durations measured by the database at the claim (law 3). */
#ifndef MAKEGOOD_ORDER_H
#define MAKEGOOD_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "makegood/enum.h"
#include "makegood/money.h"

#define NUMBER_BYTES       65 /* order and channel numbers: at most 64 characters */
#define CHANNEL_BYTES      33 /* a channel's name: at most 32 characters */
#define METHOD_BYTES       33
#define ATTEMPT_BYTES      65
#define TOKEN_BYTES        37        /* a UUID as text: the fence */
#define CHANNEL_DATA_BYTES 1024      /* what a channel needs beside the number, as a JSON object */
#define NO_END             INT64_MAX /* left_ms of an attempt that names no expiry */

/* Where an attempt stands in its life (correctness 23 and 24): what it is asked next, and what the answer may do.
 * X(NAME, text, meaning) */
#define PHASE_LIST(X)                                                                         \
    X(OPEN, "open", "asked whether it was paid")                                              \
    X(CLOSING, "closing", "at the end of its life, unpaid: the channel is asked to close it") \
    X(CHECK, "check", "the channel was asked to close it: asked again what it is")            \
    X(TAIL, "tail", "closed, the order as well: asked a few times more for a late success")

enum phase {
#define X(name, ...) PHASE_##name,
    PHASE_LIST(X)
#undef X
        PHASES
};
ENUM_DECLARE(phase)

struct lost_order {
    int64_t attempt_id;          /* the row's key */
    char token[TOKEN_BYTES];     /* of the claim */
    int64_t claimed_us;          /* database time of the claim, microseconds since 1970; only handed back */
    char order_no[NUMBER_BYTES]; /* the shop's key of its order */
    char channel[CHANNEL_BYTES];
    char attempt[ATTEMPT_BYTES]; /* the shop's name of the attempt, where it tells several apart; may be "" */
    char number[NUMBER_BYTES];   /* what the channel knows the payment by; "" while unknown */
    char method[METHOD_BYTES];   /* payment method, may be "" */
    char channel_data[CHANNEL_DATA_BYTES]; /* JSON object text, "" when there is none */
    int64_t amount_minor;
    char currency[CURRENCY_BYTES];
    int64_t age_ms;  /* since the attempt was created, at the claim */
    int64_t left_ms; /* until it expires, at the claim: negative when past, NO_END when it names no expiry */
    int64_t late_ms; /* for how long it had been due, at the claim; 0 where the schema does not tell */
    enum phase phase;
    int answers;  /* channel's answers so far: what uses up the schedule and the attempt limit */
    int errors;   /* errors since the last answer: what drives the error backoff */
    int unknowns; /* answers in a row with a status outside the list */
    int claims;   /* claims since the last settlement, this one included: what may be killing us */
};

/* [A-Za-z0-9_|*-]{1,64}: the only texts that may enter a URL, a header or a body (law 8). */
bool order_number_is_valid(const char *text);

/* [a-z0-9_-]{1,32}: names of channels. */
bool channel_name_is_valid(const char *text);

#endif
