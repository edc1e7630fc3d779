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

static void method_compile(struct http_channel *http, const char *method, struct blame *blame)
{
    bool post = method && strcmp(method, "POST") == 0;
    if (method && !post && strcmp(method, "GET") != 0)
        blame_key(blame, "method", "\"%.40s\" is no method that asks; write GET or POST", method);
    http->method = post ? "POST" : "GET";
}

/* Where two parts of the specification must agree. */
static void parts_check(const struct http_channel *http, const struct http_channel_spec *spec,
                        struct blame *blame)
{
    bool chosen =
        http->auth.kind == AUTH_HEADER || http->auth.kind == AUTH_HMAC; /* the name is the operator's */
    if (chosen && http->auth.header && headers_have(&http->headers, http->auth.header))
        blame_key(blame, "auth.header", "the header %s stands among headers already; keep one",
                  http->auth.header);
    if (spec->url && auth_is_told_by(&http->auth, spec->url))
        blame_key(blame, "url",
                  "the URL holds the secret of secret_file, and URLs are logged; send it by auth instead");
}

static bool spec_needs_data(const struct http_channel *http)
{
    bool needs = http->url.needs_data || body_needs_data(&http->body) || http->auth.text.needs_data ||
                 http->auth.value.needs_data;
    for (unsigned i = 0; i < http->headers.count; i++)
        needs = needs || http->headers.items[i].value.needs_data;
    return needs;
}

static void spec_compile(struct http_channel *http, const struct http_channel_spec *spec, struct blame *blame)
{
    head_compile(&http->head, spec->name, &spec->transport, blame);
    method_compile(http, spec->method, blame);
    url_compile(&http->url, spec->url, spec->transport.allow_plain_http, "url", blame);
    headers_compile(&http->headers, spec, blame);
    body_compile(&http->body, spec, blame);
    auth_compile(&http->auth, spec, blame);
    answer_compile(&http->answer, spec, blame);
    rules_compile(&http->rules, spec, blame);
    parts_check(http, spec, blame);
    http->needs_data = spec_needs_data(http);
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
