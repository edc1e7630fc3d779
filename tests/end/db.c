/* Sentences in SQL for the end suites, and waiting for what they say: see stage.h. */
#include "stage.h"

#include <stdlib.h>

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    assert_true(vasprintf(&text, format, arguments) >= 0);
    return text;
}

PGconn *db_open(const char *database, const char *user)
{
    const char *const keys[] = {"host", "dbname", "user", "connect_timeout", "options", NULL};
    const char *const values[] = {world_host,
                                  database,
                                  user ? user : "postgres",
                                  "10",
                                  "-c client_min_messages=error -c statement_timeout=60s",
                                  NULL};
    PGconn *db = PQconnectdbParams(keys, values, 0);
    if (PQstatus(db) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(db));
    return db;
}

PGconn *stage_db(void)
{
    for (int64_t end_ms = now_ms() + 20000; now_ms() < end_ms; sleep_ms(50)) {
        PGresult *result = PQexec(stage.db, "SELECT");
        bool fine = PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
        if (fine)
            return stage.db;
        PQreset(stage.db);
    }
    fail_msg("the cluster does not come back: %s", PQerrorMessage(stage.db));
    return NULL;
}

static PGresult *db_ask(PGconn *db, const char *sql)
{
    PGresult *result = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %.300s", PQerrorMessage(db), sql);
    return result;
}

void db_do(PGconn *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = format_text(format, arguments);
    va_end(arguments);
    PQclear(db_ask(db, sql));
    free(sql);
}

bool db_try(PGconn *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = format_text(format, arguments);
    va_end(arguments);
    PGresult *result = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    free(sql);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* The first value; NULL is "". */
static const char *value_keep(PGconn *db, const char *sql)
{
    static char *kept[8];
    static int next;
    PGresult *result = db_ask(db, sql);
    char **place = &kept[next++ % 8];
    free(*place);
    *place = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return *place;
}

const char *db_text(PGconn *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = format_text(format, arguments);
    va_end(arguments);
    const char *text = value_keep(db, sql);
    free(sql);
    return text;
}

long db_number(PGconn *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = format_text(format, arguments);
    va_end(arguments);
    const char *text = value_keep(db, sql);
    free(sql);
    return atol(text);
}

/* --- waiting --------------------------------------------------------------------------------------------------- */

/* What somebody who reads a failure wants to know. */
static void state_print(void)
{
    print_error("what waits: %s\n",
                db_text(stage_db(),
                        "SELECT string_agg(concat_ws(' ', l.order_no, l.channel, 'due', l.due_at - now(),"
                        " 'answers', l.answers, 'errors', l.errors, 'claims', l.claims), E'\\n')"
                        " FROM (SELECT * FROM makegood.lost_order ORDER BY due_at LIMIT 5) AS l"));
    print_error("the last queries: %s\n",
                db_text(stage_db(),
                        "SELECT string_agg(concat_ws(' ', q.logged_at, q.order_no, q.evidence, q.code,"
                        " q.verdict, q.reason, q.outcome), E'\\n') FROM (SELECT * FROM makegood.query_log"
                        " ORDER BY logged_at DESC LIMIT 8) AS q"));
    for (int i = 0; i < DAEMONS_MAX; i++) {
        char *log = daemon_log(i);
        size_t length = strlen(log);
        if (length > 0)
            print_error("daemon %d%s: %s\n", i, process_lives(stage.daemons[i]) ? "" : " (gone)",
                        log + (length > 2500 ? length - 2500 : 0));
        free(log);
    }
}

/* One try, also while the cluster is down. */
static bool is_true(const char *sql)
{
    if (PQstatus(stage.db) != CONNECTION_OK)
        PQreset(stage.db);
    PGresult *result = PQexec(stage.db, sql);
    bool truth = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0 &&
                 strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return truth;
}

static bool daemons_live(void)
{
    for (int i = 0; i < DAEMONS_MAX; i++)
        if (stage.daemons[i] && !process_lives(stage.daemons[i]))
            return false;
    return true;
}

void wait_for(int64_t deadline_ms, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = format_text(format, arguments);
    va_end(arguments);
    int64_t end_ms = now_ms() + deadline_ms;
    while (!is_true(sql)) {
        if (now_ms() > end_ms || !daemons_live()) {
            state_print();
            fail_msg("within %lld ms this did not become true: %s", (long long)deadline_ms, sql);
        }
        sleep_ms(30);
    }
    free(sql);
}

void wait_for_end(int64_t deadline_ms)
{
    wait_for(deadline_ms, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order WHERE channel = 'main')");
}

void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %.2000s", part, text);
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in: %.2000s", part,
                 strstr(text, part) - (strstr(text, part) - text > 200 ? 200 : 0));
}
