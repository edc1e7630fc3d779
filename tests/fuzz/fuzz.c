/* What holds of every piece of evidence, whatever the answer was. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/rules.h"

void fuzz_demand(bool holds, const char *sentence)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", sentence);
    abort();
}

static bool text_is_clean(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        return false;
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

static void evidence_check(const struct evidence *found, const struct response *response)
{
    bool answer = kind_is_answer(found->kind);
    bool payment = kind_is_payment(found->kind);
    fuzz_demand(found->kind > EVIDENCE_UNASKABLE && found->kind < EVIDENCE_KINDS,
                "the kind is one that follows from an answer");
    fuzz_demand(response->trusted || (found->kind == EVIDENCE_UNTRUSTED && !found->authentic),
                "what came over an untrusted wire is untrusted");
    fuzz_demand(found->authentic || !answer, "an answer is authentic");
    fuzz_demand(found->has_amount || !payment, "a payment has an amount");
    fuzz_demand(!found->has_amount || (found->amount_minor >= 0 && strlen(found->currency) == 3),
                "an amount is not negative, and has a currency");
    fuzz_demand(!*found->channel_number || order_number_is_valid(found->channel_number),
                "a channel's number can be kept");
    fuzz_demand(text_is_clean(found->code, sizeof(found->code)) &&
                    text_is_clean(found->rule, sizeof(found->rule)),
                "what is kept of an answer is printable ASCII");
    fuzz_demand(!*found->body_digest == !response->body_bytes, "a body has a digest");
}

struct evidence fuzz_interpret(const struct channel *channel, const struct lost_order *order,
                               const struct response *response)
{
    static const struct moment moment = {
        .unix_ms = 1700000000123, .nonce = "00112233445566778899aabbccddeeff", .request_id = "mg-1-2"};
    struct evidence found;
    memset(&found, 0x55, sizeof(found)); /* nothing of it may stay */
    channel->kind->interpret(channel, order, &moment, response, &found);
    evidence_check(&found, response);
    return found;
}

int fuzz_http_status(uint8_t byte)
{
    static const int statuses[] = {200, 404, 429, 500, 401, 302, 201, 400, 0, 999};
    return statuses[(uint8_t)(byte - '0') % (sizeof(statuses) / sizeof(statuses[0]))];
}
