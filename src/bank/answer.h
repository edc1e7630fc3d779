/* Answers: what the simulated bank says about an order, as bytes in the manner of Stripe's payment intents.
 * Pure. */
#ifndef BANK_ANSWER_H
#define BANK_ANSWER_H

#include <stdbool.h>

#include "bank/ledger.h"

#define ANSWER_BYTES   4096
#define ANSWER_HEADERS 6

struct answer {
    unsigned status;
    const char *type;       /* content type */
    unsigned retry_after_s; /* 0: no such header */
    size_t length;
    int header_count;
    char body[ANSWER_BYTES];
    struct {
        const char *name;
        char value[768];
    } headers[ANSWER_HEADERS];
};

/* The body; there are no headers yet. */
void answer_print(struct answer *out, unsigned status, const char *type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void answer_header(struct answer *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What every channel's proxies say alike: GARBAGE, HTML, BAD_GATEWAY. False for other words. */
bool answer_broken(enum word word, const char *number, int length, struct answer *out);

/* The answer of a word that has one (PAID to RATE_LIMITED, and what CUT and DRIP send of theirs), about this
 * order. */
void answer_write(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                  struct answer *out);

/* Stripe's: the answer to a cancel: the intent where it is canceled now, else that it can not be. */
void answer_cancel(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                   struct answer *out);

/* Stripe's: 404 for what the ledger does not have, 401 for a wrong key. */
void answer_error(unsigned status, struct answer *out);

#endif
