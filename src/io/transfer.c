/* One question's way over HTTP: see transfer.h. Builds, carries and has the answer interpreted, all on its
 * worker's thread. Follows nothing (no redirect, cookie, netrc, environment) and caps everything that comes.
 */
#include "io/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BODY_FIRST_BYTES (4 << 10)
#define BODY_KEPT_BYTES  (64 << 10) /* what an idle transfer may hold on to */
#define CA_KEPT_S        300L       /* a changed ca_file is seen after so long */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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
    transfer->too_large = total > (size_t)transfer->question->channel->transport.body_max_bytes;
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
    const struct transport *transport = &((struct transfer *)self)->question->channel->transport;
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
    if (transfer->question)
        request_finish(&transfer->request);
    free(transfer->body);
    free(transfer);
}

/* --- a question ----------------------------------------------------------------------------------------- */

/* Random bytes of this thread, fetched from the kernel many at a time. They become nonces and names of requests,
 * which everybody may see, so it does no harm that they lie in memory before their use. */
static const unsigned char *random_take(size_t wanted)
{
    static _Thread_local unsigned char bytes[4096];
    static _Thread_local size_t left;
    if (left < wanted) {
        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
            return NULL;
        left = sizeof(bytes);
    }
    left -= wanted;
    return bytes + left;
}

static bool moment_fill(struct moment *moment)
{
    const unsigned char *bytes = random_take(32);
    if (!bytes)
        return false;
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        moment->nonce[2 * i] = digits[bytes[i] >> 4];
        moment->nonce[2 * i + 1] = digits[bytes[i] & 15];
        moment->request_id[2 * i] = digits[bytes[16 + i] >> 4];
        moment->request_id[2 * i + 1] = digits[bytes[16 + i] & 15];
    }
    moment->nonce[32] = moment->request_id[32] = '\0';
    moment->unix_ms = clock_ms(CLOCK_REALTIME);
    return true;
}

/* Printable ASCII, cut. */
static void code_set(struct evidence *evidence, const char *text)
{
    size_t length = 0;
    for (; *text && length < CODE_BYTES - 1; text++)
        evidence->code[length++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
    evidence->code[length] = '\0';
}

/* https, or http where the configuration says so; and a proxy never sees http. */
static bool may_be_sent(const struct transfer *transfer, const struct transport *transport)
{
    if (transfer->plain)
        return transport->allow_plain_http && !transport->proxy;
    return strncasecmp(transfer->request.url, "https://", 8) == 0;
}

static void request_apply(struct transfer *transfer)
{
    const struct request *request = &transfer->request;
    CURL *easy = transfer->easy;
    bool is_get = strcmp(request->method, "GET") == 0;
    bool is_post = strcmp(request->method, "POST") == 0;
    for (int i = 0; i < request->header_count; i++) {
        transfer->headers[i].data = request->headers[i];
        transfer->headers[i].next = i + 1 < request->header_count ? &transfer->headers[i + 1] : NULL;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->header_count > 0 ? transfer->headers : NULL);
    if (request->body || is_post) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_get || is_post ? NULL : request->method);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
}

static void question_drop(struct transfer *transfer)
{
    request_finish(&transfer->request);
    transfer->question = NULL;
    if (transfer->body_room > BODY_KEPT_BYTES) {
        free(transfer->body);
        transfer->body = NULL;
        transfer->body_room = 0;
    }
}

/* 0, or why not: -EINVAL and a sentence, or another failure of ours. */
static int request_make(struct transfer *transfer, const char **why)
{
    const struct question *question = transfer->question;
    *why = "no memory, or no random numbers";
    if (!moment_fill(&transfer->moment))
        return -EIO;
    return question->channel->kind->build(question->channel, question->order, &transfer->moment,
                                          &transfer->request, why);
}

/* Until it is answered the evidence says that nobody was asked, which is tried again: memory may be back then. */
bool transfer_begin(struct transfer *transfer, struct question *question)
{
    struct evidence *evidence = question->evidence;
    const char *why = "";
    *evidence = (struct evidence){.kind = EVIDENCE_UNASKABLE};
    transfer->question = question;
    transfer->request = (struct request){0};
    transfer->body_bytes = transfer->header_bytes = 0;
    transfer->head_complete = transfer->too_large = transfer->refused = false;
    transfer->started_ms = clock_ms(CLOCK_MONOTONIC);
    int error = request_make(transfer, &why);
    if (error == 0) {
        snprintf(evidence->asked, sizeof(evidence->asked), "%s", transfer->request.asked);
        memcpy(evidence->request_id, transfer->moment.request_id, sizeof(evidence->request_id));
        transfer->plain = strncasecmp(transfer->request.url, "http://", 7) == 0;
        if (may_be_sent(transfer, &question->channel->transport)) {
            request_apply(transfer);
            return true;
        }
        evidence->kind = EVIDENCE_UNTRUSTED;
        code_set(evidence, "the URL is neither https nor allowed plain http");
        question_drop(transfer);
        return false;
    }
    code_set(evidence, why && *why ? why : strerror(-error));
    transfer->question = NULL; /* build left no request behind */
    return false;
}

/* --- the answer ----------------------------------------------------------------------------------------- */

/* A transfer that did not end well. Only libcurl's fixed texts are repeated: they hold no secret. */
static enum evidence_kind fault_kind(const struct transfer *transfer, CURLcode result)
{
    static const struct {
        CURLcode code;
        enum evidence_kind kind;
    } rows[] = {
        {CURLE_OPERATION_TIMEDOUT, EVIDENCE_TIMEOUT},
        {CURLE_PEER_FAILED_VERIFICATION, EVIDENCE_UNTRUSTED},
        {CURLE_SSL_CACERT_BADFILE, EVIDENCE_UNTRUSTED},
        {CURLE_SSL_ISSUER_ERROR, EVIDENCE_UNTRUSTED},
        {CURLE_SSL_INVALIDCERTSTATUS, EVIDENCE_UNTRUSTED},
        {CURLE_SSL_CERTPROBLEM, EVIDENCE_UNTRUSTED},
        {CURLE_SSL_PINNEDPUBKEYNOTMATCH, EVIDENCE_UNTRUSTED},
        {CURLE_WEIRD_SERVER_REPLY, EVIDENCE_GARBAGE},
        {CURLE_UNSUPPORTED_PROTOCOL, EVIDENCE_GARBAGE}, /* not HTTP: ours was checked before it was sent */
        {CURLE_BAD_CONTENT_ENCODING, EVIDENCE_GARBAGE},
    };
    if (transfer->too_large)
        return EVIDENCE_TOO_LARGE;
    if (transfer->refused)
        return EVIDENCE_UNTRUSTED;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == result)
            return rows[i].kind;
    return EVIDENCE_UNREACHABLE;
}

static void fault_tell(const struct transfer *transfer, CURLcode result, struct evidence *evidence)
{
    evidence->kind = fault_kind(transfer, result);
    if (transfer->refused)
        code_set(evidence, "plain http may only go to a loopback address");
    else if (transfer->too_large)
        code_set(evidence, transfer->header_bytes > HEADERS_MAX_BYTES ? "headers beyond the cap"
                                                                      : "body beyond the cap");
    else
        code_set(evidence, curl_easy_strerror(result));
}

/* libcurl reads both forms, seconds and date; a date in the past is none. */
static int64_t retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return 0;
    return seconds < INT32_MAX ? (int64_t)seconds * 1000 : (int64_t)INT32_MAX * 1000;
}

static void witness_call(const struct transfer *transfer, const struct response *response)
{
    const struct question *question = transfer->question;
    if (question->witness)
        question->witness(question->self, &transfer->request, response);
}

static void answer_interpret(struct transfer *transfer, struct evidence *evidence)
{
    const struct question *question = transfer->question;
    char *type = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    struct response response = {.http_status = evidence->http_status,
                                .body = transfer->body_bytes ? transfer->body : "",
                                .body_bytes = transfer->body_bytes,
                                .content_type = type ? type : "",
                                .trusted = true,
                                .retry_after_ms = evidence->retry_after_ms};
    transfer->moment.unix_ms = clock_ms(CLOCK_REALTIME); /* it may be checked whether a signature is stale */
    question->channel->kind->interpret(question->channel, question->order, &transfer->moment, &response,
                                       evidence);
    witness_call(transfer, &response);
}

void transfer_end(struct transfer *transfer, CURLcode result)
{
    struct evidence *evidence = transfer->question->evidence;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    evidence->http_status = (int)status;
    evidence->latency_ms = (int)(clock_ms(CLOCK_MONOTONIC) - transfer->started_ms);
    evidence->retry_after_ms = retry_after_ms(transfer->easy);
    if (result == CURLE_OK && !transfer->head_complete)
        result = CURLE_PARTIAL_FILE; /* libcurl takes a head that was cut for a whole answer without a body */
    if (result == CURLE_OK) {
        answer_interpret(transfer, evidence);
    } else {
        fault_tell(transfer, result, evidence);
        witness_call(transfer, &(struct response){.http_status = (int)status, .body = "", .content_type = ""});
    }
    question_drop(transfer);
}
