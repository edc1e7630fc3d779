/* Making the declarative channel out of its specification: everything is compiled and checked here, so that
 * the workers only expand and follow. Runs on the thread that loads the configuration; keeps nothing of the
 * specification. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/head.h"
#include "channel/http_inner.h"
#include "channel/json_arena.h"
#include "channel/url.h"

static void method_compile(struct asking *asking, const char *method, struct blame *blame)
{
    bool post = method && strcmp(method, "POST") == 0;
    if (method && !post && strcmp(method, "GET") != 0)
        blame_key(blame, "method", "\"%.40s\" is no method that asks; write GET or POST", method);
    asking->method = post ? "POST" : "GET";
}

/* Where two parts of the specification must agree. */
static void asking_check(const struct http_channel *http, const struct asking *asking, const char *url,
                         struct blame *blame)
{
    bool chosen =
        http->auth.kind == AUTH_HEADER || http->auth.kind == AUTH_HMAC; /* the name is the operator's */
    if (chosen && http->auth.header && headers_have(&asking->headers, http->auth.header))
        blame_key(blame, "auth.header", "the header %s stands among headers already; keep one",
                  http->auth.header);
    if (url && auth_is_told_by(&http->auth, url))
        blame_key(blame, "url",
                  "the URL holds the secret of secret_file, and URLs are logged; send it by auth instead");
}

static bool asking_needs_data(const struct asking *asking)
{
    bool needs = asking->url.needs_data || body_needs_data(&asking->body);
    for (unsigned i = 0; i < asking->headers.count; i++)
        needs = needs || asking->headers.items[i].value.needs_data;
    return needs;
}

static void asking_compile(struct asking *out, const struct http_channel *http,
                           const struct http_channel_spec *spec, struct blame *blame)
{
    method_compile(out, spec->method, blame);
    url_compile(&out->url, spec->url, spec->transport.allow_plain_http, "url", blame);
    headers_compile(&out->headers, spec, blame);
    body_compile(&out->body, spec, blame);
    asking_check(http, out, spec->url, blame);
    out->needs_data = asking_needs_data(out) || http->auth.text.needs_data || http->auth.value.needs_data;
}

/* The close section is compiled as if it were the query's; its faults are told below "close". */
static void close_compile(struct http_channel *http, const struct http_channel_spec *spec,
                          struct blame *blame)
{
    char prefix[KEY_BYTES];
    struct http_channel_spec closing = *spec;
    struct blame below = {.faults = blame->faults, .prefix = prefix};
    snprintf(prefix, sizeof(prefix), "%s%sclose", blame->prefix ? blame->prefix : "",
             blame->prefix && *blame->prefix ? "." : "");
    closing.method = spec->close.method ? spec->close.method : "POST";
    closing.url = spec->close.url;
    closing.headers = spec->close.headers;
    closing.header_count = spec->close.header_count;
    closing.body = spec->close.body;
    closing.body_type = spec->close.body_type;
    closing.rules = spec->close.rules;
    closing.rule_count = spec->close.rule_count;
    asking_compile(&http->close, http, &closing, &below);
    rules_compile_closing(&http->close_rules, &closing, &below);
    http->head.can_close = true;
    if (below.error && blame->error != -ENOMEM)
        blame->error = below.error;
}

static void spec_compile(struct http_channel *http, const struct http_channel_spec *spec, struct blame *blame)
{
    head_compile(&http->head, spec->name, &spec->transport, blame);
    auth_compile(&http->auth, spec, blame);
    asking_compile(&http->query, http, spec, blame);
    answer_compile(&http->answer, spec, blame);
    rules_compile(&http->rules, spec, blame);
    if (spec->close.url)
        close_compile(http, spec, blame);
    http->head.needs_grant = http->auth.kind == AUTH_OAUTH2;
}

int http_channel_create(struct channel **out, const struct http_channel_spec *spec, const char *path_prefix,
                        struct faults *faults)
{
    struct blame blame = {.faults = faults, .prefix = path_prefix};
    *out = NULL;
    json_object_seed(0); /* the hash seed, before any thread needs it */
    json_arena_install();
    struct http_channel *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->head.kind = &http_channel_kind;
    http->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!http->sha256)
        blame_memory(&blame);
    spec_compile(http, spec, &blame);
    if (blame.error) {
        http_channel_kind.destroy(&http->head);
        return blame.error;
    }
    *out = &http->head;
    return 0;
}
