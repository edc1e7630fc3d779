/* Alipay's gateway: alipay.trade.query and alipay.trade.close, RSA2, by public key or by certificates. HTTP's status is 200
 * whatever happens; what is wrong with a request is said in error_response, which nobody signs. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/payer.h"
#include "bank/provider.h"
#include "bank/seal.h"

#define QUERY "alipay.trade.query"
#define CLOSE "alipay.trade.close"

static const char *const states[WORDS] = {
    [WORD_PAID] = "TRADE_SUCCESS",     [WORD_CLOSED] = "TRADE_CLOSED",
    [WORD_REFUNDED] = "TRADE_CLOSED",  [WORD_REFUND_PART] = "TRADE_SUCCESS",
    [WORD_DISPUTED] = "TRADE_SUCCESS", [WORD_PENDING] = "WAIT_BUYER_PAY",
    [WORD_UNPAID] = "WAIT_BUYER_PAY",  [WORD_UNKNOWN_STATE] = "TRADE_ON_HOLD",
};

static void refuse(const char *code, const char *sub_code, struct answer *out)
{
    answer_print(out, 200, "application/json",
                 "{\"error_response\":{\"code\":\"%s\",\"msg\":\"Invalid Arguments\",\"sub_code\":\"%s\","
                 "\"sub_msg\":\"refused by makegood bank\"}}",
                 code, sub_code);
}

/* ---- what is asked ---- */

/* Certificates are named by the digest of issuer and serial; of the roots, ours has one that counts. */
static bool serials_are_right(struct question *question, const struct form *form)
{
    const char *app = form_value(form, "app_cert_sn");
    const char *root = form_value(form, "alipay_root_cert_sn");
    question->by_certificate = app || root;
    return !question->by_certificate ||
           (app && root && strcmp(app, question->keys->of[IDENTITY_ALIPAY_APP].digest) == 0 &&
            strcmp(root, question->keys->of[IDENTITY_ALIPAY_ROOT].digest) == 0);
}

static bool is_signed(const struct question *question, struct form *form)
{
    static const char *const without[] = {"sign", NULL};
    const char *seal = form_value(form, "sign");
    const char *type = form_value(form, "sign_type");
    size_t bytes = 0;
    char *text = form_join(form, without, true, &bytes);
    bool holds = text && seal && type && strcmp(type, "RSA2") == 0 &&
                 seal_holds(question->keys->of[IDENTITY_ALIPAY_APP].key, text, bytes, seal);
    free(text);
    return holds;
}

/* By out_trade_no, or by trade_no, which is 2088 and the same. */
static bool number_read(struct question *question, const char *content)
{
    json_t *document = content ? json_loads(content, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *trade = json_string_value(json_object_get(document, "trade_no"));
    const char *number = json_string_value(json_object_get(document, "out_trade_no"));
    if (trade)
        number = strncmp(trade, "2088", 4) == 0 ? trade + 4 : NULL;
    bool read = number && word_copy(number, strlen(number), question->number, sizeof(question->number));
    json_decref(document);
    return read;
}

static bool method_read(struct question *question, const char *method)
{
    question->verb = method && strcmp(method, CLOSE) == 0 ? VERB_CLOSE : VERB_QUERY;
    return method && (question->verb == VERB_CLOSE || strcmp(method, QUERY) == 0);
}

static bool form_take(struct question *question, struct form *form, struct answer *out)
{
    if (!is_signed(question, form) || !serials_are_right(question, form))
        refuse("40002", "isv.invalid-signature", out);
    else if (!method_read(question, form_value(form, "method")))
        refuse("40002", "isv.invalid-method", out);
    else if (!form_value(form, "timestamp") ||
             strlen(form_value(form, "timestamp")) != strlen("2026-01-01 00:00:00"))
        refuse("40002", "isv.invalid-timestamp", out);
    else if (!number_read(question, form_value(form, "biz_content")))
        refuse("40001", "isv.missing-parameter", out);
    else
        return true;
    return false;
}

static bool question_read(struct question *question, struct answer *out)
{
    struct form form = {.count = 0};
    const char *query = strchr(question->target, '?');
    char *copy = strdup(query ? query + 1 : "");
    bool read = copy && form_read(&form, copy) && (!question->body || form_read(&form, question->body)) &&
                form_take(question, &form, out);
    if (!read && !out->status)
        refuse("40001", "isv.missing-parameter", out);
    free(copy);
    return read;
}

/* ---- what is told ---- */

static void signed_say(const struct question *question, enum word forgery, const char *node,
                       struct answer *out)
{
    const struct identity *signer = &question->keys->of[IDENTITY_ALIPAY];
    const char *serial = signer->digest;
    bool close_node = (question->verb == VERB_CLOSE) != (forgery == WORD_WRONG_NODE);
    const char *name = close_node ? "alipay_trade_close_response" : "alipay_trade_query_response";
    char seal[SEAL_BYTES];
    char twice[ANSWER_BYTES / 2] = "";
    char certificate[96] = "";
    if (forgery == WORD_UNKNOWN_SIGNER)
        serial = "00000000000000000000000000000000";
    seal_make(signer->key, node,
              strlen(node) - (forgery == WORD_BAD_SIGNATURE || forgery == WORD_STALE_SIGNATURE), seal);
    if (forgery == WORD_UNKNOWN_SIGNER) /* nor is its key known to anybody */
        seal_make(question->keys->of[IDENTITY_ALIPAY_ROOT].key, node, strlen(node), seal);
    if (forgery == WORD_TWO_NODES)
        snprintf(twice, sizeof(twice), "\"%s\":%s,", name, node);
    if (question->by_certificate)
        snprintf(certificate, sizeof(certificate), "\"alipay_cert_sn\":\"%s\",", serial);
    if (forgery == WORD_NO_SIGNATURE)
        answer_print(out, 200, "application/json", "{\"%s\":%s}", name, node);
    else
        answer_print(out, 200, "application/json", "{%s%s\"%s\":%s,\"sign\":\"%s\"}", twice, certificate,
                     name, node, seal);
}

static void error_say(const struct question *question, const struct report *report, const char *code,
                      const char *sub_code, struct answer *out)
{
    char node[256];
    snprintf(node, sizeof(node),
             "{\"code\":\"%s\",\"msg\":\"Business Failed\",\"sub_code\":\"%s\",\"sub_msg\":\"of " PAYER_NAME
             "\"}",
             code, sub_code);
    signed_say(question, report->forgery, node, out);
}

static void order_say(const struct question *question, const struct report *report, struct answer *out)
{
    char node[1024];
    char total[32], when[32], paid[96] = "", currency[64] = "";
    bool was_paid = report->word == WORD_REFUNDED || strcmp(states[report->word], "TRADE_SUCCESS") == 0;
    yuan_write(report->amount_minor, total);
    struct tm now = beijing_time(time(NULL));
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &now);
    if (was_paid)
        snprintf(paid, sizeof(paid), ",\"send_pay_date\":\"%s\"", when);
    if (strcmp(report->currency, "cny") != 0)
        snprintf(currency, sizeof(currency), ",\"trans_currency\":\"USD\",\"settle_currency\":\"USD\"");
    snprintf(node, sizeof(node),
             "{\"code\":\"10000\",\"msg\":\"Success\",\"buyer_logon_id\":\"" PAYER_LOGIN
             "\",\"buyer_pay_amount\":\"%s\","
             "\"buyer_user_id\":\"" PAYER_USER "\",\"buyer_user_name\":\"" PAYER_NAME
             "\",\"out_trade_no\":\"%.*s\"%s%s,"
             "\"total_amount\":\"%s\",\"trade_no\":\"2088%.*s\",\"trade_status\":\"%s\"}",
             was_paid ? total : "0.00", report->number_length, report->number, paid, currency, total,
             report->number_length, report->number, states[report->word]);
    signed_say(question, report->forgery, node, out);
}

static void close_say(const struct question *question, const struct report *report, struct answer *out)
{
    char node[256];
    if (report->word != WORD_CLOSED) {
        error_say(question, report, "40004", "ACQ.TRADE_STATUS_ERROR", out);
        return;
    }
    snprintf(node, sizeof(node),
             "{\"code\":\"10000\",\"msg\":\"Success\",\"out_trade_no\":\"%.*s\",\"trade_no\":\"2088%.*s\"}",
             report->number_length, report->number, report->number_length, report->number);
    signed_say(question, report->forgery, node, out);
}

static void tell(const struct question *question, const struct report *report, struct answer *out)
{
    if (report->word == WORD_NOT_FOUND)
        error_say(question, report, "40004", "ACQ.TRADE_NOT_EXIST", out);
    else if (report->word == WORD_SERVER_ERROR)
        error_say(question, report, "20000", "isp.unknow-error", out);
    else if (report->word == WORD_UNAUTHORIZED)
        refuse("40002", "isv.invalid-signature", out);
    else if (report->word == WORD_RATE_LIMITED)
        error_say(question, report, "40005", "isv.app-call-limited", out);
    else if (question->verb == VERB_CLOSE)
        close_say(question, report, out);
    else
        order_say(question, report, out);
    out->retry_after_s = report->retry_after_s;
}

static void unknown(const struct question *question, struct answer *out)
{
    static const struct report absent = {.word = WORD_NOT_FOUND, .forgery = WORD_PAID, .currency = "cny"};
    tell(question, &absent, out);
}

const struct provider alipay = {
    .path = "/gateway.do", .needs_keys = true, .read = question_read, .tell = tell, .unknown = unknown};
