/* Alipay's requests: the query and the close, signed with the application's key. Called by the workers, several at once on one
 * channel; reads only what alipay_create.c made. Never opens a socket, asks a clock or prints. */
#include "channel/alipay.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel/alipay_inner.h"
#include "channel/draft.h"
#include "channel/head.h"
#include "channel/header.h"
#include "channel/json.h"
#include "channel/reading.h"
#include "channel/rsa.h"

/* ---- what is asked ---- */

/* Letters, digits, "_" and "-", as out_trade_no and trade_no have them. */
static bool number_fits(const char *number)
{
    return order_number_is_valid(number) && !strpbrk(number, "|*");
}

static int trade_no_read(const char *text, struct alipay_question *out, const char **why)
{
    json_t *data = json_load_strict(text, strlen(text), CHANNEL_DATA_BYTES);
    const json_t *value = json_object_get(data, "trade_no");
    const char *trade_no = json_string_value(value);
    const char *bad = NULL;
    if (!json_is_object(data))
        bad = "channel_data is not a JSON object";
    else if (json_is_there(value) && !(trade_no && number_fits(trade_no)))
        bad = "channel_data.trade_no is no number of Alipay's; leave it out, or write it as a string";
    else if (trade_no)
        snprintf(out->trade_no, sizeof(out->trade_no), "%s", trade_no);
    json_decref(data);
    *why = bad ? bad : *why;
    return bad ? -EINVAL : 0;
}

int alipay_question_read(const struct lost_order *order, struct alipay_question *out, const char **why)
{
    *out = (struct alipay_question){.number = order->number};
    int error = *order->channel_data ? trade_no_read(order->channel_data, out, why) : 0;
    if (error || *out->trade_no || number_fits(order->number))
        return error;
    *why = "the attempt's number is no out_trade_no, which has 1 to 64 letters, digits, \"_\" or \"-\"";
    return -EINVAL;
}

/* biz_content. trade_no wins at Alipay where both are named, so only one is. */
static char *content_write(const struct alipay_question *question)
{
    bool by_trade = *question->trade_no;
    json_t *content = json_pack("{s:s}", by_trade ? "trade_no" : "out_trade_no",
                                by_trade ? question->trade_no : question->number);
    char text[128];
    size_t length = content ? json_dumpb(content, text, sizeof(text), JSON_COMPACT) : 0;
    json_decref(content);
    return length && length <= sizeof(text) ? strndup(text, length) : NULL;
}

/* ---- how it is asked ---- */

/* "2023-11-15 06:13:20", in Beijing, which knows no summer time. */
static void timestamp_write(int64_t unix_ms, char *out, size_t bytes)
{
    time_t beijing = (time_t)(unix_ms / 1000 + 8 * 3600);
    struct tm tm;
    gmtime_r(&beijing, &tm);
    snprintf(out, bytes, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Any of them may be the secret. */
static void text_drop(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void param_say(struct draft *draft, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);
    draft_say(draft, name);
    draft_say(draft, "=");
    draft_say(draft, escaped ? escaped : "");
    draft->failed = draft->failed || !escaped;
    if (escaped)
        explicit_bzero(escaped, strlen(escaped));
    curl_free(escaped);
}

/* As Alipay's own SDKs divide them: everything but biz_content stands in the URL, also the charset of the body. */
static char *url_write(const char *url, const struct alipay_param *params, size_t count, const char *sign)
{
    struct draft draft = {0};
    size_t room = strlen(url) + 3 * strlen(sign) + sizeof("?sign=");
    for (size_t i = 0; i < count; i++)
        room += params[i].value ? strlen(params[i].name) + 3 * strlen(params[i].value) + 2 : 0;
    draft_reserve(&draft, room);
    draft_say(&draft, url);
    draft_say(&draft, "?");
    for (size_t i = 0; i < count; i++) {
        if (!params[i].value || strcmp(params[i].name, "biz_content") == 0)
            continue;
        param_say(&draft, params[i].name, params[i].value);
        draft_say(&draft, "&");
    }
    param_say(&draft, "sign", sign);
    return draft_take(&draft);
}

static char *body_write(const char *content)
{
    struct draft draft = {0};
    param_say(&draft, "biz_content", content);
    return draft_take(&draft);
}

static int headers_write(const struct moment *moment, struct request *out)
{
    int error = header_line_add("Content-Type", "application/x-www-form-urlencoded;charset=utf-8", out);
    if (!error && header_value_is_clean(moment->request_id))
        error = header_line_add("X-Request-Id", moment->request_id, out);
    return error;
}

static int request_write(const struct alipay *alipay, const char *method, const char *content,
                         const struct moment *moment, struct request *out)
{
    char timestamp[80];
    timestamp_write(moment->unix_ms, timestamp, sizeof(timestamp));
    struct alipay_param params[] = {{"alipay_root_cert_sn", alipay->root_serial},
                                    {"app_auth_token", alipay->app_auth_token},
                                    {"app_cert_sn", alipay->app_serial},
                                    {"app_id", alipay->app_id},
                                    {"biz_content", content},
                                    {"charset", "utf-8"},
                                    {"format", "JSON"},
                                    {"method", method},
                                    {"sign_type", "RSA2"},
                                    {"timestamp", timestamp},
                                    {"version", "1.0"}};
    size_t count = sizeof(params) / sizeof(params[0]);
    char *text = alipay_sign_text(params, count);
    char *sign = text ? rsa_sign_by(alipay->signer, text, strlen(text)) : NULL;
    text_drop(text);
    out->method = strdup("POST");
    out->url = sign ? url_write(alipay->url, params, count, sign) : NULL;
    out->body = body_write(content);
    free(sign);
    if (!out->method || !out->url || !out->body)
        return -ENOMEM;
    out->body_bytes = strlen(out->body);
    request_ask(out);
    return headers_write(moment, out);
}

static int method_build(const struct channel *channel, const char *method, const struct lost_order *order,
                        const struct moment *moment, struct request *out, const char **why)
{
    struct alipay_question question;
    *out = (struct request){0};
    *why = "";
    int error = alipay_question_read(order, &question, why);
    if (error)
        return error;
    char *content = content_write(&question);
    error = content ? request_write((const struct alipay *)channel, method, content, moment, out) : -ENOMEM;
    free(content);
    if (error)
        request_finish(out);
    return error;
}

static int alipay_build(const struct channel *channel, const struct lost_order *order,
                        const struct moment *moment, struct request *out, const char **why)
{
    return method_build(channel, "alipay.trade.query", order, moment, out, why);
}

static int alipay_build_close(const struct channel *channel, const struct lost_order *order,
                              const struct moment *moment, struct request *out, const char **why)
{
    return method_build(channel, "alipay.trade.close", order, moment, out, why);
}

/* ---- the rest ---- */

bool alipay_is_told_by(const struct channel *channel, const char *text)
{
    const struct alipay *alipay = (const struct alipay *)channel;
    return alipay->app_auth_token && strstr(text, alipay->app_auth_token);
}

static void alipay_destroy(struct channel *channel)
{
    struct alipay *alipay = (struct alipay *)channel;
    free(alipay->url);
    free(alipay->app_id);
    text_drop(alipay->app_auth_token);
    free(alipay->app_serial);
    free(alipay->root_serial);
    EVP_MD_CTX_free(alipay->signer);
    EVP_PKEY_free(alipay->private_key);
    for (unsigned i = 0; i < alipay->key_count; i++) {
        free(alipay->keys[i].serial);
        EVP_MD_CTX_free(alipay->keys[i].verifier);
        EVP_PKEY_free(alipay->keys[i].key);
    }
    head_finish(&alipay->head);
    free(alipay);
}

const struct channel_kind alipay_kind = {.name = "alipay",
                                         .build = alipay_build,
                                         .interpret = alipay_interpret,
                                         .build_close = alipay_build_close,
                                         .interpret_close = alipay_interpret_close,
                                         .is_told_by = alipay_is_told_by,
                                         .destroy = alipay_destroy};
