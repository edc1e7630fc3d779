/* UnionPay's messages: dividing an answer into its fields, and the digest that is signed. Called by the workers. Never
 * copies or decodes a value. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "channel/draft.h"
#include "channel/hex.h"
#include "channel/unionpay_inner.h"

bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.bytes, text, span.length) == 0;
}

static int span_compare(struct span one, struct span other)
{
    size_t common = one.length < other.length ? one.length : other.length;
    int order = memcmp(one.bytes, other.bytes, common);
    return order ? order : (one.length > other.length) - (one.length < other.length);
}

static int field_compare(const void *one, const void *other)
{
    return span_compare(((const struct field *)one)->name, ((const struct field *)other)->name);
}

/* Up to the next "&" that stands in no braces. */
static size_t field_length(const char *bytes, size_t length)
{
    size_t depth = 0;
    size_t i = 0;
    for (; i < length && (depth || bytes[i] != '&'); i++) {
        depth += bytes[i] == '{';
        depth -= bytes[i] == '}' && depth > 0;
    }
    return i;
}

static bool name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.bytes[i];
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return name.length > 0;
}

static bool field_read(struct field *out, const char *bytes, size_t length)
{
    const char *equals = memchr(bytes, '=', length);
    if (!equals || memchr(bytes, '\0', length))
        return false;
    size_t name = (size_t)(equals - bytes);
    *out = (struct field){{bytes, name}, {equals + 1, length - name - 1}};
    return name_is_valid(out->name);
}

static bool names_differ(const struct fields *fields)
{
    for (unsigned i = 1; i < fields->count; i++)
        if (field_compare(&fields->items[i - 1], &fields->items[i]) == 0)
            return false;
    return true;
}

bool fields_read(struct fields *out, const char *bytes, size_t length)
{
    out->count = 0;
    for (size_t at = 0; at < length; at++) { /* past the "&" */
        size_t size = field_length(bytes + at, length - at);
        if (out->count == FIELDS_MAX || !field_read(&out->items[out->count++], bytes + at, size))
            return false;
        at += size;
    }
    qsort(out->items, out->count, sizeof(out->items[0]), field_compare);
    return out->count > 0 && names_differ(out);
}

struct span fields_value(const struct fields *fields, const char *name)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (span_is(fields->items[i].name, name))
            return fields->items[i].value;
    return (struct span){"", 0};
}

bool fields_digest(const struct fields *fields, char out[DIGEST_BYTES])
{
    struct draft text = {0};
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        if (span_is(field->name, "signature"))
            continue;
        draft_say(&text, text.length ? "&" : "");
        draft_add(&text, field->name.bytes, field->name.length);
        draft_say(&text, "=");
        draft_add(&text, field->value.bytes, field->value.length);
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    bool made = !text.failed && EVP_Digest(text.bytes, text.length, digest, &length, EVP_sha256(), NULL) &&
                2 * length < DIGEST_BYTES;
    if (made)
        hex_write(digest, length, out);
    draft_drop(&text);
    return made;
}
