/* gRPC calls: see grpc.h. A call is one libcurl transfer over HTTP/2; its answer is kept until the transfer ends. grpc_loop.c
 * lets libcurl and the uv loop meet. Loop's thread only. */
#include "io/grpc.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/grpc_inner.h"

#define PREFIX_BYTES 5 /* compressed or not, and the length */
#define ANSWER_BYTES \
    ((size_t)132     \
     << 20) /* 32 messages as large as RocketMQ takes them: what we never get, comes again and again */
#define MESSAGES_MAX   256
#define CONNECT_MS     3000L
#define TRANSPORT_MORE 2000 /* over the server's own deadline */
#define AT_ONCE_MS     1
#define LAST_WORD_MS   200    /* after which a server that was told the end has ended, or never will */
#define UNHEARD_MS     20000u /* of what was sent: then the connection is dead, and nobody else is put on it */

/* --- bytes ---------------------------------------------------------------------------------------------- */

static uint8_t *frame_make(const uint8_t *bytes, size_t length)
{
    uint8_t *frame = malloc(PREFIX_BYTES + length);
    if (!frame)
        return NULL;
    frame[0] = 0;
    for (int i = 0; i < 4; i++)
        frame[1 + i] = (uint8_t)(length >> (24 - 8 * i));
    if (length > 0)
        memcpy(frame + PREFIX_BYTES, bytes, length);
    return frame;
}

/* The whole messages of what has come. Returns how many, or -1 when it is no sequence of frames. */
static int frames_split(const struct grpc_call *call, struct grpc_bytes *out, bool *rest)
{
    size_t at = 0;
    int count = 0;
    while (at + PREFIX_BYTES <= call->answer_bytes) {
        const uint8_t *frame = call->answer + at;
        size_t length =
            (size_t)frame[1] << 24 | (size_t)frame[2] << 16 | (size_t)frame[3] << 8 | (size_t)frame[4];
        if (frame[0] != 0 || count == MESSAGES_MAX)
            return -1; /* compressed: we never said that we understand that */
        if (call->answer_bytes - at - PREFIX_BYTES < length)
            break;
        out[count++] = (struct grpc_bytes){frame + PREFIX_BYTES, length};
        at += PREFIX_BYTES + length;
    }
    *rest = at < call->answer_bytes;
    return count;
}

/* --- what libcurl calls --------------------------------------------------------------------------------- */

/* Our side ends now, and the server's should: RocketMQ's never does where it refuses who we are. */
static void answer_is_there(struct grpc_call *call)
{
    call->paused = false;
    call->over = true;
    grpc_ring(call->grpc, LAST_WORD_MS);
    curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *self)
{
    struct grpc_call *call = self;
    size_t length = size * count;
    if (call->answer_bytes + length > ANSWER_BYTES)
        return CURL_WRITEFUNC_ERROR;
    uint8_t *answer = realloc(call->answer, call->answer_bytes + length);
    if (!answer)
        return CURL_WRITEFUNC_ERROR;
    memcpy(answer + call->answer_bytes, bytes, length);
    call->answer = answer;
    call->answer_bytes += length;
    if (call->paused)
        answer_is_there(call);
    return length;
}

/* Who refuses what is held open ends its side only: libcurl would wait for ours. */
static size_t on_header(char *bytes, size_t size, size_t count, void *self)
{
    static const char status[] = "grpc-status:";
    struct grpc_call *call = self;
    if (call->opens && size * count > sizeof(status) && strncasecmp(bytes, status, sizeof(status) - 1) == 0) {
        call->over = true;
        grpc_ring(call->grpc, AT_ONCE_MS);
    }
    return size * count;
}

static int on_socket_made(void *self, curl_socket_t fd, curlsocktype purpose)
{
    unsigned patience_ms = UNHEARD_MS;
    (void)self, (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    return CURL_SOCKOPT_OK;
}

static size_t on_upload(char *out, size_t size, size_t count, void *self)
{
    struct grpc_call *call = self;
    size_t left = call->frame_bytes - call->frame_sent;
    size_t length = left < size * count ? left : size * count;
    if (length == 0 && call->opens && call->answer_bytes == 0) {
        call->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    memcpy(out, call->frame + call->frame_sent, length);
    call->frame_sent += length;
    return length;
}

/* --- a call --------------------------------------------------------------------------------------------- */

static void call_free(struct grpc_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->frame);
    free(call->answer);
    free(call);
}

static void call_unlink(struct grpc_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
}

static bool header_add(struct grpc_call *call, const char *header)
{
    struct curl_slist *longer = curl_slist_append(call->headers, header);
    if (longer)
        call->headers = longer;
    return longer != NULL;
}

static bool headers_make(struct grpc_call *call, const struct grpc_request *request)
{
    char timeout[48];
    snprintf(timeout, sizeof(timeout), "grpc-timeout: %lldm", (long long)request->timeout_ms);
    bool good = header_add(call, "content-type: application/grpc") && header_add(call, "te: trailers") &&
                header_add(call, timeout) && header_add(call, "expect:");
    for (const char *const *header = request->headers; good && header && *header; header++)
        good = header_add(call, *header);
    return good;
}

static void trust_set(CURL *easy, const char *ca_file)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static curl_socket_t no_socket(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)self, (void)purpose, (void)address;
    return CURL_SOCKET_BAD;
}

/* Without TLS only who opens a connection may claim to know that HTTP/2 is spoken there: libcurl 7.88 takes the second claim
 * on a connection for a layer of its own (curl#10634), and would begin with HTTP/1.1 on a new one without the claim. */
static void way_set(CURL *easy, bool secure, bool opens)
{
    long plain = opens ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2_0;
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, secure ? (long)CURL_HTTP_VERSION_2TLS : plain);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, opens ? 1L : 0L);
    if (!opens)
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, no_socket);
}

static void options_set(struct grpc_call *call, const struct grpc *grpc, const struct grpc_request *request)
{
    CURL *easy = call->easy;
    char url[512];
    snprintf(url, sizeof(url), "%s://%s%s", grpc->ca_file ? "https" : "http", grpc->endpoint, request->path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    if (!request->opens)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)call->frame_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(request->timeout_ms + TRANSPORT_MORE));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, grpc->ca_file ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L); /* all calls share one connection */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    if (grpc->ca_file)
        trust_set(easy, grpc->ca_file);
    way_set(easy, grpc->ca_file != NULL, request->opens);
}

struct grpc_call *grpc_call(struct grpc *grpc, const struct grpc_request *request, grpc_done done, void *self)
{
    struct grpc_call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    *call = (struct grpc_call){.grpc = grpc,
                               .done = done,
                               .self = self,
                               .opens = request->opens,
                               .easy = curl_easy_init(),
                               .frame = frame_make(request->bytes, request->length),
                               .frame_bytes = PREFIX_BYTES + request->length};
    if (!call->easy || !call->frame || !headers_make(call, request)) {
        call_free(call);
        return NULL;
    }
    options_set(call, grpc, request);
    call->next = grpc->calls;
    call->link = &grpc->calls;
    if (call->next)
        call->next->link = &call->next;
    grpc->calls = call;
    curl_multi_add_handle(grpc->multi, call->easy);
    return call;
}

/* --- what came of it ------------------------------------------------------------------------------------ */

/* NULL: there is none. */
static const char *trailer_of(CURL *easy, const char *name)
{
    struct curl_header *header;
    bool found = curl_easy_header(easy, name, 0, CURLH_TRAILER, -1, &header) == CURLHE_OK ||
                 curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
    return !found ? NULL : header->amount == 1 ? header->value : "";
}

/* -1: none, or none of gRPC's. */
static int number_of(const char *status)
{
    bool digits = status && *status && strspn(status, "0123456789") == strlen(status) && strlen(status) <= 2;
    return digits && atoi(status) <= GRPC_STATUS_MAX ? atoi(status) : -1;
}

/* The server's own sentence is percent-encoded; control characters are none of it. */
static void sentence_set(struct grpc_call *call, const char *text)
{
    int length = 0;
    char *plain = curl_easy_unescape(call->easy, text, 0, &length);
    snprintf(call->error, sizeof(call->error), "%.200s", plain ? plain : "");
    for (char *c = call->error; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    curl_free(plain);
}

static int broken(struct grpc_call *call, const char *why)
{
    snprintf(call->error, sizeof(call->error), "%s", why);
    return GRPC_UNAVAILABLE;
}

/* TLS that fails; or who wants it, and hangs up on us without a word. */
static bool is_distrust(const struct grpc_call *call, CURLcode result, long http)
{
    if (call->grpc->ca_file)
        return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ||
               result == CURLE_SSL_CONNECT_ERROR;
    return call->opens && http == 0 && result != CURLE_COULDNT_CONNECT &&
           result != CURLE_COULDNT_RESOLVE_HOST && result != CURLE_OPERATION_TIMEDOUT;
}

static int failure_of(struct grpc_call *call, CURLcode result, long http)
{
    if (result == CURLE_OPERATION_TIMEDOUT) {
        broken(call, "no answer came in time");
        return GRPC_DEADLINE;
    }
    if (result == CURLE_COULDNT_CONNECT && !call->opens)
        return broken(call, "the connection is gone");
    if (!call->error[0])
        broken(call, curl_easy_strerror(result));
    return is_distrust(call, result, http) ? GRPC_UNTRUSTED : GRPC_UNAVAILABLE;
}

/* The status that the server told, or what kept it from telling one. libcurl 7.88 loses trailers where many streams end in one
 * read: an answer of whole messages (whole) that ended well is taken for one; RocketMQ's tell their own status as well. */
static int status_of(struct grpc_call *call, CURLcode result, bool whole)
{
    const char *told = trailer_of(call->easy, "grpc-status");
    int status = number_of(told);
    bool refused = status > GRPC_OK; /* said before it had heard all, perhaps */
    const char *message = trailer_of(call->easy, "grpc-message");
    long http = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http);
    if (result == ENDED_BY_US && status < 0 && http == 200)
        return GRPC_OK;
    if (result != CURLE_OK && result != ENDED_BY_US && !refused)
        return failure_of(call, result, http);
    if (!told && http == 200 && whole)
        return GRPC_OK;
    if (status < 0 && http != 200)
        return broken(call, "what answers there speaks no gRPC; see whether this is the proxy's gRPC port");
    if (status < 0)
        return broken(call,
                      "the answer has no status of gRPC's: it was cut, or this is not the proxy's gRPC port");
    sentence_set(call, message ? message : "");
    return status;
}

/* The end of a call, with whatever came. */
void grpc_call_end(struct grpc_call *call, CURLcode result)
{
    struct grpc_bytes messages[MESSAGES_MAX];
    bool rest = false;
    int count = frames_split(call, messages, &rest);
    int status = call->cancelled ? broken(call, "cancelled") : status_of(call, result, count > 0 && !rest);
    if (call->cancelled)
        status = GRPC_CANCELLED;
    else if (status == GRPC_OK && (count < 0 || rest))
        status = broken(call, "the answer is no sequence of messages");
    curl_multi_remove_handle(call->grpc->multi, call->easy);
    call_unlink(call);
    call->done(call->self, &(struct grpc_answer){status, call->error, messages, count < 0 ? 0 : count});
    call_free(call);
}

void grpc_cancel(struct grpc_call *call)
{
    call->cancelled = call->over = true;
    grpc_ring(call->grpc, AT_ONCE_MS);
}
