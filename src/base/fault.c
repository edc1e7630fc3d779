/* Faults of a configuration, collected. Any thread; never prints. */
#include "makegood/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void faults_init(struct faults *faults)
{
    *faults = (struct faults){0};
}

void faults_finish(struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->items[i].file);
        free(faults->items[i].path);
        free(faults->items[i].text);
    }
    free(faults->items);
    faults_init(faults);
}

void faults_add(struct faults *faults, const char *file, int line, const char *path, const char *format, ...)
{
    struct fault *items = realloc(faults->items, (faults->count + 1) * sizeof(*items));
    if (!items)
        return; /* the caller's return code says -EINVAL or -ENOMEM all the same */
    faults->items = items;
    struct fault *fault = &items[faults->count++];
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&fault->text, format, arguments) < 0)
        fault->text = NULL;
    va_end(arguments);
    fault->file = file ? strdup(file) : NULL;
    fault->path = path ? strdup(path) : NULL;
    fault->line = line;
}
