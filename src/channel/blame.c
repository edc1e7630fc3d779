/* Collecting the faults of a specification. Called by the compiling functions of this floor, on the thread
 * that loads the configuration; never while a channel is in use. */
#include "channel/blame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void blame_key(struct blame *blame, const char *key, const char *format, ...)
{
    char path[2 * KEY_BYTES];
    char sentence[640];
    bool prefixed = blame->prefix && *blame->prefix;
    snprintf(path, sizeof(path), "%s%s%s", prefixed ? blame->prefix : "", prefixed ? "." : "", key);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    faults_add(blame->faults, NULL, 0, path, "%s", sentence);
    if (!blame->error)
        blame->error = -EINVAL;
}

void blame_memory(struct blame *blame)
{
    blame->error = -ENOMEM;
}

bool blame_load(int error, const char *key, const char *why, struct blame *blame)
{
    if (error == -EINVAL)
        blame_key(blame, key, "%s", why);
    else if (error)
        blame_memory(blame);
    return !error;
}

char *blame_copy(struct blame *blame, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        blame_memory(blame);
    return copy;
}

void *blame_array(struct blame *blame, size_t count, size_t size)
{
    void *array = calloc(count ? count : 1, size);
    if (!array)
        blame_memory(blame);
    return array;
}

void texts_copy(struct texts *out, const char *const *items, unsigned count, struct blame *blame)
{
    *out = (struct texts){.items = blame_array(blame, count, sizeof(char *))};
    for (unsigned i = 0; out->items && i < count; i++) {
        out->items[i] = blame_copy(blame, items[i] ? items[i] : "");
        if (!out->items[i])
            return;
        out->count = i + 1;
    }
}

void texts_finish(struct texts *texts)
{
    for (unsigned i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct texts){0};
}
