/* RSA keys, certificates and signatures, by OpenSSL's EVP (rsa.h). Loaded by the thread that reads the configuration, used
 * by the workers. Never opens a file, never prints; key texts are copied nowhere. */
#include "channel/rsa.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BITS_LEAST 2048
#define KEY_TEXT_MAX   (64 << 10)

/* An encrypted key has no place here: nobody could type its password. */
static int no_password(char *buffer, int size, int writing, void *self)
{
    (void)buffer, (void)size, (void)writing, (void)self;
    return -1;
}

X509 *certificate_next(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

static EVP_PKEY *private_from_pem(BIO *bio)
{
    return PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
}

static EVP_PKEY *public_from_pem(BIO *bio)
{
    return PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
}

static EVP_PKEY *public_from_certificate(BIO *bio)
{
    X509 *certificate = certificate_next(bio);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return key;
}

static EVP_PKEY *private_from_der(const unsigned char *bytes, long length)
{
    return d2i_AutoPrivateKey(NULL, &bytes, length);
}

static EVP_PKEY *public_from_der(const unsigned char *bytes, long length)
{
    return d2i_PUBKEY(NULL, &bytes, length);
}

static EVP_PKEY *pem_read(const char *text, EVP_PKEY *(*read)(BIO *))
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio ? read(bio) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* How many bytes a base64 text without blanks stands for, with room for three quarters of it; -1: it is none. */
static int base64_decode(unsigned char *out, const char *text, size_t length)
{
    if (length == 0 || length % 4 != 0)
        return -1;
    int read = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
    return read < 0 ? -1 : read - (text[length - 1] == '=') - (text[length - 2] == '=');
}

/* Base64 of any length, without the newlines and blanks that it may have; NULL: it is none. */
static unsigned char *base64_read(const char *text, size_t length, int *out_bytes)
{
    char *packed = calloc(length + 1, 1);
    unsigned char *bytes = malloc(length + 1);
    size_t count = 0;
    for (size_t i = 0; packed && i < length; i++)
        if (!strchr(" \t\r\n", text[i]) || !text[i])
            packed[count++] = text[i];
    *out_bytes = packed && bytes ? base64_decode(bytes, packed, count) : -1;
    if (packed)
        explicit_bzero(packed, count);
    free(packed);
    if (*out_bytes >= 0)
        return bytes;
    free(bytes);
    return NULL;
}

static EVP_PKEY *bare_read(const char *text, EVP_PKEY *(*read)(const unsigned char *, long))
{
    int length = 0;
    unsigned char *bytes = base64_read(text, strlen(text), &length);
    EVP_PKEY *key = bytes ? read(bytes, length) : NULL;
    if (bytes)
        explicit_bzero(bytes, (size_t)length);
    free(bytes);
    ERR_clear_error();
    return key;
}

static int key_check(EVP_PKEY **out, EVP_PKEY *key, const char *none, const char **why)
{
    if (!key)
        *why = none;
    else if (!EVP_PKEY_is_a(key, "RSA"))
        *why = "this is no RSA key; the channel signs with RSA";
    else if (EVP_PKEY_get_bits(key) < KEY_BITS_LEAST)
        *why = "this RSA key is shorter than 2048 bits; have a longer one made";
    else {
        *out = key;
        return 0;
    }
    EVP_PKEY_free(key);
    return -EINVAL;
}

int rsa_private_load(EVP_PKEY **out, const char *text, const char **why)
{
    EVP_PKEY *key = NULL;
    if (strlen(text) <= KEY_TEXT_MAX)
        key =
            strstr(text, "-----BEGIN") ? pem_read(text, private_from_pem) : bare_read(text, private_from_der);
    return key_check(
        out, key,
        "this is no private key; write PEM (not encrypted), or the base64 of PKCS#1 or PKCS#8, as the "
        "channel hands it out",
        why);
}

int rsa_public_load(EVP_PKEY **out, const char *text, const char **why)
{
    EVP_PKEY *key = NULL;
    if (strlen(text) > KEY_TEXT_MAX)
        key = NULL;
    else if (strstr(text, "-----BEGIN CERTIFICATE"))
        key = pem_read(text, public_from_certificate);
    else
        key = strstr(text, "-----BEGIN") ? pem_read(text, public_from_pem) : bare_read(text, public_from_der);
    return key_check(
        out, key,
        "this is no public key; write PEM, a certificate in PEM, or the base64 of the key, as the channel "
        "hands it out",
        why);
}

static char *base64_write(const unsigned char *bytes, size_t length)
{
    char *text = malloc(4 * ((length + 2) / 3) + 1);
    if (text)
        EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
    return text;
}

static EVP_MD_CTX *context_make(EVP_PKEY *key, int (*begin)(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *,
                                                            ENGINE *, EVP_PKEY *))
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && begin(context, NULL, EVP_sha256(), NULL, key) == 1)
        return context;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

EVP_MD_CTX *rsa_signer(EVP_PKEY *private_key)
{
    return context_make(private_key, EVP_DigestSignInit);
}

EVP_MD_CTX *rsa_verifier(EVP_PKEY *public_key)
{
    return context_make(public_key, EVP_DigestVerifyInit);
}

static EVP_MD_CTX *context_copy(const EVP_MD_CTX *prepared)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_MD_CTX_copy_ex(context, prepared) == 1)
        return context;
    EVP_MD_CTX_free(context);
    return NULL;
}

char *rsa_sign_by(const EVP_MD_CTX *signer, const void *bytes, size_t length)
{
    unsigned char signature[1024]; /* RSA of up to 8192 bits */
    size_t signature_length = sizeof(signature);
    EVP_MD_CTX *context = context_copy(signer);
    bool made = context && EVP_DigestSign(context, signature, &signature_length, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return made ? base64_write(signature, signature_length) : NULL;
}

/* EVP_DecodeBlock would overlook blanks at the ends. */
static bool has_blank(const char *text, size_t length)
{
    return memchr(text, ' ', length) || memchr(text, '\n', length) || memchr(text, '\r', length) ||
           memchr(text, '\t', length);
}

bool rsa_verify_by(const EVP_MD_CTX *verifier, const void *bytes, size_t length, const char *signature,
                   size_t signature_length)
{
    unsigned char raw[1536];
    int raw_length = -1;
    if (signature_length <= 2048 && !has_blank(signature, signature_length))
        raw_length = base64_decode(raw, signature, signature_length);
    EVP_MD_CTX *context = raw_length >= 0 ? context_copy(verifier) : NULL;
    bool verifies = context && EVP_DigestVerify(context, raw, (size_t)raw_length, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return verifies;
}

char *rsa_sign(EVP_PKEY *private_key, const void *bytes, size_t length)
{
    EVP_MD_CTX *signer = rsa_signer(private_key);
    char *signature = signer ? rsa_sign_by(signer, bytes, length) : NULL;
    EVP_MD_CTX_free(signer);
    return signature;
}

bool rsa_verify(EVP_PKEY *public_key, const void *bytes, size_t length, const char *signature,
                size_t signature_length)
{
    EVP_MD_CTX *verifier = rsa_verifier(public_key);
    bool verifies = verifier && rsa_verify_by(verifier, bytes, length, signature, signature_length);
    EVP_MD_CTX_free(verifier);
    return verifies;
}

int certificate_load(X509 **out, const char *text, const char **why)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    if (!bio)
        return -ENOMEM;
    *out = certificate_next(bio);
    BIO_free(bio);
    ERR_clear_error();
    if (*out)
        return 0;
    *why = "this is no certificate; write it in PEM";
    return -EINVAL;
}

static char *serial_write(const X509 *certificate, char *(*write)(const BIGNUM *))
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number ? write(number) : NULL;
    char *serial = text ? strdup(text) : NULL;
    OPENSSL_free(text);
    BN_free(number);
    return serial;
}

char *certificate_serial(const X509 *certificate)
{
    return serial_write(certificate, BN_bn2hex);
}

char *certificate_serial_decimal(const X509 *certificate)
{
    return serial_write(certificate, BN_bn2dec);
}

int certificate_key(EVP_PKEY **out, X509 *certificate, const char **why)
{
    return key_check(out, X509_get_pubkey(certificate), "this certificate holds no key that can be read",
                     why);
}

int64_t certificate_end(const X509 *certificate)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool read = epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1;
    ASN1_TIME_free(epoch);
    return read ? (int64_t)days * 86400 + seconds : -1;
}
