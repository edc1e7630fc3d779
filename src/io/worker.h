/* A worker: one thread with one curl multi on one epoll. Between it and the loop lies its part of the
 * mailbox; the fields that the mailbox's mutex guards say so. */
#ifndef MAKEGOOD_WORKER_H
#define MAKEGOOD_WORKER_H

#include <curl/curl.h>
#include <pthread.h>

#include "io/pool.h"

struct question_list {
    struct question *first;
    struct question *last;
    int count;
};

struct mailbox {
    pthread_mutex_t mutex;
    uv_async_t *answered; /* rung when answers lie in some worker's part */
};

struct worker {
    struct mailbox *mailbox;
    const char *user_agent;
    pthread_t thread;
    bool runs;
    int bell_fd; /* an eventfd: something lies in inbox, or changed below */

    /* Guarded by the mailbox's mutex. */
    struct question_list inbox;
    struct question_list outbox;
    bool forget; /* the idle transfers */
    bool stop;

    /* The loop's thread only. */
    struct question_list gathered; /* until pool_flush */
    int under_way;

    /* The worker's thread only. */
    CURLM *multi;
    int epoll_fd;
    int64_t due_ms;  /* when libcurl wants to be called; -1: not at all */
    uint64_t grants; /* fetched so far */
    struct kit *kits;
    struct transfer *busy;
    struct question_list answered; /* in this turn */
};

void list_push(struct question_list *list, struct question *question);
void list_move(struct question_list *from, struct question_list *to);

/* 0 or a negative errno; connections: how many are kept alive. */
int worker_start(struct worker *worker, struct mailbox *mailbox, const char *user_agent, int connections);
void worker_ring(struct worker *worker);
/* After stop was set and the bell rung: waits for the thread and frees what it had. */
void worker_finish(struct worker *worker);

#endif
