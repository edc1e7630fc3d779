/* Signatures of the simulated channels, by OpenSSL and by nothing of makegood's: what is checked here is checked
 * independently. Pure but for the keys; called by the server's threads. */
#ifndef BANK_SEAL_H
#define BANK_SEAL_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#define SEAL_BYTES   768 /* base64 of what RSA up to 4096 bits signs */
#define DIGEST_BYTES 65  /* SHA-256 in hex */

/* RSA-SHA256, PKCS#1 v1.5, base64. "" when it fails. */
void seal_make(EVP_PKEY *key, const char *text, size_t bytes, char out[SEAL_BYTES]);
bool seal_holds(EVP_PKEY *key, const char *text, size_t bytes, const char *seal);

void sha256_hex(const char *text, size_t bytes, char out[DIGEST_BYTES]);

#endif
