/* PayPal: tokens by client credentials, and orders by their own number. Answers are as good as their TLS. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bank/payer.h"
#include "bank/provider.h"

struct state {
    const char *order;
    const char *capture; /* NULL: nothing was captured */
};

static const struct state states[WORDS] = {
    [WORD_PAID] = {"COMPLETED", "COMPLETED"},
    [WORD_CLOSED] = {"VOIDED", NULL},
    [WORD_REFUNDED] = {"COMPLETED", "REFUNDED"},
    [WORD_REFUND_PART] = {"COMPLETED", "PARTIALLY_REFUNDED"},
    [WORD_DISPUTED] = {"COMPLETED", "COMPLETED"},
    [WORD_PENDING] = {"COMPLETED", "PENDING"},
    [WORD_UNPAID] = {"CREATED", NULL},
    [WORD_UNKNOWN_STATE] = {"ON_HOLD", NULL},
};

static void error_say(unsigned status, const char *name, struct answer *out)
{
    answer_print(out, status, "application/json",
                 "{\"name\":\"%s\",\"message\":\"of " PAYER_EMAIL "\",\"debug_id\":\"90957fca61718\"}", name);
}

static void unauthorized_say(struct answer *out)
{
    answer_print(out, 401, "application/json",
                 "{\"error\":\"invalid_client\",\"error_description\":\"Client Authentication failed\"}");
}

/* Basic client:SECRET, by any client. */
static bool client_is_known(const struct question *question)
{
    char *secret = NULL;
    char *client = MHD_basic_auth_get_username_password(question->connection, &secret);
    bool known =
        client && *client && (!question->secret || (secret && strcmp(secret, question->secret) == 0));
    MHD_free(client);
    MHD_free(secret);
    return known;
}

static bool token_read(struct question *question, struct answer *out)
{
    char token[TOKEN_BYTES];
    question->verb = VERB_TOKEN;
    if (!client_is_known(question) || strcmp(question->method, "POST") != 0) {
        unauthorized_say(out);
    } else if (!question->body || !strstr(question->body, "grant_type=client_credentials")) {
        answer_print(
            out, 400, "application/json",
            "{\"error\":\"unsupported_grant_type\",\"error_description\":\"unsupported grant_type\"}");
    } else if (token_make(question->tokens, token)) {
        answer_print(out, 200, "application/json",
                     "{\"scope\":\"https://uri.paypal.com/services/payments\",\"access_token\":\"%s\","
                     "\"token_type\":\"Bearer\",\"app_id\":\"APP-80W284485P519543T\",\"expires_in\":%u}",
                     token, question->tokens->lifetime_s);
    } else {
        error_say(500, "INTERNAL_SERVER_ERROR", out);
    }
    return false; /* no order is asked for: this was the answer */
}

static bool order_read(struct question *question, struct answer *out)
{
    static const char bearer[] = "Bearer ";
    const char *given = question_header(question, "Authorization");
    bool known =
        strncmp(given, bearer, strlen(bearer)) == 0 && token_holds(question->tokens, given + strlen(bearer));
    if (!known)
        answer_print(
            out, 401, "application/json",
            "{\"error\":\"invalid_token\",\"error_description\":\"Token signature verification failed\"}");
    else if (strcmp(question->method, "GET") != 0 ||
             !word_copy(question->rest, strlen(question->rest), question->number, sizeof(question->number)))
        error_say(404, "RESOURCE_NOT_FOUND", out);
    else
        return true;
    return false;
}

static void order_say(const struct report *report, struct answer *out)
{
    const struct state *state = &states[report->word];
    char money[96], value[32], captures[256] = "";
    char currency[4] = {report->currency[0] & ~32, report->currency[1] & ~32, report->currency[2] & ~32,
                        '\0'};
    if (strcmp(currency, "JPY") == 0) /* has no decimals */
        snprintf(value, sizeof(value), "%" PRId64, report->amount_minor);
    else
        yuan_write(report->amount_minor, value);
    snprintf(money, sizeof(money), "{\"currency_code\":\"%s\",\"value\":\"%s\"}", currency, value);
    if (state->capture)
        snprintf(captures, sizeof(captures),
                 ",\"payments\":{\"captures\":[{\"id\":\"CAP%.*s\",\"status\":\"%s\",\"amount\":%s}]}",
                 report->number_length, report->number, state->capture, money);
    answer_print(out, 200, "application/json",
                 "{\"id\":\"%.*s\",\"intent\":\"CAPTURE\",\"status\":\"%s\",\"payer\":" PAYER_OF_ORDER
                 ",\"purchase_units\":[{\"reference_id\":"
                 "\"default\",\"amount\":%s%s}]}",
                 report->number_length, report->number, state->order, money, captures);
}

static void order_tell(const struct question *question, const struct report *report, struct answer *out)
{
    (void)question;
    if (report->word == WORD_NOT_FOUND)
        error_say(404, "RESOURCE_NOT_FOUND", out);
    else if (report->word == WORD_SERVER_ERROR)
        error_say(500, "INTERNAL_SERVER_ERROR", out);
    else if (report->word == WORD_UNAUTHORIZED)
        unauthorized_say(out);
    else if (report->word == WORD_RATE_LIMITED)
        error_say(429, "RATE_LIMIT_REACHED", out);
    else
        order_say(report, out);
    out->retry_after_s = report->retry_after_s;
}

static void order_unknown(const struct question *question, struct answer *out)
{
    (void)question;
    error_say(404, "RESOURCE_NOT_FOUND", out);
}

const struct provider paypal_token = {.path = "/v1/oauth2/token", .read = token_read};
const struct provider paypal_order = {
    .path = "/v2/checkout/orders/", .read = order_read, .tell = order_tell, .unknown = order_unknown};
