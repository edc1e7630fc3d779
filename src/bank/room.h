/* The waiting room: connections that get their answer later, or never. A connection in it is suspended, so it
 * costs its server thread nothing; a thread of the room's own wakes it when its time has come or its client
 * hung up. */
#ifndef BANK_ROOM_H
#define BANK_ROOM_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define FOR_EVER INT64_MAX

/* One visit. Belongs to the request, which stays as long as the connection is suspended. */
struct visitor {
    struct MHD_Connection *connection;
    int fd;
    int64_t wake_ms; /* CLOCK_MONOTONIC */
    bool hung_up;
    struct visitor *next;
    struct visitor **link;
};

struct room {
    pthread_t thread;
    pthread_mutex_t lock;
    int epoll_fd;
    int bell_fd;
    bool closed;
    struct visitor *visitors;
};

int room_open(struct room *room);
/* Wakes everybody and lets nobody in any more. */
void room_close(struct room *room);
void room_finish(struct room *room);

/* Suspends the connection for so long (FOR_EVER: until the client hangs up); its handler is called again
 * afterwards. False when the room is closed. Called by a server thread inside a handler or a body's callback.
 */
bool room_wait(struct room *room, struct visitor *visitor, struct MHD_Connection *connection,
               int64_t wait_ms);

#endif
