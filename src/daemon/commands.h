/* The commands of the CLI. Each returns the exit code: 0 done, 1 a fault was told on stderr, 2 misuse, 3 done, and there is
 * something to look at. */
#ifndef MAKEGOOD_COMMANDS_H
#define MAKEGOOD_COMMANDS_H

#include <stdbool.h>

#define EXIT_FAULT   1 /* told on stderr */
#define EXIT_MISUSE  2 /* of the command line; likewise */
#define EXIT_LOOK    3 /* it was done, and there is something to look at */
#define OPERANDS_MAX 2

/* What was said on the command line; cli.c parses it for all commands alike. NULL or false: not said. */
struct options {
    const char *config_file;
    const char *order;    /* check */
    const char *since;    /* adopt */
    const char *channel;  /* adopt, replay: where nothing else says which; of operators: of this one */
    const char *order_no; /* query */
    const char *amount;   /* query */
    const char *currency; /* query */
    const char *method;   /* query */
    const char *data;     /* query */
    const char *save;     /* query */
    const char *older;    /* list */
    const char *reason;   /* list, retry, unpark */
    const char *most;     /* list */
    const char *as;       /* resolve */
    const char *attempt;  /* resolve */
    const char *trade_no; /* resolve */
    const char *note;     /* whatever an operator changes */
    const char *span;     /* pause --for */
    const char *watch;    /* status */
    const char *anchor;   /* audit verify */
    const char *keep;     /* audit retention */
    bool parked;          /* list */
    bool riskiest;        /* list */
    bool dry_run;         /* whatever an operator changes */
    bool json;            /* for scripts */
    bool sample;          /* config */
    bool progress;        /* run: a line per second on stdout */
    const char *operands[OPERANDS_MAX]; /* as the command's row says; NULL: left away */
};

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_migrate(const struct options *options);
int command_adopt(const struct options *options);
int command_query(const struct options *options);
int command_replay(const struct options *options);
int command_config(const struct options *options);

/* Operators' (command_status.c, command_list.c, command_operate.c). */
int command_status(const struct options *options);
int command_list(const struct options *options);
int command_history(const struct options *options);
int command_explain(const struct options *options);
int command_retry(const struct options *options);
int command_park(const struct options *options);
int command_unpark(const struct options *options);
int command_resolve(const struct options *options);
int command_approve(const struct options *options);
int command_pause(const struct options *options);
int command_resume(const struct options *options);
int command_halt(const struct options *options);
int command_audit(const struct options *options);
int command_lift(const struct options *options);

#endif
