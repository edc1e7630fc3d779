/* WeChat Pay's requests: the query and the close, signed with the merchant's key. Called by the workers, several at once
 * on one channel; reads only what wechatpay_create.c made. Never opens a socket, asks a clock or prints. */
#include "channel/wechatpay.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/draft.h"
#include "channel/head.h"
#include "channel/header.h"
#include "channel/json.h"
#include "channel/reading.h"
#include "channel/rsa.h"
#include "channel/wechatpay_inner.h"

/* ---- what is asked ---- */

bool wechatpay_merchant_is_valid(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < MERCHANT_BYTES && text[digits] == '\0';
}

/* A text of channel_data, where it is there; false when it is none that may enter a URL. */
static bool data_read(const json_t *data, const char *name, size_t bytes, bool (*is_valid)(const char *),
                      char *out)
{
    const json_t *value = json_object_get(data, name);
    if (!json_is_there(value))
        return true;
    const char *text = json_string_value(value);
    return text && is_valid(text) && (size_t)snprintf(out, bytes, "%s", text) < bytes;
}

static int question_read_data(const char *text, struct wechatpay_question *out, const char **why)
{
    json_t *data = json_load_strict(text, strlen(text), CHANNEL_DATA_BYTES);
    const char *bad = NULL;
    if (!json_is_object(data))
        bad = "channel_data is not a JSON object";
    else if (!data_read(data, "transaction_id", sizeof(out->transaction_id), order_number_is_valid,
                        out->transaction_id))
        bad =
            "channel_data.transaction_id is no number of WeChat Pay's; leave it out, or write it as a string";
    else if (!data_read(data, "sub_mchid", sizeof(out->sub_merchant), wechatpay_merchant_is_valid,
                        out->sub_merchant))
        bad = "channel_data.sub_mchid is no merchant of WeChat Pay's; write its digits as a string";
    json_decref(data);
    *why = bad ? bad : *why;
    return bad ? -EINVAL : 0;
}

/* out_trade_no has 6 to 32 characters; its letters are those of our numbers. */
static bool number_fits(const char *number)
{
    size_t length = strlen(number);
    return length >= 6 && length <= 32 && order_number_is_valid(number);
}

int wechatpay_question_read(const struct wechatpay *wechat, const struct lost_order *order,
                            struct wechatpay_question *out, const char **why)
{
    *out = (struct wechatpay_question){.number = order->number};
    if (wechat->sub_merchant)
        snprintf(out->sub_merchant, sizeof(out->sub_merchant), "%s", wechat->sub_merchant);
    int error = *order->channel_data ? question_read_data(order->channel_data, out, why) : 0;
    if (error || (!*order->number && *out->transaction_id) || number_fits(order->number))
        return error;
    *why = "the attempt's number is no out_trade_no, which has 6 to 32 letters, digits or _ - | *";
    return -EINVAL;
}

/* ---- how it is asked ---- */

/* Out_trade_no may have "|" and "*", which travel, and are signed, percent-encoded. */
static void escaped_say(struct draft *draft, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);
    if (escaped)
        draft_say(draft, escaped);
    else
        draft->failed = true;
    curl_free(escaped);
}

/* Path and query of the one thing that is asked or closed. */
static char *target_write(const struct wechatpay *wechat, const struct wechatpay_question *question,
                          bool closes)
{
    bool by_number = closes || !*question->transaction_id;
    bool partner = *question->sub_merchant;
    struct draft target = {0};
    draft_say(&target, partner ? "/v3/pay/partner/transactions/" : "/v3/pay/transactions/");
    draft_say(&target, by_number ? "out-trade-no/" : "id/");
    escaped_say(&target, by_number ? question->number : question->transaction_id);
    if (closes) {
        draft_say(&target, "/close");
        return draft_take(&target);
    }
    draft_say(&target, partner ? "?sp_mchid=" : "?mchid=");
    draft_say(&target, wechat->merchant);
    draft_say(&target, partner ? "&sub_mchid=" : "");
    draft_say(&target, question->sub_merchant);
    return draft_take(&target);
}

/* Who closes. */
static char *body_write(const struct wechatpay *wechat, const struct wechatpay_question *question)
{
    json_t *body = *question->sub_merchant ? json_pack("{s:s, s:s}", "sp_mchid", wechat->merchant,
                                                       "sub_mchid", question->sub_merchant)
                                           : json_pack("{s:s}", "mchid", wechat->merchant);
    char text[128];
    size_t length = body ? json_dumpb(body, text, sizeof(text), JSON_COMPACT) : 0;
    json_decref(body);
    return length ? strndup(text, length) : NULL;
}

static char *text_join(const char *first, const char *second)
{
    struct draft text = {0};
    draft_say(&text, first);
    draft_say(&text, second);
    return draft_take(&text);
}

/* The signature of "METHOD\ntarget\nseconds\nnonce\nbody\n". */
static char *request_sign(const struct wechatpay *wechat, const char *method, const char *target,
                          const char *seconds, const char *nonce, const char *body)
{
    const char *const lines[] = {method, target, seconds, nonce, body};
    struct draft draft = {0};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        draft_say(&draft, lines[i]);
        draft_say(&draft, "\n");
    }
    size_t length = draft.length;
    char *text = draft_take(&draft);
    char *signature = text ? rsa_sign_by(wechat->signer, text, length) : NULL;
    free(text);
    return signature;
}

int wechatpay_authorize(const struct wechatpay *wechat, const struct moment *moment, const char *method,
                        const char *target, const char *body, struct request *out)
{
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%" PRId64, moment->unix_ms / 1000);
    char *signature = request_sign(wechat, method, target, seconds, moment->nonce, body);
    if (!signature)
        return -ENOMEM;
    const char *const parts[] = {"WECHATPAY2-SHA256-RSA2048 mchid=\"",
                                 wechat->merchant,
                                 "\",nonce_str=\"",
                                 moment->nonce,
                                 "\",timestamp=\"",
                                 seconds,
                                 "\",serial_no=\"",
                                 wechat->serial,
                                 "\",signature=\"",
                                 signature,
                                 "\""};
    struct draft value = {0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        draft_say(&value, parts[i]);
    free(signature);
    char *text = draft_take(&value);
    int error = text ? header_line_add("Authorization", text, out) : -ENOMEM;
    free(text);
    return error;
}

static int headers_write(const struct wechatpay *wechat, const struct moment *moment, struct request *out)
{
    const char *const lines[][2] = {
        {"Accept", "application/json"},
        {"Content-Type", out->body ? "application/json" : NULL},
        {"X-Request-Id", header_value_is_clean(moment->request_id) ? moment->request_id : NULL},
        {"Wechatpay-Serial", wechat->answer_serial},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof(lines) / sizeof(lines[0]); i++)
        if (lines[i][1])
            error = header_line_add(lines[i][0], lines[i][1], out);
    return error;
}

/* The signature covers no host, so the headers serve both. */
static int request_write(const struct wechatpay *wechat, const struct moment *moment, const char *method,
                         const char *target, struct request *out)
{
    out->method = strdup(method);
    out->url = text_join(wechat->url, target);
    out->second_url = wechat->second_url ? text_join(wechat->second_url, target) : NULL;
    if (!out->method || !out->url || (wechat->second_url && !out->second_url))
        return -ENOMEM;
    int error = headers_write(wechat, moment, out);
    if (!error)
        error = wechatpay_authorize(wechat, moment, method, target, out->body ? out->body : "", out);
    if (!error)
        request_ask(out);
    return error;
}

static int question_write(const struct wechatpay *wechat, const struct wechatpay_question *question,
                          const struct moment *moment, bool closes, struct request *out)
{
    out->body = closes ? body_write(wechat, question) : NULL;
    out->body_bytes = out->body ? strlen(out->body) : 0;
    char *target = target_write(wechat, question, closes);
    int error = -ENOMEM;
    if (target && (out->body || !closes))
        error = request_write(wechat, moment, closes ? "POST" : "GET", target, out);
    free(target);
    if (error)
        request_finish(out);
    return error;
}

static int wechatpay_build(const struct channel *channel, const struct lost_order *order,
                           const struct moment *moment, struct request *out, const char **why)
{
    const struct wechatpay *wechat = (const struct wechatpay *)channel;
    struct wechatpay_question question;
    *out = (struct request){0};
    *why = "";
    int error = wechatpay_question_read(wechat, order, &question, why);
    return error ? error : question_write(wechat, &question, moment, false, out);
}

static int wechatpay_build_close(const struct channel *channel, const struct lost_order *order,
                                 const struct moment *moment, struct request *out, const char **why)
{
    const struct wechatpay *wechat = (const struct wechatpay *)channel;
    struct wechatpay_question question;
    *out = (struct request){0};
    *why = "";
    int error = wechatpay_question_read(wechat, order, &question, why);
    if (error)
        return error;
    if (*question.number)
        return question_write(wechat, &question, moment, true, out);
    *why = "the attempt has no number, and WeChat Pay closes by out_trade_no only";
    return -EINVAL;
}

/* ---- the end ---- */

static void wechatpay_destroy(struct channel *channel)
{
    struct wechatpay *wechat = (struct wechatpay *)channel;
    char *texts[] = {wechat->url,      wechat->second_url,   wechat->app_id,
                     wechat->merchant, wechat->sub_merchant, wechat->serial};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    EVP_MD_CTX_free(wechat->signer);
    EVP_PKEY_free(wechat->private_key);
    for (unsigned i = 0; i < wechat->key_count; i++) {
        free(wechat->keys[i].serial);
        EVP_MD_CTX_free(wechat->keys[i].verifier);
        EVP_PKEY_free(wechat->keys[i].key);
    }
    free(wechat->keys);
    head_finish(&wechat->head);
    free(wechat);
}

const struct channel_kind wechatpay_kind = {.name = "wechatpay",
                                            .build = wechatpay_build,
                                            .interpret = wechatpay_interpret,
                                            .build_close = wechatpay_build_close,
                                            .interpret_close = wechatpay_interpret_close,
                                            .destroy = wechatpay_destroy};
