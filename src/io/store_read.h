/* Rows of the database into our structs, checked: what a row says is never trusted (law 8). Pure; called by
 * store.c on the loop's thread. */
#ifndef MAKEGOOD_STORE_READ_H
#define MAKEGOOD_STORE_READ_H

#include <libpq-fe.h>

#include "io/store.h"
#include "makegood/order.h"
#include "makegood/verdict.h"

/* Of claim(); claim_told() says late_ms as well, and claim_due() also next_ms. */
#define CLAIM_COLUMNS                                                                                  \
    "attempt_id, token, claimed_us, order_no, channel, number, channel_data, amount_minor, currency, " \
    "method, "                                                                                         \
    "age_ms, left_ms, phase, answers, errors, unknowns, claims"

/* Has the answer of claim() these columns? */
bool claim_is_readable(const PGresult *rows);

/* One row of it. NULL when it was read, else a sentence that says why not. */
const char *order_read(const PGresult *rows, int row, struct lost_order *out);

/* A row that is no order, but tells when the channel's next one is due. */
struct next_due {
    const char *channel; /* the answer's */
    int64_t in_ms;       /* 0: some were due already and were not given */
};
bool next_due_read(const PGresult *rows, int row, struct next_due *out);

/* The answer of settle() for count jobs. NULL, or a sentence. */
const char *outcomes_read(const PGresult *rows, int count, enum outcome *outcomes, enum park_reason *reasons);

/* The answer of beat(). Texts are the answer's. */
const char *heard_read(const PGresult *rows, struct heard *out);

/* The answer of backlog(). */
const char *backlog_read(const PGresult *rows, struct backlog *out);

#endif
