/* The waiting room of the simulated bank: see room.h. Owns one thread, the list of visitors and its lock. The
 * server's threads come in by room_wait; only the room's thread lets out. It never reads or writes a
 * connection. */
#include "bank/room.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void bell_ring(struct room *room)
{
    eventfd_write(room->bell_fd, 1); /* can only fail when it rings already */
}

static int watch(struct room *room, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void visitor_leave(struct room *room, struct visitor *visitor)
{
    *visitor->link = visitor->next;
    if (visitor->next)
        visitor->next->link = visitor->link;
    epoll_ctl(room->epoll_fd, EPOLL_CTL_DEL, visitor->fd, NULL);
    MHD_resume_connection(visitor->connection);
}

/* Lets out whoever is due. Returns how long the rest may wait, -1 for ever. */
static int visitors_wake(struct room *room)
{
    int64_t now = now_ms();
    int64_t first = FOR_EVER;
    for (struct visitor *visitor = room->visitors, *next; visitor; visitor = next) {
        next = visitor->next;
        if (room->closed || visitor->hung_up || visitor->wake_ms <= now)
            visitor_leave(room, visitor);
        else if (visitor->wake_ms < first)
            first = visitor->wake_ms;
    }
    if (first == FOR_EVER)
        return -1;
    return first - now < INT_MAX ? (int)(first - now) : INT_MAX;
}

static void events_take(struct room *room, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct visitor *visitor = events[i].data.ptr;
        eventfd_t rung;
        if (visitor)
            visitor->hung_up = true;
        else
            eventfd_read(room->bell_fd, &rung);
    }
}

static void *room_run(void *self)
{
    struct room *room = self;
    struct epoll_event events[EVENTS];
    bool open = true;
    int wait_ms = -1;
    while (open) {
        int count = epoll_wait(room->epoll_fd, events, EVENTS, wait_ms);
        pthread_mutex_lock(&room->lock);
        events_take(room, events, count);
        wait_ms = visitors_wake(room);
        open = !room->closed;
        pthread_mutex_unlock(&room->lock);
    }
    return NULL;
}

int room_open(struct room *room)
{
    *room = (struct room){.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                          .bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_mutex_init(&room->lock, NULL);
    int failed = room->epoll_fd < 0 || room->bell_fd < 0 || watch(room, room->bell_fd, EPOLLIN, NULL) < 0;
    if (!failed && pthread_create(&room->thread, NULL, room_run, room) == 0)
        return 0;
    room_finish(room);
    return -1;
}

void room_close(struct room *room)
{
    pthread_mutex_lock(&room->lock);
    room->closed = true;
    pthread_mutex_unlock(&room->lock);
    bell_ring(room);
    pthread_join(room->thread, NULL);
}

void room_finish(struct room *room)
{
    if (room->epoll_fd >= 0)
        close(room->epoll_fd);
    if (room->bell_fd >= 0)
        close(room->bell_fd);
    pthread_mutex_destroy(&room->lock);
}

static void visitor_enter(struct room *room, struct visitor *visitor)
{
    MHD_suspend_connection(visitor->connection);
    visitor->next = room->visitors;
    visitor->link = &room->visitors;
    if (visitor->next)
        visitor->next->link = &visitor->next;
    room->visitors = visitor;
    if (watch(room, visitor->fd, EPOLLRDHUP | EPOLLONESHOT, visitor) < 0)
        visitor->hung_up = true; /* gone already: let out at once */
}

bool room_wait(struct room *room, struct visitor *visitor, struct MHD_Connection *connection, int64_t wait_ms)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *visitor = (struct visitor){.connection = connection,
                                .fd = info->connect_fd,
                                .wake_ms = wait_ms == FOR_EVER ? FOR_EVER : now_ms() + wait_ms};
    pthread_mutex_lock(&room->lock);
    bool open = !room->closed;
    if (open)
        visitor_enter(room, visitor);
    pthread_mutex_unlock(&room->lock);
    bell_ring(room);
    return open;
}
