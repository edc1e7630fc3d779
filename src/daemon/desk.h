/* An operator's desk: the configuration, and the database under the operator's own login (database.operator_url). What goes
 * wrong is said on stderr, in sentences. One thread; for commands that end by themselves. */
#ifndef MAKEGOOD_DESK_H
#define MAKEGOOD_DESK_H

#include <jansson.h>

#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/db.h"

#define INTERVAL_BYTES 48

struct desk {
    struct config *config; /* sealed: operators need no secret of a channel */
    struct db db;
    bool warned; /* the database warned of something, which was said */
};

/* Opens the desk for a command, lets it work, and clears up. The exit code; something
 * that the database warned of is something to look at. */
int desk_run(const struct options *options, const char *command,
             int (*work)(struct desk *desk, const struct options *options));

/* The same as the owner of the schema (database.migrate_url). */
int desk_run_as_owner(const struct options *options, const char *command,
                      int (*work)(struct desk *desk, const struct options *options));

/* A query with text parameters; NULL: it failed, which was said. PQclear the result. */
PGresult *desk_ask(struct desk *desk, const char *sql, int count, const char *const *values);

/* Of a query whose first column is JSON: an array of its rows. NULL: it failed, which was said. */
json_t *desk_rows(struct desk *desk, const char *sql, int count, const char *const *values);

/* A span of an option as the interval that PostgreSQL reads; "" where none is said. False: misuse, told. */
bool desk_interval(const char *option, const char *span, char out[INTERVAL_BYTES]);

/* Names of the channels whose orders come as messages: what waits in the broker, the database does not know. */
json_t *desk_by_message(const struct desk *desk);
/* Says so, and how to ask the broker; nothing where there are none. */
void desk_say_by_message(const struct desk *desk);

/* A JSON document on stdout. */
void json_say(const json_t *document);

#endif
