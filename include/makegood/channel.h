/* Channel: bytes in, bytes out. Pure: no socket, clock, lock or log; wall time and nonce are given (struct
 * moment), so a request is reproducible and a test is a folder of files. Implementations live in src/channel;
 * src/io carries the bytes. A channel is immutable after its creation and may be used from several threads at
 * once. */
#ifndef MAKEGOOD_CHANNEL_H
#define MAKEGOOD_CHANNEL_H

#include "makegood/evidence.h"
#include "makegood/order.h"

struct moment {
    int64_t unix_ms;
    char nonce[33];                    /* 32 hex digits, random */
    char request_id[REQUEST_ID_BYTES]; /* sent as X-Request-Id */
};

#define REQUEST_HEADERS_MAX 24

/* A question, ready to be sent. Texts are owned; request_finish wipes and frees them (they may hold secrets).
 */
struct request {
    char *method;
    char *url;
    char *headers[REQUEST_HEADERS_MAX]; /* "Name: value" */
    int header_count;
    char *body; /* NULL: none */
    size_t body_bytes;
    char asked[ASKED_BYTES]; /* method and URL for the audit: no secrets */
};
void request_finish(struct request *request);

struct response {
    int http_status;
    const char *body; /* not NUL-terminated */
    size_t body_bytes;
    const char *content_type; /* "" when absent */
    bool trusted;           /* came over verified TLS, or over plain loopback that the configuration allows */
    int64_t retry_after_ms; /* parsed and not yet capped; 0 when absent */
};

/* How io carries this channel's requests. */
struct transport {
    int64_t connect_timeout_ms;
    int64_t timeout_ms;
    int64_t low_speed_ms; /* less than low_speed_bytes per second for so long ends the transfer */
    int64_t low_speed_bytes;
    int64_t body_max_bytes;
    bool allow_plain_http; /* http:// to a loopback address */
    char *ca_file;         /* NULL: the system's */
    char *proxy;           /* NULL: none, whatever the environment says */
};

struct channel;

struct channel_kind {
    const char *name; /* the configuration's `type` */
    /* 0 and the request filled in; -EINVAL when this order can not be asked about (evidence: unaskable), with
     * a sentence in why; -ENOMEM. */
    int (*build)(const struct channel *channel, const struct lost_order *order, const struct moment *moment,
                 struct request *out, const char **why);
    /* Total. Fills kind, authentic, amounts, numbers, code, rule and body_digest of *out and leaves the rest.
     */
    void (*interpret)(const struct channel *channel, const struct lost_order *order,
                      const struct moment *moment, const struct response *response, struct evidence *out);
    void (*destroy)(struct channel *channel);
};

/* The common head of every channel; an implementation embeds it as its first member. */
struct channel {
    const struct channel_kind *kind;
    char name[CHANNEL_BYTES];
    struct transport transport;
};

#endif
