/* One question's way over HTTP: an easy handle of libcurl with the fixed options of its channel, reused from
 * one question to the next. A worker owns it and runs it; it never leaves its worker's thread. */
#ifndef MAKEGOOD_TRANSFER_H
#define MAKEGOOD_TRANSFER_H

#include <curl/curl.h>

#include "io/pool.h"

#define HEADERS_MAX_BYTES (32 << 10) /* all header lines of an answer, those of 1xx answers too */

struct kit;

struct transfer {
    CURL *easy; /* its CURLOPT_PRIVATE is this */
    struct kit *kit;
    struct transfer *next; /* the worker's: in its list of busy or idle ones */
    struct transfer *prev;
    const struct channel *channel; /* of what is under way */
    struct question *question;     /* NULL while idle, and while a grant is fetched */
    struct moment moment;
    uint64_t grant_number; /* of the grant that the question carries */
    struct request request;
    struct curl_slist headers[REQUEST_HEADERS_MAX];
    int64_t started_ms;
    char *body;
    size_t body_bytes;
    size_t body_room;
    size_t header_bytes;
    bool plain;  /* the URL is http:// */
    bool turned; /* to the second host */
    bool head_complete;
    bool too_large; /* why a callback ended it */
    bool refused;
};

/* NULL without memory. The channel's options are copied: the transfer may outlive it while idle. */
struct transfer *transfer_create(const struct channel *channel, const char *user_agent);
void transfer_destroy(struct transfer *transfer);

/* Has the question built; token: the grant's, or NULL, needed no longer than this call. False when it can not be sent: its evidence is filled in, the
 * transfer is idle again. */
bool transfer_begin(struct transfer *transfer, struct question *question, const char *token);
/* The same for a grant. */
bool transfer_begin_grant(struct transfer *transfer, const struct channel *channel,
                          struct evidence *evidence);

/* The connection failed before anything was sent, and the request has a second host: it is ready to be sent there. */
bool transfer_turns(struct transfer *transfer, CURLcode result);
/* The answer is 401. */
bool transfer_is_refused(const struct transfer *transfer, CURLcode result);

/* Fills in the evidence from what came; idle again. */
void transfer_end(struct transfer *transfer, CURLcode result);
/* True and the grant filled in, or false and the evidence. */
bool transfer_end_grant(struct transfer *transfer, CURLcode result, struct grant *grant,
                        struct evidence *evidence);
/* Nothing of it is told: the question is asked again. */
void transfer_drop(struct transfer *transfer);

#endif
