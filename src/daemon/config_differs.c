/* Compares two configurations key by key, where the key table says that a reload does not apply a change.
 * Loop's thread. */
#include "daemon/config_differs.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_keys.h"

static bool texts_equal(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

static bool value_differs(const struct config_key *key, const struct config *now, const struct config *next)
{
    const void *one = (const char *)now + key->offset;
    const void *other = (const char *)next + key->offset;
    if (key->type == KEY_TEXT || key->type == KEY_CHOICE)
        return !texts_equal(*(char *const *)one, *(char *const *)other);
    if (key->type == KEY_DURATION)
        return *(const int64_t *)one != *(const int64_t *)other;
    if (key->type == KEY_BOOLEAN)
        return *(const bool *)one != *(const bool *)other;
    return *(const int *)one != *(const int *)other;
}

static void mapping_compare(const struct config *now, const struct config *next, struct faults *out)
{
    json_t *one = json_loads(now->mapping, 0, NULL);
    json_t *other = json_loads(next->mapping, 0, NULL);
    const char *name;
    json_t *value;
    json_object_foreach(one, name, value)
    {
        char path[128];
        snprintf(path, sizeof(path), "order_table.%s", name);
        if (!json_equal(value, json_object_get(other, name)))
            faults_add(
                out, next->file, 0, path,
                "a reload can not change the order table; run makegood migrate, then restart the daemon");
    }
    json_decref(one);
    json_decref(other);
}

/* What is subscribed to is told to the broker once. */
static void topics_compare(const struct config *now, const struct config *next, struct faults *out)
{
    const char **one = config_topics(now), **other = config_topics(next);
    int same = 0, count = 0;
    for (int i = 0; one && one[i]; i++)
        same++;
    for (int i = 0; one && other && other[i]; i++)
        for (int j = 0; j < same; j++)
            count += strcmp(one[j], other[i]) == 0;
    int others = 0;
    while (other && other[others])
        others++;
    if (count != same || same != others)
        faults_add(
            out, next->file, 0, "channels[].topic",
            "a reload can not change which topics there are; restart the daemon, or take the change back");
    free(one);
    free(other);
}

int config_differs_fixed(const struct config *now, const struct config *next, struct faults *out)
{
    size_t before = out->count;
    for (const struct config_key *key = config_keys; key->path; key++)
        if (!key->reload && key->offset != KEY_NOWHERE && value_differs(key, now, next))
            faults_add(out, next->file, 0, key->path,
                       "a reload can not change this key; restart the daemon, or take the change back");
    topics_compare(now, next, out);
    mapping_compare(now, next, out);
    return out->count > before ? -EINVAL : 0;
}
