/* Copies of what travelled: see kept.h. Wipes what it frees: answers hold personal data, questions hold secrets. */
#include "daemon/kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a person, or the check of a signature, wants to see of an answer's head. */
static const char *const header_names[] = {
    "Date",
    "Retry-After",
    "Request-Id",
    "X-Request-Id",
    "Location",
    "Server",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "alipay-nonce",
    "alipay-sn",
    "Wechatpay-Serial",
    "Wechatpay-Signature",
    "Retry-Reason",
    "alipay-trace-id",
    "alipay-timestamp",
    "alipay-signature",
    "Paypal-Debug-Id",
    "Wechatpay-Signature-Type",
    "WWW-Authenticate",
};

int kept_header_add(struct kept_answer *kept, const char *line, size_t length)
{
    if (kept->header_count == KEPT_HEADERS_MAX)
        return 0;
    char *copy = strndup(line, length);
    if (copy)
        kept->headers[kept->header_count++] = copy;
    return copy ? 0 : -ENOMEM;
}

static int header_copy(struct kept_answer *kept, const char *name, const char *value)
{
    char *line = NULL;
    if (!value || !*value)
        return 0;
    int length = asprintf(&line, "%s: %s", name, value);
    int result = length < 0 ? -ENOMEM : kept_header_add(kept, line, (size_t)length);
    if (length >= 0)
        free(line);
    return result;
}

static int headers_copy(struct kept_answer *kept, const struct response *response)
{
    int result = header_copy(kept, "Content-Type", response->content_type);
    for (size_t i = 0; result == 0 && response->header && i < sizeof(header_names) / sizeof(char *); i++)
        result = header_copy(kept, header_names[i], response->header(response->head, header_names[i]));
    return result;
}

int kept_copy(struct kept_answer *out, const struct response *response)
{
    *out = (struct kept_answer){.whole = response->trusted,
                                .http_status = response->http_status,
                                .body_bytes = response->body_bytes,
                                .retry_after_ms = response->retry_after_ms};
    out->body = malloc(response->body_bytes + 1);
    if (!out->body)
        return -ENOMEM;
    memcpy(out->body, response->body ? response->body : "", response->body_bytes);
    out->body[response->body_bytes] = '\0';
    return headers_copy(out, response);
}

void kept_finish(struct kept_answer *kept)
{
    if (kept->body)
        explicit_bzero(kept->body, kept->body_bytes);
    free(kept->body);
    for (int i = 0; i < kept->header_count; i++)
        free(kept->headers[i]);
    *kept = (struct kept_answer){0};
}

/* --- as a response -------------------------------------------------------------------------------------- */

/* NULL: not this one. */
static const char *header_value(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + strspn(line + length + 1, " \t");
}

static const char *header_find(const void *head, const char *name)
{
    const struct kept_answer *kept = head;
    const char *found = NULL;
    for (int i = 0; i < kept->header_count; i++) {
        const char *value = header_value(kept->headers[i], name);
        if (value && found)
            return NULL; /* twice: neither can be believed */
        found = value ? value : found;
    }
    return found;
}

struct response kept_response(const struct kept_answer *kept, bool trusted)
{
    const char *type = header_find(kept, "Content-Type");
    return (struct response){.http_status = kept->http_status,
                             .body = kept->body,
                             .body_bytes = kept->body_bytes,
                             .content_type = type ? type : "",
                             .trusted = trusted,
                             .retry_after_ms = kept->retry_after_ms,
                             .header = header_find,
                             .head = kept};
}

/* --- the question --------------------------------------------------------------------------------------- */

static bool text_copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

int request_copy(struct request *out, const struct request *from)
{
    *out = (struct request){0};
    bool copied = text_copy(&out->method, from->method) && text_copy(&out->url, from->url) &&
                  text_copy(&out->second_url, from->second_url);
    for (int i = 0; copied && i < from->header_count; i++) {
        copied = text_copy(&out->headers[i], from->headers[i]);
        out->header_count += copied;
    }
    if (copied && from->body && (out->body = malloc(from->body_bytes + 1))) {
        memcpy(out->body, from->body, from->body_bytes);
        out->body[from->body_bytes] = '\0';
        out->body_bytes = from->body_bytes;
    }
    memcpy(out->asked, from->asked, sizeof(out->asked));
    return copied && (out->body || !from->body) ? 0 : -ENOMEM;
}
