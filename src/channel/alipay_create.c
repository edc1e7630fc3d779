/* Making the Alipay channel out of its specification: keys and certificates are loaded and everything is checked here. Runs on
 * the thread that loads the configuration; keeps nothing of the specification, and repeats no key or token in a fault. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/alipay.h"
#include "channel/alipay_inner.h"
#include "channel/head.h"
#include "channel/json_arena.h"
#include "channel/rsa.h"
#include "channel/url.h"

#define GATEWAY_URL "https://openapi.alipay.com/gateway.do"
#define APP_BYTES   33
#define TOKEN_MOST  128

/* ---- whom we ask, and who we are ---- */

static void app_take(struct alipay *alipay, const char *app_id, struct blame *blame)
{
    size_t digits = app_id ? strspn(app_id, "0123456789") : 0;
    if (!digits || digits >= APP_BYTES || app_id[digits])
        blame_key(blame, "app_id",
                  "the application's id is missing or no number; write its digits as Alipay shows them, as "
                  "2021001161683774");
    alipay->app_id = blame_copy(blame, app_id);
}

/* Such a text stands in a URL as it is, so that it is known again wherever it is shown. */
static void token_take(struct alipay *alipay, const char *token, struct blame *blame)
{
    static const char unreserved[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~";
    size_t length = token ? strspn(token, unreserved) : 0;
    if (token && (!length || length > TOKEN_MOST || token[length]))
        blame_key(blame, "app_auth_token_file",
                  "an app_auth_token has 1 to %d letters and digits; write it as Alipay hands it out, or "
                  "remove the key where the application asks for itself",
                  TOKEN_MOST);
    alipay->app_auth_token = blame_copy(blame, token);
}

/* ---- keys ---- */

static void private_key_take(struct alipay *alipay, const char *text, struct blame *blame)
{
    const char *why = "the application's private key is missing; it is what Alipay's key tool has made";
    int error = text && *text ? rsa_private_load(&alipay->private_key, text, &why) : -EINVAL;
    if (blame_load(error, "private_key_file", why, blame) &&
        !(alipay->signer = rsa_signer(alipay->private_key)))
        blame_memory(blame);
}

/* Serial and key are the channel's from here on. */
static int key_add(struct alipay *alipay, char *serial, EVP_PKEY *key)
{
    EVP_MD_CTX *verifier = rsa_verifier(key);
    alipay->keys[alipay->key_count++] = (struct alipay_key){serial, key, verifier};
    return verifier ? 0 : -ENOMEM;
}

/* The two public keys stand side by side on Alipay's page, and are easily confused. */
static void public_key_take(struct alipay *alipay, const char *text, struct blame *blame)
{
    const char *why;
    EVP_PKEY *key = NULL;
    int error = rsa_public_load(&key, text, &why);
    if (!blame_load(error, "public_key_file", why, blame))
        return;
    if (key_add(alipay, NULL, key) < 0)
        blame_memory(blame);
    if (alipay->private_key && EVP_PKEY_eq(key, alipay->private_key) == 1)
        blame_key(blame, "public_key_file",
                  "this is the application's own public key; answers are verified with Alipay's public key, "
                  "which is shown beside it");
}

/* ---- certificates ---- */

static void app_certificate_take(struct alipay *alipay, const char *text, struct blame *blame)
{
    const char *why;
    X509 *certificate = NULL;
    int error = certificate_load(&certificate, text, &why);
    if (!error)
        error = alipay_serial_write(&alipay->app_serial, certificate, &why);
    if (blame_load(error, "app_certificate_file", why, blame)) {
        head_ends(&alipay->head, certificate_end(certificate));
        if (alipay->private_key && X509_check_private_key(certificate, alipay->private_key) != 1)
            blame_key(blame, "app_certificate_file",
                      "this certificate does not belong to the private key; it is the file "
                      "appCertPublicKey_....crt that Alipay made for this application");
    }
    ERR_clear_error();
    X509_free(certificate);
}

static int alipay_certificate_add(struct alipay *alipay, X509 *certificate, const char **why)
{
    char *serial = NULL;
    EVP_PKEY *key = NULL;
    if (alipay->key_count == ALIPAY_KEYS_MAX) {
        *why = "there are too many certificates; keep the newest ones";
        return -EINVAL;
    }
    int error = alipay_serial_write(&serial, certificate, why);
    if (!error)
        error = certificate_key(&key, certificate, why);
    if (error) {
        free(serial);
        return error;
    }
    head_ends(&alipay->head, certificate_end(certificate));
    return key_add(alipay, serial, key);
}

static void alipay_certificates_take(struct alipay *alipay, const char *text, struct blame *blame)
{
    const char *why = "this is no certificate; it is the file alipayCertPublicKey_RSA2.crt";
    BIO *bio = BIO_new_mem_buf(text, -1);
    int error = bio ? 0 : -ENOMEM;
    X509 *certificate;
    while (!error && (certificate = certificate_next(bio))) {
        error = alipay_certificate_add(alipay, certificate, &why);
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (!error && !alipay->key_count)
        error = -EINVAL;
    blame_load(error, "alipay_certificate_file", why, blame);
}

static void roots_take(struct alipay *alipay, const char *text, struct blame *blame)
{
    const char *why;
    int error = alipay_root_serial_write(&alipay->root_serial, text, &why);
    blame_load(error, "root_certificates_file", why, blame);
}

/* One mode or the other, whole. */
static void mode_take(struct alipay *alipay, const struct alipay_spec *spec, struct blame *blame)
{
    unsigned certificates = !!spec->app_certificate + !!spec->alipay_certificate + !!spec->root_certificates;
    if (spec->public_key && certificates)
        blame_key(blame, "public_key_file",
                  "a public key and certificates are two modes; keep the key, or the three certificates");
    else if (spec->public_key)
        public_key_take(alipay, spec->public_key, blame);
    else if (certificates == 3) {
        app_certificate_take(alipay, spec->app_certificate, blame);
        alipay_certificates_take(alipay, spec->alipay_certificate, blame);
        roots_take(alipay, spec->root_certificates, blame);
    } else
        blame_key(blame, "public_key_file",
                  "answers can not be verified without a key: give public_key_file, or all of "
                  "app_certificate_file, alipay_certificate_file and root_certificates_file");
}

int alipay_create(struct channel **out, const struct alipay_spec *spec, const char *path_prefix,
                  struct faults *faults)
{
    struct blame blame = {.faults = faults, .prefix = path_prefix};
    *out = NULL;
    json_object_seed(0); /* the hash seed, before any thread needs it */
    json_arena_install();
    struct alipay *alipay = calloc(1, sizeof(*alipay));
    if (!alipay)
        return -ENOMEM;
    alipay->head.kind = &alipay_kind;
    alipay->head.can_close = true;
    head_compile(&alipay->head, spec->name, &spec->transport, &blame);
    alipay->url = url_gateway(spec->url ? spec->url : GATEWAY_URL, spec->transport.allow_plain_http,
                              GATEWAY_URL, &blame);
    app_take(alipay, spec->app_id, &blame);
    token_take(alipay, spec->app_auth_token, &blame);
    private_key_take(alipay, spec->private_key, &blame);
    mode_take(alipay, spec, &blame);
    if (blame.error) {
        alipay_kind.destroy(&alipay->head);
        return blame.error;
    }
    *out = &alipay->head;
    return 0;
}
