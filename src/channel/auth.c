/* Credentials. Compiled by the thread that loads the configuration, used by the workers. What holds a secret
 * is allocated once at its size and wiped before it is freed. */
#include "channel/auth.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channel/header.h"
#include "channel/hex.h"
#include "channel/json.h"
#include "channel/url.h"

static void wipe(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static void line_compile(struct auth *auth, const char *scheme, const char *credentials, struct blame *blame)
{
    size_t bytes = strlen(auth->header) + strlen(scheme) + strlen(credentials) + 3;
    auth->line = blame_array(blame, bytes, 1);
    if (auth->line)
        snprintf(auth->line, bytes, "%s: %s%s", auth->header, scheme, credentials);
}

static void secret_check_line(const char *secret, struct blame *blame)
{
    if (!header_value_is_clean(secret))
        blame_key(blame, "secret_file",
                  "the secret is sent in a header and must be printable ASCII on one line, without "
                  "spaces at its ends; correct the file");
}

static void header_name_compile(struct auth *auth, const char *name, struct blame *blame)
{
    if (!name)
        blame_key(blame, "auth.header",
                  "auth.type header and hmac-sha256 need auth.header, the name of the header");
    else if (!header_name_is_token(name))
        blame_key(blame, "auth.header", "\"%.40s\" is not a header's name; write one as X-Signature", name);
    else if (header_name_is_ours(name))
        blame_key(blame, "auth.header", "the header %.40s is makegood's own to set; name another one", name);
    auth->header = blame_copy(blame, name ? name : "");
}

static void header_compile(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame)
{
    header_name_compile(auth, spec->auth_header, blame);
    secret_check_line(auth->secret, blame);
    if (auth->header)
        line_compile(auth, "", auth->secret, blame);
}

static void bearer_compile(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame)
{
    (void)spec;
    auth->header = blame_copy(blame, "Authorization");
    secret_check_line(auth->secret, blame);
    if (auth->header)
        line_compile(auth, "Bearer ", auth->secret, blame);
}

static bool text_is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static void basic_encode(struct auth *auth, const char *user, struct blame *blame)
{
    size_t bytes = strlen(user) + strlen(auth->secret) + 2;
    char *pair = blame_array(blame, bytes, 1);
    char *encoded = blame_array(blame, 4 * bytes / 3 + 5, 1);
    if (pair && encoded && auth->header) {
        snprintf(pair, bytes, "%s:%s", user, auth->secret);
        EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)(bytes - 1));
        line_compile(auth, "Basic ", encoded, blame);
    }
    wipe(pair);
    wipe(encoded);
}

static void basic_compile(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame)
{
    const char *user = spec->auth_user ? spec->auth_user : "";
    auth->header = blame_copy(blame, "Authorization");
    if (!*user || strchr(user, ':') || !text_is_printable(user))
        blame_key(blame, "auth.user",
                  "auth.type basic needs auth.user, a name without \":\" and control characters");
    if (!text_is_printable(auth->secret))
        blame_key(blame, "secret_file", "the secret holds a control character; correct the file");
    basic_encode(auth, user, blame);
}

static void hmac_compile(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame)
{
    const char *value = spec->auth_value ? spec->auth_value : "{signature}";
    const char *encoding = spec->auth_encoding ? spec->auth_encoding : "hex";
    header_name_compile(auth, spec->auth_header, blame);
    if (!spec->auth_text || !*spec->auth_text)
        blame_key(blame, "auth.text",
                  "auth.type hmac-sha256 needs auth.text, the template of what is signed, as "
                  "{timestamp}{method}{path}{body}");
    else
        template_compile(&auth->text, spec->auth_text, SCOPE_ORDER | SCOPE_SIGNED, "auth.text", blame);
    template_compile(&auth->value, value, SCOPE_ORDER | SCOPE_SIGNATURE, "auth.value", blame);
    if (!header_value_is_clean(value) || !strstr(value, "{signature}"))
        blame_key(blame, "auth.value",
                  "auth.value is the header's value: printable ASCII with {signature} in it");
    auth->base64 = strcmp(encoding, "base64") == 0;
    if (!auth->base64 && strcmp(encoding, "hex") != 0)
        blame_key(blame, "auth.encoding", "\"%.40s\" is no encoding; write hex or base64", encoding);
}

/* The token is asked for by id and secret as basic does it (RFC 6749, 2.3.1). */
static void oauth2_compile(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame)
{
    const char *url = spec->auth_token_url ? spec->auth_token_url : "";
    struct template checked;
    basic_compile(auth, spec, blame);
    url_compile(&checked, url, spec->transport.allow_plain_http, "auth.token_url", blame);
    template_finish(&checked);
    if (strchr(url, '{'))
        blame_key(blame, "auth.token_url",
                  "a token is not asked for about an order; write the URL without {");
    auth->token_url = blame_copy(blame, url);
    char *scope = spec->auth_scope ? curl_easy_escape(NULL, spec->auth_scope, 0) : NULL;
    size_t bytes = sizeof("grant_type=client_credentials&scope=") + (scope ? strlen(scope) : 0);
    auth->token_body = blame_array(blame, bytes, 1);
    if (auth->token_body)
        snprintf(auth->token_body, bytes, "grant_type=client_credentials%s%s", scope ? "&scope=" : "",
                 scope ? scope : "");
    if (spec->auth_scope && !scope)
        blame_memory(blame);
    curl_free(scope);
}

static const struct auth_row {
    const char *name;
    enum auth_kind kind;
    void (*compile)(struct auth *auth, const struct http_channel_spec *spec, struct blame *blame);
} rows[] = {
    {"none", AUTH_NONE, NULL},
    {"header", AUTH_HEADER, header_compile},
    {"basic", AUTH_BASIC, basic_compile},
    {"bearer", AUTH_BEARER, bearer_compile},
    {"hmac-sha256", AUTH_HMAC, hmac_compile},
    {"oauth2", AUTH_OAUTH2, oauth2_compile},
};

static const struct auth_row *row_find(const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void auth_compile(struct auth *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct auth){.kind = AUTH_NONE};
    const char *name = spec->auth ? spec->auth : "none";
    const struct auth_row *row = row_find(name);
    bool has_secret = spec->secret && *spec->secret;
    if (!row) {
        blame_key(blame, "auth.type",
                  "\"%.40s\" is no way to authenticate; write none, header, basic, bearer, "
                  "hmac-sha256 or oauth2",
                  name);
        return;
    }
    if (row->compile && !has_secret)
        blame_key(blame, "secret_file",
                  "auth.type %s needs a secret, and there is none (or an empty one); name its file "
                  "in secret_file",
                  name);
    if (!row->compile && has_secret)
        blame_key(blame, "auth.type",
                  "there is a secret, but auth.type none does not use it; say how it is sent, or "
                  "remove secret_file");
    if (!row->compile)
        return;
    out->kind = row->kind;
    out->secret =
        blame_copy(blame, has_secret ? spec->secret : "-"); /* "-": only so that all faults are told */
    if (out->secret)
        row->compile(out, spec, blame);
}

void auth_finish(struct auth *auth)
{
    wipe(auth->line);
    wipe(auth->secret);
    free(auth->header);
    free(auth->token_url);
    free(auth->token_body);
    template_finish(&auth->text);
    template_finish(&auth->value);
    *auth = (struct auth){.kind = AUTH_NONE};
}

/* A shorter text stands in others by chance. */
#define SECRET_TELLING_BYTES 8

bool auth_is_told_by(const struct auth *auth, const char *text)
{
    return auth->secret && strlen(auth->secret) >= SECRET_TELLING_BYTES && strstr(text, auth->secret);
}

#define SHA256_BYTES  32
#define ENCODED_BYTES 68

static bool hmac_encode(const struct auth *auth, const EVP_MD *sha256, const char *text,
                        char out[ENCODED_BYTES])
{
    unsigned char bytes[SHA256_BYTES];
    unsigned length = 0;
    if (!HMAC(sha256, auth->secret, (int)strlen(auth->secret), (const unsigned char *)text, strlen(text),
              bytes, &length) ||
        length != sizeof(bytes))
        return false;
    if (auth->base64)
        EVP_EncodeBlock((unsigned char *)out, bytes, sizeof(bytes));
    else
        hex_write(bytes, sizeof(bytes), out);
    return true;
}

static int hmac_line(const struct auth *auth, const struct template_values *values, const char *signature,
                     struct draft *out, const char **why)
{
    struct template_values with_signature = *values;
    with_signature.signature = signature;
    draft_say(out, auth->header);
    draft_say(out, ": ");
    return template_expand(&auth->value, &with_signature, PLACE_HEADER, out, why);
}

static int hmac_sign(const struct auth *auth, const EVP_MD *sha256, const struct template_values *values,
                     char **out_line, const char **why)
{
    struct draft text = {0};
    struct draft line = {0};
    char signature[ENCODED_BYTES];
    int error = template_expand(&auth->text, values, PLACE_SIGNED, &text, why);
    char *signed_text = error ? NULL : draft_take(&text);
    if (signed_text && hmac_encode(auth, sha256, signed_text, signature)) {
        error = hmac_line(auth, values, signature, &line, why);
        *out_line = error ? NULL : draft_take(&line);
    }
    free(signed_text);
    draft_drop(&text);
    draft_drop(&line);
    if (error)
        return error;
    return *out_line ? 0 : -ENOMEM;
}

static int token_line(const char *token, char **out_line, const char **why)
{
    *why = "there is no access token";
    if (!token)
        return -EINVAL;
    return asprintf(out_line, "Authorization: Bearer %s", token) < 0 ? -ENOMEM : 0;
}

int auth_grant_build(const struct auth *auth, struct request *out)
{
    static const char *const lines[] = {"Accept: application/json",
                                        "Content-Type: application/x-www-form-urlencoded"};
    *out = (struct request){.method = strdup("POST"),
                            .url = strdup(auth->token_url),
                            .body = strdup(auth->token_body),
                            .body_bytes = strlen(auth->token_body)};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        out->headers[out->header_count++] = strdup(lines[i]);
    out->headers[out->header_count++] = strdup(auth->line);
    bool whole = out->method && out->url && out->body;
    for (int i = 0; i < out->header_count; i++)
        whole = whole && out->headers[i];
    return whole ? 0 : -ENOMEM;
}

#define LIFETIME_S      300 /* of a token that does not tell */
#define LIFETIME_MOST_S (30 * 24 * 3600)

/* RFC 6749, 5.1. A token that could not stand in a header is none. */
bool auth_grant_read(const char *body, size_t body_bytes, struct grant *out)
{
    json_t *answer = json_load_strict(body, body_bytes, body_bytes);
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    const char *type = json_string_value(json_object_get(answer, "token_type"));
    const json_t *expires = json_object_get(answer, "expires_in");
    json_int_t lifetime_s = json_is_integer(expires) ? json_integer_value(expires) : LIFETIME_S;
    bool good = token && header_value_is_clean(token) && strlen(token) < sizeof(out->token) &&
                (!type || strcasecmp(type, "bearer") == 0) && lifetime_s > 0;
    if (good) {
        snprintf(out->token, sizeof(out->token), "%s", token);
        out->lifetime_ms = (lifetime_s < LIFETIME_MOST_S ? lifetime_s : LIFETIME_MOST_S) * 1000;
    }
    json_decref(answer);
    return good;
}

int auth_sign(const struct auth *auth, const EVP_MD *sha256, const struct template_values *values,
              char **out_line, const char **why)
{
    *out_line = NULL;
    if (auth->kind == AUTH_NONE)
        return 0;
    if (auth->kind == AUTH_HMAC)
        return hmac_sign(auth, sha256, values, out_line, why);
    if (auth->kind == AUTH_OAUTH2)
        return token_line(values->moment->token, out_line, why);
    *out_line = strdup(auth->line);
    return *out_line ? 0 : -ENOMEM;
}
