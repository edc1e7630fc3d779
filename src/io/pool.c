/* The worker pool: see pool.h. Owns the workers and the mailbox; all of this runs on the loop's thread. A
 * question goes to the worker with the fewest under way, a batch of them in one delivery. */
#include "io/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "io/worker.h"

struct pool {
    void (*done)(void *self, struct question *questions);
    void *self;
    struct mailbox mailbox;
    uv_async_t answered;
    struct worker *workers;
    int worker_count;
};

static void on_answered(uv_async_t *async)
{
    struct pool *pool = async->data;
    struct question_list all = {0};
    pthread_mutex_lock(&pool->mailbox.mutex);
    for (int i = 0; i < pool->worker_count; i++) {
        pool->workers[i].under_way -= pool->workers[i].outbox.count;
        list_move(&pool->workers[i].outbox, &all);
    }
    pthread_mutex_unlock(&pool->mailbox.mutex);
    if (all.first)
        pool->done(pool->self, all.first);
}

static struct worker *least_busy(struct pool *pool)
{
    struct worker *best = &pool->workers[0];
    for (int i = 1; i < pool->worker_count; i++)
        if (pool->workers[i].under_way < best->under_way)
            best = &pool->workers[i];
    return best;
}

/* Always the same worker, so that it alone keeps the channel's grant. */
static struct worker *grant_keeper(struct pool *pool, const struct channel *channel)
{
    unsigned sum = 0;
    for (const char *c = channel->name; *c; c++)
        sum = sum * 31 + (unsigned char)*c;
    return &pool->workers[sum % (unsigned)pool->worker_count];
}

void pool_ask(struct pool *pool, struct question *question)
{
    const struct channel *channel = question->channel;
    struct worker *worker = channel->needs_grant ? grant_keeper(pool, channel) : least_busy(pool);
    worker->under_way++;
    list_push(&worker->gathered, question);
}

void pool_flush(struct pool *pool)
{
    for (int i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        if (!worker->gathered.first)
            continue;
        pthread_mutex_lock(&pool->mailbox.mutex);
        list_move(&worker->gathered, &worker->inbox);
        pthread_mutex_unlock(&pool->mailbox.mutex);
        worker_ring(worker);
    }
}

static void tell_all(struct pool *pool, bool forget, bool stop)
{
    pthread_mutex_lock(&pool->mailbox.mutex);
    for (int i = 0; i < pool->worker_count; i++) {
        pool->workers[i].forget = pool->workers[i].forget || forget;
        pool->workers[i].stop = pool->workers[i].stop || stop;
    }
    pthread_mutex_unlock(&pool->mailbox.mutex);
    for (int i = 0; i < pool->worker_count; i++)
        worker_ring(&pool->workers[i]);
}

/* Idle transfers of all channels go; the others make theirs anew. */
void pool_forget(struct pool *pool, const struct channel *channel)
{
    (void)channel;
    tell_all(pool, true, false);
}

static void on_closed(uv_handle_t *handle)
{
    struct pool *pool = handle->data;
    pthread_mutex_destroy(&pool->mailbox.mutex);
    free(pool);
}

/* Nobody rings any more: the workers are gone. */
void pool_destroy(struct pool *pool)
{
    tell_all(pool, false, true);
    for (int i = 0; i < pool->worker_count; i++)
        worker_finish(&pool->workers[i]);
    free(pool->workers);
    pool->workers = NULL;
    pool->worker_count = 0;
    curl_global_cleanup();
    uv_close((uv_handle_t *)&pool->answered, on_closed);
}

static int workers_start(struct pool *pool, const struct pool_options *options)
{
    pool->workers = calloc((size_t)options->workers, sizeof(*pool->workers));
    if (!pool->workers)
        return -ENOMEM;
    for (int i = 0; i < options->workers; i++) {
        int result =
            worker_start(&pool->workers[i], &pool->mailbox, options->user_agent, options->connections);
        if (result < 0)
            return result;
        pool->worker_count++;
    }
    return 0;
}

int pool_create(struct pool **out, uv_loop_t *loop, const struct pool_options *options)
{
    assert(options->workers > 0 && options->connections > 0);
    unsetenv("SSLKEYLOGFILE"); /* libcurl would write the keys of every TLS session there */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    struct pool *pool = calloc(1, sizeof(*pool));
    int result = pool ? uv_async_init(loop, &pool->answered, on_answered) : -ENOMEM;
    if (result < 0) {
        free(pool);
        curl_global_cleanup();
        return result;
    }
    pool->answered.data = pool;
    pool->done = options->done;
    pool->self = options->self;
    pool->mailbox.answered = &pool->answered;
    pthread_mutex_init(&pool->mailbox.mutex, NULL);
    result = workers_start(pool, options);
    if (result < 0) {
        pool_destroy(pool);
        return result;
    }
    *out = pool;
    return 0;
}
