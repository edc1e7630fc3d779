/* Access tokens: see tokens.h. */
#include "bank/tokens.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

bool tokens_open(struct tokens *tokens, unsigned lifetime_s)
{
    tokens->lifetime_s = lifetime_s;
    tokens->made = 0;
    return RAND_bytes(tokens->key, sizeof(tokens->key)) == 1;
}

static bool token_write(const struct tokens *tokens, unsigned long long count, long long end_ms,
                        char out[TOKEN_BYTES])
{
    unsigned char seal[32];
    int at = snprintf(out, TOKEN_BYTES, "A21AA-%llu-%lld-", count, end_ms);
    if (!HMAC(EVP_sha256(), tokens->key, sizeof(tokens->key), (const unsigned char *)out, (size_t)at, seal,
              NULL))
        return false;
    for (size_t i = 0; i < 16; i++)
        at += snprintf(out + at, 3, "%02x", seal[i]);
    return true;
}

bool token_make(struct tokens *tokens, char out[TOKEN_BYTES])
{
    return token_write(tokens, ++tokens->made, now_ms() + tokens->lifetime_s * 1000LL, out);
}

bool token_holds(const struct tokens *tokens, const char *token)
{
    char right[TOKEN_BYTES];
    unsigned long long count = 0;
    long long end_ms = 0;
    if (sscanf(token, "A21AA-%20llu-%20lld-", &count, &end_ms) != 2 || now_ms() >= end_ms ||
        !token_write(tokens, count, end_ms, right))
        return false;
    return strlen(right) == strlen(token) && CRYPTO_memcmp(right, token, strlen(right)) == 0;
}
