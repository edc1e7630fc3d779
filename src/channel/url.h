/* URLs: templates whose scheme and host are literal, so that no row can choose whom we ask (law 8).
 * Any thread. */
#ifndef MAKEGOOD_CHANNEL_URL_H
#define MAKEGOOD_CHANNEL_URL_H

#include "channel/template.h"

/* https only; plain http only to a loopback address and only when allowed. */
void url_compile(struct template *out, const char *text, bool allow_plain_http, const char *key,
                 struct blame *blame);

/* The URL of a gateway, to be freed: as it is, without placeholder and query. The example goes into the fault. */
char *url_gateway(const char *url, bool allow_plain_http, const char *example, struct blame *blame);

/* As template_expand; refuses a path that the values have given "." or ".." segments. */
int url_build(const struct template *template, const struct template_values *values, char **out,
              const char **why);

/* Parts of a URL that url_build made. The path is "/" where the URL has none; the query is "" where it has
 * none. */
const char *url_path(const char *url, size_t *out_length);
const char *url_query(const char *url);

/* The first character that must be percent-encoded in a URL or a form, or NULL. "{" and "}" are left to
 * templates. */
const char *url_unencoded(const char *text);

#endif
