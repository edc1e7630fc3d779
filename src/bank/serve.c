/* The server of the simulated bank: takes a question, finds the order's fate and sends it, in the fate's own
 * manner. Runs on libmicrohttpd's threads (epoll); nothing in it waits: who has to wait goes to the waiting
 * room. */
#include "bank/bank.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 8192
#define QUESTION        "/v1/payment_intents/"
#define DRIP_MS         1000

/* One question, from its header to the end of its answer. */
struct ask {
    struct bank *bank;
    struct MHD_Connection *connection;
    struct order *order; /* NULL: not in the ledger, or the key is wrong */
    bool met;
    bool silent; /* in the waiting room for ever */
    struct fate fate;
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

static bool key_is_right(const struct ask *ask)
{
    static const char bearer[] = "Bearer ";
    const char *key = ask->bank->key;
    const char *given = MHD_lookup_connection_value(ask->connection, MHD_HEADER_KIND, "Authorization");
    if (!key)
        return true;
    return given && strncmp(given, bearer, sizeof bearer - 1) == 0 &&
           strcmp(given + sizeof bearer - 1, key) == 0;
}

/* "/ACCOUNT/v1/payment_intents/NUMBER", the account being optional. */
static const char *url_read(const char *url, char account[ACCOUNT_BYTES])
{
    const char *question = strstr(url, QUESTION);
    size_t length = question && question > url ? (size_t)(question - url - 1) : 0;
    account[0] = '\0';
    if (!question || length >= ACCOUNT_BYTES)
        return NULL;
    memcpy(account, url + 1, length);
    account[length] = '\0';
    return question + strlen(QUESTION);
}

/* libcurl sends a question again by itself when a kept connection turns out to be dead: still the same
 * question. */
static bool is_sent_again(const struct ask *ask)
{
    const char *id = MHD_lookup_connection_value(ask->connection, MHD_HEADER_KIND, "X-Request-Id");
    uint32_t hash = id ? 2166136261u : 0; /* FNV-1a */
    for (; id && *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return atomic_exchange(&ask->order->question, hash) == hash && hash != 0;
}

/* Finds the order and its fate; an error's answer is written at once. */
static void ask_meet(struct ask *ask, const char *url)
{
    struct bank *bank = ask->bank;
    char account[ACCOUNT_BYTES];
    const char *number = url_read(url, account);
    ask->met = true;
    bank->counters.asks++;
    concurrency_add(&bank->counters);
    if (!key_is_right(ask)) {
        bank->counters.answers[WORD_UNAUTHORIZED]++;
        answer_error(401, &ask->answer);
        return;
    }
    ask->order = number ? ledger_find(&bank->ledger, number, strlen(number)) : NULL;
    if (!ask->order) {
        bank->counters.unlisted++;
        answer_error(404, &ask->answer);
        return;
    }
    if (!is_sent_again(ask))
        ask->order->asked++;
    ask->fate = modes_fate(bank, account, ask->order);
    bank->counters.answers[ask->fate.word]++;
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
    enum word word = ask->fate.word;
    if (word != WORD_SILENCE && word != WORD_FLOOD && word != WORD_RESET)
        answer_write(&ask->bank->ledger, ask->order, &ask->fate, &ask->answer);
    if (word == WORD_PAID || word == WORD_DRIP)
        ask->order->told_paid++;
    return ways[word] ? ways[word](ask) : send_whole(ask);
}

static enum MHD_Result ask_answer(struct ask *ask, const char *url)
{
    if (!ask->met)
        ask_meet(ask, url);
    if (!ask->order)
        return send_whole(ask);
    if (ask->fate.delay_ms > 0) {
        int64_t delay_ms = ask->fate.delay_ms;
        ask->fate.delay_ms = 0;
        return room_wait(&ask->bank->room, &ask->visitor, ask->connection, delay_ms) ? MHD_YES : MHD_NO;
    }
    if (ask->visitor.hung_up)
        return MHD_NO;
    return fate_send(ask);
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **slot)
{
    struct bank *bank = self;
    struct ask *ask = *slot;
    (void)method;
    (void)version;
    (void)upload;
    if (!ask) { /* the first call of a request is about its header alone */
        *slot = ask = malloc(sizeof *ask);
        if (!ask)
            return MHD_NO;
        memset(ask, 0, offsetof(struct ask, answer));
        ask->bank = bank;
        ask->connection = connection;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    return strncmp(url, "/_bank/", 7) == 0 ? control_answer(bank, connection, url) : ask_answer(ask, url);
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
    *out = MHD_start_daemon(flags, 0, NULL, NULL, on_request, bank, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                            bank, MHD_OPTION_NOTIFY_CONNECTION, on_connection, bank, MHD_OPTION_ARRAY, more,
                            MHD_OPTION_END);
    const union MHD_DaemonInfo *info = *out ? MHD_get_daemon_info(*out, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info)
        return -1;
    *port = info->port;
    return 0;
}
