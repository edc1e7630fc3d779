/* The declarative channel's reading of answers, by the two richest of the golden specifications. The first byte chooses
 * one of them, the second the status of HTTP (fuzz_http_status); the rest is the body. */
#include <string.h>

#include "../golden/case.h"
#include "channel/rules.h"
#include "fuzz.h"

static bool holds(const struct response *response, const char *text)
{
    return memmem(response->body, response->body_bytes, text, strlen(text)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct golden providers[2]; /* kept: they are the program's */
    if (!providers[0].channel) {
        golden_load(&providers[0], "tests/golden/cases/paypal/captured");
        golden_load(&providers[1], "tests/golden/cases/stripe/succeeded");
    }
    if (length < 2)
        return 0;
    const struct golden *provider = &providers[bytes[0] % 2];
    struct response response = {.http_status = fuzz_http_status(bytes[1]),
                                .body = (const char *)bytes + 2,
                                .body_bytes = length - 2,
                                .content_type = "",
                                .trusted = bytes[0] != '!'};
    struct evidence found = fuzz_interpret(provider->channel, &provider->order, &response);
    fuzz_demand(!kind_is_payment(found.kind) || holds(&response, provider->order.number) ||
                    holds(&response, provider->order.order_no) || holds(&response, "\\"), /* escaped */
                "a payment names one of our numbers");
    return 0;
}
