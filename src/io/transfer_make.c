/* Making a transfer: what libcurl calls while it carries it, and the options that are fixed for its channel. Follows
 * nothing (no redirect, cookie, netrc, environment) and caps everything that comes. On the worker's thread. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "io/transfer.h"

#define BODY_FIRST_BYTES (4 << 10)
#define CA_KEPT_S        300L /* a changed ca_file is seen after so long */

/* --- what libcurl calls --------------------------------------------------------------------------------- */

static bool body_reserve(struct transfer *transfer, size_t needed)
{
    size_t room = transfer->body_room ? transfer->body_room : BODY_FIRST_BYTES;
    while (room < needed)
        room *= 2;
    if (room == transfer->body_room)
        return true;
    char *body = realloc(transfer->body, room);
    if (!body)
        return false;
    transfer->body = body;
    transfer->body_room = room;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *self)
{
    struct transfer *transfer = self;
    size_t length = size * count;
    size_t total = transfer->body_bytes + length;
    transfer->too_large = total > (size_t)transfer->channel->transport.body_max_bytes;
    if (transfer->too_large || !body_reserve(transfer, total))
        return CURL_WRITEFUNC_ERROR;
    memcpy(transfer->body + transfer->body_bytes, bytes, length);
    transfer->body_bytes = total;
    return length;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *self)
{
    struct transfer *transfer = self;
    transfer->header_bytes += size * count;
    if (bytes[0] == '\r' || bytes[0] == '\n')
        transfer->head_complete = true;
    else if (size * count > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        transfer->head_complete = false; /* another one, after a 1xx */
    transfer->too_large = transfer->header_bytes > HEADERS_MAX_BYTES;
    return transfer->too_large ? CURL_WRITEFUNC_ERROR : size * count;
}

static bool is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &six) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127));
}

/* Connected, nothing sent yet: without TLS nobody but this machine may hear the question. */
static int on_connected(void *self, char *peer, char *ours, int peer_port, int our_port)
{
    struct transfer *transfer = self;
    (void)ours, (void)peer_port, (void)our_port;
    transfer->refused = transfer->plain && !is_loopback(peer);
    return transfer->refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* A path that swallows packets ends a connection (and all that share it) in about the time that we wait for
 * an answer, instead of the kernel's quarter of an hour. */
static int on_socket(void *self, curl_socket_t fd, curlsocktype purpose)
{
    const struct transport *transport = &((struct transfer *)self)->channel->transport;
    unsigned patience_ms = (unsigned)(transport->connect_timeout_ms + transport->timeout_ms);
    (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    return CURL_SOCKOPT_OK;
}

/* --- fixed options -------------------------------------------------------------------------------------- */

static void limits_set(CURL *easy, const struct transport *transport)
{
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)transport->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transport->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)transport->low_speed_bytes);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((transport->low_speed_ms + 999) / 1000));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 8L << 10);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* a name that does not resolve must not hold up the thread */
#endif
}

/* With a ca_file of its own a channel trusts nobody else: libcurl would go on with the system's folder. */
static void trust_set(CURL *easy, const struct transport *transport)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (transport->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_KEPT_S);
#endif
}

static void way_set(CURL *easy, const struct transport *transport)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, transport->allow_plain_http ? "http,https" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, transport->proxy ? transport->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* Who may speak HTTP/2 is asked on one connection first. Plain HTTP/1 tells only by its first answer. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, transport->allow_plain_http ? 0L : 1L);
}

static void callbacks_set(CURL *easy, struct transfer *transfer)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
}

struct transfer *transfer_create(const struct channel *channel, const char *user_agent)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    CURL *easy = transfer ? curl_easy_init() : NULL;
    if (!easy) {
        free(transfer);
        return NULL;
    }
    transfer->easy = easy;
    curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent);
    limits_set(easy, &channel->transport);
    trust_set(easy, &channel->transport);
    way_set(easy, &channel->transport);
    callbacks_set(easy, transfer);
    return transfer;
}

void transfer_destroy(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    request_finish(&transfer->request);
    free(transfer->body);
    free(transfer);
}
