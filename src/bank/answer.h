/* Answers: what the simulated bank says about an order, as bytes in the manner of Stripe's payment intents.
 * Pure. */
#ifndef BANK_ANSWER_H
#define BANK_ANSWER_H

#include "bank/ledger.h"

#define ANSWER_BYTES 768

struct answer {
    unsigned status;
    const char *type;       /* content type */
    unsigned retry_after_s; /* 0: no such header */
    size_t length;
    char body[ANSWER_BYTES];
};

/* The answer of a word that has one (PAID to RATE_LIMITED, and what CUT and DRIP send of theirs), about this
 * order. */
void answer_write(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                  struct answer *out);

/* 404 for what the ledger does not have, 401 for a wrong key. */
void answer_error(unsigned status, struct answer *out);

#endif
