/* The bare loop: what its three threads share. A batch travels in a circle of queues, spare -> claimed ->
 * answered
 * -> spare, so the number of batches bounds everything. One owner at a time: whoever took it. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <pthread.h>
#include <stdbool.h>

#define BATCHES_MAX 64
#define TEXT_BYTES  65

struct row {
    char attempt_id[24];
    char order_no[TEXT_BYTES];
    char number[TEXT_BYTES];
};

struct batch {
    struct row *rows;
    int count;
    int asked;
    int answered;
};

/* Takes as many batches as there are: putting never waits. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *items[BATCHES_MAX];
    int first;
    int count;
    bool closed;
};

void queue_init(struct queue *queue);
void queue_put(struct queue *queue, struct batch *batch);
/* Nothing more will be put: who waits gets what is left, then NULL. */
void queue_close(struct queue *queue);
/* NULL: the queue is closed and empty, or it is empty and the caller does not wait. */
struct batch *queue_take(struct queue *queue, bool wait);

struct options {
    const char *database; /* connection string */
    const char *url;      /* with {number} */
    const char *ca_file;  /* NULL: the system's */
    const char *channel;
    int connections;
    int batch_size;
    int batches;
};

struct limit {
    struct options options;
    struct batch batches[BATCHES_MAX];
    struct queue spare;
    struct queue claimed;
    struct queue answered;
    long orders; /* settled; the settler's */
    long claims; /* calls; the claimer's */
    long settles;
};

/* Prints a sentence and ends the process: a benchmark with a failure in it measured nothing. */
__attribute__((noreturn, format(printf, 1, 2))) void limit_fail(const char *format, ...);

/* The second of the three threads: asks about every row of claimed batches, hands them on as answered. */
void *asker_run(void *limit);

#endif
