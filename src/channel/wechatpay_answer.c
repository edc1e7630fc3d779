/* What WeChat Pay's answers mean: the mapping of trade states and error codes, top to bottom, first match wins. Called by
 * the workers; total. Without a valid signature nothing here becomes more than a reason to ask again. */
#include <stdio.h>
#include <string.h>

#include "channel/answer.h"
#include "channel/json_arena.h"
#include "channel/reading.h"
#include "channel/rules.h"
#include "channel/wechatpay_inner.h"

/* ---- the mapping ---- */

/* `code` is trade_state in a 200 and the error code elsewhere; NULL: any, or none. */
struct row {
    int least;
    int most;
    const char *code;
    enum evidence_kind kind;
};

/* NOTPAY stays after time_expire and after a failed try; REFUND means that it was paid, its extent is not told here.
 * REVOKED, USERPAYING and PAYERROR belong to code payment. */
static const struct row query_rows[] = {
    {200, 200, "SUCCESS", EVIDENCE_PAID},
    {200, 200, "REFUND", EVIDENCE_PAID_FLAGGED},
    {200, 200, "NOTPAY", EVIDENCE_PENDING},
    {200, 200, "USERPAYING", EVIDENCE_PENDING},
    {200, 200, "CLOSED", EVIDENCE_CLOSED},
    {200, 200, "REVOKED", EVIDENCE_CLOSED},
    {200, 200, "PAYERROR", EVIDENCE_CLOSED},
    {200, 200, NULL, EVIDENCE_UNKNOWN_STATE},
    {404, 404, "ORDER_NOT_EXIST", EVIDENCE_NOT_FOUND},
    {404, 404, "ORDERNOTEXIST", EVIDENCE_NOT_FOUND}, /* v2's spelling, seen in v3 */
    {404, 404, "RESOURCE_NOT_EXISTS", EVIDENCE_NOT_FOUND},
};

/* "Paid" in answer to closing is not a proof, and the amount is not told: the query that follows tells. */
static const struct row close_rows[] = {
    {204, 204, NULL, EVIDENCE_CLOSED},
    {400, 499, "ORDER_PAID", EVIDENCE_PENDING},
    {400, 499, "ORDERPAID", EVIDENCE_PENDING},
    {400, 499, "ORDER_CLOSED", EVIDENCE_CLOSED},
    {400, 499, "ORDERCLOSED", EVIDENCE_CLOSED},
    {400, 499, "ORDER_NOT_EXIST", EVIDENCE_NOT_FOUND},
    {400, 499, "ORDERNOTEXIST", EVIDENCE_NOT_FOUND},
    {400, 499, "RESOURCE_NOT_EXISTS", EVIDENCE_NOT_FOUND},
};

/* Both ways; what is in none of the tables goes by its status alone. */
static const struct row fault_rows[] = {
    {202, 202, NULL, EVIDENCE_SERVER_ERROR}, /* accepted, not done: ask the same again */
    {400, 400, "PARAM_ERROR", EVIDENCE_UNAUTHORIZED},
    {400, 400, "INVALID_REQUEST", EVIDENCE_UNAUTHORIZED},
    {400, 400, "APPID_MCHID_NOT_MATCH", EVIDENCE_UNAUTHORIZED},
    {400, 400, "MCH_NOT_EXISTS", EVIDENCE_UNAUTHORIZED},
    {400, 499, "SIGN_ERROR", EVIDENCE_UNAUTHORIZED},
    {403, 403, "RATELIMIT_EXCEEDED", EVIDENCE_RATE_LIMITED},
    {403, 403, "RATE_LIMITED", EVIDENCE_RATE_LIMITED},
    {403, 403, "FREQUENCY_LIMITED", EVIDENCE_RATE_LIMITED},
};

struct rows {
    const struct row *items;
    size_t count;
};

#define ROWS(array) ((struct rows){array, sizeof(array) / sizeof((array)[0])})

static const struct row *row_find(struct rows rows, int http_status, const char *code)
{
    for (size_t i = 0; i < rows.count; i++) {
        const struct row *row = &rows.items[i];
        bool holds = http_status >= row->least && http_status <= row->most;
        if (holds && (!row->code || strcmp(row->code, code) == 0))
            return row;
    }
    return NULL;
}

/* ---- one answer ---- */

struct reading {
    const struct wechatpay *wechat;
    const struct lost_order *order;
    const struct response *response;
    const json_t *answer; /* NULL: none, or not to be read */
    const char *code;     /* "" where there is none */
};

static enum evidence_kind rows_conclude(struct reading *reading, struct rows rows, struct evidence *out)
{
    int status = reading->response->http_status;
    const struct row *row = row_find(rows, status, reading->code);
    if (!row)
        row = row_find(ROWS(fault_rows), status, reading->code);
    if (row) {
        snprintf(out->rule, sizeof(out->rule), "%d %s", status, row->code ? row->code : "*");
        return row->kind;
    }
    enum evidence_kind by_status = kind_of_status(status);
    if (by_status != EVIDENCE_NONE)
        return by_status;
    return reading->answer ? EVIDENCE_UNMATCHED : EVIDENCE_GARBAGE;
}

static enum naming member_naming(const json_t *answer, const char *name, const char *expected)
{
    const json_t *value = json_object_get(answer, name);
    if (!json_is_there(value) || !expected || !*expected)
        return NAMING_NONE;
    bool same = json_is_string(value) && strcmp(json_string_value(value), expected) == 0;
    return same ? NAMING_OURS : NAMING_OTHER;
}

static enum naming order_naming(const json_t *answer, const struct wechatpay_question *question)
{
    enum naming number = member_naming(answer, "out_trade_no", question->number);
    enum naming transaction = member_naming(answer, "transaction_id", question->transaction_id);
    return number > transaction ? number : transaction;
}

static bool merchant_differs(const struct wechatpay *wechat, const json_t *answer,
                             const struct wechatpay_question *question)
{
    bool partner = *question->sub_merchant;
    return member_naming(answer, partner ? "sp_mchid" : "mchid", wechat->merchant) == NAMING_OTHER ||
           member_naming(answer, partner ? "sp_appid" : "appid", wechat->app_id) == NAMING_OTHER ||
           (partner && member_naming(answer, "sub_mchid", question->sub_merchant) == NAMING_OTHER);
}

/* amount.total is the order's; payer_total is less where coupons were used, and is not compared. */
static bool money_read(const json_t *answer, struct evidence *out)
{
    const json_t *amount = json_object_get(answer, "amount");
    const json_t *total = json_object_get(amount, "total");
    const char *currency = json_string_value(json_object_get(amount, "currency"));
    if (!json_is_integer(total) || json_integer_value(total) < 0 || !currency || !currency_is_code(currency))
        return false;
    memcpy(out->currency, currency, CURRENCY_BYTES);
    out->amount_minor = json_integer_value(total);
    out->has_amount = true;
    return true;
}

/* A verified 200: whose is it, and does it prove what its state says? */
static enum evidence_kind trade_conclude(const struct reading *reading, enum evidence_kind kind,
                                         struct evidence *out)
{
    struct wechatpay_question question;
    const char *why;
    if (!reading->answer)
        return EVIDENCE_GARBAGE;
    if (wechatpay_question_read(reading->wechat, reading->order, &question, &why) != 0)
        return EVIDENCE_UNMATCHED; /* such an attempt is never asked about */
    enum naming naming = order_naming(reading->answer, &question);
    if (naming != NAMING_OURS)
        return naming == NAMING_OTHER ? EVIDENCE_OTHER_ORDER : EVIDENCE_UNMATCHED;
    const char *number = json_string_value(json_object_get(reading->answer, "transaction_id"));
    reading_number(out, number ? number : "");
    out->merchant_differs = merchant_differs(reading->wechat, reading->answer, &question);
    return kind_is_payment(kind) && !money_read(reading->answer, out) ? EVIDENCE_UNKNOWN_STATE : kind;
}

/* Only a signature makes an answer; and a 2xx or a 404 without one is as good as forged, or not WeChat Pay's at all. */
static bool needs_signature(int http_status, enum evidence_kind kind)
{
    return kind_is_answer(kind) || http_status / 100 == 2 || http_status == 404;
}

static void conclude(struct reading *reading, struct rows rows, const char *fault, struct evidence *out)
{
    int status = reading->response->http_status;
    out->kind = rows_conclude(reading, rows, out);
    reading_code(out, reading->code);
    if (!out->authentic && needs_signature(status, out->kind)) {
        out->kind = EVIDENCE_UNAUTHENTIC;
        out->rule[0] = '\0';
        reading_code(out, fault);
    } else if (status == 200 && kind_is_answer(out->kind))
        out->kind = trade_conclude(reading, out->kind, out);
    /* As WeChat Pay advises. */
    if (out->kind == EVIDENCE_RATE_LIMITED && strcmp(reading->code, "FREQUENCY_LIMITED") == 0 &&
        reading->response->retry_after_ms == 0)
        out->retry_after_ms = 60000;
}

static void answer_read(struct reading *reading, struct rows rows, const char *fault, struct evidence *out)
{
    const struct response *response = reading->response;
    json_arena_open();
    json_t *answer = json_load_strict(response->body, response->body_bytes, response->body_bytes);
    const char *member = response->http_status == 200 ? "trade_state" : "code";
    const char *code = json_string_value(json_object_get(answer, member));
    reading->answer = json_is_object(answer) ? answer : NULL;
    reading->code = code ? code : "";
    conclude(reading, rows, fault, out);
    json_decref(answer);
    json_arena_close();
}

static void interpret(const struct channel *channel, const struct lost_order *order,
                      const struct moment *moment, const struct response *response, struct rows rows,
                      struct evidence *out)
{
    const struct wechatpay *wechat = (const struct wechatpay *)channel;
    struct reading reading = {.wechat = wechat, .order = order, .response = response};
    char fault[CODE_BYTES];
    reading_begin(out, response);
    if (!response->trusted)
        out->kind = EVIDENCE_UNTRUSTED;
    else if (response->body_bytes > (size_t)wechat->head.transport.body_max_bytes)
        out->kind = EVIDENCE_TOO_LARGE;
    else {
        out->authentic = wechatpay_verify(wechat, moment, response, fault);
        answer_read(&reading, rows, fault, out);
    }
}

void wechatpay_interpret(const struct channel *channel, const struct lost_order *order,
                         const struct moment *moment, const struct response *response, struct evidence *out)
{
    interpret(channel, order, moment, response, ROWS(query_rows), out);
}

void wechatpay_interpret_close(const struct channel *channel, const struct lost_order *order,
                               const struct moment *moment, const struct response *response,
                               struct evidence *out)
{
    interpret(channel, order, moment, response, ROWS(close_rows), out);
}
