/* Masking: see mask.h. The names are judged by a list of words, generously; the channel itself is asked whether a text
 * still tells its secret, so that a secret in an unlikely place does not get through either. */
#include "daemon/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 4
#define HIDDEN      "(hidden: a secret of the channel stands in it)"

/* --- names ---------------------------------------------------------------------------------------------- */

static bool name_has(const char *name, size_t length, const char *word)
{
    size_t bytes = strlen(word);
    for (size_t i = 0; i + bytes <= length; i++)
        if (strncasecmp(name + i, word, bytes) == 0)
            return true;
    return false;
}

static bool name_ends(const char *name, size_t length, const char *word)
{
    size_t bytes = strlen(word);
    return length >= bytes && strncasecmp(name + length - bytes, word, bytes) == 0;
}

bool mask_is_due(const char *name, size_t length)
{
    static const char *const words[] = {"sign", "secret", "token", "key", "auth", "password"};
    if (name_ends(name, length, "type") || name_ends(name, length, "method"))
        return false; /* sign_type and the like say how, not what */
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (name_has(name, length, words[i]))
            return true;
    return false;
}

/* --- texts ---------------------------------------------------------------------------------------------- */

/* Bytes of a sequence that is valid UTF-8 but no character to show: C1 controls, and marks of direction. */
static size_t unshowable_length(const char *at, size_t left)
{
    const unsigned char *byte = (const unsigned char *)at;
    if (left >= 2 && byte[0] == 0xc2 && byte[1] < 0xa0)
        return 2;
    if (left < 3 || byte[0] != 0xe2)
        return 0;
    bool turns =
        byte[1] == 0x80 && ((byte[2] >= 0xaa && byte[2] <= 0xae) || byte[2] == 0x8e || byte[2] == 0x8f);
    bool isolates = byte[1] == 0x81 && byte[2] >= 0xa6 && byte[2] <= 0xa9;
    return turns || isolates ? 3 : 0;
}

static bool is_utf8(const char *bytes, size_t length)
{
    json_t *text = json_stringn(bytes, length); /* jansson checks it */
    json_decref(text);
    return text != NULL;
}

/* kept: control characters that may stay. */
static size_t unprintable_length(const char *at, size_t left, bool utf8, const char *kept)
{
    unsigned char byte = (unsigned char)*at;
    if (byte && strchr(kept, byte))
        return 0;
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8))
        return 1;
    return unshowable_length(at, left);
}

static char *text_show(const char *bytes, size_t length, const char *kept)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool utf8 = is_utf8(bytes, length);
    for (size_t i = 0; out && i < length;) {
        i += bytes[i] == '\r' && i + 1 < length && bytes[i + 1] == '\n'; /* the end of a line elsewhere */
        size_t hidden = unprintable_length(bytes + i, length - i, utf8, kept);
        if (hidden == 0)
            fputc(bytes[i++], out);
        for (; hidden > 0; hidden--)
            fprintf(out, "\\x%02x", (unsigned char)bytes[i++]);
    }
    if (out)
        fclose(out);
    return text;
}

char *text_printable(const char *bytes, size_t length)
{
    return text_show(bytes, length, "\n\t");
}

char *text_tame(const char *text)
{
    return text_show(text, strlen(text), "");
}

/* Takes the text; another one, printable and without our secret, comes back. */
static char *text_release(const struct channel *channel, char *text)
{
    bool told = text && channel->kind->is_told_by && channel->kind->is_told_by(channel, text);
    char *shown = told ? strdup(HIDDEN) : text ? text_printable(text, strlen(text)) : NULL;
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return shown;
}

static void value_mask(FILE *out, const char *value, size_t length)
{
    int shown = length > 2 * SHOWN_BYTES ? SHOWN_BYTES : 0;
    fprintf(out, "%.*s***[%zu]", shown, value, length);
}

/* --- the parts of a question ---------------------------------------------------------------------------- */

/* The scheme of Authorization is no secret, and worth seeing. */
static size_t scheme_length(const char *name, size_t length, const char *value)
{
    const char *space = strchr(value, ' ');
    bool has = name_has(name, length, "authorization") && space && space > value;
    return has ? (size_t)(space - value) + 1 : 0;
}

char *mask_header(const struct channel *channel, const char *line)
{
    char *text = NULL;
    size_t size = 0;
    size_t name = strcspn(line, ":");
    const char *value = line + name + (line[name] == ':');
    value += strspn(value, " ");
    size_t scheme = scheme_length(line, name, value);
    if (!mask_is_due(line, name))
        return text_release(channel, strdup(line));
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%.*s: %.*s", (int)name, line, (int)scheme, value);
    value_mask(out, value + scheme, strlen(value + scheme));
    fclose(out);
    return text_release(channel, text);
}

static bool is_parameter_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-%[]", name[i]) ||
            !name[i])
            return false;
    return length > 0;
}

/* name=value&name=value; any other text comes out as it is. */
static void parameters_mask(FILE *out, const char *text, size_t length)
{
    while (length > 0) {
        const char *end = memchr(text, '&', length);
        size_t part = end ? (size_t)(end - text) : length;
        const char *equals = memchr(text, '=', part);
        size_t name = equals ? (size_t)(equals - text) : 0;
        if (is_parameter_name(text, name) && mask_is_due(text, name)) {
            fwrite(text, 1, name + 1, out);
            value_mask(out, equals + 1, part - name - 1);
        } else {
            fwrite(text, 1, part, out);
        }
        if (end)
            fputc('&', out);
        part += end != NULL;
        text += part;
        length -= part;
    }
}

char *mask_url(const struct channel *channel, const char *url)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    size_t path = strcspn(url, "?");
    path += url[path] == '?';
    fwrite(url, 1, path, out);
    parameters_mask(out, url + path, strlen(url + path));
    fclose(out);
    return text_release(channel, text);
}

/* --- bodies --------------------------------------------------------------------------------------------- */

static json_t *string_masked(const struct channel *channel, const char *name, const char *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (name && mask_is_due(name, strlen(name)))
        value_mask(out, value, strlen(value));
    else
        fputs(value, out);
    fclose(out);
    char *shown = text_release(channel, text);
    json_t *string = shown ? json_string(shown) : NULL;
    free(shown);
    return string;
}

/* A new value; jansson's parser bounds the depth. */
static json_t *json_masked(const struct channel *channel, const char *name, json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_string(value))
        return string_masked(channel, name, json_string_value(value));
    if (!json_is_object(value) && !json_is_array(value))
        return json_incref(value);
    json_t *copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(value, key, child)
    {
        json_object_set_new(copy, key, json_masked(channel, key, child));
    }
    json_array_foreach(value, i, child)
    {
        json_array_append_new(copy, json_masked(channel, name, child));
    }
    return copy;
}

static json_t *body_load(const struct channel *channel, const char *body, size_t length)
{
    json_error_t error;
    json_t *parsed = json_loadb(body, length, JSON_REJECT_DUPLICATES, &error);
    json_t *masked = parsed ? json_masked(channel, NULL, parsed) : NULL;
    json_decref(parsed);
    return masked;
}

static char *text_mask(const struct channel *channel, const char *body, size_t length)
{
    char *text = NULL;
    size_t size = 0;
    char *plain = text_printable(body, length); /* first: a NUL would end the search for secrets */
    FILE *out = plain ? open_memstream(&text, &size) : NULL;
    if (out) {
        parameters_mask(out, plain, strlen(plain));
        fclose(out);
    }
    free(plain);
    return text_release(channel, text);
}

char *mask_body(const struct channel *channel, const char *body, size_t length)
{
    json_t *json = body_load(channel, body, length);
    if (!json)
        return text_mask(channel, body, length);
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_decref(json);
    return text_release(channel, text);
}

json_t *mask_body_json(const struct channel *channel, const char *body, size_t length)
{
    json_t *json = body_load(channel, body, length);
    if (json)
        return json;
    char *text = text_mask(channel, body, length);
    json = text ? json_string(text) : NULL;
    free(text);
    return json;
}
