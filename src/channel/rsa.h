/* RSA keys, certificates and SHA256-with-RSA signatures (PKCS#1 v1.5), all by OpenSSL's EVP. Keys come as text that was
 * read from a file already; they are immutable and may be used from several threads at once.
 *
 * A private key may be PEM (PKCS#1 or PKCS#8, not encrypted) or the bare base64 of either, as Alipay hands it out. A
 * public key may be PEM (SPKI or PKCS#1), the bare base64 of SPKI, or a certificate in PEM, whose key is taken. Keys
 * under 2048 bits are refused. */
#ifndef MAKEGOOD_CHANNEL_RSA_H
#define MAKEGOOD_CHANNEL_RSA_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 and a key, or -EINVAL with a sentence in *why (static), or -ENOMEM. Free with EVP_PKEY_free. */
int rsa_private_load(EVP_PKEY **out, const char *text, const char **why);
int rsa_public_load(EVP_PKEY **out, const char *text, const char **why);

/* The signature in base64, NUL-terminated, to be freed; NULL when memory runs out. */
char *rsa_sign(EVP_PKEY *private_key, const void *bytes, size_t length);
/* Whether `signature` is the base64 (no blanks in it) of a signature of these bytes. Anything else is false. */
bool rsa_verify(EVP_PKEY *public_key, const void *bytes, size_t length, const char *signature,
                size_t signature_length);

/* The same with what each signature needs looked up once. Free with EVP_MD_CTX_free; NULL when memory runs out. */
EVP_MD_CTX *rsa_signer(EVP_PKEY *private_key);
EVP_MD_CTX *rsa_verifier(EVP_PKEY *public_key);
char *rsa_sign_by(const EVP_MD_CTX *signer, const void *bytes, size_t length);
bool rsa_verify_by(const EVP_MD_CTX *verifier, const void *bytes, size_t length, const char *signature,
                   size_t signature_length);

/* The first certificate of a PEM text. 0, -EINVAL with a sentence in *why, or -ENOMEM. Free with X509_free. */
int certificate_load(X509 **out, const char *text, const char **why);
/* The next certificate of several in one PEM text; NULL behind the last. Free with X509_free. */
X509 *certificate_next(BIO *bio);
/* Its serial number in upper-case hex without a prefix, to be freed; NULL when memory runs out. */
char *certificate_serial(const X509 *certificate);
/* The same as a decimal number. */
char *certificate_serial_decimal(const X509 *certificate);
/* Its RSA key: as rsa_public_load. */
int certificate_key(EVP_PKEY **out, X509 *certificate, const char **why);
/* When it ends, in seconds since 1970; -1 when that can not be read. */
int64_t certificate_end(const X509 *certificate);

#endif
