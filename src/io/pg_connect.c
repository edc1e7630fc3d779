/* A connection's coming up and going down: PQconnectStart and PQconnectPoll on the loop, one bound over all
 * hosts, reconnecting with jittered backoff, creation and destruction. Loop's thread only; called by its
 * timers and its poll. Sends no call and reads no answer (pg.c does).
 *
 * A host given by name is looked up by libpq, which blocks the loop meanwhile; a socket's folder, an address,
 * or hostaddr beside the name does not. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "io/log.h"
#include "io/pg_inner.h"

static void on_timer(uv_timer_t *timer);

void pg_timer_restart(struct pg *pg, int64_t ms)
{
    uv_update_time(pg->loop);
    if (ms > 0)
        uv_timer_start(&pg->timer, on_timer, (uint64_t)ms, 0);
    else
        uv_timer_stop(&pg->timer);
}

/* --- the descriptor ------------------------------------------------------------------------------------- */

/* The poll watches a number of its own for the socket: libpq closes its own without a word, and by the next
 * turn a worker may have that number for a socket to a channel. */
struct descriptor {
    uv_poll_t poll;
    int fd;
};

static void on_poll_closed(uv_handle_t *handle)
{
    struct descriptor *descriptor = (struct descriptor *)handle;
    close(descriptor->fd);
    free(descriptor);
}

static void poll_drop(struct pg *pg)
{
    if (pg->poll)
        uv_close((uv_handle_t *)pg->poll, on_poll_closed);
    pg->poll = NULL;
}

static void connect_step(struct pg *pg);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg *pg = poll->data;
    if (pg->state == PG_CONNECTING)
        connect_step(pg); /* an error of the socket is PQconnectPoll's to tell */
    else if (pg->state == PG_UP)
        pg_on_ready(pg, status < 0 ? UV_READABLE : events);
}

static int poll_make(struct pg *pg, int fd)
{
    struct descriptor *descriptor = malloc(sizeof(*descriptor));
    if (!descriptor)
        return -ENOMEM;
    descriptor->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int result = descriptor->fd < 0 ? -errno : uv_poll_init(pg->loop, &descriptor->poll, descriptor->fd);
    if (result < 0) {
        if (descriptor->fd >= 0)
            close(descriptor->fd);
        free(descriptor);
        return result;
    }
    pg->poll = &descriptor->poll;
    pg->poll->data = pg;
    pg->poll_fd = fd;
    return 0;
}

/* While connecting libpq may close the socket and open another, even under the same number: the poll is
 * always dropped before libpq runs then (connect_step). */
void pg_watch(struct pg *pg, int events)
{
    int fd = PQsocket(pg->conn);
    if (pg->poll && pg->poll_fd != fd)
        poll_drop(pg);
    int result = pg->poll ? 0 : poll_make(pg, fd);
    if (result == 0)
        result = uv_poll_start(pg->poll, events, on_poll);
    if (result < 0 && !pg->broken) {
        pg_reason_set(pg, uv_strerror(result));
        pg->broken = true;
        pg_refuse_soon(pg);
    }
}

/* --- going down ------------------------------------------------------------------------------------------
 */

static uint64_t random_next(struct pg *pg)
{
    pg->random ^= pg->random << 13;
    pg->random ^= pg->random >> 7;
    pg->random ^= pg->random << 17;
    return pg->random;
}

/* Doubles with every failure; anywhere from half of that to all of it, so that daemons do not come in step.
 */
static int64_t backoff_next_ms(struct pg *pg)
{
    int64_t full_ms = pg->options.backoff_first_ms;
    for (int i = 0; i < pg->failures && full_ms < pg->options.backoff_max_ms; i++)
        full_ms *= 2;
    if (full_ms > pg->options.backoff_max_ms)
        full_ms = pg->options.backoff_max_ms;
    pg->failures++;
    return full_ms / 2 + (int64_t)(random_next(pg) % (uint64_t)(full_ms / 2 + 1)) + 1;
}

static void connection_drop(struct pg *pg)
{
    poll_drop(pg);
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->prepared_count = 0;
    pg->congested = pg->leaving = pg->broken = false;
}

void pg_lose(struct pg *pg, const char *reason)
{
    struct call_list sent = pg->sent, unsent = pg->unsent;
    pg_reason_set(pg, reason);
    pg->sent = pg->unsent = (struct call_list){0};
    connection_drop(pg);
    pg->state = PG_WAITING;
    pg_timer_restart(pg, backoff_next_ms(pg));
    pg->events.down(pg->self, pg->reason);
    calls_fail(&sent, FAILURE_UNKNOWN, pg->reason);
    calls_fail(&unsent, FAILURE_LATER, pg->reason);
}

/* --- coming up -------------------------------------------------------------------------------------------
 */

/* The server's notices are for the one who traces, not for stderr as libpq would have it. */
static void on_notice(void *self, const PGresult *notice)
{
    (void)self;
    log_event(LOG_TRACED, "database_notice", "sqlstate", PQresultErrorField(notice, PG_DIAG_SQLSTATE),
              "detail", PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY), NULL);
}

static void connection_up(struct pg *pg)
{
    if (PQsetnonblocking(pg->conn, 1) != 0 || !PQenterPipelineMode(pg->conn)) {
        pg_lose(pg, PQerrorMessage(pg->conn));
        return;
    }
    pg->state = PG_UP;
    pg_timer_restart(pg, 0);
    pg_watch(pg, UV_READABLE);
    pg_hello(pg);
    pg->events.up(pg->self);
}

static void connect_step(struct pg *pg)
{
    poll_drop(pg);
    switch (PQconnectPoll(pg->conn)) {
    case PGRES_POLLING_READING:
        pg_watch(pg, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        pg_watch(pg, UV_WRITABLE);
        break;
    case PGRES_POLLING_OK:
        connection_up(pg);
        break;
    default:
        pg_lose(pg, PQerrorMessage(pg->conn));
    }
}

/* The whole string, then what we add: the last one wins. Where the string names several hosts they are
 * repeated, beginning with the one whose turn it is. */
static PGconn *connection_start(struct pg *pg)
{
    const char *keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL, NULL, NULL,
                              NULL};
    const char *values[] = {pg->conninfo, pg->application_name, "UTF8", NULL, NULL, NULL, NULL};
    const struct {
        const char *keyword;
        const char *list;
    } lists[] = {{"host", pg->hosts.host}, {"hostaddr", pg->hosts.hostaddr}, {"port", pg->hosts.port}};
    char *turned[3] = {0};
    int count = 3;
    for (int i = 0; i < 3 && pg->host_turn > 0; i++) {
        if (!lists[i].list || !(turned[i] = pg_hosts_turned(lists[i].list, pg->host_turn)))
            continue;
        keywords[count] = lists[i].keyword;
        values[count++] = turned[i];
    }
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    for (int i = 0; i < 3; i++)
        free(turned[i]);
    return conn;
}

static void connect_start(struct pg *pg)
{
    pg->state = PG_CONNECTING;
    pg->conn = connection_start(pg);
    if (!pg->conn || PQstatus(pg->conn) == CONNECTION_BAD) {
        pg_lose(pg, pg->conn ? PQerrorMessage(pg->conn) : "out of memory");
        return;
    }
    PQsetNoticeReceiver(pg->conn, on_notice, NULL);
    pg_timer_restart(pg, pg->options.connect_timeout_ms);
    pg_watch(pg, UV_WRITABLE);
}

static void on_timer(uv_timer_t *timer)
{
    struct pg *pg = timer->data;
    if (pg->state == PG_WAITING) {
        connect_start(pg);
    } else if (pg->state == PG_CONNECTING) {
        pg->host_turn = (pg->host_turn + 1) % pg_hosts_count(&pg->hosts);
        pg_lose(pg, "no connection within the connect timeout; see whether the server answers");
    } else if (pg->state == PG_UP) {
        pg_lose(pg, "a call took longer than the call timeout; the connection is dropped");
    }
}

/* --- creation and destruction ----------------------------------------------------------------------------
 */

static void pg_free(struct pg *pg)
{
    pg_hosts_finish(&pg->hosts);
    free(pg->application_name);
    if (pg->conninfo)
        explicit_bzero(pg->conninfo, strlen(pg->conninfo));
    free(pg->conninfo);
    free(pg);
}

static int pg_fill(struct pg *pg, const struct pg_options *options)
{
    pg->options = *options;
    pg->conninfo = strdup(options->conninfo);
    pg->application_name = strdup(options->application_name);
    if (!pg->conninfo || !pg->application_name)
        return -ENOMEM;
    if (getrandom(&pg->random, sizeof(pg->random), 0) != (ssize_t)sizeof(pg->random))
        return -errno;
    pg->random |= 1;
    return pg_hosts_init(&pg->hosts, pg->conninfo);
}

int pg_create(struct pg **out, uv_loop_t *loop, const struct pg_options *options,
              const struct pg_events *events, void *self)
{
    struct pg *pg = calloc(1, sizeof(*pg));
    if (!pg)
        return -ENOMEM;
    pg->loop = loop;
    pg->events = *events;
    pg->self = self;
    int result = pg_fill(pg, options);
    if (result < 0) {
        pg_free(pg);
        return result;
    }
    pg->timer.data = pg->soon.data = pg;
    uv_timer_init(loop, &pg->timer);
    uv_timer_init(loop, &pg->soon);
    pg->handles = 2;
    pg_reason_set(pg, "not connected yet");
    pg_timer_restart(pg, 1); /* from the loop, so that no event comes before the caller has what it made */
    *out = pg;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct pg *pg = handle->data;
    if (--pg->handles == 0)
        pg_free(pg);
}

void pg_destroy(struct pg *pg)
{
    struct call_list sent = pg->sent, unsent = pg->unsent, refused = pg->refused;
    pg->sent = pg->unsent = pg->refused = (struct call_list){0};
    pg->state = PG_CLOSED;
    if (pg->conn)
        connection_drop(pg);
    calls_fail(&sent, FAILURE_UNKNOWN, "the connection is being closed");
    calls_fail(&unsent, FAILURE_LATER, "the connection is being closed");
    calls_fail(&refused, FAILURE_LATER, "the connection is being closed");
    assert(!pg->refused.first && "nobody calls a connection that is being closed");
    uv_close((uv_handle_t *)&pg->timer, on_closed);
    uv_close((uv_handle_t *)&pg->soon, on_closed);
}
