/* What a worker keeps for a channel: idle transfers, its grant, and who waits for one. The worker's thread only. Looks into
 * no channel that has no question under way: it may be gone. */
#ifndef MAKEGOOD_KIT_H
#define MAKEGOOD_KIT_H

#include "io/purse.h"
#include "io/transfer.h"
#include "io/worker.h"

/* A stale one serves no new question and goes with its last transfer. */
struct kit {
    const struct channel *channel; /* only compared */
    struct transfer *idle;
    int busy;
    struct purse purse;
    struct question_list waiting; /* for the grant that is being fetched */
    bool stale;
    struct kit *next;
};

/* Made where there is none yet; NULL without memory. */
struct kit *kit_of(struct worker *worker, const struct channel *channel);
/* A channel is going away: it has no question under way, the others lose no more than idle transfers and grants. */
void kits_forget(struct worker *worker);
/* Those under way are dropped as well. */
void kits_finish(struct worker *worker);

/* NULL without memory. */
struct transfer *transfer_take(struct worker *worker, const struct channel *channel);
/* Done with it; its kit may be gone then, and the transfer with it. */
void transfer_put(struct worker *worker, struct transfer *transfer);

#endif
