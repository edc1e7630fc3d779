/* A channel's grant, as one worker keeps it: whether it still serves, when to fetch the next. Time is an argument. A
 * worker's thread only; a channel that needs a grant is always asked by the same worker, so there is one purse for it. */
#ifndef MAKEGOOD_PURSE_H
#define MAKEGOOD_PURSE_H

#include "makegood/channel.h"

struct purse {
    struct grant *grant; /* NULL: none */
    uint64_t number; /* which one it is, of all that its worker had; tells a newer one from the one refused */
    int64_t ends_at_ms;
    int64_t renew_at_ms; /* at nine tenths of its life */
    bool fetching;
};

/* The token, or NULL when there is none that serves now. */
const char *purse_token(const struct purse *purse, int64_t now_ms);
/* It is time to fetch one, and nobody does yet. */
bool purse_is_due(const struct purse *purse, int64_t now_ms);
/* What was fetched; NULL: nothing came, the old one serves as long as it does. False without memory: the same. */
bool purse_fill(struct purse *purse, const struct grant *grant, uint64_t number, int64_t now_ms);
/* The channel refused the grant of this number: it is dropped, unless a newer one came meanwhile. */
void purse_refuse(struct purse *purse, uint64_t number);
void purse_finish(struct purse *purse);

#endif
