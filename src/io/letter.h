/* A lost order as a message: JSON text, and back, checked: whoever may publish is not trusted (law 8). The shop writes the
 * first one of a chain; makegood writes what follows it, with where the order stands. Pure; called by the broker's source.
 *
 *   {"order_no": "A17", "channel": "alipay", "number": "2026...", "amount_minor": 1234, "currency": "CNY"}
 *
 * The shop may add attempt, method, channel_data (an object), created_at_ms and expires_at_ms (since 1970). makegood adds
 * chain (a UUID), due_us (since 1970), before_us and before_request (the step that wrote it), phase, answers, errors, unknowns
 * and claims (deliveries before, without a settlement). */
#ifndef MAKEGOOD_LETTER_H
#define MAKEGOOD_LETTER_H

#include <stddef.h>

#include "makegood/evidence.h"
#include "makegood/order.h"

#define LETTER_BYTES     8192
#define LETTER_WHY_BYTES 160

/* What came with the message: it stands in for what the shop did not write. */
struct postmark {
    const char *id;     /* the message's: the chain of a first one is made of it */
    int64_t born_ms;    /* since 1970; 0: not told */
    int64_t deliver_ms; /* when it was to come; 0: not told */
    int64_t now_ms;
    int deliveries; /* this one included */
};

/* The step of a chain that wrote a letter: the letter counts once that is recorded, and if it was that question's. */
struct step {
    int64_t due_us;                    /* of the message that was asked; 0: none, the shop wrote it */
    char request_id[REQUEST_ID_BYTES]; /* of the question; "": nobody was asked */
};

/* The order, with its times as durations from now; created_ms and expires_ms stay what they were. */
struct letter {
    struct lost_order order; /* token: the chain; claimed_us: due */
    struct step before;
    int64_t created_ms;
    int64_t expires_ms; /* NO_END: it names none */
};

/* False with a sentence in why; then order_no and channel are as far as they could be read. */
bool letter_read(const void *text, size_t length, const struct postmark *postmark, struct letter *out,
                 char why[LETTER_WHY_BYTES]);

/* The length, or 0 when it does not fit. order: where it stands from now on, and when it is due. */
size_t letter_write(const struct letter *letter, char out[LETTER_BYTES]);

#endif
