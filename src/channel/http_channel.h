/* The declarative HTTPS/JSON channel (`type: http`): a provider written in the configuration alone.
 *
 * The specification is what the configuration file says, as text; http_channel_create compiles it (templates,
 * pointers, rules, secrets) and tells every fault with its key path relative to the channel.
 *
 * Templates: {number} {order_no} {amount_minor} {amount_decimal} {currency} {currency_lower} {timestamp}
 * (unix seconds) {timestamp_ms} {nonce} {request_id} {data.KEY} (a string, integer or boolean member of
 * channel_data);
 * "{{" and "}}" are braces. Values are escaped by place: percent-encoded in URLs and form bodies, as JSON
 * strings in JSON bodies (placeholders stand inside JSON strings there); in headers only the order-number
 * charset passes. A value that is missing, empty or holds a control character makes the order unaskable. The
 * scheme and the host of the URL are literal.
 *
 * Pointers are RFC 6901. A segment "*" in `over` and in the currency's pointer is every element of an array.
 *
 * Accept, Content-Type and X-Request-Id are sent as well, unless `headers` has them. */
#ifndef MAKEGOOD_HTTP_CHANNEL_H
#define MAKEGOOD_HTTP_CHANNEL_H

#include "makegood/channel.h"
#include "makegood/fault.h"

/* One condition of a rule: among the values selected, `match` of them are in `is`. An element that lacks the
 * value counts as one that is not. At least one of over and at is given. */
struct http_condition_spec {
    const char *over;  /* pointer to the elements; NULL or "": the document is the one element */
    const char *at;    /* pointer inside an element; NULL or "": the element itself */
    const char *match; /* any (default): at least one; all: at least one, and every one; none: not one */
    const char **is; /* strings as they are, integers in decimal, true, false, null; empty: there, not null */
    unsigned is_count;
};

/* Rules that yield an answer (paid to not_found) need a condition with match any or all. */
struct http_rule_spec {
    const char *name;     /* for the audit; NULL: "rules[N]" */
    const char *evidence; /* paid paid_flagged refunded closed pending not_found, or one of the faults
                             rate_limited unauthorized server_error */
    const char **http; /* statuses "200", or classes "5xx"; empty: any. An answer with 3xx, 401, 403, 408, 429
                             or 5xx is none, unless that very status is named */
    unsigned http_count;
    struct http_condition_spec *when; /* all must hold; empty: always */
    unsigned when_count;
};

struct http_header_spec {
    const char *name;
    const char *value; /* a template */
};

/* Which amounts: the values at `over`/`at` whose element also has one of `where_is` at `where_at`; several
 * are summed. */
struct http_amount_spec {
    const char *over;
    const char *at;
    const char *where_at;
    const char **where_is;
    unsigned where_is_count;
    const char *number_at; /* the channel's own number in each element; not of a refund */
};

/* How the channel is asked to close a payment; without a url it can not. Rules yield closed, paid, not_found, pending or one
 * of the faults; what they yield settles nothing, a query follows. */
struct http_close_spec {
    const char *method; /* POST (default) or GET */
    const char *url;
    struct http_header_spec *headers;
    unsigned header_count;
    const char *body;
    const char *body_type;
    struct http_rule_spec *rules;
    unsigned rule_count;
};

struct http_channel_spec {
    const char *name;
    const char *method; /* GET (default) or POST */
    const char *url;    /* template; https:// */
    struct http_header_spec *headers;
    unsigned header_count;
    const char *body;      /* template, NULL: none */
    const char *body_type; /* json (default) or form */

    const char *auth;           /* none (default) header basic bearer hmac-sha256 oauth2 */
    const char *auth_header;    /* header, hmac-sha256: the header's name */
    const char *auth_user;      /* basic; oauth2: the client's id */
    const char *auth_token_url; /* oauth2: where a token is had for id and secret (RFC 6749, 4.4) */
    const char *auth_scope;     /* oauth2: what is asked for; NULL: nothing is said */
    const char *auth_text;  /* hmac-sha256: template of what is signed; also {method} {path} {query} {body} */
    const char *auth_value; /* hmac-sha256: template of the header's value, with {signature} (the default) */
    const char *auth_encoding; /* hmac-sha256: hex (default) or base64 */
    const char *secret;        /* the secret itself, already read from its file; never shown */

    /* Ours is an answer in which one of the two numbers is there and equal, and none is there and different.
     */
    const char *answer_number;   /* pointer whose value must equal {number}, where the attempt has one */
    const char *answer_order_no; /* pointer whose value must equal {order_no} */
    const char *answer_merchant; /* pointer whose value must equal `merchant` where it is there */
    const char *merchant;
    const char *answer_status; /* pointer to the channel's own status: its presence makes an unmatched answer
                                  about our number an unknown state; kept as code */
    const char *answer_code;   /* pointer to the channel's error code, kept when there is no status */
    struct http_amount_spec amount;
    struct http_amount_spec refunded_amount;
    const char *answer_currency; /* pointer (with "*": all must agree) */
    const char *answer_channel_number;
    const char *amount_format; /* minor (default): JSON integer or digits; decimal: decimal string */
    const char **exponents;    /* "ISK=2": where the channel departs from ISO 4217, reading and writing */
    unsigned exponent_count;

    struct http_rule_spec *rules;
    unsigned rule_count;

    struct http_close_spec close;

    struct transport transport; /* copied */
};

/* 0 and a channel, -EINVAL and at least one fault added, or -ENOMEM. The specification may be freed
 * afterwards. */
int http_channel_create(struct channel **out, const struct http_channel_spec *spec, const char *path_prefix,
                        struct faults *faults);

#endif
