/* Where the keys of a configuration file stand, so that every fault can name its line. */
#ifndef MAKEGOOD_CONFIG_LINES_H
#define MAKEGOOD_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PATH_BYTES 256

struct config_lines {
    struct config_line {
        char *path; /* as channels[0].rules[2].evidence */
        int line;
    } * items;
    size_t count;
};

int config_lines_add(struct config_lines *lines, const char *path, int line); /* 0 or -ENOMEM */
void config_lines_finish(struct config_lines *lines);

/* The line of this path or of the nearest path above it; 0: none. */
int config_lines_find(const struct config_lines *lines, const char *path);
bool config_lines_have(const struct config_lines *lines, const char *path); /* exactly this one */

#endif
