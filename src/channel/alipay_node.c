/* Finding the bytes that Alipay signed: a member of an answer's top object, as it was received. Called by the workers for every
 * answer. Never decodes, never re-serialises, never recurses; whatever it can not follow is not found. */
#include <string.h>

#include "channel/alipay_inner.h"

struct cursor {
    const char *at;
    const char *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void blanks_skip(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
}

static bool is_at(const struct cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == c;
}

/* This character, and the blanks around it. */
static bool mark_skip(struct cursor *cursor, char mark)
{
    blanks_skip(cursor);
    if (!is_at(cursor, mark))
        return false;
    cursor->at++;
    blanks_skip(cursor);
    return true;
}

static bool string_skip(struct cursor *cursor)
{
    if (!is_at(cursor, '"'))
        return false;
    for (cursor->at++; cursor->at < cursor->end; cursor->at++) {
        if (*cursor->at == '"') {
            cursor->at++;
            return true;
        }
        if (*cursor->at == '\\' && cursor->at + 1 < cursor->end)
            cursor->at++; /* what is escaped ends nothing */
    }
    return false;
}

/* An object or an array, with all that is in it. */
static bool nest_skip(struct cursor *cursor)
{
    size_t depth = 0;
    do {
        if (cursor->at >= cursor->end)
            return false;
        char c = *cursor->at;
        if (c == '"') {
            if (!string_skip(cursor))
                return false;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        cursor->at++;
    } while (depth);
    return true;
}

static bool scalar_skip(struct cursor *cursor)
{
    const char *start = cursor->at;
    while (cursor->at < cursor->end && !is_blank(*cursor->at) && !strchr(",:{}[]\"", *cursor->at))
        cursor->at++;
    return cursor->at > start;
}

static bool value_skip(struct cursor *cursor)
{
    if (is_at(cursor, '"'))
        return string_skip(cursor);
    return is_at(cursor, '{') || is_at(cursor, '[') ? nest_skip(cursor) : scalar_skip(cursor);
}

/* One member; its key with the quotes. */
static bool member_read(struct cursor *cursor, struct alipay_node *key, struct alipay_node *value)
{
    key->bytes = cursor->at;
    if (!string_skip(cursor))
        return false;
    key->length = (size_t)(cursor->at - key->bytes);
    if (!mark_skip(cursor, ':'))
        return false;
    value->bytes = cursor->at;
    if (!value_skip(cursor))
        return false;
    value->length = (size_t)(cursor->at - value->bytes);
    return true;
}

static bool key_is(const struct alipay_node *key, const char *name)
{
    size_t length = strlen(name);
    return key->length == length + 2 && memcmp(key->bytes + 1, name, length) == 0;
}

bool alipay_node_find(const char *bytes, size_t length, const char *name, struct alipay_node *out)
{
    struct cursor cursor = {bytes, bytes + length};
    unsigned found = 0;
    if (!mark_skip(&cursor, '{'))
        return false;
    do {
        struct alipay_node key;
        struct alipay_node value;
        if (!member_read(&cursor, &key, &value))
            return false;
        if (key_is(&key, name)) {
            *out = value;
            found++;
        }
    } while (mark_skip(&cursor, ','));
    return mark_skip(&cursor, '}') && cursor.at == cursor.end && found == 1;
}
