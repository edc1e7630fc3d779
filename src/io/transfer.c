/* One question's way over HTTP: see transfer.h. Has it built, carried and the answer interpreted, all on its worker's
 * thread. How a transfer is made, and what is fixed in it: transfer_make.c. */
#include "io/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/clock.h"

#define BODY_KEPT_BYTES (64 << 10) /* what an idle transfer may hold on to */

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
    moment->unix_ms = clock_wall_ms();
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

static int64_t left_ms(const struct transfer *transfer)
{
    return transfer->started_ms + transfer->channel->transport.timeout_ms - clock_ms();
}

/* https, or http where the configuration says so; and a proxy never sees http. */
static bool may_be_sent(struct transfer *transfer)
{
    const struct transport *transport = &transfer->channel->transport;
    const char *url = transfer->request.url;
    transfer->plain = strncasecmp(url, "http://", 7) == 0;
    if (transfer->plain)
        return transport->allow_plain_http && !transport->proxy;
    return strncasecmp(url, "https://", 8) == 0;
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
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->channel->transport.timeout_ms);
}

void transfer_drop(struct transfer *transfer)
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
static int request_make(struct transfer *transfer, const char *token, const char **why)
{
    const struct channel *channel = transfer->channel;
    const struct question *question = transfer->question;
    *why = "no memory, or no random numbers";
    if (!moment_fill(&transfer->moment))
        return -EIO;
    transfer->moment.token = token;
    if (!question)
        return channel->kind->build_grant(channel, &transfer->moment, &transfer->request, why);
    if (question->order->phase != PHASE_CLOSING)
        return channel->kind->build(channel, question->order, &transfer->moment, &transfer->request, why);
    *why = "the channel can not be asked to close";
    return channel->can_close ? channel->kind->build_close(channel, question->order, &transfer->moment,
                                                           &transfer->request, why)
                              : -EINVAL;
}

static bool request_send(struct transfer *transfer, struct evidence *evidence)
{
    snprintf(evidence->asked, sizeof(evidence->asked), "%s", transfer->request.asked);
    memcpy(evidence->request_id, transfer->moment.request_id, sizeof(evidence->request_id));
    if (may_be_sent(transfer)) {
        request_apply(transfer);
        return true;
    }
    evidence->kind = EVIDENCE_UNTRUSTED;
    code_set(evidence, "the URL is neither https nor allowed plain http");
    transfer_drop(transfer);
    return false;
}

/* Until it is answered the evidence says that nobody was asked, which is tried again: memory may be back then. */
static bool begin(struct transfer *transfer, const struct channel *channel, struct question *question,
                  const char *token, struct evidence *evidence)
{
    const char *why = "";
    *evidence = (struct evidence){.kind = EVIDENCE_UNASKABLE};
    transfer->channel = channel;
    transfer->question = question;
    transfer->request = (struct request){0};
    transfer->body_bytes = transfer->header_bytes = 0;
    transfer->head_complete = transfer->too_large = transfer->refused = transfer->turned = false;
    transfer->started_ms = clock_ms();
    int error = request_make(transfer, token, &why);
    transfer->moment.token = NULL; /* it may be renewed before the answer is here */
    if (error == 0)
        return request_send(transfer, evidence);
    code_set(evidence, why && *why ? why : strerror(-error));
    transfer->question = NULL; /* build left no request behind */
    return false;
}

bool transfer_begin(struct transfer *transfer, struct question *question, const char *token)
{
    return begin(transfer, question->channel, question, token, question->evidence);
}

bool transfer_begin_grant(struct transfer *transfer, const struct channel *channel, struct evidence *evidence)
{
    return begin(transfer, channel, NULL, NULL, evidence);
}

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

/* Not where TLS did not verify: that is no failing connection, somebody else answers there. */
static bool nothing_was_sent(const struct transfer *transfer, CURLcode result)
{
    curl_off_t before_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &before_us);
    return result != CURLE_OK && before_us == 0 && fault_kind(transfer, result) != EVIDENCE_UNTRUSTED;
}

bool transfer_turns(struct transfer *transfer, CURLcode result)
{
    struct request *request = &transfer->request;
    char *first = request->url;
    if (!request->second_url || transfer->turned || !nothing_was_sent(transfer, result) ||
        left_ms(transfer) <= 0)
        return false;
    transfer->turned = true;
    request->url = request->second_url;
    request->second_url = first; /* wiped with the request */
    if (!may_be_sent(transfer))
        return false;
    int shown = (int)strcspn(request->url, "?");
    char *asked = transfer->question ? transfer->question->evidence->asked : request->asked;
    snprintf(asked, ASKED_BYTES, "%s %.*s", request->method, shown, request->url);
    request_apply(transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)left_ms(transfer));
    return true;
}

/* --- the answer ----------------------------------------------------------------------------------------- */

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

static const char *header_of(const void *head, const char *name)
{
    struct curl_header *header = NULL;
    CURL *easy = *(CURL *const *)head;
    bool once =
        curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK && header->amount == 1;
    return once ? header->value : NULL;
}

static struct response response_of(const struct transfer *transfer, const struct evidence *evidence)
{
    char *type = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    return (struct response){.http_status = evidence->http_status,
                             .body = transfer->body_bytes ? transfer->body : "",
                             .body_bytes = transfer->body_bytes,
                             .content_type = type ? type : "",
                             .trusted = true,
                             .retry_after_ms = evidence->retry_after_ms,
                             .header = header_of,
                             .head = &transfer->easy};
}

/* Our clock against the channel's. Where signatures are good for a while only, clocks that differ by more than that
 * prove nothing. */
static void skew_measure(const struct transfer *transfer, struct evidence *evidence)
{
    const char *date = header_of(&transfer->easy, "Date");
    time_t theirs = date ? curl_getdate(date, NULL) : -1;
    int64_t most_ms = transfer->channel->skew_max_ms;
    evidence->has_skew = theirs >= 0;
    if (!evidence->has_skew)
        return;
    evidence->skew_ms = (transfer->moment.unix_ms / 1000 - (int64_t)theirs) * 1000;
    bool differs = most_ms > 0 && (evidence->skew_ms > most_ms || evidence->skew_ms < -most_ms);
    if (differs && evidence_class(evidence->kind) == EVIDENCE_ANSWER) {
        evidence->kind = EVIDENCE_UNAUTHENTIC;
        code_set(evidence, "our clock and the channel's differ too much; set ours right");
    }
}

static void answer_interpret(struct transfer *transfer, struct evidence *evidence)
{
    const struct question *question = transfer->question;
    const struct channel_kind *kind = transfer->channel->kind;
    struct response response = response_of(transfer, evidence);
    transfer->moment.unix_ms = clock_wall_ms(); /* it may be checked whether a signature is stale */
    (question->order->phase == PHASE_CLOSING ? kind->interpret_close : kind->interpret)(
        transfer->channel, question->order, &transfer->moment, &response, evidence);
    skew_measure(transfer, evidence);
    witness_call(transfer, &response);
}

/* What libcurl knows of the answer. The result may change: it takes a head that was cut for a whole answer. */
static CURLcode answer_measure(const struct transfer *transfer, CURLcode result, struct evidence *evidence)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    evidence->http_status = (int)status;
    evidence->latency_ms = (int)(clock_ms() - transfer->started_ms);
    evidence->retry_after_ms = retry_after_ms(transfer->easy);
    return result == CURLE_OK && !transfer->head_complete ? CURLE_PARTIAL_FILE : result;
}

bool transfer_is_refused(const struct transfer *transfer, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return result == CURLE_OK && status == 401;
}

void transfer_end(struct transfer *transfer, CURLcode result)
{
    struct evidence *evidence = transfer->question->evidence;
    result = answer_measure(transfer, result, evidence);
    if (result == CURLE_OK) {
        answer_interpret(transfer, evidence);
    } else {
        fault_tell(transfer, result, evidence);
        witness_call(transfer, &(struct response){
                                   .http_status = evidence->http_status, .body = "", .content_type = ""});
    }
    transfer_drop(transfer);
}

bool transfer_end_grant(struct transfer *transfer, CURLcode result, struct grant *grant,
                        struct evidence *evidence)
{
    *evidence = (struct evidence){.kind = EVIDENCE_UNASKABLE};
    snprintf(evidence->asked, sizeof(evidence->asked), "%s", transfer->request.asked);
    memcpy(evidence->request_id, transfer->moment.request_id, sizeof(evidence->request_id));
    result = answer_measure(transfer, result, evidence);
    bool granted = false;
    if (result == CURLE_OK) {
        struct response response = response_of(transfer, evidence);
        granted = transfer->channel->kind->interpret_grant(transfer->channel, &response, grant, evidence);
    } else {
        fault_tell(transfer, result, evidence);
    }
    if (transfer->body_bytes)
        explicit_bzero(transfer->body, transfer->body_bytes); /* it held the token */
    transfer_drop(transfer);
    return granted;
}
