/* The helpers of db.h: sentences, claims and settlements. Called by the suites, on one thread; never by
 * makegood. */
#include "db.h"

#include <ctype.h>
#include <stdlib.h>

#define ASKED_TEXTS 8
#define ARRAY_BYTES (1 << 20)

static PGresult *run(PGconn *db, const char *format, va_list list) __attribute__((format(printf, 2, 0)));

static PGresult *run(PGconn *db, const char *format, va_list list)
{
    char *sql = NULL;
    assert_true(vasprintf(&sql, format, list) >= 0);
    PGresult *result = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        print_message("%s\n  in: %.300s\n", PQresultErrorMessage(result), sql);
    free(sql);
    return result;
}

static bool went_well(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
}

static char *next_text(size_t bytes)
{
    static char *texts[ASKED_TEXTS];
    static int turn;
    turn = (turn + 1) % ASKED_TEXTS;
    texts[turn] = realloc(texts[turn], bytes);
    assert_non_null(texts[turn]);
    return texts[turn];
}

static const char *kept(const char *value)
{
    return strcpy(next_text(strlen(value) + 1), value);
}

static const char *first_value(PGresult *result)
{
    assert_true(went_well(result));
    assert_true(PQntuples(result) >= 1);
    const char *value = kept(PQgetisnull(result, 0, 0) ? "(null)" : PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

void db_do(PGconn *db, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    PGresult *result = run(db, format, list);
    va_end(list);
    assert_true(went_well(result));
    PQclear(result);
}

const char *db_ask(PGconn *db, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    PGresult *result = run(db, format, list);
    va_end(list);
    return first_value(result);
}

long db_number(PGconn *db, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    PGresult *result = run(db, format, list);
    va_end(list);
    return strtol(first_value(result), NULL, 10);
}

static const char *refusal(PGresult *result)
{
    assert_false(went_well(result));
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char *text = next_text(strlen(message) + 8);
    sprintf(text, "%s %s", state, message);
    PQclear(result);
    return text;
}

const char *db_refused(PGconn *db, const char *format, ...)
{
    char *sql = NULL;
    va_list list;
    va_start(list, format);
    assert_true(vasprintf(&sql, format, list) >= 0);
    va_end(list);
    PGresult *result = PQexec(db, sql);
    if (went_well(result))
        print_message("not refused: %.300s\n", sql);
    free(sql);
    return refusal(result);
}

void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

static void copy_column(PGresult *rows, int row, int column, char *out, size_t bytes)
{
    assert_true(strlen(PQgetvalue(rows, row, column)) < bytes);
    strcpy(out, PQgetvalue(rows, row, column));
}

int claim_rows(PGconn *db, const char *channel, int limit, struct element *out)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT * FROM makegood.claim('test', '{%s}', '{%d}', 600000)", channel, limit);
    PGresult *rows = PQexec(db, sql);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    int count = PQntuples(rows);
    for (int i = 0; i < count; i++) {
        struct element *element = &out[i];
        *element = (struct element){.verdict = "paid",
                                    .evidence = "paid",
                                    .reason = "",
                                    .detail = "",
                                    .currency = "CNY",
                                    .due_in_ms = "60000",
                                    .channel_number = "T1",
                                    .answers = 1,
                                    .authentic = true};
        copy_column(rows, i, 0, element->attempt_id, sizeof element->attempt_id);
        copy_column(rows, i, 1, element->token, sizeof element->token);
        copy_column(rows, i, 2, element->claimed_us, sizeof element->claimed_us);
        copy_column(rows, i, 3, element->order_no, sizeof element->order_no);
        copy_column(rows, i, 4, element->channel, sizeof element->channel);
        copy_column(rows, i, 5, element->number, sizeof element->number);
        copy_column(rows, i, 12, element->phase, sizeof element->phase);
        element->amount = strtoll(PQgetvalue(rows, i, 7), NULL, 10);
    }
    PQclear(rows);
    return count;
}

/* Arrays are built as PostgreSQL writes them: {"a","b",NULL}. */
struct array {
    char *text;
    size_t length;
};

static void array_add(struct array *array, const char *value)
{
    char *end = array->text + array->length;
    *end++ = array->length == 0 ? '{' : ',';
    if (value == NULL) {
        end = stpcpy(end, "NULL");
    } else {
        *end++ = '"';
        for (const char *c = value; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                *end++ = '\\';
            *end++ = *c;
        }
        *end++ = '"';
    }
    array->length = (size_t)(end - array->text);
    assert_true(array->length < ARRAY_BYTES - 200);
    strcpy(end, "}");
}

static const char *decimal(long long value)
{
    char *text = next_text(24);
    sprintf(text, "%lld", value);
    return text;
}

#define SETTLE_PARAMS 30

static void element_add(struct array arrays[SETTLE_PARAMS], const struct element *e)
{
    const char *const values[SETTLE_PARAMS - 1] = {e->attempt_id,
                                                   e->token,
                                                   e->claimed_us,
                                                   e->order_no,
                                                   e->channel,
                                                   e->number,
                                                   e->verdict,
                                                   e->reason,
                                                   "test_rule",
                                                   e->due_in_ms,
                                                   e->next_phase ? e->next_phase : e->phase,
                                                   e->late ? "t" : "f",
                                                   decimal(e->answers),
                                                   decimal(e->errors),
                                                   decimal(e->unknowns),
                                                   e->evidence,
                                                   e->authentic ? "t" : "f",
                                                   decimal(e->amount),
                                                   e->currency,
                                                   e->channel_number,
                                                   "SUCCESS",
                                                   "rule_paid",
                                                   "200",
                                                   "120",
                                                   "9f86d081884c7d65",
                                                   "GET https://bank.example/pay",
                                                   "req-1",
                                                   e->last ? "t" : "f",
                                                   e->detail};
    for (int i = 0; i < SETTLE_PARAMS - 1; i++)
        array_add(&arrays[i + 1], values[i]);
}

static PGresult *settle(PGconn *db, const struct element *elements, int count)
{
    struct array arrays[SETTLE_PARAMS] = {{0}};
    const char *values[SETTLE_PARAMS] = {"test"};
    for (int i = 1; i < SETTLE_PARAMS; i++) {
        arrays[i].text = calloc(1, ARRAY_BYTES);
        assert_non_null(arrays[i].text);
        values[i] = arrays[i].text;
    }
    for (int i = 0; i < count; i++)
        element_add(arrays, &elements[i]);
    PGresult *rows = PQexecParams(db,
                                  "SELECT place, upto, outcome, reason FROM "
                                  "makegood.settle($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,"
                                  "$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30)",
                                  SETTLE_PARAMS, NULL, values, NULL, NULL, 0);
    for (int i = 1; i < SETTLE_PARAMS; i++)
        free(arrays[i].text);
    return rows;
}

void settle_rows(PGconn *db, struct element *elements, int count)
{
    PGresult *rows = settle(db, elements, count);
    if (!went_well(rows))
        fail_msg("settle: %s", PQresultErrorMessage(rows));
    int done = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        assert_int_equal(strtol(PQgetvalue(rows, row, 0), NULL, 10), done + 1);
        for (long upto = strtol(PQgetvalue(rows, row, 1), NULL, 10); done < upto; done++) {
            assert_true(done < count);
            copy_column(rows, row, 2, elements[done].outcome, sizeof elements[done].outcome);
            copy_column(rows, row, 3, elements[done].found_reason, sizeof elements[done].found_reason);
        }
    }
    assert_int_equal(done, count);
    PQclear(rows);
}

const char *settle_refused(PGconn *db, struct element *elements, int count)
{
    return refusal(settle(db, elements, count));
}

void assert_settled(const struct element *element, const char *outcome, const char *reason)
{
    if (strcmp(element->outcome, outcome) != 0 || strcmp(element->found_reason, reason) != 0)
        fail_msg("order %s: %s/%s instead of %s/%s", element->order_no, element->outcome,
                 element->found_reason, outcome, reason);
}

void channel_of(const char *prefix, const char *order_no, char out[CHANNEL_BYTES])
{
    snprintf(out, CHANNEL_BYTES, "%s-%s", prefix, order_no);
    for (char *c = out; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
}

void kiosk_order(PGconn *db, const char *order_no, const char *state, long long total)
{
    db_do(db, "INSERT INTO kiosk.orders (order_no, state, total, currency) VALUES ('%s', '%s', %lld, 'CNY')",
          order_no, state, total);
}

long kiosk_attempt(PGconn *db, const char *order_no, const char *channel, long long amount,
                   const char *attempt)
{
    return db_number(db,
                     "SELECT makegood.track('%s', '%s', %lld, 'CNY', p_attempt => '%s', p_due_in => '-1 s')",
                     order_no, channel, amount, attempt);
}

const char *kiosk_state(PGconn *db, const char *order_no)
{
    return db_ask(db, "SELECT state FROM kiosk.orders WHERE order_no = '%s'", order_no);
}
