/* Answers of the simulated bank: see answer.h. Pure; called by the server's threads. The texts that enter a
 * body come from the ledger, which lets only a charset in that JSON takes unescaped. */
#include "bank/answer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bank/payer.h"

void answer_print(struct answer *out, unsigned status, const char *type, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->body, sizeof out->body, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof out->body);
    out->status = status;
    out->type = type;
    out->retry_after_s = 0;
    out->header_count = 0;
    out->length = (size_t)length;
}

void answer_header(struct answer *out, const char *name, const char *format, ...)
{
    va_list arguments;
    assert(out->header_count < ANSWER_HEADERS);
    va_start(arguments, format);
    vsnprintf(out->headers[out->header_count].value, sizeof out->headers->value, format, arguments);
    va_end(arguments);
    out->headers[out->header_count++].name = name;
}

bool answer_broken(enum word word, const char *number, int length, struct answer *out)
{
    if (word == WORD_HTML)
        answer_print(out, 200, "text/html",
                     "<html><body><h1>Welcome to the guest network, " PAYER_NAME "</h1></body></html>\n");
    else if (word == WORD_BAD_GATEWAY)
        answer_print(out, 502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>\n");
    else if (word == WORD_GARBAGE)
        answer_print(out, 200, "application/json",
                     "{\"id\":\"%.*s\",\"receipt_email\":\"" PAYER_EMAIL
                     "\",\"status\":\"succeeded\",\"amount_rec",
                     length, number);
    else
        return false;
    return true;
}

/* How a word departs from a payment intent on which nothing happened yet. */
struct intent {
    const char *status;
    bool charged;
    bool refunded;
    bool disputed;
    int refunded_halves;
    int amount_more;
    bool currency_other;
};

static const struct intent intents[WORDS] = {
    [WORD_PAID] = {.status = "succeeded", .charged = true},
    [WORD_CLOSED] = {.status = "canceled"},
    [WORD_REFUNDED] = {.status = "succeeded", .charged = true, .refunded = true, .refunded_halves = 2},
    [WORD_REFUND_PART] = {.status = "succeeded", .charged = true, .refunded_halves = 1},
    [WORD_DISPUTED] = {.status = "succeeded", .charged = true, .disputed = true},
    [WORD_PENDING] = {.status = "processing"},
    [WORD_UNPAID] = {.status = "requires_payment_method"},
    [WORD_UNKNOWN_STATE] = {.status = "on_hold"},
    [WORD_WRONG_AMOUNT] = {.status = "succeeded", .charged = true, .amount_more = 1},
    [WORD_WRONG_CURRENCY] = {.status = "succeeded", .charged = true, .currency_other = true},
    [WORD_CUT] = {.status = "succeeded", .charged = true},
    [WORD_DRIP] = {.status = "succeeded", .charged = true},
    /* Nothing is signed here: TLS alone says whose it is. */
    [WORD_BAD_SIGNATURE] = {.status = "succeeded", .charged = true},
    [WORD_STALE_SIGNATURE] = {.status = "succeeded", .charged = true},
    [WORD_NO_SIGNATURE] = {.status = "succeeded", .charged = true},
    [WORD_UNKNOWN_SIGNER] = {.status = "succeeded", .charged = true},
    [WORD_WRONG_NODE] = {.status = "succeeded", .charged = true},
    [WORD_TWO_NODES] = {.status = "succeeded", .charged = true},
};

static const char *text_of(bool truth)
{
    return truth ? "true" : "false";
}

static void charge_put(const struct intent *intent, const char *number, int length, int64_t amount,
                       size_t bytes, char *out)
{
    snprintf(out, bytes,
             "{\"id\":\"ch_%.*s\",\"object\":\"charge\",\"billing_details\":" PAYER_BILLING
             ",\"refunded\":%s,\"amount_refunded\":%" PRId64 ",\"disputed\":%s}",
             length, number, text_of(intent->refunded), amount * intent->refunded_halves / 2,
             text_of(intent->disputed));
}

static void intent_write(const struct ledger *ledger, const struct order *order, const struct intent *intent,
                         struct answer *out)
{
    const char *number = ledger_number(ledger, order);
    const char *currency = order->currency;
    int64_t amount = order->amount_minor + intent->amount_more;
    char charge[400] = "null";
    if (intent->charged)
        charge_put(intent, number, order->number_length, amount, sizeof charge, charge);
    if (intent->currency_other)
        currency = strcmp(currency, "usd") == 0 ? "eur" : "usd";
    answer_print(out, 200, "application/json",
                 "{\"id\":\"%.*s\",\"object\":\"payment_intent\",\"client_secret\":\"" PAYER_CLIENT_SECRET
                 "\",\"receipt_email\":\"" PAYER_EMAIL "\",\"amount\":%" PRId64
                 ",\"amount_received\":%" PRId64
                 ",\"currency\":\"%s\",\"latest_charge\":%s,\"livemode\":false,"
                 "\"metadata\":{\"order_no\":\"%.*s\"},\"status\":\"%s\"}",
                 order->number_length, number, amount, intent->charged ? amount : 0, currency, charge,
                 order->order_no_length, ledger_order_no(ledger, order), intent->status);
}

/* The next order of the ledger, paid: authentic, positive, and about somebody else. */
static void neighbour_write(const struct ledger *ledger, const struct order *order, struct answer *out)
{
    static const char lone[] = "pi_another\tanother";
    static const struct ledger elsewhere = {.text = (char *)(uintptr_t)lone};
    static const struct order another = {
        .amount_minor = 100, .number_length = 10, .order_no_length = 7, .currency = "cny"};
    const struct order *next = &ledger->orders[(uint32_t)(order - ledger->orders + 1) % ledger->count];
    if (ledger->count == 1)
        intent_write(&elsewhere, &another, &intents[WORD_PAID], out);
    else
        intent_write(ledger, next, &intents[WORD_PAID], out);
}

void answer_error(unsigned status, struct answer *out)
{
    static const struct {
        unsigned status;
        const char *type, *code, *message;
    } errors[] = {
        {400, "invalid_request_error", "payment_intent_unexpected_state",
         "You cannot cancel this PaymentIntent because of its status"},
        {401, "invalid_request_error", "api_key_invalid", "Invalid API key provided"},
        {404, "invalid_request_error", "resource_missing", "No such payment_intent of " PAYER_EMAIL},
        {429, "invalid_request_error", "rate_limit", "Too many requests"},
        {500, "api_error", "api_error", "An unknown error occurred"},
    };
    const size_t count = sizeof errors / sizeof *errors;
    size_t at = 0;
    while (at < count && errors[at].status != status)
        at++;
    assert(at < count);
    answer_print(out, status, "application/json",
                 "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"type\":\"%s\"}}", errors[at].code,
                 errors[at].message, errors[at].type);
}

void answer_write(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                  struct answer *out)
{
    static const unsigned statuses[WORDS] = {[WORD_NOT_FOUND] = 404,
                                             [WORD_UNSIGNED_404] = 404,
                                             [WORD_SERVER_ERROR] = 500,
                                             [WORD_UNAUTHORIZED] = 401,
                                             [WORD_RATE_LIMITED] = 429};
    if (intents[fate->word].status)
        intent_write(ledger, order, &intents[fate->word], out);
    else if (statuses[fate->word])
        answer_error(statuses[fate->word], out);
    else if (fate->word == WORD_OTHER_ORDER)
        neighbour_write(ledger, order, out);
    else
        answer_broken(fate->word, ledger_number(ledger, order), order->number_length, out);
    if (fate->word == WORD_RATE_LIMITED)
        out->retry_after_s = fate->argument;
}

void answer_cancel(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                   struct answer *out)
{
    if (intents[fate->word].status && fate->word != WORD_CLOSED)
        answer_error(400, out);
    else
        answer_write(ledger, order, fate, out);
}
