/* A batch as parallel arrays: see store_write.h. A column is one row of the list, in the order of the
 * function's parameters; an empty text that stands for "none" becomes a null. */
#include "io/store_write.h"

#include <stdio.h>

static const char *none_if_empty(const char *text)
{
    return *text ? text : NULL;
}

static void put_text_or_null(struct pg_array *array, const char *text)
{
    pg_array_text(array, none_if_empty(text));
}

/* A poisoned row's texts that came from the channel are kept from the database: they may be what it chokes on. The
 * rest of the evidence is what the person who decides needs. */
static void put_told(struct pg_array *array, const struct job *job, const char *text)
{
    put_text_or_null(array, job->poison ? "" : text);
}

static void put_number_if(struct pg_array *array, bool there, int64_t number)
{
    if (there)
        pg_array_number(array, number);
    else
        pg_array_null(array);
}

static void put_detail(struct pg_array *array, const struct job *job)
{
    char detail[64];
    snprintf(detail, sizeof(detail), "the database refuses to settle it: SQLSTATE %s", job->sqlstate);
    pg_array_text(array, job->poison ? detail : NULL);
}

#define COLUMN(name, statement)                                              \
    static void column_##name(struct pg_array *array, const struct job *job) \
    {                                                                        \
        const struct lost_order *order = &job->order;                        \
        const struct evidence *evidence = &job->evidence;                    \
        const struct verdict *verdict = &job->verdict;                       \
        (void)order, (void)evidence, (void)verdict;                          \
        statement;                                                           \
    }

/* X(NAME, how it is written) */
#define SETTLE_COLUMNS(X)                                                                  \
    X(attempt, pg_array_number(array, order->attempt_id))                                  \
    X(token, pg_array_text(array, order->token))                                           \
    X(claimed_us, pg_array_number(array, order->claimed_us))                               \
    X(order_no, pg_array_text(array, order->order_no))                                     \
    X(channel, pg_array_text(array, order->channel))                                       \
    X(number, put_text_or_null(array, order->number))                                      \
    X(verdict, pg_array_text(array, verdict_kind_text(verdict->kind)))                     \
    X(reason, pg_array_text(array, park_reason_text(verdict->reason)))                     \
    X(rule, pg_array_text(array, verdict->rule))                                           \
    X(due_in_ms, put_number_if(array, verdict->kind == VERDICT_RETRY, verdict->due_in_ms)) \
    X(answers, pg_array_number(array, verdict->answers))                                   \
    X(errors, pg_array_number(array, verdict->errors))                                     \
    X(unknowns, pg_array_number(array, verdict->unknowns))                                 \
    X(evidence, pg_array_text(array, evidence_kind_text(evidence->kind)))                  \
    X(authentic, pg_array_truth(array, evidence->authentic))                               \
    X(amount, put_number_if(array, evidence->has_amount, evidence->amount_minor))          \
    X(currency, pg_array_text(array, evidence->has_amount ? evidence->currency : NULL))    \
    X(channel_number, put_told(array, job, evidence->channel_number))                      \
    X(code, put_told(array, job, evidence->code))                                          \
    X(channel_rule, put_text_or_null(array, evidence->rule))                               \
    X(http, put_number_if(array, evidence->http_status != 0, evidence->http_status))       \
    X(latency_ms, pg_array_number(array, evidence->latency_ms))                            \
    X(digest, put_text_or_null(array, evidence->body_digest))                              \
    X(asked, put_text_or_null(array, evidence->asked))                                     \
    X(request_id, put_text_or_null(array, evidence->request_id))                           \
    X(last, pg_array_truth(array, job->last))                                              \
    X(detail, put_detail(array, job))

SETTLE_COLUMNS(COLUMN)

typedef void (*put_column)(struct pg_array *array, const struct job *job);

static bool batch_write(struct pg_array *arrays, const struct batch *batch, const put_column *columns,
                        int count, const char **out)
{
    for (int i = 0; i < count; i++) {
        pg_array_start(&arrays[i]);
        for (int j = 0; j < batch->count; j++)
            columns[i](&arrays[i], batch->jobs[j]);
        out[i] = pg_array_end(&arrays[i]);
        if (!out[i])
            return false;
    }
    return true;
}

bool settle_write(struct pg_array *arrays, const struct batch *batch, const char **out)
{
#define X(name, ...) column_##name,
    static const put_column columns[] = {SETTLE_COLUMNS(X)};
#undef X
    _Static_assert(sizeof(columns) / sizeof(columns[0]) == SETTLE_ARRAYS, "as many as settle() has arrays");
    return batch_write(arrays, batch, columns, SETTLE_ARRAYS, out);
}

bool release_write(struct pg_array *arrays, const struct batch *batch, const char **out)
{
    static const put_column columns[RELEASE_ARRAYS] = {column_attempt, column_token};
    return batch_write(arrays, batch, columns, RELEASE_ARRAYS, out);
}
