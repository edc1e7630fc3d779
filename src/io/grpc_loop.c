/* Where libcurl and the uv loop meet: libcurl says which sockets and which time it waits for, the loop tells it when. Loop's
 * thread only. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "io/grpc_inner.h"

/* One socket of libcurl's. */
struct watch {
    uv_poll_t poll;
    struct grpc *grpc;
    curl_socket_t fd;
};

static void transfers_end(struct grpc *grpc)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(grpc->multi, &left))) {
        struct grpc_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        grpc_call_end(call, result);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct grpc *grpc = timer->data;
    int running;
    curl_multi_socket_action(grpc->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    transfers_end(grpc);
}

static int timer_set(CURLM *multi, long ms, void *self)
{
    struct grpc *grpc = self;
    (void)multi;
    uv_update_time(
        grpc->loop); /* woken before its time libcurl goes back to sleep, and asks for that time no more */
    if (ms < 0)
        uv_timer_stop(&grpc->timer);
    else /* not 0: libcurl must not be called from inside itself */
        uv_timer_start(&grpc->timer, on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct grpc *grpc = watch->grpc;
    int running;
    int flags = status < 0 ? CURL_CSELECT_ERR
                           : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(grpc->multi, watch->fd, flags, &running);
    transfers_end(grpc);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_make(struct grpc *grpc, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch || uv_poll_init_socket(grpc->loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->grpc = grpc;
    watch->fd = fd;
    curl_multi_assign(grpc->multi, fd, watch);
    return watch;
}

static int socket_watch(CURL *easy, curl_socket_t fd, int what, void *self, void *known)
{
    struct watch *watch = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) /* it may be closed at once: the loop lets go of it here */
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        curl_multi_assign(((struct grpc *)self)->multi, fd, NULL);
        return 0;
    }
    if (!watch && !(watch = watch_make(self, fd)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_ready) < 0 ? -1 : 0;
}

/* --- cancelling ----------------------------------------------------------------------------------------- */

static struct grpc_call *over_find(struct grpc *grpc)
{
    struct grpc_call *call = grpc->calls;
    while (call && !call->over)
        call = call->next;
    return call;
}

static void on_bell(uv_timer_t *bell)
{
    struct grpc *grpc = bell->data;
    struct grpc_call *call;
    while ((call = over_find(grpc)))
        grpc_call_end(call, ENDED_BY_US);
}

/* What an answered one begins anew is not among them. */
void grpc_cancel_all(struct grpc *grpc)
{
    struct grpc_call *call;
    for (call = grpc->calls; call; call = call->next)
        call->cancelled = call->over = true;
    while ((call = over_find(grpc)))
        grpc_call_end(call, ENDED_BY_US);
}

void grpc_ring(struct grpc *grpc, uint64_t after_ms)
{
    uv_timer_start(&grpc->bell, on_bell, after_ms, 0);
}

/* --- creation and destruction --------------------------------------------------------------------------- */

static void multi_init(struct grpc *grpc)
{
    curl_multi_setopt(grpc->multi, CURLMOPT_SOCKETFUNCTION, socket_watch);
    curl_multi_setopt(grpc->multi, CURLMOPT_SOCKETDATA, grpc);
    curl_multi_setopt(grpc->multi, CURLMOPT_TIMERFUNCTION, timer_set);
    curl_multi_setopt(grpc->multi, CURLMOPT_TIMERDATA, grpc);
    curl_multi_setopt(grpc->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    /* As many calls as the server takes: beyond libcurl's 100 there would be no connection for them. */
    curl_multi_setopt(grpc->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)INT_MAX);
}

static void grpc_free(struct grpc *grpc)
{
    free(grpc->endpoint);
    free(grpc->ca_file);
    free(grpc);
}

int grpc_create(struct grpc **out, uv_loop_t *loop, const char *endpoint, const char *ca_file)
{
    struct grpc *grpc = calloc(1, sizeof(*grpc));
    if (!grpc)
        return -ENOMEM;
    grpc->loop = loop;
    grpc->endpoint = strdup(endpoint);
    grpc->ca_file = ca_file ? strdup(ca_file) : NULL;
    grpc->multi = curl_multi_init();
    if (!grpc->endpoint || (ca_file && !grpc->ca_file) || !grpc->multi) {
        curl_multi_cleanup(grpc->multi);
        grpc_free(grpc);
        return -ENOMEM;
    }
    grpc->timer.data = grpc->bell.data = grpc;
    uv_timer_init(loop, &grpc->timer);
    uv_timer_init(loop, &grpc->bell);
    grpc->handles = 2;
    multi_init(grpc);
    *out = grpc;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct grpc *grpc = handle->data;
    if (--grpc->handles == 0)
        grpc_free(grpc);
}

void grpc_destroy(struct grpc *grpc)
{
    grpc_cancel_all(grpc);
    curl_multi_cleanup(grpc->multi); /* closes the sockets, through socket_watch */
    uv_close((uv_handle_t *)&grpc->timer, on_closed);
    uv_close((uv_handle_t *)&grpc->bell, on_closed);
}
