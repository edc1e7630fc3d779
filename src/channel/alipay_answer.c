/* What Alipay's answers mean: the mapping of codes, sub-codes and trade states, top to bottom, first match wins. Called by the
 * workers; total. What does not verify is evidence of nothing; it may still tell that our side is at fault. */
#include <stdio.h>
#include <string.h>

#include "channel/alipay_inner.h"
#include "channel/answer.h"
#include "channel/json_arena.h"
#include "channel/reading.h"
#include "channel/rules.h"

/* ---- the mapping ---- */

/* `detail` is trade_status where there is one, else sub_code; a final "*" stands for any rest. NULL: any, or none. */
struct row {
    const char *code;
    const char *detail;
    enum evidence_kind kind;
    bool names; /* such an answer names what was asked */
};

/* A trade stays TRADE_SUCCESS after partial refunds; what TRADE_CLOSED means, trade_kind tells. */
static const struct row query_rows[] = {
    {"10000", "WAIT_BUYER_PAY", EVIDENCE_PENDING, true},
    {"10000", "TRADE_SUCCESS", EVIDENCE_PAID, true},
    {"10000", "TRADE_FINISHED", EVIDENCE_PAID, true},
    {"10000", "TRADE_CLOSED", EVIDENCE_CLOSED, true},
    {"10000", NULL, EVIDENCE_UNKNOWN_STATE, true},
    {"10003", NULL, EVIDENCE_PENDING, false},
    {"40004", "ACQ.TRADE_NOT_EXIST", EVIDENCE_NOT_FOUND, false},
};

/* A trade whose state forbids closing was probably paid, which the query that follows tells. */
static const struct row close_rows[] = {
    {"10000", NULL, EVIDENCE_CLOSED, false},
    {"40004", "ACQ.TRADE_NOT_EXIST", EVIDENCE_NOT_FOUND, false},
    {"40004", "ACQ.TRADE_STATUS_ERROR", EVIDENCE_PENDING, false},
    {"40004", "ACQ.REASON_TRADE_STATUS_INVALID", EVIDENCE_PENDING, false},
    {"40004", "ACQ.REASON_ILLEGAL_STATUS", EVIDENCE_PENDING, false},
};

/* Both ways. Only faults, so they need no signature. */
static const struct row fault_rows[] = {
    {NULL, "isv.app-call-limited*", EVIDENCE_RATE_LIMITED, false},
    {NULL, "isv.method-call-limited*", EVIDENCE_RATE_LIMITED, false},
    {"40005", NULL, EVIDENCE_RATE_LIMITED, false},
    {"20000", NULL, EVIDENCE_SERVER_ERROR, false},
    {"40004", "ACQ.SYSTEM_ERROR", EVIDENCE_SERVER_ERROR, false},
    {"40004", "aop.ACQ.SYSTEM_ERROR", EVIDENCE_SERVER_ERROR, false},
    {"40004", "ACQ.INVALID_PARAMETER", EVIDENCE_UNAUTHORIZED, false},
    {"40004", "ACQ.ENTERPRISE_PAY_BIZ_ERROR", EVIDENCE_UNAUTHORIZED, false},
    {"20001", NULL, EVIDENCE_UNAUTHORIZED, false}, /* app_auth_token */
    {"40001", NULL, EVIDENCE_UNAUTHORIZED, false}, /* an argument is missing */
    {"40002", NULL, EVIDENCE_UNAUTHORIZED, false}, /* our signature, our clock, our app_id */
    {"40003", NULL, EVIDENCE_UNAUTHORIZED, false},
    {"40006", NULL, EVIDENCE_UNAUTHORIZED, false}, /* no permission */
};

struct rows {
    const struct row *items;
    size_t count;
};

#define ROWS(array)                               \
    {                                             \
        array, sizeof(array) / sizeof((array)[0]) \
    }

static const struct rows faults = ROWS(fault_rows);

/* What was asked: how its answer's node is called, and what that means. */
struct method {
    const char *node;
    struct rows rows;
};

static const struct method query = {"alipay_trade_query_response", ROWS(query_rows)};
static const struct method closing = {"alipay_trade_close_response", ROWS(close_rows)};

static bool text_matches(const char *wanted, const char *text)
{
    size_t length = wanted ? strlen(wanted) : 0;
    if (length && wanted[length - 1] == '*')
        return strncmp(wanted, text, length - 1) == 0;
    return !wanted || strcmp(wanted, text) == 0;
}

static const struct row *row_find(struct rows rows, const char *code, const char *detail)
{
    for (size_t i = 0; i < rows.count; i++)
        if (text_matches(rows.items[i].code, code) && text_matches(rows.items[i].detail, detail))
            return &rows.items[i];
    return NULL;
}

/* ---- one answer ---- */

struct reading {
    const struct channel *channel;
    const struct lost_order *order;
    const struct response *response;
    const struct method *method;
};

static const char *member_text(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    return text ? text : "";
}

/* There, and neither null nor "". */
static bool member_is_given(const json_t *answer, const char *name)
{
    const json_t *value = json_object_get(answer, name);
    return json_is_there(value) && !(json_is_string(value) && json_string_length(value) == 0);
}

static const char *detail_of(const json_t *answer)
{
    const char *status = member_text(answer, "trade_status");
    return *status ? status : member_text(answer, "sub_code");
}

static enum naming member_naming(const json_t *answer, const char *name, const char *expected)
{
    if (!*expected || !member_is_given(answer, name))
        return NAMING_NONE;
    return strcmp(member_text(answer, name), expected) == 0 ? NAMING_OURS : NAMING_OTHER;
}

/* What was asked by must be ours; the other number must not be somebody else's. */
static enum naming answer_names(const struct lost_order *order, const json_t *answer)
{
    struct alipay_question question;
    const char *why;
    if (alipay_question_read(order, &question, &why) != 0)
        return NAMING_OTHER; /* such an attempt is never asked about */
    enum naming number = member_naming(answer, "out_trade_no", question.number);
    enum naming trade = member_naming(answer, "trade_no", question.trade_no);
    return *question.trade_no && number != NAMING_OTHER ? trade : number;
}

/* total_amount is the order's; what the buyer paid and we received is less where coupons were used. It is in yuan, but where
 * the price is in another currency. */
static bool money_read(const json_t *answer, struct evidence *out)
{
    const json_t *given = json_object_get(answer, "trans_currency");
    const char *currency = json_is_there(given) ? json_string_value(given) : "CNY";
    const char *total = json_string_value(json_object_get(answer, "total_amount"));
    if (!currency || !total || !money_parse_decimal(total, currency_exponent(currency), &out->amount_minor))
        return false;
    memcpy(out->currency, currency, CURRENCY_BYTES); /* a known one: three letters */
    out->has_amount = true;
    return true;
}

/* Alipay closes what was never paid, and what was refunded in full. */
static bool trade_was_paid(const json_t *answer)
{
    int64_t minor = 0;
    if (member_is_given(answer, "send_pay_date"))
        return true;
    return member_is_given(answer, "buyer_pay_amount") &&
           !(money_parse_decimal(member_text(answer, "buyer_pay_amount"), 2, &minor) && minor == 0);
}

/* What the state alone does not tell: with credit_pay_mode the goods come first and the buyer has not paid yet. */
static enum evidence_kind trade_kind(const json_t *answer, enum evidence_kind kind)
{
    if (kind == EVIDENCE_CLOSED && trade_was_paid(answer))
        return EVIDENCE_PAID_FLAGGED;
    if (kind == EVIDENCE_PAID && member_is_given(answer, "credit_pay_mode"))
        return EVIDENCE_PAID_FLAGGED;
    return kind;
}

static enum evidence_kind verified_conclude(const struct reading *reading, const json_t *answer,
                                            struct evidence *out)
{
    const char *code = member_text(answer, "code");
    const struct row *row = row_find(reading->method->rows, code, detail_of(answer));
    if (!row)
        row = row_find(faults, code, detail_of(answer));
    if (!row)
        return EVIDENCE_UNMATCHED;
    snprintf(out->rule, sizeof(out->rule), "%s %s", row->code ? row->code : "*",
             row->detail ? row->detail : "*");
    if (!kind_is_answer(row->kind))
        return row->kind;
    enum naming naming = answer_names(reading->order, answer);
    if (naming == NAMING_OTHER)
        return EVIDENCE_OTHER_ORDER;
    if (row->names && naming != NAMING_OURS)
        return EVIDENCE_UNMATCHED;
    reading_number(out, member_text(answer, "trade_no"));
    enum evidence_kind kind = row->names ? trade_kind(answer, row->kind) : row->kind;
    return kind_is_payment(kind) && !money_read(answer, out) ? EVIDENCE_UNKNOWN_STATE : kind;
}

/* Nothing that is not signed settles anything; but when we are at fault, the gateway may not know with which key to sign. */
static enum evidence_kind unverified_conclude(const json_t *document, const json_t *answer)
{
    const struct row *row = row_find(faults, member_text(answer, "code"), detail_of(answer));
    bool is_signed = *member_text(document, "sign");
    return row && !is_signed ? row->kind : EVIDENCE_UNAUTHENTIC;
}

/* "40004 ACQ.TRADE_NOT_EXIST"; an answer that echoes our secret is not repeated (law 9). */
static void codes_write(const struct reading *reading, const json_t *answer, const char *fault,
                        struct evidence *out)
{
    char text[256];
    const char *code = member_text(answer, "code");
    const char *detail = detail_of(answer);
    if (alipay_is_told_by(reading->channel, code) || alipay_is_told_by(reading->channel, detail))
        code = detail = "";
    snprintf(text, sizeof(text), "%s%s%.32s%s%s", fault, *fault && *code ? " " : "", code, *detail ? " " : "",
             detail);
    reading_code(out, text);
}

static enum evidence_kind document_conclude(const struct reading *reading, const json_t *document,
                                            struct evidence *out)
{
    char fault[CODE_BYTES] = "";
    const char *node = reading->method->node;
    json_t *verified =
        alipay_verify((const struct alipay *)reading->channel, document, reading->response, node, fault);
    const json_t *answer = verified ? verified : json_object_get(document, node);
    if (!answer)
        answer = json_object_get(document, "error_response");
    enum evidence_kind kind =
        verified ? verified_conclude(reading, answer, out) : unverified_conclude(document, answer);
    out->authentic = verified != NULL;
    codes_write(reading, answer, fault, out);
    json_decref(verified);
    return kind;
}

static enum evidence_kind answer_conclude(const struct reading *reading, struct evidence *out)
{
    const struct response *response = reading->response;
    enum evidence_kind kind = kind_of_status(response->http_status);
    if (kind != EVIDENCE_NONE)
        return kind;
    json_arena_open();
    json_t *document = json_load_strict(response->body, response->body_bytes, response->body_bytes);
    if (!json_is_object(document))
        kind = EVIDENCE_GARBAGE;
    else if (response->http_status != 200)
        kind = EVIDENCE_UNMATCHED;
    else
        kind = document_conclude(reading, document, out);
    json_decref(document);
    json_arena_close();
    return kind;
}

static void interpret(const struct reading *reading, struct evidence *out)
{
    reading_begin(out, reading->response);
    if (!reading->response->trusted)
        out->kind = EVIDENCE_UNTRUSTED;
    else if (reading->response->body_bytes > (size_t)reading->channel->transport.body_max_bytes)
        out->kind = EVIDENCE_TOO_LARGE;
    else
        out->kind = answer_conclude(reading, out);
}

void alipay_interpret(const struct channel *channel, const struct lost_order *order,
                      const struct moment *moment, const struct response *response, struct evidence *out)
{
    (void)moment; /* answers carry no time */
    interpret(&(struct reading){channel, order, response, &query}, out);
}

void alipay_interpret_close(const struct channel *channel, const struct lost_order *order,
                            const struct moment *moment, const struct response *response,
                            struct evidence *out)
{
    (void)moment;
    interpret(&(struct reading){channel, order, response, &closing}, out);
}
