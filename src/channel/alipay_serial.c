/* The numbers that Alipay gives to certificates. Called by the thread that loads the configuration. Never judges a certificate:
 * the gateway does. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "channel/alipay_inner.h"
#include "channel/draft.h"
#include "channel/hex.h"
#include "channel/rsa.h"

/* "CN=..,OU=..,O=..,C=..", in UTF-8; to be freed. */
static char *issuer_write(const X509 *certificate)
{
    static const unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *bytes = NULL;
    if (bio && X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, form) >= 0) {
        long length = BIO_get_mem_data(bio, &bytes);
        text = strndup(bytes ? bytes : "", length > 0 ? (size_t)length : 0);
    }
    BIO_free(bio);
    return text;
}

int alipay_serial_write(char **out, const X509 *certificate, const char **why)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct draft draft = {0};
    char *issuer = issuer_write(certificate);
    char *serial = certificate_serial_decimal(certificate);
    draft_say(&draft, issuer ? issuer : "");
    draft_say(&draft, serial ? serial : "");
    char *text = issuer && serial ? draft_take(&draft) : NULL;
    bool digested = text && EVP_Digest(text, strlen(text), digest, &length, EVP_md5(), NULL) == 1;
    *out = digested ? malloc(2 * length + 1) : NULL;
    if (*out)
        hex_write(digest, length, *out);
    draft_drop(&draft);
    free(issuer);
    free(serial);
    if (text && !digested)
        *why = "this machine's OpenSSL refuses MD5, by which Alipay numbers certificates; use key mode, with "
               "public_key_file";
    int error = *out ? 0 : text && !digested ? -EINVAL : -ENOMEM;
    free(text);
    ERR_clear_error();
    return error;
}

/* Alipay's bundle has SM2 certificates as well, which do not count. */
static bool certificate_is_rsa_signed(const X509 *certificate)
{
    static const char rsa[] = "1.2.840.113549.1.1.";
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *object;
    char text[64];
    X509_get0_signature(NULL, &algorithm, certificate);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    return OBJ_obj2txt(text, sizeof(text), object, 1) > 0 && strncmp(text, rsa, strlen(rsa)) == 0;
}

static int root_add(struct draft *joined, const X509 *certificate, const char **why)
{
    char *serial = NULL;
    if (!certificate_is_rsa_signed(certificate))
        return 0;
    int error = alipay_serial_write(&serial, certificate, why);
    if (!error) {
        draft_say(joined, joined->length ? "_" : "");
        draft_say(joined, serial);
    }
    free(serial);
    return error;
}

int alipay_root_serial_write(char **out, const char *text, const char **why)
{
    struct draft joined = {0};
    BIO *bio = BIO_new_mem_buf(text, -1);
    int error = bio ? 0 : -ENOMEM;
    X509 *certificate;
    while (!error && (certificate = certificate_next(bio))) {
        error = root_add(&joined, certificate, why);
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (!error && !joined.length && !joined.failed) {
        *why = "there is no RSA certificate in this file; it is alipayRootCert.crt, as Alipay hands it out";
        error = -EINVAL;
    }
    *out = error ? NULL : draft_take(&joined);
    draft_drop(&joined);
    return error || *out ? error : -ENOMEM;
}
