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
    const struct verdict *verdict = &job->verdict;
    char detail[96] = "";
    if (job->poison)
        snprintf(detail, sizeof(detail), "the database refuses to settle it: SQLSTATE %s", job->sqlstate);
    else if (verdict->meant_rule)
        snprintf(detail, sizeof(detail), "instead of %s by %s", verdict_kind_text(verdict->meant),
                 verdict->meant_rule);
    put_text_or_null(array, detail);
}

#define COLUMN(name, type, statement)                                        \
    static void column_##name(struct pg_array *array, const struct job *job) \
    {                                                                        \
        const struct lost_order *order = &job->order;                        \
        const struct evidence *evidence = &job->evidence;                    \
        const struct verdict *verdict = &job->verdict;                       \
        (void)order, (void)evidence, (void)verdict;                          \
        statement;                                                           \
    }

/* X(NAME, type of the elements, how one is written), in the order of the parameters */
#define SETTLE_COLUMNS(X)                                                                                   \
    X(attempt, PG_INT8, pg_array_number(array, order->attempt_id))                                          \
    X(token, PG_UUID, pg_array_uuid(array, order->token))                                                   \
    X(claimed_us, PG_INT8, pg_array_number(array, order->claimed_us))                                       \
    X(order_no, PG_TEXT, pg_array_text(array, order->order_no))                                             \
    X(channel, PG_TEXT, pg_array_text(array, order->channel))                                               \
    X(number, PG_TEXT, put_text_or_null(array, order->number))                                              \
    X(verdict, PG_TEXT, pg_array_text(array, verdict_kind_text(verdict->kind)))                             \
    X(reason, PG_TEXT, pg_array_text(array, park_reason_text(verdict->reason)))                             \
    X(rule, PG_TEXT, pg_array_text(array, verdict->rule))                                                   \
    X(due_in_ms, PG_INT8, put_number_if(array, verdict_goes_on(verdict, order->phase), verdict->due_in_ms)) \
    X(phase, PG_TEXT, pg_array_text(array, phase_text(verdict->phase)))                                     \
    X(late, PG_BOOL, pg_array_truth(array, verdict->late))                                                  \
    X(answers, PG_INT4, pg_array_number(array, verdict->answers))                                           \
    X(errors, PG_INT4, pg_array_number(array, verdict->errors))                                             \
    X(unknowns, PG_INT4, pg_array_number(array, verdict->unknowns))                                         \
    X(evidence, PG_TEXT, pg_array_text(array, evidence_kind_text(evidence->kind)))                          \
    X(authentic, PG_BOOL, pg_array_truth(array, evidence->authentic))                                       \
    X(amount, PG_INT8, put_number_if(array, evidence->has_amount, evidence->amount_minor))                  \
    X(currency, PG_TEXT, pg_array_text(array, evidence->has_amount ? evidence->currency : NULL))            \
    X(channel_number, PG_TEXT, put_told(array, job, evidence->channel_number))                              \
    X(code, PG_TEXT, put_told(array, job, evidence->code))                                                  \
    X(channel_rule, PG_TEXT, put_text_or_null(array, evidence->rule))                                       \
    X(http, PG_INT4, put_number_if(array, evidence->http_status != 0, evidence->http_status))               \
    X(latency_ms, PG_INT4, pg_array_number(array, evidence->latency_ms))                                    \
    X(digest, PG_TEXT, put_text_or_null(array, evidence->body_digest))                                      \
    X(asked, PG_TEXT, put_text_or_null(array, evidence->asked))                                             \
    X(request_id, PG_TEXT, put_text_or_null(array, evidence->request_id))                                   \
    X(last, PG_BOOL, pg_array_truth(array, job->last))                                                      \
    X(detail, PG_TEXT, put_detail(array, job))

/* What settle_messages() has to know beside. */
#define MESSAGE_COLUMNS(X)                                                              \
    X(attempt_name, PG_TEXT, pg_array_text(array, order->attempt))                      \
    X(method, PG_TEXT, put_text_or_null(array, order->method))                          \
    X(order_amount, PG_INT8, pg_array_number(array, order->amount_minor))               \
    X(order_currency, PG_TEXT, pg_array_text(array, order->currency))                   \
    X(age_ms, PG_INT8, pg_array_number(array, order->age_ms))                           \
    X(left_ms, PG_INT8, put_number_if(array, order->left_ms != NO_END, order->left_ms)) \
    X(phase_before, PG_TEXT, pg_array_text(array, phase_text(order->phase)))

SETTLE_COLUMNS(COLUMN)
MESSAGE_COLUMNS(COLUMN)

struct column {
    enum pg_type type;
    void (*put)(struct pg_array *array, const struct job *job);
};

static bool batch_write(struct pg_array *arrays, const struct batch *batch, const struct column *columns,
                        int count, struct pg_value *out)
{
    for (int i = 0; i < count; i++) {
        pg_array_start(&arrays[i], columns[i].type);
        for (int j = 0; j < batch->count; j++)
            columns[i].put(&arrays[i], batch->jobs[j]);
        if (!pg_array_end(&arrays[i], &out[i]))
            return false;
    }
    return true;
}

bool settle_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out)
{
#define X(name, type, statement) {type, column_##name},
    static const struct column columns[] = {SETTLE_COLUMNS(X)};
#undef X
    _Static_assert(sizeof(columns) / sizeof(columns[0]) == SETTLE_ARRAYS, "as many as settle() has arrays");
    return batch_write(arrays, batch, columns, SETTLE_ARRAYS, out);
}

bool messages_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out)
{
#define X(name, type, statement) {type, column_##name},
    static const struct column columns[] = {SETTLE_COLUMNS(X) MESSAGE_COLUMNS(X)};
#undef X
    _Static_assert(sizeof(columns) / sizeof(columns[0]) == MESSAGE_ARRAYS + 1,
                   "and the row's number, which is left out");
    return batch_write(arrays, batch, columns + 1, MESSAGE_ARRAYS, out);
}

bool release_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out)
{
    static const struct column columns[RELEASE_ARRAYS] = {{PG_INT8, column_attempt}, {PG_UUID, column_token}};
    return batch_write(arrays, batch, columns, RELEASE_ARRAYS, out);
}
