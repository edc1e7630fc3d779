/* Compiling and following pointers. Compiled by the thread that loads the configuration, followed by the
 * workers. Following is total: a missing member, a wrong type or an index past the end is just "not there".
 */
#include "channel/pointer.h"

#include <stdlib.h>
#include <string.h>

/* ~1 is "/", ~0 is "~"; nothing else may follow "~". Written over itself. */
static bool segment_unescape(char *name)
{
    char *to = name;
    for (const char *from = name; *from; from++, to++) {
        *to = *from;
        if (*from != '~')
            continue;
        from++;
        if (*from != '0' && *from != '1')
            return false;
        *to = *from == '0' ? '~' : '/';
    }
    *to = '\0';
    return true;
}

static void segment_find_index(struct pointer_segment *segment)
{
    size_t length = strlen(segment->name);
    bool digits = length > 0 && length < 10 && strspn(segment->name, "0123456789") == length;
    segment->is_index = digits && (segment->name[0] != '0' || length == 1);
    if (segment->is_index)
        segment->index = strtoul(segment->name, NULL, 10);
}

static void segment_compile(struct pointer_segment *segment, bool stars, const char *key, struct blame *blame)
{
    if (!segment_unescape(segment->name))
        blame_key(blame, key,
                  "\"~\" in a pointer must be followed by 0 (for ~) or 1 (for /), as RFC 6901 says");
    segment_find_index(segment);
    segment->is_star = strcmp(segment->name, "*") == 0;
    if (segment->is_star && !stars)
        blame_key(
            blame, key,
            "\"*\" (every element) can stand only in over, currency, answer.number and answer.order_no; "
            "write an index such as 0, or move the part before it to over");
}

void pointer_compile(struct pointer *out, const char *text, bool stars, const char *key, struct blame *blame)
{
    *out = (struct pointer){0};
    if (!text || !*text)
        return;
    if (*text != '/') {
        blame_key(blame, key, "the pointer \"%.80s\" must begin with \"/\", as in /payment/status", text);
        return;
    }
    size_t count = 0;
    for (const char *slash = text; slash; slash = strchr(slash + 1, '/'))
        count++;
    out->segments = blame_array(blame, count, sizeof(*out->segments));
    for (size_t i = 0; out->segments && i < count; i++) {
        const char *end = strchrnul(++text, '/');
        struct pointer_segment *segment = &out->segments[out->count];
        segment->name = strndup(text, (size_t)(end - text));
        if (!segment->name) {
            blame_memory(blame);
            return;
        }
        out->count++;
        segment_compile(segment, stars, key, blame);
        text = end;
    }
}

void pointer_finish(struct pointer *pointer)
{
    for (unsigned i = 0; i < pointer->count; i++)
        free(pointer->segments[i].name);
    free(pointer->segments);
    *pointer = (struct pointer){0};
}

bool pointer_is_given(const struct pointer *pointer)
{
    return pointer->count > 0;
}

static const json_t *segment_follow(const struct pointer_segment *segment, const json_t *node)
{
    if (json_is_array(node))
        return segment->is_index ? json_array_get(node, segment->index) : NULL;
    return json_object_get(node, segment->name);
}

const json_t *pointer_find(const struct pointer *pointer, const json_t *root)
{
    const json_t *node = root;
    for (unsigned i = 0; node && i < pointer->count; i++)
        node = segment_follow(&pointer->segments[i], node);
    return node;
}

/* As deep as the pointer is long. */
static bool each_from(const struct pointer *pointer, unsigned at, const json_t *node, pointer_visit visit,
                      void *self)
{
    if (!node)
        return true;
    if (at == pointer->count)
        return visit(self, node);
    const struct pointer_segment *segment = &pointer->segments[at];
    if (!segment->is_star)
        return each_from(pointer, at + 1, segment_follow(segment, node), visit, self);
    for (size_t i = 0; i < json_array_size(node); i++)
        if (!each_from(pointer, at + 1, json_array_get(node, i), visit, self))
            return false;
    return true;
}

static bool count_one(void *self, const json_t *value)
{
    (void)value;
    ++*(size_t *)self;
    return true;
}

size_t pointer_elements(const struct pointer *pointer, const json_t *root)
{
    struct pointer elements = {.segments = pointer->segments};
    size_t count = 0;
    for (unsigned i = 0; i < pointer->count; i++)
        if (pointer->segments[i].is_star)
            elements.count = i + 1;
    if (elements.count)
        each_from(&elements, 0, root, count_one, &count);
    return count;
}

bool pointer_each(const struct pointer *pointer, const json_t *root, pointer_visit visit, void *self)
{
    return each_from(pointer, 0, root, visit, self);
}
