/* The bare loop's second thread: one curl multi with a fixed number of kept connections, driven by epoll.
 * Uses the transport options of the daemon's workers; looks at an answer's HTTP status and at nothing else.
 */
#include "limit.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX    128
#define PLACEHOLDER   "{number}"
#define URL_BYTES     512
#define ANSWER_MAX    65536
#define NEVER         INT64_MAX
#define ASK_WITHIN_MS 10000L

/* One transfer at a time; its easy handle is used again and again. */
struct call {
    CURL *easy;
    struct batch *batch;
    size_t answer_bytes;
    struct call *next; /* while idle */
};

struct asker {
    struct limit *limit;
    CURLM *multi;
    struct curl_slist *headers;
    struct call *calls;
    struct call *idle;
    struct batch *batch; /* being handed out; NULL: the next one is to be taken */
    int under_way;
    int epoll;
    int64_t wake_at_ms; /* curl's own timers: they must be served while the sockets keep us busy, too */
};

static size_t on_body(char *data, size_t size, size_t count, void *self)
{
    struct call *call = self;
    (void)data;
    call->answer_bytes += size * count;
    return call->answer_bytes <= ANSWER_MAX ? size * count : 0;
}

/* curl's word that a socket is to be watched otherwise. A non-NULL mark tells that epoll knows the socket. */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *self, void *known)
{
    struct asker *asker = self;
    struct epoll_event event = {.data.fd = socket};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(asker->epoll, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (epoll_ctl(asker->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) < 0)
        limit_fail("a socket can not be watched: %s", strerror(errno));
    curl_multi_assign(asker->multi, socket, asker);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *self)
{
    struct asker *asker = self;
    (void)multi;
    asker->wake_at_ms = timeout_ms < 0 ? NEVER : timeout_ms == 0 ? 0 : now_ms() + timeout_ms;
    return 0;
}

static void call_init(struct asker *asker, struct call *call)
{
    const struct options *options = &asker->limit->options;
    call->easy = curl_easy_init();
    if (!call->easy)
        limit_fail("curl_easy_init failed: out of memory");
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, asker->headers);
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(call->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, ASK_WITHIN_MS);
    curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, ASK_WITHIN_MS);
    curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 10L);
    curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, 5L);
    curl_easy_setopt(call->easy, CURLOPT_BUFFERSIZE, 8L << 10);
    curl_easy_setopt(call->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(call->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(call->easy, CURLOPT_PIPEWAIT, strncmp(options->url, "https:", 6) == 0 ? 1L : 0L);
    if (options->ca_file)
        curl_easy_setopt(call->easy, CURLOPT_CAINFO, options->ca_file);
    call->next = asker->idle;
    asker->idle = call;
}

static void asker_init(struct asker *asker, struct limit *limit)
{
    int connections = limit->options.connections;
    *asker = (struct asker){.limit = limit, .wake_at_ms = NEVER};
    asker->multi = curl_multi_init();
    asker->epoll = epoll_create1(EPOLL_CLOEXEC);
    asker->calls = calloc((size_t)connections, sizeof *asker->calls);
    asker->headers = curl_slist_append(NULL, "Accept: application/json");
    if (!asker->multi || asker->epoll < 0 || !asker->calls || !asker->headers)
        limit_fail("the asking thread can not start: out of memory or of descriptors");
    curl_multi_setopt(asker->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(asker->multi, CURLMOPT_SOCKETDATA, asker);
    curl_multi_setopt(asker->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(asker->multi, CURLMOPT_TIMERDATA, asker);
    curl_multi_setopt(asker->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    for (int i = 0; i < connections; i++)
        call_init(asker, &asker->calls[i]);
}

static void asker_finish(struct asker *asker)
{
    for (int i = 0; i < asker->limit->options.connections; i++)
        curl_easy_cleanup(asker->calls[i].easy);
    curl_multi_cleanup(asker->multi);
    curl_slist_free_all(asker->headers);
    free(asker->calls);
    close(asker->epoll);
}

static void row_ask(struct asker *asker, const struct row *row)
{
    struct call *call = asker->idle;
    const char *pattern = asker->limit->options.url;
    const char *place = strstr(pattern, PLACEHOLDER);
    char url[URL_BYTES];
    asker->idle = call->next;
    asker->under_way++;
    call->batch = asker->batch;
    call->answer_bytes = 0;
    snprintf(url, sizeof url, "%.*s%s%s", (int)(place - pattern), pattern, row->number,
             place + strlen(PLACEHOLDER));
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    curl_multi_add_handle(asker->multi, call->easy);
}

/* Gives every idle connection a row. Waits for a batch only while nothing is under way: otherwise the next
 * answer comes by soon enough. False: all is asked and answered. */
static bool rows_ask(struct asker *asker)
{
    while (asker->idle) {
        if (!asker->batch)
            asker->batch = queue_take(&asker->limit->claimed, asker->under_way == 0);
        if (!asker->batch)
            break;
        row_ask(asker, &asker->batch->rows[asker->batch->asked++]);
        if (asker->batch->asked == asker->batch->count)
            asker->batch = NULL;
    }
    return asker->under_way > 0;
}

static void call_end(struct asker *asker, struct call *call, CURLcode result)
{
    struct batch *batch = call->batch;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status != 200)
        limit_fail("the bank did not answer as it should: %s, HTTP status %ld", curl_easy_strerror(result),
                   status);
    curl_multi_remove_handle(asker->multi, call->easy);
    call->next = asker->idle;
    asker->idle = call;
    asker->under_way--;
    if (++batch->answered == batch->count)
        queue_put(&asker->limit->answered, batch);
}

static void answers_take(struct asker *asker)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(asker->multi, &left));) {
        struct call *call = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        call_end(asker, call, result);
    }
}

/* For epoll_wait: 0 when a timer is due. */
static int wait_ms(const struct asker *asker)
{
    if (asker->wake_at_ms == NEVER)
        return -1;
    int64_t left_ms = asker->wake_at_ms == 0 ? 0 : asker->wake_at_ms - now_ms();
    return left_ms < 0 ? 0 : (int)left_ms;
}

static void sockets_serve(struct asker *asker)
{
    struct epoll_event events[EVENTS_MAX];
    int running = 0;
    int count = epoll_wait(asker->epoll, events, EVENTS_MAX, wait_ms(asker));
    for (int i = 0; i < count; i++) {
        int in = events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0;
        int out = events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
        int err = events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
        curl_multi_socket_action(asker->multi, events[i].data.fd, in | out | err, &running);
    }
    if (wait_ms(asker) == 0)
        curl_multi_socket_action(asker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

void *asker_run(void *limit)
{
    struct asker asker;
    asker_init(&asker, limit);
    while (rows_ask(&asker)) {
        sockets_serve(&asker);
        answers_take(&asker);
    }
    queue_close(&asker.limit->answered);
    asker_finish(&asker);
    return NULL;
}
