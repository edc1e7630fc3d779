/* Chains of certificates: whether one is vouched for by roots that we were given, at a time that we were given. OpenSSL
 * verifies; nothing is fetched, no system store is asked. The store is immutable after loading and may be used from several
 * threads at once. */
#ifndef MAKEGOOD_CHANNEL_CHAIN_H
#define MAKEGOOD_CHANNEL_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/* Every certificate of a PEM text. Roots (self-signed) are trusted, the others may stand between; *out_end is when the first
 * of them ends, in seconds since 1970. 0, -EINVAL with a sentence in *why (static), or -ENOMEM. Free with
 * X509_STORE_free. */
int roots_load(X509_STORE **out, const char *text, int64_t *out_end, const char **why);

/* Valid at that time, as is every certificate up to a root. */
bool certificate_chains(X509 *certificate, X509_STORE *roots, int64_t unix_seconds);

/* The subject's common name, which must be one, is this name or has it between two "@", as in 041@id@name@number. */
bool certificate_names(const X509 *certificate, const char *name);

#endif
