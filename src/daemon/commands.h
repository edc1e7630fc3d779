/* The commands of the CLI. Each returns the exit code: 0 done, 1 a fault was told on stderr, 2 misuse. */
#ifndef MAKEGOOD_COMMANDS_H
#define MAKEGOOD_COMMANDS_H

#include <stdbool.h>

/* What was said on the command line; main.c parses it for all commands alike. */
struct options {
    const char *config_file; /* -c */
    const char *order;       /* check --order N */
    const char *since;       /* adopt --since 2d */
    const char *channel;     /* adopt --channel NAME: for order tables without a channel column */
    bool sample;             /* config --sample */
    bool progress;           /* run --progress: a line per second on stdout */
};

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_migrate(const struct options *options);
int command_adopt(const struct options *options);
int command_config(const struct options *options);

#endif
