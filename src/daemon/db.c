/* A thin layer over libpq, blocking. Used by commands that end by themselves; never by the loop. */
#include "daemon/db.h"

#include <stdio.h>
#include <string.h>

static void line_copy(char *out, size_t bytes, const char *text)
{
    size_t length = strcspn(text, "\n");
    snprintf(out, bytes, "%.*s", (int)(length < bytes ? length : bytes), text);
}

static void on_notice(void *self, const PGresult *result)
{
    (void)self;
    (void)result; /* what a command does it says itself */
}

bool db_open(struct db *out, const char *url, const char *command, int64_t timeout_ms)
{
    char name[64];
    char seconds[24];
    *out = (struct db){0};
    snprintf(name, sizeof(name), "makegood %s", command);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)(timeout_ms + 999) / 1000);
    const char *keywords[] = {"connect_timeout", "dbname", "fallback_application_name", "client_encoding",
                              NULL};
    const char *values[] = {seconds, url, name, "UTF8", NULL};
    out->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(out->connection) != CONNECTION_OK) {
        line_copy(out->message, sizeof(out->message), PQerrorMessage(out->connection));
        return false;
    }
    PQsetNoticeReceiver(out->connection, on_notice, NULL);
    return true;
}

void db_close(struct db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
}

static void failure_keep(struct db *db, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", state ? state : "");
    if (primary)
        snprintf(db->message, sizeof(db->message), "%s%s%s", primary, hint ? "; " : "", hint ? hint : "");
    else
        line_copy(db->message, sizeof(db->message), PQerrorMessage(db->connection));
}

static PGresult *result_judge(struct db *db, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return result;
    failure_keep(db, result);
    PQclear(result);
    return NULL;
}

PGresult *db_ask(struct db *db, const char *sql, int count, const char *const *values)
{
    return result_judge(db, PQexecParams(db->connection, sql, count, NULL, values, NULL, NULL, 0));
}

bool db_do(struct db *db, const char *sql)
{
    PGresult *result = result_judge(db, PQexec(db->connection, sql));
    PQclear(result);
    return result != NULL;
}

bool db_is_true(struct db *db, const char *sql, int count, const char *const *values)
{
    PGresult *result = db_ask(db, sql, count, values);
    bool truth = result && PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return truth;
}
