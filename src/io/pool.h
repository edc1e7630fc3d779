/* The worker pool: threads with one curl multi each. Questions go out, evidence comes back.
 *
 * pool_ask and the done callback run on the loop's thread; building, sending and interpreting on a worker's.
 * The mailbox between them holds the only mutex of the program. */
#ifndef MAKEGOOD_POOL_H
#define MAKEGOOD_POOL_H

#include <uv.h>

#include "makegood/channel.h"

struct pool;

/* One question under way. The asker owns the memory and leaves it alone until done is called for it. */
struct question {
    const struct channel *channel;
    const struct lost_order *order;
    struct evidence *evidence; /* filled in by the pool, whole */
    void *self;                /* the asker's */
    struct question *next;     /* the pool's */
    bool renewed;              /* the pool's: asked again with a new grant, false at first */
    /* Sees what was sent and what came, on a worker's thread, before both are dropped; no answer has status 0 and no body.
     * Not called when nothing was sent, nor for grants. NULL: nobody looks. */
    void (*witness)(void *self, const struct request *request, const struct response *response);
};

struct pool_options {
    int workers;
    int connections; /* kept alive per worker */
    const char *user_agent;
    void (*done)(void *self, struct question *questions); /* a list by next: several at once */
    void *self;
};

/* 0 or a negative errno. */
int pool_create(struct pool **out, uv_loop_t *loop, const struct pool_options *options);
/* Gathered until pool_flush, so that a batch wakes a worker once. */
void pool_ask(struct pool *pool, struct question *question);
void pool_flush(struct pool *pool);
/* A channel is going away: workers drop what they keep for it (easy handles, connections stay). */
void pool_forget(struct pool *pool, const struct channel *channel);
/* Ends the threads; questions under way are not answered any more. Blocks for at most about a second. */
void pool_destroy(struct pool *pool);

#endif
