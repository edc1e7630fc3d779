/* A source: where due lost orders come from and where they go when they are settled. The table and the broker are two
 * implementations of it; the engine knows nothing more of either.
 *
 *   claim ----> engine_claimed / engine_claim_failed   orders, each under a token, ours for the lease
 *   settle ---> engine_settled / engine_settle_failed  per order what became of it
 *   release --> engine_released                        given back unasked, whatever came of it
 *
 * One claim of a source is under way at a time; one that waits may be made anew, with other wants, and is answered once. What is
 * retried comes again by itself, as any order does. */
#ifndef MAKEGOOD_SOURCE_H
#define MAKEGOOD_SOURCE_H

#include <stdint.h>

#include "makegood/enum.h"

/* X(NAME, text, meaning) */
#define SOURCE_KIND_LIST(X)                                                   \
    X(TABLE, "table", "rows of makegood.lost_order; a claim answers at once") \
    X(BROKER, "rocketmq", "delayed messages of RocketMQ; a claim waits until some have come, for a while")

enum source_kind {
#define X(name, ...) SOURCE_##name,
    SOURCE_KIND_LIST(X)
#undef X
        SOURCE_KINDS
};
ENUM_DECLARE(source_kind)

struct batch;
struct lost_order;

struct claim_want {
    const char *channel;
    int limit;
};

/* self is the world's. */
struct source {
    void (*claim)(void *self, const struct claim_want *wants, int count, int64_t lease_ms);
    void (*settle)(void *self, struct batch *batch);
    void (*release)(void *self, struct batch *batch);
    /* An order of a claim, for which there is no slot or no channel any more. NULL: it is left to its lease. */
    void (*refuse)(void *self, const struct lost_order *order);
};

#endif
