/* The inside of the declarative channel: shared by http_create.c, which makes it, and http_channel.c, which
 * uses it. Immutable after its creation. */
#ifndef MAKEGOOD_CHANNEL_HTTP_INNER_H
#define MAKEGOOD_CHANNEL_HTTP_INNER_H

#include "channel/answer.h"
#include "channel/auth.h"
#include "channel/body.h"
#include "channel/header.h"
#include "channel/rules.h"

/* A request as it is configured: the query, or the close. */
struct asking {
    const char *method; /* static */
    struct template url;
    struct headers headers;
    struct body body;
    bool needs_data;
};

struct http_channel {
    struct channel head; /* first: a struct channel * is one of these */
    EVP_MD *sha256;
    struct asking query;
    struct asking close; /* where head.can_close says so */
    struct auth auth;
    struct answer answer;
    struct rules rules;
    struct rules close_rules;
};

extern const struct channel_kind http_channel_kind;

#endif
