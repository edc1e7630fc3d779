/* PayPal's access tokens: each says when it ends and is sealed with a key that lives as long as the process. Pure but
 * for the clock. */
#ifndef BANK_TOKENS_H
#define BANK_TOKENS_H

#include <stdatomic.h>
#include <stdbool.h>

#define TOKEN_BYTES 128

struct tokens {
    unsigned char key[32];
    unsigned lifetime_s;
    atomic_ullong made;
};

bool tokens_open(struct tokens *tokens, unsigned lifetime_s);
bool token_make(struct tokens *tokens, char out[TOKEN_BYTES]);
/* Ours, and not ended. */
bool token_holds(const struct tokens *tokens, const char *token);

#endif
