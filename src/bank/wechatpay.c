/* WeChat Pay API v3: query and close by out_trade_no, direct and partner. Requests must carry a right
 * WECHATPAY2-SHA256-RSA2048; answers to those are signed, errors too, as WeChat documents. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/payer.h"
#include "bank/provider.h"
#include "bank/seal.h"

#define SCHEME         "WECHATPAY2-SHA256-RSA2048 "
#define CLOCK_SKEW_S   300
#define STALE_S        600
#define APP_ID         "wx8888888888888888"
#define STRANGE_SIGNER "7F00000000000000000000000000000000000000"

static const char *const states[WORDS] = {
    [WORD_PAID] = "SUCCESS",       [WORD_CLOSED] = "CLOSED",         [WORD_REFUNDED] = "REFUND",
    [WORD_REFUND_PART] = "REFUND", [WORD_DISPUTED] = "SUCCESS",      [WORD_PENDING] = "USERPAYING",
    [WORD_UNPAID] = "NOTPAY",      [WORD_UNKNOWN_STATE] = "ON_HOLD",
};

/* ---- signatures ---- */

static void signed_say(const struct question *question, enum word forgery, struct answer *out)
{
    char text[ANSWER_BYTES + 128];
    char seal[SEAL_BYTES];
    long long now = (long long)time(NULL) - (forgery == WORD_STALE_SIGNATURE ? STALE_S : 0);
    int bytes =
        snprintf(text, sizeof(text), "%lld\n593BEC0C930BF1AF\n%.*s\n", now, (int)out->length, out->body);
    if (forgery == WORD_NO_SIGNATURE)
        return;
    /* A wrong signature is one over another text. */
    seal_make(question->keys->of[IDENTITY_WECHATPAY].key, text,
              (size_t)bytes - (forgery == WORD_BAD_SIGNATURE ? 1 : 0), seal);
    answer_header(out, "Wechatpay-Timestamp", "%lld", now);
    answer_header(out, "Wechatpay-Nonce", "593BEC0C930BF1AF");
    answer_header(out, "Wechatpay-Signature", "%s", seal);
    answer_header(out, "Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048");
    answer_header(out, "Wechatpay-Serial", "%s",
                  forgery == WORD_UNKNOWN_SIGNER ? STRANGE_SIGNER : question->signer);
}

static void error_say(const struct question *question, unsigned status, const char *code, const char *message,
                      enum word forgery, struct answer *out)
{
    answer_print(out, status, "application/json", "{\"code\":\"%s\",\"message\":\"%s\"}", code, message);
    signed_say(question, forgery, out);
}

/* name="value" of the Authorization header. */
static bool credential_read(const char *header, const char *name, char *out, size_t bytes)
{
    char key[32];
    int length = snprintf(key, sizeof(key), "%s=\"", name);
    const char *at = strstr(header, key);
    const char *end = at ? strchr(at + length, '"') : NULL;
    if (!end || (size_t)(end - at - length) >= bytes)
        return false;
    memcpy(out, at + length, (size_t)(end - at - length));
    out[end - at - length] = '\0';
    return true;
}

static bool request_is_signed(const struct question *question)
{
    const struct identity *merchant = &question->keys->of[IDENTITY_WECHATPAY_MERCHANT];
    const char *header = question_header(question, "Authorization");
    char mchid[40], nonce[64], timestamp[24], serial[SERIAL_BYTES], seal[SEAL_BYTES];
    char *text = NULL;
    if (strncmp(header, SCHEME, strlen(SCHEME)) != 0 ||
        !credential_read(header, "mchid", mchid, sizeof(mchid)) ||
        !credential_read(header, "nonce_str", nonce, sizeof(nonce)) ||
        !credential_read(header, "timestamp", timestamp, sizeof(timestamp)) ||
        !credential_read(header, "serial_no", serial, sizeof(serial)) ||
        !credential_read(header, "signature", seal, sizeof(seal)))
        return false;
    long long skew = (long long)time(NULL) - strtoll(timestamp, NULL, 10);
    if (strcmp(mchid, question->merchant) != 0 || strcmp(serial, merchant->hex) != 0 ||
        llabs(skew) > CLOCK_SKEW_S)
        return false;
    int bytes = asprintf(&text, "%s\n%s\n%s\n%s\n%s\n", question->method, question->target, timestamp, nonce,
                         question->body ? question->body : "");
    bool holds = bytes > 0 && seal_holds(merchant->key, text, (size_t)bytes, seal);
    free(text);
    return holds;
}

/* ---- what is asked ---- */

/* In the query; where something is closed, in the body. */
static bool merchant_read(struct question *question, const char *name)
{
    const char *value = MHD_lookup_connection_value(question->connection, MHD_GET_ARGUMENT_KIND, name);
    bool closes = question->verb == VERB_CLOSE;
    json_t *body = closes && question->body ? json_loads(question->body, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (closes)
        value = json_string_value(json_object_get(body, name));
    bool read = value && word_copy(value, strlen(value), question->merchant, sizeof(question->merchant));
    json_decref(body);
    return read;
}

static bool path_read(struct question *question)
{
    size_t length = strcspn(question->rest, "/");
    bool closes = strcmp(question->rest + length, "/close") == 0;
    question->verb = closes ? VERB_CLOSE : VERB_QUERY;
    return (closes || !question->rest[length]) && strcmp(question->method, closes ? "POST" : "GET") == 0 &&
           word_copy(question->rest, length, question->number, sizeof(question->number));
}

static bool question_read(struct question *question, const char *merchant_name, struct answer *out)
{
    const char *signer = question_header(question, "Wechatpay-Serial");
    bool by_key = strncmp(signer, "PUB_KEY_ID_", 11) == 0 && strlen(signer) < SERIAL_BYTES;
    snprintf(question->signer, sizeof(question->signer), "%s",
             by_key ? signer : question->keys->of[IDENTITY_WECHATPAY].hex);
    if (!path_read(question) || !merchant_read(question, merchant_name))
        error_say(question, 400, "PARAM_ERROR", "the request names no order or no merchant", WORD_PAID, out);
    else if (!request_is_signed(question))
        error_say(question, 401, "SIGN_ERROR", "the signature of the request is wrong", WORD_NO_SIGNATURE,
                  out);
    else
        return true;
    return false;
}

static bool direct_read(struct question *question, struct answer *out)
{
    return question_read(question, "mchid", out);
}

static bool partner_read(struct question *question, struct answer *out)
{
    return question_read(question, "sp_mchid", out);
}

/* ---- what is told ---- */

static void merchants_write(const struct question *question, char *out, size_t bytes)
{
    const char *sub = MHD_lookup_connection_value(question->connection, MHD_GET_ARGUMENT_KIND, "sub_mchid");
    char sub_merchant[33];
    if (sub && word_copy(sub, strlen(sub), sub_merchant, sizeof(sub_merchant)))
        snprintf(out, bytes, "\"sp_appid\":\"" APP_ID "\",\"sp_mchid\":\"%s\",\"sub_mchid\":\"%s\"",
                 question->merchant, sub_merchant);
    else
        snprintf(out, bytes, "\"appid\":\"" APP_ID "\",\"mchid\":\"%s\"", question->merchant);
}

static void order_say(const struct question *question, const struct report *report, struct answer *out)
{
    const char *state = states[report->word];
    const char *currency = strcmp(report->currency, "cny") == 0 ? "CNY" : "USD";
    char merchants[160];
    char paid[160] = "";
    char when[32];
    merchants_write(question, merchants, sizeof(merchants));
    struct tm now = beijing_time(time(NULL));
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S+08:00", &now);
    if (strcmp(state, "SUCCESS") == 0 || strcmp(state, "REFUND") == 0)
        snprintf(paid, sizeof(paid), "\"success_time\":\"%s\",\"transaction_id\":\"42%.*s\",", when,
                 report->number_length, report->number);
    answer_print(out, 200, "application/json",
                 "{\"amount\":{\"currency\":\"%s\",\"payer_currency\":\"%s\",\"payer_total\":%" PRId64
                 ",\"total\":%" PRId64 "},%s,\"out_trade_no\":\"%.*s\",\"payer\":{\"openid\":\"" PAYER_OPENID
                 "\"},%s\"trade_state\":\"%s\","
                 "\"trade_type\":\"NATIVE\"}",
                 currency, currency, report->amount_minor, report->amount_minor, merchants,
                 report->number_length, report->number, paid, state);
    signed_say(question, report->forgery, out);
}

static void close_say(const struct question *question, const struct report *report, struct answer *out)
{
    if (report->word == WORD_CLOSED) {
        answer_print(out, 204, "application/json", "%s", "");
        signed_say(question, report->forgery, out);
    } else {
        error_say(question, 400, "ORDER_PAID", "the order is paid", report->forgery, out);
    }
}

static void tell(const struct question *question, const struct report *report, struct answer *out)
{
    if (report->word == WORD_NOT_FOUND)
        error_say(question, 404, "ORDER_NOT_EXIST", "the order of " PAYER_OPENID " does not exist",
                  report->forgery, out);
    else if (report->word == WORD_SERVER_ERROR)
        error_say(question, 500, "SYSTEM_ERROR", "the system is busy", report->forgery, out);
    else if (report->word == WORD_UNAUTHORIZED)
        error_say(question, 401, "SIGN_ERROR", "the signature of the request is wrong", WORD_NO_SIGNATURE,
                  out);
    else if (report->word == WORD_RATE_LIMITED)
        error_say(question, 429, "FREQUENCY_LIMITED", "too many requests", report->forgery, out);
    else if (question->verb == VERB_CLOSE)
        close_say(question, report, out);
    else
        order_say(question, report, out);
    out->retry_after_s = report->retry_after_s;
}

/* Closing a number that nobody knows was seen to be answered with 204 as well. */
static void unknown(const struct question *question, struct answer *out)
{
    static const struct report absent = {.word = WORD_NOT_FOUND, .forgery = WORD_PAID, .currency = "cny"};
    static const struct report accepted = {.word = WORD_CLOSED, .forgery = WORD_PAID, .currency = "cny"};
    tell(question, question->verb == VERB_CLOSE ? &accepted : &absent, out);
}

const struct provider wechatpay = {.path = "/v3/pay/transactions/out-trade-no/",
                                   .needs_keys = true,
                                   .read = direct_read,
                                   .tell = tell,
                                   .unknown = unknown};
const struct provider wechatpay_partner = {.path = "/v3/pay/partner/transactions/out-trade-no/",
                                           .needs_keys = true,
                                           .read = partner_read,
                                           .tell = tell,
                                           .unknown = unknown};
