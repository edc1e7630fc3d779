/* A trial: what would be decided about an answer, without a database and without writing anything. Any thread. */
#ifndef MAKEGOOD_TRIAL_H
#define MAKEGOOD_TRIAL_H

#include <stdio.h>

#include "makegood/decide.h"

struct trial {
    const struct policy *policy;
    struct lost_order order; /* as of an attempt that was made just now */
    bool has_amount; /* its amount and currency are known; otherwise the answer's are taken for them */
    struct evidence evidence;
    struct verdict verdict;
};

/* Decides: fills in the verdict. */
void trial_decide(struct trial *trial);

/* "12.34 CNY" */
#define MONEY_SAID_BYTES (MONEY_TEXT_BYTES + 32)
void money_say(int64_t minor, const char *currency, char out[MONEY_SAID_BYTES]);

/* The verdict in one sentence, as "parked as amount_mismatch: the channel's amount is ..." */
void trial_say(FILE *out, const struct trial *trial);

#endif
