/* Calls on a connection: queueing, sending, and their answers. Loop's thread only; called by the store and by
 * the connection's poll. Never blocks, never resends, never cancels.
 *
 * A call is [Prepare] Query Sync, so it is a transaction of its own and an error spoils no neighbour. Its
 * rows arrive before the commit does: they count once the Sync is answered (correctness 13). */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/pg_inner.h"

/* Where the session is ours alone, the server ends a call that takes too long by itself, a little earlier
 * than we would give up: then it is known that nothing was done. */
static const struct pg_statement hello = {"makegood_hello",
                                          "SELECT pg_catalog.set_config('statement_timeout', $1, false)", 1};

/* --- lists of calls ---------------------------------------------------------------------------------------
 */

static void list_push(struct call_list *list, struct call *call)
{
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
    call->next = NULL;
}

static struct call *list_pop(struct call_list *list)
{
    struct call *call = list->first;
    list->first = call->next;
    if (!list->first)
        list->last = NULL;
    return call;
}

static void list_move(struct call_list *from, struct call_list *to)
{
    while (from->first)
        list_push(to, list_pop(from));
}

static void call_free(struct call *call)
{
    free(call->values);
    PQclear(call->result);
    free(call);
}

void calls_fail(struct call_list *list, enum failure failure, const char *reason)
{
    while (list->first) {
        struct call *call = list_pop(list);
        struct pg_answer answer = {.failure = failure, .message = reason};
        call->done(call->self, &answer);
        call_free(call);
    }
}

/* One line of what libpq says in several. */
void pg_reason_set(struct pg *pg, const char *text)
{
    if (text != pg->reason)
        snprintf(pg->reason, sizeof(pg->reason), "%s", *text ? text : "the connection broke");
    for (char *c = pg->reason; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    for (size_t end = strlen(pg->reason); end > 0 && pg->reason[end - 1] == ' '; end--)
        pg->reason[end - 1] = '\0';
}

/* --- sending -----------------------------------------------------------------------------------------------
 */

static bool is_prepared(const struct pg *pg, const struct pg_statement *statement)
{
    for (int i = 0; i < pg->prepared_count; i++)
        if (pg->prepared[i] == statement->name)
            return true;
    return false;
}

static void prepared_forget(struct pg *pg, const struct pg_statement *statement)
{
    for (int i = 0; i < pg->prepared_count; i++)
        if (pg->prepared[i] == statement->name)
            pg->prepared[i--] = pg->prepared[--pg->prepared_count];
}

/* Values as libpq takes them. */
struct parameters {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];
};

static void parameters_set(struct parameters *to, const struct pg_value *values, int count)
{
    assert(count <= PARAMS_MAX);
    for (int i = 0; i < count; i++) {
        to->values[i] = values[i].bytes;
        to->lengths[i] = values[i].length;
        to->formats[i] = values[i].binary;
    }
}

static bool send_prepared(struct pg *pg, struct call *call, const struct parameters *with)
{
    const struct pg_statement *statement = call->statement;
    if (!is_prepared(pg, statement)) {
        assert(pg->prepared_count < PREPARED_MAX);
        if (!PQsendPrepare(pg->conn, statement->name, statement->sql, 0, NULL))
            return false;
        pg->prepared[pg->prepared_count++] = statement->name;
        call->prepares = true;
    }
    return PQsendQueryPrepared(pg->conn, statement->name, statement->params, with->values, with->lengths,
                               with->formats, 0);
}

static bool send_query(struct pg *pg, struct call *call, const struct pg_value *values)
{
    const struct pg_statement *statement = call->statement;
    struct parameters with;
    parameters_set(&with, values, statement->params);
    if (pg->options.prepared)
        return send_prepared(pg, call, &with);
    return PQsendQueryParams(pg->conn, statement->sql, statement->params, NULL, with.values, with.lengths,
                             with.formats, 0);
}

/* Writes what the socket takes; asks to hear of room for the rest only while there is a rest. */
static bool flush(struct pg *pg)
{
    int rest = PQflush(pg->conn);
    if (rest < 0)
        return false;
    if (pg->congested != (rest > 0))
        pg_watch(pg, rest > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    pg->congested = rest > 0;
    return true;
}

/* From here on the call counts as sent: parts of it may have reached the server. */
static void call_send(struct pg *pg, struct call *call, const struct pg_value *values)
{
    if (!pg->sent.first)
        pg_timer_restart(pg, pg->options.call_timeout_ms);
    list_push(&pg->sent, call);
    if (send_query(pg, call, values) && PQpipelineSync(pg->conn) && flush(pg))
        return;
    pg_reason_set(pg, PQerrorMessage(pg->conn));
    pg->broken = true;
    pg_refuse_soon(pg);
}

static void unsent_send(struct pg *pg)
{
    while (pg->unsent.first && !pg->congested && !pg->broken) {
        struct call *call = list_pop(&pg->unsent);
        call_send(pg, call, call->values);
    }
}

/* One piece of memory: the values, then their bytes, each with a final NUL. */
static struct pg_value *values_copy(const struct pg_value *values, int count)
{
    size_t bytes = 1; /* also a copy of no values is some memory */
    for (int i = 0; i < count; i++)
        bytes += (size_t)values[i].length + 1;
    struct pg_value *copy = malloc((size_t)count * sizeof(*copy) + bytes);
    if (!copy)
        return NULL;
    char *at = (char *)(copy + count);
    for (int i = 0; i < count; i++) {
        copy[i] = values[i];
        if (!values[i].bytes)
            continue;
        copy[i].bytes = memcpy(at, values[i].bytes, (size_t)values[i].length);
        at[values[i].length] = '\0';
        at += values[i].length + 1;
    }
    return copy;
}

int pg_call(struct pg *pg, const struct pg_statement *statement, const struct pg_value *values, pg_done done,
            void *self)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct call){.statement = statement, .done = done, .self = self};
    if (!pg_is_up(pg)) {
        list_push(&pg->refused, call);
        pg_refuse_soon(pg);
    } else if (!pg->congested && !pg->unsent.first) {
        call_send(pg, call, values);
    } else if ((call->values = values_copy(values, statement->params))) {
        list_push(&pg->unsent, call);
    } else {
        call_free(call);
        return -ENOMEM;
    }
    return 0;
}

bool pg_is_up(const struct pg *pg)
{
    return pg->state == PG_UP && !pg->leaving && !pg->broken;
}

static void on_soon(uv_timer_t *timer)
{
    struct pg *pg = timer->data;
    struct call_list refused = pg->refused;
    pg->refused = (struct call_list){0};
    if (pg->broken)
        pg_lose(pg, pg->reason);
    calls_fail(&refused, FAILURE_LATER, pg->reason);
}

void pg_refuse_soon(struct pg *pg)
{
    if (pg->state != PG_CLOSED && !uv_is_active((uv_handle_t *)&pg->soon))
        uv_timer_start(&pg->soon, on_soon, 1,
                       0); /* not 0: that may run in the same round of timers, for ever */
}

/* --- answers -----------------------------------------------------------------------------------------------
 */

/* Another server, or at least another session, may be able to: not writable, shut down, or a session that
 * does not know its prepared statements. */
static const char *reason_to_leave(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        const char *reason;
    } rows[] = {
        {"25006", "the server is read-only; looking for a writable one"},
        {"57P", "the server ends its sessions"},
        {"26000", "the server does not know a prepared statement; behind PgBouncer in transaction mode say "
                  "prepared: false"},
        {"42P05",
         "the server knows a prepared statement that we did not make; behind PgBouncer in transaction "
         "mode say prepared: false"},
        {"0A000", "a prepared statement is out of date"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strncmp(sqlstate, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].reason;
    return NULL;
}

static void leave(struct pg *pg, const char *reason)
{
    pg_reason_set(pg, reason);
    pg->leaving = true;
    if (pg->unsent.first)
        pg_refuse_soon(pg);
    list_move(&pg->unsent, &pg->refused);
}

/* A session that lost its statements is mended by a new one: no fault of the schema. */
static enum failure failure_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0)
        return FAILURE_LATER;
    return failure_of_sqlstate(sqlstate);
}

static void call_fail(struct pg *pg, const struct call *call)
{
    struct pg_answer answer = {.message = pg->reason};
    const char *sqlstate = PQresultErrorField(call->result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(call->result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(answer.sqlstate, sizeof(answer.sqlstate), "%s", sqlstate ? sqlstate : "");
    answer.failure = failure_of(answer.sqlstate);
    pg_reason_set(pg, message ? message : PQresultErrorMessage(call->result));
    if (call->prepares && !call->parsed)
        prepared_forget(pg, call->statement);
    call->done(call->self, &answer);
    const char *reason = reason_to_leave(answer.sqlstate);
    if (reason)
        leave(pg, reason);
}

/* The Sync is answered: what the call did is committed, or is not. */
static void call_finish(struct pg *pg)
{
    struct call *call = list_pop(&pg->sent);
    pg_timer_restart(pg, pg->sent.first ? pg->options.call_timeout_ms : 0);
    if (call->failed) {
        call_fail(pg, call);
    } else {
        struct pg_answer answer = {.ok = true, .rows = call->result, .message = ""};
        if (call->statement != &hello)
            pg->failures = 0;
        call->done(call->self, &answer);
    }
    call_free(call);
}

/* The first error is the one that says why; an error may still come behind the rows, from the commit. */
static void result_take(struct pg *pg, PGresult *result)
{
    struct call *call = pg->sent.first;
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        call_finish(pg);
    } else if (call->failed) {
        PQclear(result);
    } else {
        PQclear(call->result);
        call->result = result;
        call->parsed = call->parsed || good;
        call->failed = !good;
    }
}

/* In a pipeline every command's results end with a NULL, a Sync's does not; a second NULL in a row means
 * there is nothing more. */
static void results_take(struct pg *pg)
{
    bool pause = false;
    while (pg->sent.first && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);
        if (!result && pause)
            return;
        pause = !result;
        if (result)
            result_take(pg, result);
    }
}

static void notices_take(struct pg *pg)
{
    PGnotify *notice;
    while ((notice = PQnotifies(pg->conn))) {
        if (pg->events.notified)
            pg->events.notified(pg->self, notice->relname, notice->extra);
        PQfreemem(notice);
    }
}

void pg_on_ready(struct pg *pg, int events)
{
    bool alive = !(events & UV_READABLE) || PQconsumeInput(pg->conn);
    results_take(pg);
    notices_take(pg);
    alive = alive && (pg->broken || flush(pg)) && PQstatus(pg->conn) != CONNECTION_BAD;
    if (!alive)
        pg_lose(pg, PQerrorMessage(pg->conn));
    else if (pg->leaving && !pg->sent.first)
        pg_lose(pg, pg->reason);
    else
        unsent_send(pg);
}

/* --- the first call ----------------------------------------------------------------------------------------
 */

static void on_hello(void *self, const struct pg_answer *answer)
{
    (void)self;
    (void)answer; /* our own bound of the call holds without it */
}

void pg_hello(struct pg *pg)
{
    char bound_ms[24];
    snprintf(bound_ms, sizeof(bound_ms), "%" PRId64, pg->options.call_timeout_ms * 9 / 10 + 1);
    const struct pg_value values[] = {pg_text(bound_ms)};
    if (pg->options.prepared)
        pg_call(pg, &hello, values, on_hello, NULL);
}
