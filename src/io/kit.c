/* What a worker keeps for each channel: see kit.h. Owns the transfers and the purses. */
#include "io/kit.h"

#include <stdlib.h>

static struct kit *kit_find(struct worker *worker, const struct channel *channel)
{
    struct kit *kit = worker->kits;
    while (kit && (kit->channel != channel || kit->stale))
        kit = kit->next;
    return kit;
}

struct kit *kit_of(struct worker *worker, const struct channel *channel)
{
    struct kit *kit = kit_find(worker, channel);
    if (kit || !(kit = calloc(1, sizeof(*kit))))
        return kit;
    kit->channel = channel;
    kit->next = worker->kits;
    worker->kits = kit;
    return kit;
}

static void kit_empty(struct kit *kit)
{
    while (kit->idle) {
        struct transfer *transfer = kit->idle;
        kit->idle = transfer->next;
        transfer_destroy(transfer);
    }
}

static void kit_destroy(struct kit *kit)
{
    kit_empty(kit);
    purse_finish(&kit->purse);
    free(kit);
}

void kits_forget(struct worker *worker)
{
    for (struct kit **link = &worker->kits; *link;) {
        struct kit *kit = *link;
        kit->stale = true;
        if (kit->busy > 0) { /* transfer_put destroys it */
            kit_empty(kit);
            link = &kit->next;
            continue;
        }
        *link = kit->next;
        kit_destroy(kit);
    }
}

struct transfer *transfer_take(struct worker *worker, const struct channel *channel)
{
    struct kit *kit = kit_of(worker, channel);
    if (!kit)
        return NULL;
    struct transfer *transfer = kit->idle;
    if (transfer)
        kit->idle = transfer->next;
    else
        transfer = transfer_create(channel, worker->user_agent);
    if (!transfer)
        return NULL;
    kit->busy++;
    transfer->kit = kit;
    transfer->prev = NULL;
    transfer->next = worker->busy;
    if (worker->busy)
        worker->busy->prev = transfer;
    worker->busy = transfer;
    return transfer;
}

static void busy_unlink(struct worker *worker, struct transfer *transfer)
{
    *(transfer->prev ? &transfer->prev->next : &worker->busy) = transfer->next;
    if (transfer->next)
        transfer->next->prev = transfer->prev;
}

static void kit_unlink(struct worker *worker, const struct kit *kit)
{
    struct kit **link = &worker->kits;
    while (*link != kit)
        link = &(*link)->next;
    *link = kit->next;
}

void transfer_put(struct worker *worker, struct transfer *transfer)
{
    struct kit *kit = transfer->kit;
    busy_unlink(worker, transfer);
    kit->busy--;
    transfer->next = kit->idle;
    kit->idle = transfer;
    if (!kit->stale)
        return;
    kit_empty(kit);
    if (kit->busy == 0) {
        kit_unlink(worker, kit);
        kit_destroy(kit);
    }
}

void kits_finish(struct worker *worker)
{
    while (worker->busy) {
        struct transfer *transfer = worker->busy;
        curl_multi_remove_handle(worker->multi, transfer->easy);
        busy_unlink(worker, transfer);
        transfer->kit->busy--;
        transfer_destroy(transfer);
    }
    kits_forget(worker);
}
