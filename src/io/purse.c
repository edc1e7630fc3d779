/* A channel's grant: see purse.h. Owns the token and wipes it. */
#include "io/purse.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 10000 /* after a fetch in vain, while the old one serves */

const char *purse_token(const struct purse *purse, int64_t now_ms)
{
    return purse->grant && now_ms < purse->ends_at_ms ? purse->grant->token : NULL;
}

bool purse_is_due(const struct purse *purse, int64_t now_ms)
{
    return !purse->fetching && (!purse_token(purse, now_ms) || now_ms >= purse->renew_at_ms);
}

void purse_finish(struct purse *purse)
{
    if (purse->grant)
        explicit_bzero(purse->grant, sizeof(*purse->grant));
    free(purse->grant);
    purse->grant = NULL;
}

bool purse_fill(struct purse *purse, const struct grant *grant, uint64_t number, int64_t now_ms)
{
    struct grant *kept = grant ? malloc(sizeof(*kept)) : NULL;
    purse->fetching = false;
    purse->renew_at_ms = now_ms + AGAIN_MS;
    if (!kept)
        return false;
    *kept = *grant;
    purse_finish(purse);
    purse->grant = kept;
    purse->number = number;
    purse->ends_at_ms = now_ms + grant->lifetime_ms;
    purse->renew_at_ms = now_ms + grant->lifetime_ms / 10 * 9;
    return true;
}

void purse_refuse(struct purse *purse, uint64_t number)
{
    if (purse->number == number)
        purse_finish(purse);
}
