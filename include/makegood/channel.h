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
    const char *token;                 /* of the grant, where the channel needs one; else NULL */
};

#define REQUEST_HEADERS_MAX 24

/* A question, ready to be sent. Texts are owned; request_finish wipes and frees them (they may hold secrets).
 */
struct request {
    char *method;
    char *url;
    char *
        second_url; /* the same question to another host, for when the first can not be reached; NULL: none */
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
    /* A header of the answer by its name, in whatever case, valid until the answer is dropped; NULL when it is absent or
     * there more than once. NULL here: no headers are known. */
    const char *(*header)(const void *head, const char *name);
    const void *head;
};

/* A credential that is lent for a while, as an OAuth2 access token. io keeps one per channel. */
#define GRANT_TOKEN_BYTES 4096
struct grant {
    char token[GRANT_TOKEN_BYTES]; /* a secret */
    int64_t lifetime_ms;           /* from the answer on */
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
    /* Where needs_grant is set: asks for the grant that moment.token then carries. NULL: needs none. interpret_grant fills
     * *grant and returns true, or tells the fault in *out (unauthorized, server_error, rate_limited, garbage). */
    int (*build_grant)(const struct channel *channel, const struct moment *moment, struct request *out,
                       const char **why);
    bool (*interpret_grant)(const struct channel *channel, const struct response *response,
                            struct grant *grant, struct evidence *out);
    /* Closing at the channel, so that an unpaid payment can not be paid any more. NULL in both: it can not. What closing
     * answers settles nothing: it is followed by a query, whatever came. `interpret_close` fills the same fields, with one of
     * closed (accepted, or closed already), paid, not_found, or a fault. */
    int (*build_close)(const struct channel *channel, const struct lost_order *order,
                       const struct moment *moment, struct request *out, const char **why);
    void (*interpret_close)(const struct channel *channel, const struct lost_order *order,
                            const struct moment *moment, const struct response *response,
                            struct evidence *out);
    /* Would this text tell a secret of ours? For who shows what was sent and what came. NULL: none is ever sent. */
    bool (*is_told_by)(const struct channel *channel, const char *text);
    void (*destroy)(struct channel *channel);
};

/* The common head of every channel; an implementation embeds it as its first member. */
struct channel {
    const struct channel_kind *kind;
    char name[CHANNEL_BYTES];
    struct transport transport;
    bool needs_grant;
    bool can_close; /* build_close is there, and configured */
    int64_t
        skew_max_ms; /* answers settle nothing while our clocks differ by more; 0: the channel has no such window */
    int64_t credential_end; /* the first of its certificates ends then, in seconds since 1970; 0: none ends */
};

#endif
