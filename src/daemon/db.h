/* The database for one-shot commands: one blocking connection. The daemon itself uses io/pg.h. */
#ifndef MAKEGOOD_DB_H
#define MAKEGOOD_DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct db {
    PGconn *connection;
    char sqlstate[6];  /* of the last failure; "" when it was no SQL error */
    char message[768]; /* its sentence, with the server's hint */
};

/* False: not connected, and why in message. Never holds the connection string. Close in any case. */
bool db_open(struct db *out, const char *url, const char *command, int64_t timeout_ms);
void db_close(struct db *db);

/* One statement with text parameters. NULL: failed. PQclear the result. */
PGresult *db_ask(struct db *db, const char *sql, int count, const char *const *values);

/* Any number of statements without parameters or answer. */
bool db_do(struct db *db, const char *sql);

/* "t" in the first field of the first row. */
bool db_is_true(struct db *db, const char *sql, int count, const char *const *values);

#endif
