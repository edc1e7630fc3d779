/* The server of the simulated bank: takes a question, finds the order's fate and sends it, in the fate's own
 * manner. Runs on libmicrohttpd's threads (epoll); nothing in it waits: who has to wait goes to the waiting
 * room. */
#include "bank/desk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 8192
#define DRIP_MS         1000

/* One question, from its header to the end of its answer. */
struct ask {
    struct bank *bank;
    struct MHD_Connection *connection;
    char *target; /* path and query as they were sent */
    struct desk desk;
    bool begun;
    bool met;
    bool silent; /* in the waiting room for ever */
    struct visitor visitor;
    struct answer answer;
};

static void concurrency_add(struct counters *counters)
{
    int now = ++counters->now;
    int most = counters->most;
    while (now > most && !atomic_compare_exchange_weak(&counters->most, &most, now))
        continue;
}

static void ask_meet(struct ask *ask, const char *url, const char *method)
{
    ask->met = true;
    concurrency_add(&ask->bank->counters);
    desk_meet(&ask->desk, ask->bank, ask->connection, &(struct sent){url, ask->target, method}, &ask->answer);
}

static enum MHD_Result response_send(struct ask *ask, struct MHD_Response *response)
{
    const struct answer *answer = &ask->answer;
    char seconds[16];
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (answer->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after_s);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    for (int i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    enum MHD_Result done = MHD_queue_response(ask->connection, answer->status, response);
    MHD_destroy_response(response);
    return done;
}

static enum MHD_Result send_whole(struct ask *ask)
{
    /* The body lives in the ask, which ends after the response. */
    return response_send(
        ask, MHD_create_response_from_buffer(ask->answer.length, ask->answer.body, MHD_RESPMEM_PERSISTENT));
}

static ssize_t cut_read(void *self, uint64_t at, char *out, size_t bytes)
{
    const struct ask *ask = self;
    size_t half = ask->answer.length / 2;
    if (at >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t length = half - (size_t)at < bytes ? half - (size_t)at : bytes;
    memcpy(out, ask->answer.body + at, length);
    return (ssize_t)length;
}

static enum MHD_Result send_cut(struct ask *ask)
{
    return response_send(ask,
                         MHD_create_response_from_callback(ask->answer.length, 1024, cut_read, ask, NULL));
}

static ssize_t drip_read(void *self, uint64_t at, char *out, size_t bytes)
{
    struct ask *ask = self;
    bool waited = ask->visitor.connection != NULL;
    (void)bytes;
    if (ask->visitor.hung_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!waited)
        return room_wait(&ask->bank->room, &ask->visitor, ask->connection, DRIP_MS)
                   ? 0
                   : MHD_CONTENT_READER_END_WITH_ERROR;
    ask->visitor.connection = NULL; /* waits again before the next byte */
    *out = ask->answer.body[at];
    return 1;
}

static enum MHD_Result send_drip(struct ask *ask)
{
    ask->visitor.connection = NULL;
    return response_send(ask,
                         MHD_create_response_from_callback(ask->answer.length, 64, drip_read, ask, NULL));
}

static ssize_t flood_read(void *self, uint64_t at, char *out, size_t bytes)
{
    (void)self;
    (void)at;
    memset(out, ' ', bytes); /* space is fine before a JSON document, however much of it */
    return (ssize_t)bytes;
}

static enum MHD_Result send_flood(struct ask *ask)
{
    ask->answer.status = 200;
    ask->answer.type = "application/json";
    return response_send(ask,
                         MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, flood_read, ask, NULL));
}

static enum MHD_Result send_silence(struct ask *ask)
{
    if (ask->silent)
        return MHD_NO;
    ask->silent = true;
    return room_wait(&ask->bank->room, &ask->visitor, ask->connection, FOR_EVER) ? MHD_YES : MHD_NO;
}

/* Connecting to nowhere is how Linux resets a connection at once, without a FIN before. */
static enum MHD_Result send_reset(struct ask *ask)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ask->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    connect(info->connect_fd, &nowhere, sizeof nowhere);
    return MHD_NO;
}

static enum MHD_Result fate_send(struct ask *ask)
{
    static enum MHD_Result (*const ways[WORDS])(struct ask *) = {[WORD_SILENCE] = send_silence,
                                                                 [WORD_CUT] = send_cut,
                                                                 [WORD_DRIP] = send_drip,
                                                                 [WORD_FLOOD] = send_flood,
                                                                 [WORD_RESET] = send_reset};
    enum word word = ask->desk.fate.word;
    if (word != WORD_SILENCE && word != WORD_FLOOD && word != WORD_RESET)
        desk_tell(&ask->desk, &ask->bank->ledger, &ask->answer);
    return ways[word] ? ways[word](ask) : send_whole(ask);
}

static enum MHD_Result ask_answer(struct ask *ask, const char *url, const char *method)
{
    struct fate *fate = &ask->desk.fate;
    if (!ask->met)
        ask_meet(ask, url, method);
    if (!ask->desk.order)
        return send_whole(ask);
    if (fate->delay_ms > 0) {
        int64_t delay_ms = fate->delay_ms;
        fate->delay_ms = 0;
        return room_wait(&ask->bank->room, &ask->visitor, ask->connection, delay_ms) ? MHD_YES : MHD_NO;
    }
    if (ask->visitor.hung_up)
        return MHD_NO;
    return fate_send(ask);
}

/* The first that is known of a request: its target, before anything in it is unescaped. */
static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
    struct ask *ask = malloc(sizeof *ask);
    if (!ask)
        return NULL;
    memset(ask, 0, offsetof(struct ask, answer));
    ask->answer.status = 0;
    ask->answer.header_count = 0;
    ask->bank = self;
    ask->connection = connection;
    ask->target = strdup(target);
    return ask;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **slot)
{
    struct bank *bank = self;
    struct ask *ask = *slot;
    (void)version;
    if (!ask || !ask->target)
        return MHD_NO;
    if (!ask->begun) { /* the first call of a request is about its header alone */
        ask->begun = true;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        bool taken = desk_take(&ask->desk, upload, *upload_bytes);
        *upload_bytes = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    return strncmp(url, "/_bank/", 7) == 0 ? control_answer(bank, connection, url)
                                           : ask_answer(ask, url, method);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    struct bank *bank = self;
    struct ask *ask = *slot;
    (void)connection;
    (void)how;
    if (ask && ask->met)
        bank->counters.now--;
    if (ask) {
        desk_finish(&ask->desk);
        free(ask->target);
    }
    free(ask);
    *slot = NULL;
}

static void on_connection(void *self, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct bank *bank = self;
    (void)connection;
    (void)slot;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        bank->counters.connections++;
        bank->counters.connections_now++;
    } else {
        bank->counters.connections_now--;
    }
}

int serve_start(struct bank *bank, const struct serve_options *options, struct MHD_Daemon **out, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)options->port)};
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
    struct MHD_OptionItem more[8] = {{MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
                                     {MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024, NULL},
                                     {MHD_OPTION_SOCK_ADDR, 0, &address}};
    int count = 3;
    if (options->threads > 1)
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, options->threads, NULL};
    if (options->tls_cert) {
        flags |= MHD_USE_TLS;
        more[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_cert};
        more[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->tls_key};
    }
    more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    *out =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, bank, MHD_OPTION_URI_LOG_CALLBACK, on_target, bank,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, bank, MHD_OPTION_NOTIFY_CONNECTION,
                         on_connection, bank, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = *out ? MHD_get_daemon_info(*out, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info)
        return -1;
    *port = info->port;
    return 0;
}
