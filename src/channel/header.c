/* Checking and writing the configured headers. Checked by the thread that loads the configuration, written by
 * the workers. Never lets a control character through, neither from the configuration nor from a row. */
#include "channel/header.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Accept, Content-Type, X-Request-Id and the credentials come beside the configured ones. */
#define HEADERS_CONFIGURED_MAX (REQUEST_HEADERS_MAX - 4)

bool header_name_is_token(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");
    return length > 0 && length <= 64 && name[length] == '\0';
}

bool header_value_is_clean(const char *value)
{
    size_t length = strlen(value);
    if (!length || value[0] == ' ' || value[length - 1] == ' ')
        return false;
    for (; *value; value++)
        if (*value < 0x20 || *value > 0x7e)
            return false;
    return true;
}

bool headers_have(const struct headers *headers, const char *name)
{
    for (unsigned i = 0; i < headers->count; i++)
        if (headers->items[i].name && strcasecmp(headers->items[i].name, name) == 0)
            return true;
    return false;
}

bool header_name_is_ours(const char *name)
{
    static const char *const ours[] = {"Host",
                                       "Content-Length",
                                       "Transfer-Encoding",
                                       "Accept-Encoding",
                                       "Expect",
                                       "Connection",
                                       "Upgrade",
                                       "Trailer",
                                       "TE",
                                       "Range",
                                       "Proxy-Authorization"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcasecmp(ours[i], name) == 0)
            return true;
    return false;
}

static void name_check(const struct headers *before, const char *name, const char *key, struct blame *blame)
{
    if (!header_name_is_token(name))
        blame_key(blame, key,
                  "a header's name consists of letters, digits and !#$%%&'*+-.^_`|~, at most 64 of them");
    else if (header_name_is_ours(name))
        blame_key(blame, key, "the header %s is makegood's own to set; remove it", name);
    else if (strcasecmp(name, "Authorization") == 0)
        blame_key(blame, key,
                  "credentials do not belong among the headers: describe them in auth, with their "
                  "secret in secret_file");
    else if (headers_have(before, name))
        blame_key(blame, key, "the header %s is given twice; keep one", name);
}

static void header_compile(struct headers *headers, const struct http_header_spec *spec, struct blame *blame)
{
    struct header *header = &headers->items[headers->count];
    const char *name = spec->name ? spec->name : "";
    const char *value = spec->value ? spec->value : "";
    char key[KEY_BYTES];
    snprintf(key, sizeof(key), "headers[%u].name", headers->count);
    name_check(headers, name, key, blame);
    header->name = blame_copy(blame, name);
    snprintf(key, sizeof(key), "headers[%u].value", headers->count);
    if (!header_value_is_clean(value))
        blame_key(blame, key,
                  "a header's value is printable ASCII on one line, neither empty nor with spaces at its "
                  "ends; correct it or remove the header");
    template_compile(&header->value, value, SCOPE_ORDER, key, blame);
    headers->count++;
}

void headers_compile(struct headers *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct headers){0};
    if (spec->header_count > HEADERS_CONFIGURED_MAX) {
        blame_key(blame, "headers", "%u headers are too many; at most %d can be configured",
                  spec->header_count, HEADERS_CONFIGURED_MAX);
        return;
    }
    out->items = blame_array(blame, spec->header_count, sizeof(*out->items));
    for (unsigned i = 0; out->items && i < spec->header_count; i++)
        header_compile(out, &spec->headers[i], blame);
}

void headers_finish(struct headers *headers)
{
    for (unsigned i = 0; i < headers->count; i++) {
        free(headers->items[i].name);
        template_finish(&headers->items[i].value);
    }
    free(headers->items);
    *headers = (struct headers){0};
}

static struct draft line_begin(const char *name)
{
    struct draft line = {0};
    draft_say(&line, name);
    draft_say(&line, ": ");
    return line;
}

static int line_end(struct draft *draft, struct request *request)
{
    assert(request->header_count < REQUEST_HEADERS_MAX);
    char *line = draft_take(draft);
    if (!line)
        return -ENOMEM;
    request->headers[request->header_count++] = line;
    return 0;
}

int header_line_add(const char *name, const char *value, struct request *request)
{
    struct draft line = line_begin(name);
    draft_say(&line, value);
    return line_end(&line, request);
}

int header_add(const struct header *header, const struct template_values *values, struct request *request,
               const char **why)
{
    struct draft line = line_begin(header->name);
    int error = template_expand(&header->value, values, PLACE_HEADER, &line, why);
    if (!error)
        error = line_end(&line, request);
    draft_drop(&line);
    return error;
}
