/* The desk: whom a request is for, what it is about, and what is said to it. The server owns one per request and lends
 * it; called by the server's threads. */
#ifndef BANK_DESK_H
#define BANK_DESK_H

#include "bank/bank.h"

#define BODY_MOST 16384

struct question;
struct provider;

struct desk {
    const struct provider *provider; /* NULL: Stripe */
    struct question *question;       /* NULL: Stripe */
    struct order *order;             /* NULL: the answer is written already */
    struct fate fate;
    bool closes;
    char *body;
    size_t body_bytes;
};

/* One request, as it came. */
struct sent {
    const char *url; /* unescaped, without the query */
    const char *target;
    const char *method;
};

/* One more piece of the body. False: it is too long, or there is no memory. */
bool desk_take(struct desk *desk, const char *bytes, size_t count);
/* When the whole request is there: finds the order and its fate; where there is none the answer is written at once. */
void desk_meet(struct desk *desk, struct bank *bank, struct MHD_Connection *connection,
               const struct sent *sent, struct answer *out);
/* The answer of a fate that has one. */
void desk_tell(struct desk *desk, const struct ledger *ledger, struct answer *out);
void desk_finish(struct desk *desk);

#endif
