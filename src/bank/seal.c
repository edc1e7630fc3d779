/* Signatures: see seal.h. */
#include "bank/seal.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

void seal_make(EVP_PKEY *key, const char *text, size_t bytes, char out[SEAL_BYTES])
{
    unsigned char raw[512];
    size_t length = sizeof(raw);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    out[0] = '\0';
    if (context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(context, raw, &length, (const unsigned char *)text, bytes) == 1)
        EVP_EncodeBlock((unsigned char *)out, raw, (int)length);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
}

bool seal_holds(EVP_PKEY *key, const char *text, size_t bytes, const char *seal)
{
    unsigned char raw[SEAL_BYTES];
    size_t length = strlen(seal);
    if (length == 0 || length >= SEAL_BYTES || length % 4 != 0)
        return false;
    int raw_bytes = EVP_DecodeBlock(raw, (const unsigned char *)seal, (int)length);
    for (; raw_bytes > 0 && seal[length - 1] == '='; length--)
        raw_bytes--; /* EVP_DecodeBlock counts the padding */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = raw_bytes > 0 && context &&
                 EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestVerify(context, raw, (size_t)raw_bytes, (const unsigned char *)text, bytes) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return holds;
}

void sha256_hex(const char *text, size_t bytes, char out[DIGEST_BYTES])
{
    unsigned char digest[32] = {0};
    EVP_Digest(text, bytes, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
