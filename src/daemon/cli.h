/* The command line: which commands there are, which options each takes, and their help, all from one table (cli_table.c).
 * The manual page and the completion are made from the same table, so they can not drift. */
#ifndef MAKEGOOD_CLI_H
#define MAKEGOOD_CLI_H

#include <stddef.h>

#include "daemon/commands.h"

#define COMMAND_OPTIONS_MAX 12

/* X(NAME, word, member of struct options, letter or 0, placeholder; "" for a flag) */
#define OPTION_LIST(X)                            \
    X(CONFIG, "config", config_file, 'c', "FILE") \
    X(ORDER, "order", order, 0, "NUMBER")         \
    X(SINCE, "since", since, 0, "SPAN")           \
    X(CHANNEL, "channel", channel, 0, "NAME")     \
    X(ORDER_NO, "order-no", order_no, 0, "N")     \
    X(AMOUNT, "amount", amount, 0, "12.34")       \
    X(CURRENCY, "currency", currency, 0, "CNY")   \
    X(METHOD, "method", method, 0, "M")           \
    X(DATA, "data", data, 0, "JSON")              \
    X(SAVE, "save", save, 0, "DIR")               \
    X(OLDER, "older", older, 0, "SPAN")           \
    X(REASON, "reason", reason, 0, "WORD")        \
    X(MOST, "most", most, 0, "COUNT")             \
    X(AS, "as", as, 0, "paid|closed")             \
    X(ATTEMPT, "attempt", attempt, 0, "NUMBER")   \
    X(TRADE_NO, "trade-no", trade_no, 0, "N")     \
    X(NOTE, "note", note, 0, "TEXT")              \
    X(FOR, "for", span, 0, "SPAN")                \
    X(WATCH, "watch", watch, 0, "SPAN")           \
    X(ANCHOR, "anchor", anchor, 0, "NUMBER:HASH") \
    X(KEEP, "keep", keep, 0, "MONTHS")            \
    X(PARKED, "parked", parked, 0, "")            \
    X(RISKIEST, "riskiest", riskiest, 0, "")      \
    X(DRY_RUN, "dry-run", dry_run, 0, "")         \
    X(JSON, "json", json, 0, "")                  \
    X(SAMPLE, "sample", sample, 0, "")            \
    X(PROGRESS, "progress", progress, 0, "")

enum option_name {
    OPTION_NONE,
#define X(name, ...) OPTION_##name,
    OPTION_LIST(X)
#undef X
        OPTIONS
};

struct command {
    const char *name;
    int (*run)(const struct options *options);
    const char *operands; /* as "CHANNEL NUMBER"; "[ORDER]" may be left away; "": none */
    const char *summary;  /* one line of `makegood --help` */
    const char *text;     /* the paragraphs of its own help */
    struct {
        enum option_name name;
        const char *sentence;
    } options[COMMAND_OPTIONS_MAX]; /* ended by OPTION_NONE */
};

extern const struct command cli_commands[]; /* ended by a row without a name */

/* The exit code of the program. */
int cli_run(int argc, char **argv);

#endif
