/* Alipay's answers. The first byte: "s" the rest is the node of a signed answer to a query, "c" of one to a closing, "/" of one
 * that was signed before its slashes were escaped; any other: the rest is a whole, unsigned body. The second is the status of
 * HTTP (fuzz_http_status). */
#include <stdlib.h>
#include <string.h>

#include "../unit/channel/alipay_fixture.h"
#include "channel/draft.h"
#include "channel/rules.h"
#include "fuzz.h"

/* With every "\/" as "/". */
static char *slashes_plain(const char *node, size_t length, size_t *out_length)
{
    char *text = malloc(length + 1);
    *out_length = 0;
    for (size_t i = 0; i < length; i++)
        if (node[i] != '\\' || i + 1 == length || node[i + 1] != '/')
            text[(*out_length)++] = node[i];
    return text;
}

static char *signature_write(char how, const char *node, size_t length)
{
    size_t plain_length;
    char *plain = slashes_plain(node, length, &plain_length);
    char *signature = how == '/' ? rsa_sign(alipay_keys.alipay, plain, plain_length)
                                 : rsa_sign(alipay_keys.alipay, node, length);
    free(plain);
    return signature;
}

/* The body at its size, so that a sanitizer sees its end. */
static char *body_write(char how, const char *node, size_t length, size_t *out_length)
{
    char *signature = signature_write(how, node, length);
    struct draft body = {0};
    draft_say(&body, how == 'c' ? "{\"alipay_trade_close_response\":" : "{\"alipay_trade_query_response\":");
    draft_add(&body, node, length);
    draft_say(&body, ",\"sign\":\"");
    draft_say(&body, signature);
    draft_say(&body, "\"}");
    *out_length = body.length;
    char *exact = malloc(body.length);
    memcpy(exact, body.bytes, body.length);
    draft_drop(&body);
    free(signature);
    return exact;
}

static bool holds(const struct response *response, const char *text)
{
    return memmem(response->body, response->body_bytes, text, strlen(text)) != NULL;
}

static void answer_check(const struct channel *channel, const struct response *response, bool is_signed)
{
    struct evidence found = fuzz_interpret(channel, &alipay_order, response);
    /* as it is, or with JSON's escapes */
    bool ours = holds(response, alipay_order.number) || holds(response, "\\");
    fuzz_demand(is_signed || !kind_is_answer(found.kind), "nothing unsigned is an answer");
    fuzz_demand(found.authentic || !kind_is_answer(found.kind), "an answer is authentic");
    fuzz_demand(ours || !kind_is_payment(found.kind), "a payment names our number");
    fuzz_demand(ours || found.kind != EVIDENCE_CLOSED, "what is closed is our number");
}

/* Whatever closing answers settles nothing, so less holds of it. */
static void close_check(const struct channel *channel, const struct response *response)
{
    struct evidence found = {.kind = EVIDENCE_NONE};
    channel->kind->interpret_close(channel, &alipay_order, &fixture_moment, response, &found);
    fuzz_demand(found.kind > EVIDENCE_UNASKABLE && found.kind < EVIDENCE_KINDS, "closing ends in a kind");
    fuzz_demand(found.authentic || !kind_is_answer(found.kind), "an answer to closing is authentic");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct channel *channel; /* kept, as its keys: they are the program's */
    if (!channel) {
        alipay_setup(NULL);
        struct alipay_spec spec = alipay_spec();
        channel = alipay_make(&spec);
    }
    if (length < 2)
        return 0;
    char how = (char)bytes[0];
    bool is_signed = how == 's' || how == 'c' || how == '/';
    struct response response = {.http_status = fuzz_http_status(bytes[1]),
                                .body = (const char *)bytes + 2,
                                .body_bytes = length - 2,
                                .content_type = "",
                                .trusted = how != '!'};
    char *body = NULL;
    if (is_signed)
        response.body = body = body_write(how, response.body, response.body_bytes, &response.body_bytes);
    if (how == 'c')
        close_check(channel, &response);
    else
        answer_check(channel, &response, is_signed);
    free(body);
    return 0;
}
