/* Filling evidence and requests: see reading.h. Called by the workers for every answer. Never trusts a text. */
#include "channel/reading.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "channel/hex.h"

static void digest_write(const EVP_MD *sha256, const struct response *response, struct evidence *out)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (response->body_bytes &&
        EVP_Digest(response->body, response->body_bytes, bytes, &length, sha256, NULL) &&
        2 * length < DIGEST_BYTES)
        hex_write(bytes, length, out->body_digest);
}

void reading_begin_by(const EVP_MD *sha256, struct evidence *out, const struct response *response)
{
    out->kind = EVIDENCE_GARBAGE;
    out->authentic = out->merchant_differs = out->has_amount = out->has_refunded = false;
    out->amount_minor = out->refunded_minor = 0;
    out->currency[0] = out->channel_number[0] = out->code[0] = out->rule[0] = out->body_digest[0] = '\0';
    digest_write(sha256, response, out);
}

void reading_begin(struct evidence *out, const struct response *response)
{
    reading_begin_by(EVP_sha256(), out, response);
}

void reading_code(struct evidence *out, const char *text)
{
    size_t length = 0;
    for (; *text && length < CODE_BYTES - 1; text++)
        out->code[length++] = (char)(*text >= 0x20 && *text <= 0x7e ? *text : '?');
    out->code[length] = '\0';
}

void reading_number(struct evidence *out, const char *text)
{
    if (order_number_is_valid(text))
        snprintf(out->channel_number, sizeof(out->channel_number), "%s", text);
}

void request_ask(struct request *out)
{
    int shown = (int)strcspn(out->url, "?");
    snprintf(out->asked, sizeof(out->asked), "%s %.*s", out->method, shown, out->url);
}
