/* UnionPay's answers. The first byte "s": the fields that follow are signed, by a certificate that is added, so that the
 * mapping is reached; any other: the body as it is. The second byte is the status of HTTP. */
#include <stdlib.h>
#include <string.h>

#include "../unit/channel/unionpay_fixture.h"
#include "channel/draft.h"
#include "channel/rsa.h"
#include "channel/rules.h"
#include "channel/unionpay_inner.h"
#include "fuzz.h"

/* Fields and their signature; as they are where they are no fields. */
static char *body_sign(const char *bytes, size_t bytes_length, size_t *out_length)
{
    struct draft body = {0};
    struct fields fields;
    char digest[DIGEST_BYTES];
    draft_add(&body, bytes, bytes_length);
    draft_say(&body, "&signPubKeyCert=");
    draft_say(&body, cast.unionpay.pem);
    if (fields_read(&fields, body.bytes, body.length) && fields_digest(&fields, digest)) {
        char *signature = rsa_sign(cast.unionpay.key, digest, strlen(digest));
        draft_say(&body, "&signature=");
        draft_say(&body, signature);
        free(signature);
    }
    *out_length = body.length;
    return draft_take(&body);
}

static bool holds(const struct response *response, const char *text)
{
    return memmem(response->body, response->body_bytes, text, strlen(text)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct channel *channel; /* kept, as its keys: they are the program's */
    if (!channel) {
        cast_make(NULL);
        channel = standard_channel();
    }
    if (length < 2)
        return 0;
    size_t body_bytes = length - 2;
    char *body = NULL;
    if (bytes[0] == 's')
        body = body_sign((const char *)bytes + 2, length - 2, &body_bytes);
    struct response response = {.http_status = fuzz_http_status(bytes[1]),
                                .body = body ? body : (const char *)bytes + 2,
                                .body_bytes = body_bytes,
                                .content_type = "",
                                .trusted = bytes[0] != '!'};
    struct evidence found = fuzz_interpret(channel, &unionpay_order, &response);
    fuzz_demand(body || !kind_is_answer(found.kind), "nothing unsigned is an answer");
    fuzz_demand(!kind_is_answer(found.kind) ||
                    (holds(&response, "orderId=" ORDER_ID) && holds(&response, "txnTime=" TXN_TIME) &&
                     holds(&response, "merId=" MERCHANT)),
                "an answer names our payment");
    fuzz_demand(!kind_is_payment(found.kind) || holds(&response, "currencyCode=156"), "a payment is in yuan");
    free(body);
    return 0;
}
