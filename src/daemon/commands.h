/* The commands of the CLI. Each returns the exit code: 0 done, 1 a fault was told on stderr, 2 misuse; `query` and
 * `replay` also 3: it was done, and the answer is a fault, or would be decided differently. */
#ifndef MAKEGOOD_COMMANDS_H
#define MAKEGOOD_COMMANDS_H

#include <stdbool.h>

/* What was said on the command line; main.c parses it for all commands alike. */
struct options {
    const char *config_file; /* -c */
    const char *order;       /* check --order N */
    const char *since;       /* adopt --since 2d */
    const char *channel;     /* adopt, replay --channel NAME: where nothing else says which */
    const char *order_no;    /* query --order-no A1001 */
    const char *amount;      /* query --amount 12.34 */
    const char *currency;    /* query --currency CNY */
    const char *method;      /* query --method card */
    const char *data;        /* query --data JSON */
    const char *save;        /* query --save DIR */
    bool json;               /* query --json: for scripts */
    bool sample;             /* config --sample */
    bool progress;           /* run --progress: a line per second on stdout */
    const char *operands[2]; /* query CHANNEL NUMBER, replay DIR */
};

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_migrate(const struct options *options);
int command_adopt(const struct options *options);
int command_query(const struct options *options);
int command_replay(const struct options *options);
int command_config(const struct options *options);

#endif
