/* Letters: see letter.h. */
#include "io/letter.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "io/uuid.h"

#define CLAIMS_MOST 1000000

static bool wrong(char why[LETTER_WHY_BYTES], const char *sentence)
{
    snprintf(why, LETTER_WHY_BYTES, "%s", sentence);
    return false;
}

/* A missing text, or null, is empty. */
static bool text_take(const json_t *object, const char *key, char *out, size_t bytes)
{
    const json_t *value = json_object_get(object, key);
    out[0] = '\0';
    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value) || json_string_length(value) >= bytes ||
        strlen(json_string_value(value)) != json_string_length(value))
        return false;
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool number_take(const json_t *object, const char *key, int64_t least, int64_t most, int64_t otherwise,
                        int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = otherwise;
    if (!value || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
        return false;
    *out = json_integer_value(value);
    return true;
}

static bool count_take(const json_t *object, const char *key, int *out)
{
    int64_t count;
    bool good = number_take(object, key, 0, INT_MAX, 0, &count);
    *out = (int)count;
    return good;
}

/* The first letter of a chain names none: whatever the broker repeats of it has the same identifier. */
static void chain_make(const char *id, char out[TOKEN_BYTES])
{
    unsigned char d[EVP_MAX_MD_SIZE] = {0};
    unsigned length = 0;
    EVP_Digest(id, strlen(id), d, &length, EVP_sha256(), NULL);
    snprintf(out, TOKEN_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0],
             d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

static bool texts_take(const json_t *json, struct lost_order *order, char why[LETTER_WHY_BYTES])
{
    text_take(json, "order_no", order->order_no, sizeof(order->order_no));
    text_take(json, "channel", order->channel, sizeof(order->channel));
    if (!order_number_is_valid(order->order_no))
        return wrong(why, "order_no is missing, or no order number of at most 64 of A-Z a-z 0-9 _ | * -");
    if (!channel_name_is_valid(order->channel))
        return wrong(why, "channel is missing, or no channel's name");
    if (!text_take(json, "number", order->number, sizeof(order->number)) ||
        (order->number[0] && !order_number_is_valid(order->number)))
        return wrong(why, "number may not be sent to a channel; use at most 64 of A-Z a-z 0-9 _ | * -");
    if (!text_take(json, "attempt", order->attempt, sizeof(order->attempt)) ||
        !text_take(json, "method", order->method, sizeof(order->method)))
        return wrong(why, "attempt or method is no text, or too long");
    if (!text_take(json, "currency", order->currency, sizeof(order->currency)) ||
        strlen(order->currency) != CURRENCY_BYTES - 1 ||
        order->currency[strspn(order->currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        return wrong(why, "currency is missing, or not three upper-case letters");
    return true;
}

static bool data_take(const json_t *json, struct lost_order *order)
{
    const json_t *data = json_object_get(json, "channel_data");
    order->channel_data[0] = '\0';
    if (!data || json_is_null(data))
        return true;
    size_t length = json_is_object(data)
                        ? json_dumpb(data, order->channel_data, sizeof(order->channel_data) - 1,
                                     JSON_COMPACT | JSON_SORT_KEYS)
                        : SIZE_MAX;
    if (length >= sizeof(order->channel_data))
        return false;
    order->channel_data[length] = '\0';
    return true;
}

/* Deliveries of this message, and of those that were given back before it. */
static bool claims_take(const json_t *json, const struct postmark *postmark, struct lost_order *order)
{
    int64_t before;
    bool good = number_take(json, "claims", 0, CLAIMS_MOST, 0, &before);
    order->claims = (int)before + (postmark->deliveries > 0 ? postmark->deliveries : 1);
    return good;
}

static bool stand_take(const json_t *json, const struct postmark *postmark, struct letter *letter)
{
    struct lost_order *order = &letter->order;
    char phase[16];
    if (!text_take(json, "chain", order->token, sizeof(order->token)) ||
        !text_take(json, "phase", phase, sizeof(phase)))
        return false;
    unsigned char bytes[UUID_BYTES];
    if (!order->token[0])
        chain_make(postmark->id, order->token);
    order->phase = PHASE_OPEN;
    int64_t due_ms = postmark->deliver_ms ? postmark->deliver_ms : postmark->born_ms;
    return uuid_parse(order->token, bytes) && (!phase[0] || phase_parse(phase, &order->phase)) &&
           count_take(json, "answers", &order->answers) && count_take(json, "errors", &order->errors) &&
           count_take(json, "unknowns", &order->unknowns) && claims_take(json, postmark, order) &&
           number_take(json, "due_us", 1, INT64_MAX / 4, due_ms * 1000, &order->claimed_us) &&
           number_take(json, "before_us", 0, INT64_MAX / 4, 0, &letter->before.due_us) &&
           text_take(json, "before_request", letter->before.request_id, sizeof(letter->before.request_id));
}

static bool times_take(const json_t *json, const struct postmark *postmark, struct letter *out)
{
    int64_t born_ms = postmark->born_ms ? postmark->born_ms : postmark->now_ms;
    if (!number_take(json, "created_at_ms", 1, INT64_MAX / 4, born_ms, &out->created_ms) ||
        !number_take(json, "expires_at_ms", 1, INT64_MAX / 4, NO_END, &out->expires_ms))
        return false;
    struct lost_order *order = &out->order;
    order->age_ms = postmark->now_ms - out->created_ms;
    order->left_ms = out->expires_ms == NO_END ? NO_END : out->expires_ms - postmark->now_ms;
    order->late_ms = postmark->now_ms - order->claimed_us / 1000;
    order->late_ms = order->late_ms > 0 ? order->late_ms : 0;
    return true;
}

static bool json_take(const json_t *json, const struct postmark *postmark, struct letter *out,
                      char why[LETTER_WHY_BYTES])
{
    if (!json_is_object(json))
        return wrong(why, "it is no JSON object");
    if (!texts_take(json, &out->order, why))
        return false;
    if (!number_take(json, "amount_minor", 1, INT64_MAX, 0, &out->order.amount_minor) ||
        out->order.amount_minor == 0)
        return wrong(why, "amount_minor is missing, or no whole number above zero");
    if (!data_take(json, &out->order))
        return wrong(why, "channel_data is no JSON object, or longer than 1000 bytes");
    if (!stand_take(json, postmark, out))
        return wrong(why, "chain, due_us, before, phase or a counter is not what makegood writes");
    if (!times_take(json, postmark, out))
        return wrong(why, "created_at_ms or expires_at_ms is no time in milliseconds since 1970");
    return true;
}

bool letter_read(const void *text, size_t length, const struct postmark *postmark, struct letter *out,
                 char why[LETTER_WHY_BYTES])
{
    json_error_t error;
    memset(out, 0, sizeof(*out));
    if (length > LETTER_BYTES)
        return wrong(why, "it is longer than 8 KiB");
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    bool good = json ? json_take(json, postmark, out, why) : wrong(why, "it is no JSON");
    json_decref(json);
    return good;
}

/* --- writing -------------------------------------------------------------------------------------------- */

static void text_put(json_t *json, const char *key, const char *text)
{
    if (*text)
        json_object_set_new(json, key, json_string(text));
}

size_t letter_write(const struct letter *letter, char out[LETTER_BYTES])
{
    const struct lost_order *order = &letter->order;
    json_t *json = json_pack("{ss ss sI ss sI ss sI ss si si si si}", "order_no", order->order_no, "channel",
                             order->channel, "amount_minor", (json_int_t)order->amount_minor, "currency",
                             order->currency, "created_at_ms", (json_int_t)letter->created_ms, "chain",
                             order->token, "due_us", (json_int_t)order->claimed_us, "phase",
                             phase_text(order->phase), "answers", order->answers, "errors", order->errors,
                             "unknowns", order->unknowns, "claims", order->claims);
    if (!json)
        return 0;
    if (letter->before.due_us)
        json_object_set_new(json, "before_us", json_integer(letter->before.due_us));
    text_put(json, "before_request", letter->before.request_id);
    text_put(json, "number", order->number);
    text_put(json, "attempt", order->attempt);
    text_put(json, "method", order->method);
    if (letter->expires_ms != NO_END)
        json_object_set_new(json, "expires_at_ms", json_integer(letter->expires_ms));
    if (order->channel_data[0])
        json_object_set_new(json, "channel_data", json_loads(order->channel_data, 0, NULL));
    size_t length = json_dumpb(json, out, LETTER_BYTES, JSON_COMPACT);
    json_decref(json);
    return length <= LETTER_BYTES ? length : 0;
}
