/* WeChat Pay's answers. The first byte: "s" a signed answer to a query, "c" one to a closing, any other an unsigned one; the
 * second the status of HTTP (fuzz_http_status); the rest is the body. */
#include <stdlib.h>
#include <string.h>

#include "../unit/channel/wechatpay_fixture.h"
#include "channel/draft.h"
#include "channel/rules.h"
#include "fuzz.h"

static char *signature_write(const char *nonce, const struct response *response)
{
    struct draft text = {0};
    draft_say(&text, NOW_S "\n");
    draft_say(&text, nonce);
    draft_say(&text, "\n");
    draft_add(&text, response->body, response->body_bytes);
    draft_say(&text, "\n");
    char *signature = rsa_sign(wechat_keys.new, text.bytes, text.length);
    draft_drop(&text);
    return signature;
}

static bool holds(const struct response *response, const char *text)
{
    return memmem(response->body, response->body_bytes, text, strlen(text)) != NULL;
}

/* Text as it is, or with JSON's escapes. */
static bool names(const struct response *response, const char *text)
{
    return holds(response, text) || holds(response, "\\");
}

static void answer_check(const struct channel *channel, struct response *response)
{
    struct evidence found = fuzz_interpret(channel, &wechatpay_order, response);
    bool ours = names(response, wechatpay_order.number);
    fuzz_demand(response->head || !kind_is_answer(found.kind), "nothing unsigned is an answer");
    fuzz_demand(ours || !kind_is_payment(found.kind), "a payment names our number");
    fuzz_demand(ours || found.kind != EVIDENCE_CLOSED, "what is closed is our number");
}

/* Whatever closing answers settles nothing, so less holds of it. */
static void close_check(const struct channel *channel, const struct response *response)
{
    struct evidence found = {.kind = EVIDENCE_NONE};
    channel->kind->interpret_close(channel, &wechatpay_order, &fixture_moment, response, &found);
    fuzz_demand(found.kind > EVIDENCE_UNASKABLE && found.kind < EVIDENCE_KINDS, "closing ends in a kind");
    fuzz_demand(found.authentic || !kind_is_answer(found.kind), "an answer to closing is authentic");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct channel *channel; /* kept, as its keys: they are the program's */
    if (!channel) {
        wechatpay_setup(NULL);
        struct wechatpay_spec spec = wechatpay_spec();
        channel = wechatpay_make(&spec);
    }
    if (length < 2)
        return 0;
    bool closes = bytes[0] == 'c';
    struct wechat_headers headers = {
        .timestamp = NOW_S, .nonce = "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz", .serial = NEW_SERIAL};
    struct response response = {.http_status = fuzz_http_status(bytes[1]),
                                .body = (const char *)bytes + 2,
                                .body_bytes = length - 2,
                                .content_type = "",
                                .trusted = bytes[0] != '!'};
    char *signature = bytes[0] == 's' || closes ? signature_write(headers.nonce, &response) : NULL;
    headers.signature = signature;
    if (signature) {
        response.header = wechat_header;
        response.head = &headers;
    }
    if (closes)
        close_check(channel, &response);
    else
        answer_check(channel, &response);
    free(signature);
    return 0;
}
