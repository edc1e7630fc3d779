/* UnionPay's query: one signed form, the same for every attempt but for its number and time. Called by the workers, several at
 * once on one channel; reads only what unionpay_create.c made. Never opens a socket, asks a clock or prints. */
#include "channel/unionpay.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/draft.h"
#include "channel/head.h"
#include "channel/header.h"
#include "channel/json.h"
#include "channel/reading.h"
#include "channel/rsa.h"
#include "channel/unionpay_inner.h"

/* ---- what is asked ---- */

int unionpay_txn_time(const struct lost_order *order, char out[TXN_TIME_BYTES], const char **why)
{
    json_t *data = json_load_strict(order->channel_data, strlen(order->channel_data), CHANNEL_DATA_BYTES);
    const char *time = json_string_value(json_object_get(data, "txn_time"));
    bool valid = time && strlen(time) == TXN_TIME_BYTES - 1 && strspn(time, "0123456789") == strlen(time);
    if (valid)
        memcpy(out, time, TXN_TIME_BYTES);
    else
        *why = "channel_data.txn_time is missing or not 14 digits; hand over the order's txnTime as a string";
    json_decref(data);
    return valid ? 0 : -EINVAL;
}

/* UnionPay takes no other character in an orderId. */
static bool number_fits(const char *number)
{
    size_t length = strlen(number);
    return length >= 8 && length <= 40 && order_number_is_valid(number) && !strpbrk(number, "_|*-");
}

static void field_add(struct fields *fields, const char *name, const char *value)
{
    fields->items[fields->count++] = (struct field){{name, strlen(name)}, {value, strlen(value)}};
}

/* Sorted by name, as they are signed. */
static void fields_write(const struct unionpay *unionpay, const char *number, const char *txn_time,
                         struct fields *out)
{
    out->count = 0;
    field_add(out, "accessType", "0");
    field_add(out, "bizType", "000000");
    field_add(out, "certId", unionpay->certificate_id);
    field_add(out, "encoding", "UTF-8");
    field_add(out, "merId", unionpay->merchant);
    field_add(out, "orderId", number);
    field_add(out, "signMethod", "01");
    field_add(out, "txnSubType", "00");
    field_add(out, "txnTime", txn_time);
    field_add(out, "txnType", "00");
    field_add(out, "version", "5.1.0");
}

/* ---- how it is asked ---- */

static void escaped_say(struct draft *draft, struct span value)
{
    char *escaped = curl_easy_escape(NULL, value.bytes, (int)value.length);
    if (escaped)
        draft_say(draft, escaped);
    else
        draft->failed = true;
    curl_free(escaped);
}

static char *form_write(const struct fields *fields)
{
    struct draft form = {0};
    for (unsigned i = 0; i < fields->count; i++) {
        draft_say(&form, i ? "&" : "");
        draft_add(&form, fields->items[i].name.bytes, fields->items[i].name.length);
        draft_say(&form, "=");
        escaped_say(&form, fields->items[i].value);
    }
    return draft_take(&form);
}

static char *body_write(const struct unionpay *unionpay, struct fields *fields)
{
    char digest[DIGEST_BYTES];
    char *signature = NULL;
    char *body = NULL;
    if (fields_digest(fields, digest))
        signature = rsa_sign(unionpay->private_key, digest, strlen(digest));
    if (signature) {
        field_add(fields, "signature", signature);
        body = form_write(fields);
    }
    free(signature);
    return body;
}

static int headers_write(const struct moment *moment, struct request *out)
{
    int error = header_line_add("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8", out);
    if (!error && header_value_is_clean(moment->request_id))
        error = header_line_add("X-Request-Id", moment->request_id, out);
    return error;
}

static int request_write(const struct unionpay *unionpay, struct fields *fields, const struct moment *moment,
                         struct request *out)
{
    out->method = strdup("POST");
    out->url = strdup(unionpay->url);
    out->body = body_write(unionpay, fields);
    if (!out->method || !out->url || !out->body)
        return -ENOMEM;
    out->body_bytes = strlen(out->body);
    request_ask(out);
    return headers_write(moment, out);
}

static int unionpay_build(const struct channel *channel, const struct lost_order *order,
                          const struct moment *moment, struct request *out, const char **why)
{
    const struct unionpay *unionpay = (const struct unionpay *)channel;
    char txn_time[TXN_TIME_BYTES];
    struct fields fields;
    *out = (struct request){0};
    *why = "";
    if (!number_fits(order->number)) {
        *why = "the attempt's number is no orderId, which has 8 to 40 letters and digits";
        return -EINVAL;
    }
    int error = unionpay_txn_time(order, txn_time, why);
    if (error)
        return error;
    fields_write(unionpay, order->number, txn_time, &fields);
    error = request_write(unionpay, &fields, moment, out);
    if (error)
        request_finish(out);
    return error;
}

/* ---- the end ---- */

static void unionpay_destroy(struct channel *channel)
{
    struct unionpay *unionpay = (struct unionpay *)channel;
    free(unionpay->url);
    free(unionpay->merchant);
    free(unionpay->certificate_id);
    free(unionpay->signer);
    EVP_PKEY_free(unionpay->private_key);
    X509_STORE_free(unionpay->roots);
    head_finish(&unionpay->head);
    free(unionpay);
}

const struct channel_kind unionpay_kind = {.name = "unionpay",
                                           .build = unionpay_build,
                                           .interpret = unionpay_interpret,
                                           .destroy = unionpay_destroy};
