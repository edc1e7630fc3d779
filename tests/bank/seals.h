/* Signatures as the bank's test makes and checks them: OpenSSL and nothing of the bank's. Fails the test on a key that can
 * not be read. */
#ifndef BANK_SEALS_H
#define BANK_SEALS_H

#include <stdbool.h>
#include <stddef.h>

/* base64 of RSA-SHA256 over the text, by the key in this PEM file. */
void sealed_by(const char *key_file, const char *text, char out[768]);
/* Does the certificate in this PEM file verify it? */
bool seal_is_of(const char *certificate_file, const char *text, size_t bytes, const char *seal);
/* Hex of its serial number. */
void serial_of(const char *certificate_file, char out[64]);
void serial_decimal_of(const char *certificate_file, char out[64]);
void hex_of(const char *text, size_t bytes, char out[65]);

#endif
