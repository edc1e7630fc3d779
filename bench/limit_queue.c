/* A queue of batches between two threads of the bare loop. Any thread; never allocates. */
#include "limit.h"

#include <assert.h>

void queue_init(struct queue *queue)
{
    *queue = (struct queue){.first = 0};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

void queue_put(struct queue *queue, struct batch *batch)
{
    pthread_mutex_lock(&queue->lock);
    assert(queue->count < BATCHES_MAX);
    queue->items[(queue->first + queue->count++) % BATCHES_MAX] = batch;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

struct batch *queue_take(struct queue *queue, bool wait)
{
    struct batch *batch = NULL;
    pthread_mutex_lock(&queue->lock);
    while (wait && queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->lock);
    if (queue->count > 0) {
        batch = queue->items[queue->first];
        queue->first = (queue->first + 1) % BATCHES_MAX;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->lock);
    return batch;
}
