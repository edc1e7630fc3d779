/* The inside of the declarative channel: shared by http_create.c, which makes it, and http_channel.c, which
 * uses it. Immutable after its creation. */
#ifndef MAKEGOOD_CHANNEL_HTTP_INNER_H
#define MAKEGOOD_CHANNEL_HTTP_INNER_H

#include "channel/answer.h"
#include "channel/auth.h"
#include "channel/body.h"
#include "channel/header.h"
#include "channel/rules.h"

struct http_channel {
    struct channel head; /* first: a struct channel * is one of these */
    EVP_MD *sha256;
    const char *method; /* static */
    struct template url;
    struct headers headers;
    struct body body;
    struct auth auth;
    struct answer answer;
    struct rules rules;
    bool needs_data;
};

extern const struct channel_kind http_channel_kind;

#endif
