/* Signatures of the bank's test: see seals.h. */
#include "seals.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void sealed_by(const char *key_file, const char *text, char out[768])
{
    unsigned char raw[512];
    size_t length = sizeof raw;
    FILE *file = fopen(key_file, "re");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, raw, &length, (const unsigned char *)text, strlen(text)), 1);
    EVP_EncodeBlock((unsigned char *)out, raw, (int)length);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    fclose(file);
}

static X509 *certificate_read(const char *name)
{
    FILE *file = fopen(name, "re");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(certificate);
    fclose(file);
    return certificate;
}

bool seal_is_of(const char *certificate_file, const char *text, size_t bytes, const char *seal)
{
    unsigned char raw[768];
    X509 *certificate = certificate_read(certificate_file);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(strlen(seal), 344); /* 2048 bits */
    assert_int_equal(EVP_DecodeBlock(raw, (const unsigned char *)seal, 344), 258);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, X509_get0_pubkey(certificate)),
                     1);
    bool holds = EVP_DigestVerify(context, raw, 256, (const unsigned char *)text, bytes) == 1;
    EVP_MD_CTX_free(context);
    X509_free(certificate);
    return holds;
}

static void serial_say(const char *certificate_file, char *(*say)(const BIGNUM *), char out[64])
{
    X509 *certificate = certificate_read(certificate_file);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = say(number);
    snprintf(out, 64, "%s", text);
    OPENSSL_free(text);
    BN_free(number);
    X509_free(certificate);
}

void serial_of(const char *certificate_file, char out[64])
{
    serial_say(certificate_file, BN_bn2hex, out);
}

void serial_decimal_of(const char *certificate_file, char out[64])
{
    serial_say(certificate_file, BN_bn2dec, out);
}

void hex_of(const char *text, size_t bytes, char out[65])
{
    unsigned char digest[32];
    assert_int_equal(EVP_Digest(text, bytes, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
