/* How a request proves who asks: nothing, a header, basic, bearer, or an HMAC-SHA256 over a template,
 * or a token that is had by OAuth 2.0 client credentials.
 * Owns the secret, and wipes it at the end. Any thread; never prints, never hands the secret to anything but
 * a header. */
#ifndef MAKEGOOD_CHANNEL_AUTH_H
#define MAKEGOOD_CHANNEL_AUTH_H

#include <openssl/evp.h>

#include "channel/http_channel.h"
#include "channel/template.h"

enum auth_kind { AUTH_NONE, AUTH_HEADER, AUTH_BASIC, AUTH_BEARER, AUTH_HMAC, AUTH_OAUTH2 };

struct auth {
    enum auth_kind kind;
    char *header; /* its name */
    char *
        line; /* ready for header, basic, bearer: "Name: value"; oauth2: of the request for a token; holds the secret */
    char *secret;
    struct template text;
    struct template value;
    bool base64;
    char *token_url; /* oauth2 */
    char *token_body;
};

/* Faults go to auth.KEY and secret_file. */
void auth_compile(struct auth *out, const struct http_channel_spec *spec, struct blame *blame);
void auth_finish(struct auth *auth);

/* The header's line, or NULL when the kind is none. 0, -EINVAL with a sentence, -ENOMEM. */
int auth_sign(const struct auth *auth, const EVP_MD *sha256, const struct template_values *values,
              char **out_line, const char **why);

/* oauth2: the request for a token, and its answer. 0 or -ENOMEM; false: no token is in it. */
int auth_grant_build(const struct auth *auth, struct request *out);
bool auth_grant_read(const char *body, size_t body_bytes, struct grant *out);

/* Would this text tell the secret? */
bool auth_is_told_by(const struct auth *auth, const char *text);

#endif
