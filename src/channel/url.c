/* Checking URL templates and building URLs. Checked by the thread that loads the configuration, built by the
 * workers. Values are escaped by the template (libcurl's percent-encoding); here only literal text is judged.
 */
#include "channel/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *scheme_end(const char *url)
{
    const char *colon = strstr(url, "://");
    return colon ? colon + 3 : url;
}

const char *url_path(const char *url, size_t *out_length)
{
    const char *path = scheme_end(url);
    path += strcspn(path, "/?");
    *out_length = strcspn(path, "?");
    if (*out_length)
        return path;
    *out_length = 1;
    return "/";
}

const char *url_query(const char *url)
{
    const char *mark = strchr(url, '?');
    return mark ? mark + 1 : "";
}

const char *url_unencoded(const char *text)
{
    for (; *text; text++) {
        bool escape = text[0] == '%' && strspn(text + 1, "0123456789abcdefABCDEF") >= 2;
        bool brace = (text[0] == '{' || text[0] == '}') && text[1] == text[0];
        if (brace || (!escape && !strchr(ALPHANUMERIC "-._~!$&'()*+,;=:@/?{}", *text)))
            return text;
    }
    return NULL;
}

static bool path_has_dots(const char *url)
{
    size_t length;
    const char *path = url_path(url, &length);
    const char *end = path + length;
    while (path < end) {
        size_t segment = strcspn(++path, "/?");
        if (segment && segment <= 2 && strspn(path, ".") == segment)
            return true;
        path += segment;
    }
    return false;
}

int url_build(const struct template *template, const struct template_values *values, char **out,
              const char **why)
{
    struct draft draft = {0};
    int error = template_expand(template, values, PLACE_URL, &draft, why);
    if (error) {
        draft_drop(&draft);
        return error;
    }
    *out = draft_take(&draft);
    if (!*out)
        return -ENOMEM;
    if (!path_has_dots(*out))
        return 0;
    *why = "a value makes a \".\" or \"..\" segment in the path of the URL";
    free(*out);
    *out = NULL;
    return -EINVAL;
}

/* "host", "host:port", "[address]:port" */
struct authority {
    char host[256];
    bool valid;
};

static struct authority authority_split(const char *text, size_t length)
{
    struct authority out = {.valid = false};
    const char *digits = ALPHANUMERIC "-.";
    size_t host = *text == '[' ? strcspn(text, "]") + 1 : strspn(text, digits);
    if (!host || host > length || host >= sizeof(out.host))
        return out;
    memcpy(out.host, text, host);
    if (*text == '[' && strspn(text + 1, "0123456789abcdefABCDEF:.") != host - 2)
        return out;
    size_t port = 0;
    if (host < length && text[host] == ':')
        port = 1 + strspn(text + host + 1, "0123456789");
    long number = port ? strtol(text + host + 1, NULL, 10) : 443;
    out.valid = host + port == length && port != 1 && port <= 6 && number >= 1 && number <= 65535;
    return out;
}

static bool host_is_loopback(const char *host)
{
    unsigned char address[4];
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, address) == 1 && address[0] == 127;
}

static void authority_check(const char *text, size_t length, bool plain, bool allow_plain, const char *key,
                            struct blame *blame)
{
    if (memchr(text, '{', length) || memchr(text, '}', length)) {
        blame_key(blame, key,
                  "a placeholder can not stand in the host of the URL: "
                  "whom we ask must be said by the configuration alone");
        return;
    }
    if (memchr(text, '@', length)) {
        blame_key(blame, key,
                  "the URL holds user information before \"@\"; use auth and secret_file instead");
        return;
    }
    struct authority authority = authority_split(text, length);
    if (!authority.valid)
        blame_key(blame, key,
                  "the URL's host or port is not valid; write it as https://api.example.com/path");
    else if (plain && !allow_plain)
        blame_key(blame, key,
                  "the URL must begin with https:// (http:// only to a loopback address, and only with "
                  "allow_plain_http: true)");
    else if (plain && !host_is_loopback(authority.host))
        blame_key(blame, key,
                  "plain http:// goes only to a loopback address (127.x.x.x, localhost, [::1]); use "
                  "https:// for %.80s",
                  authority.host);
}

static void path_check(const char *text, const char *after_host, const char *key, struct blame *blame)
{
    const char *bad = url_unencoded(after_host);
    if (bad && *bad == '#')
        blame_key(blame, key, "the URL has a fragment (\"#\"), which is never sent; remove it");
    else if (bad)
        blame_key(blame, key,
                  "the URL holds a character (byte 0x%02x) that must be written percent-encoded, as %%5B "
                  "for [",
                  (unsigned)(unsigned char)*bad);
    if (path_has_dots(text))
        blame_key(blame, key, "the URL's path has a \".\" or \"..\" segment; write the path that is meant");
}

void url_compile(struct template *out, const char *text, bool allow_plain_http, const char *key,
                 struct blame *blame)
{
    *out = (struct template){0};
    if (!text || !*text) {
        blame_key(blame, key,
                  "the URL is missing; write the one to ask, as https://api.example.com/payments/{number}");
        return;
    }
    bool plain = strncmp(text, "http://", 7) == 0;
    if (!plain && strncmp(text, "https://", 8) != 0) {
        blame_key(blame, key, "the URL must begin with https://, written out and in small letters");
        return;
    }
    const char *host = text + (plain ? 7 : 8);
    size_t length = strcspn(host, "/?#");
    authority_check(host, length, plain, allow_plain_http, key, blame);
    path_check(text, host + length, key, blame);
    template_compile(out, text, SCOPE_ORDER, key, blame);
}

char *url_gateway(const char *url, bool allow_plain_http, const char *example, struct blame *blame)
{
    struct template template;
    url_compile(&template, url, allow_plain_http, "url", blame);
    template_finish(&template);
    if (strpbrk(url, "{}?"))
        blame_key(blame, "url", "the URL has no placeholder and no query; write it as %s", example);
    return blame_copy(blame, url);
}
