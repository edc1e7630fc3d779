/* Chains of certificates (chain.h). Roots are loaded by the thread that reads the configuration, chains are verified by the
 * workers. Never asks a clock, a file or the network. */
#include "channel/chain.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "channel/rsa.h"

struct loading {
    X509_STORE *store;
    int64_t end;
    unsigned roots;
};

static int certificate_take(struct loading *loading, X509 *certificate)
{
    int64_t end = certificate_end(certificate);
    if (X509_STORE_add_cert(loading->store, certificate) != 1)
        return -ENOMEM;
    if (loading->end < 0 || end < loading->end)
        loading->end = end;
    loading->roots += X509_self_signed(certificate, 1) == 1;
    return 0;
}

static int certificates_take(struct loading *loading, BIO *bio)
{
    X509 *certificate;
    int error = 0;
    while (!error && (certificate = certificate_next(bio))) {
        error = certificate_take(loading, certificate);
        X509_free(certificate);
    }
    ERR_clear_error();
    return error;
}

int roots_load(X509_STORE **out, const char *text, int64_t *out_end, const char **why)
{
    struct loading loading = {.store = X509_STORE_new(), .end = -1};
    BIO *bio = BIO_new_mem_buf(text, -1);
    int error = loading.store && bio ? certificates_take(&loading, bio) : -ENOMEM;
    BIO_free(bio);
    if (!error && !loading.roots) {
        *why = "there is no root among these certificates; write all of them in PEM, up to the one that is "
               "self-signed";
        error = -EINVAL;
    }
    if (error) {
        X509_STORE_free(loading.store);
        return error;
    }
    *out = loading.store;
    *out_end = loading.end;
    return 0;
}

bool certificate_chains(X509 *certificate, X509_STORE *roots, int64_t unix_seconds)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool chains = false;
    if (context && X509_STORE_CTX_init(context, roots, certificate, NULL) == 1) {
        X509_STORE_CTX_set_time(context, 0, unix_seconds);
        chains = X509_verify_cert(context) == 1;
    }
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return chains;
}

/* A part of the text from an end or an "@" to the next. */
static bool part_is_there(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (const char *at = text; length && (at = strstr(at, part)); at++)
        if ((at == text || at[-1] == '@') && (at[length] == '\0' || at[length] == '@'))
            return true;
    return false;
}

bool certificate_names(const X509 *certificate, const char *name)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0)
        return false;
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
    bool whole = length >= 0 && strlen((const char *)text) == (size_t)length;
    bool names = whole && part_is_there((const char *)text, name);
    OPENSSL_free(text);
    ERR_clear_error();
    return names;
}
