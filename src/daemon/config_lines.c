/* Key paths and their lines. Filled while the shape of a file is read, asked while faults are told; the
 * thread that loads the configuration. */
#include "daemon/config_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int config_lines_add(struct config_lines *lines, const char *path, int line)
{
    if ((lines->count & (lines->count - 1)) == 0) {
        size_t room = lines->count ? 2 * lines->count : 1;
        struct config_line *items = realloc(lines->items, room * sizeof(*items));
        if (!items)
            return -ENOMEM;
        lines->items = items;
    }
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    lines->items[lines->count++] = (struct config_line){copy, line};
    return 0;
}

void config_lines_finish(struct config_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->items[i].path);
    free(lines->items);
    *lines = (struct config_lines){0};
}

static int line_exactly(const struct config_lines *lines, const char *path)
{
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->items[i].path, path) == 0)
            return lines->items[i].line;
    return 0;
}

bool config_lines_have(const struct config_lines *lines, const char *path)
{
    return line_exactly(lines, path) != 0;
}

int config_lines_find(const struct config_lines *lines, const char *path)
{
    char above[CONFIG_PATH_BYTES];
    snprintf(above, sizeof(above), "%s", path);
    int line = 0;
    while (*above && (line = line_exactly(lines, above)) == 0) {
        char *dot = strrchr(above, '.');
        char *bracket = strrchr(above, '[');
        char *end = dot && (!bracket || dot > bracket) ? dot : bracket;
        *(end ? end : above) = '\0';
    }
    return line;
}
