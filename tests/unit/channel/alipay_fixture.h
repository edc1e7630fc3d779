/* What the tests of the Alipay channel share: keys and certificates that are made anew in every run, a channel in either mode,
 * and answers that are signed with them (written apart from the channel's own code). */
#ifndef MAKEGOOD_TESTS_CHANNEL_ALIPAY_FIXTURE_H
#define MAKEGOOD_TESTS_CHANNEL_ALIPAY_FIXTURE_H

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "channel/alipay.h"
#include "channel/alipay_inner.h"
#include "channel/rsa.h"
#include "fixture.h"

#define APP_END  1893456000 /* 2030-01-01 */
#define OLD_END  1798761600 /* 2027-01-01 */
#define NEXT_END 2051222400 /* 2035-01-01 */

/* Held by the suite from alipay_setup to alipay_teardown. */
static struct {
    EVP_PKEY *app, *alipay, *next, *stranger;
    char *app_private, *app_public, *alipay_public;
    char *app_certificate, *alipay_certificate, *next_certificate, *both_certificates;
} alipay_keys;

static inline char *bio_take(BIO *bio)
{
    char *bytes;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)length);
    BIO_free(bio);
    return text;
}

static inline char *key_text(EVP_PKEY *key, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (private)
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    else
        assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    return bio_take(bio);
}

static inline char *certificate_text(EVP_PKEY *key, long serial, time_t end)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *certificate = X509_new();
    X509_NAME *issuer = X509_NAME_new();
    static const char *const parts[][2] = {{"C", "CN"}, {"O", "蚂蚁"}, {"CN", "Test Ant"}};
    for (size_t i = 0; i < COUNT(parts); i++)
        X509_NAME_add_entry_by_txt(issuer, parts[i][0], MBSTRING_UTF8, (const unsigned char *)parts[i][1], -1,
                                   -1, 0);
    X509_set_issuer_name(certificate, issuer);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial);
    ASN1_TIME_set(X509_getm_notBefore(certificate), 1600000000);
    ASN1_TIME_set(X509_getm_notAfter(certificate), end);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    X509_NAME_free(issuer);
    X509_free(certificate);
    return bio_take(bio);
}

/* printf 'CN=Test Ant,O=蚂蚁,C=CN101' | md5sum, and so on. */
#define APP_SERIAL  "e0de45e76df08155bf6fa4b317a05281"
#define OLD_SERIAL  "ae7ab191b493fad216650861feeed705"
#define NEXT_SERIAL "21e93f8fac72ccd524f0c341423a5bcd"

static inline int alipay_setup(void **state)
{
    (void)state;
    EVP_PKEY **keys[] = {&alipay_keys.app, &alipay_keys.alipay, &alipay_keys.next, &alipay_keys.stranger};
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!(*keys[i] = EVP_RSA_gen(2048)))
            return -1;
    alipay_keys.app_private = key_text(alipay_keys.app, true);
    alipay_keys.app_public = key_text(alipay_keys.app, false);
    alipay_keys.alipay_public = key_text(alipay_keys.alipay, false);
    alipay_keys.app_certificate = certificate_text(alipay_keys.app, 101, APP_END);
    alipay_keys.alipay_certificate = certificate_text(alipay_keys.alipay, 102, OLD_END);
    alipay_keys.next_certificate = certificate_text(alipay_keys.next, 103, NEXT_END);
    return asprintf(&alipay_keys.both_certificates, "%s%s", alipay_keys.alipay_certificate,
                    alipay_keys.next_certificate) > 0
               ? 0
               : -1;
}

static inline int alipay_teardown(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {alipay_keys.app, alipay_keys.alipay, alipay_keys.next, alipay_keys.stranger};
    char *texts[] = {alipay_keys.app_private,        alipay_keys.app_public,
                     alipay_keys.alipay_public,      alipay_keys.app_certificate,
                     alipay_keys.alipay_certificate, alipay_keys.next_certificate,
                     alipay_keys.both_certificates};
    for (size_t i = 0; i < COUNT(keys); i++)
        EVP_PKEY_free(keys[i]);
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
    return 0;
}

/* Accepted as they are: key mode, and certificate mode with two of Alipay's certificates. */
static inline struct alipay_spec alipay_spec(void)
{
    return (struct alipay_spec){.name = "alipay",
                                .app_id = "2021001161683774",
                                .private_key = alipay_keys.app_private,
                                .public_key = alipay_keys.alipay_public,
                                .transport = {.body_max_bytes = 65536}};
}

static inline struct alipay_spec alipay_certificate_spec(void)
{
    struct alipay_spec spec = alipay_spec();
    spec.public_key = NULL;
    spec.app_certificate = alipay_keys.app_certificate;
    spec.alipay_certificate = alipay_keys.both_certificates;
    spec.root_certificates = alipay_keys.both_certificates;
    return spec;
}

static inline struct channel *alipay_make(const struct alipay_spec *spec)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    int error = alipay_create(&channel, spec, "", &faults);
    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].path, faults.items[i].text);
    faults_finish(&faults);
    assert_int_equal(error, 0);
    return channel;
}

static const struct lost_order alipay_order = {.order_no = "A1001",
                                               .number = "A1001_try-2",
                                               .amount_minor = 8888,
                                               .currency = "CNY",
                                               .left_ms = NO_END,
                                               .claims = 1};

/* An answer, and how it is signed. What is NULL or zero is as it should be. */
struct alipay_answer {
    const char *node;   /* the node's text */
    const char *name;   /* of the node */
    const char *text;   /* what is signed instead of the node's text */
    const char *sign;   /* "": unsigned */
    const char *serial; /* alipay_cert_sn; NULL: absent */
    const char *body;   /* the whole body; "%s" is the signature */
    EVP_PKEY *key;
    int status;
    bool untrusted;
    bool closes;
};

#define ANSWER_BYTES 8192

static inline void alipay_body(const struct alipay_answer *answer, char out[ANSWER_BYTES])
{
    const char *own = answer->closes ? "alipay_trade_close_response" : "alipay_trade_query_response";
    const char *text = answer->text ? answer->text : answer->node ? answer->node : "";
    char serial[100] = "";
    char *made = rsa_sign(answer->key ? answer->key : alipay_keys.alipay, text, strlen(text));
    const char *sign = answer->sign ? answer->sign : made;
    if (answer->serial)
        snprintf(serial, sizeof(serial), "\"alipay_cert_sn\":\"%s\",", answer->serial);
    const char *at = answer->body ? strstr(answer->body, "%s") : NULL;
    if (at)
        snprintf(out, ANSWER_BYTES, "%.*s%s%s", (int)(at - answer->body), answer->body, sign, at + 2);
    else if (answer->body)
        snprintf(out, ANSWER_BYTES, "%s", answer->body);
    else if (!*sign)
        snprintf(out, ANSWER_BYTES, "{\"%s\":%s}", answer->name ? answer->name : own, text);
    else
        snprintf(out, ANSWER_BYTES, "{\"%s\":%s,%s\"sign\":\"%s\"}", answer->name ? answer->name : own,
                 answer->node, serial, sign);
    free(made);
}

static inline struct evidence alipay_read(const struct channel *channel, const struct lost_order *order,
                                          const struct alipay_answer *answer)
{
    char body[ANSWER_BYTES];
    alipay_body(answer, body);
    size_t length = strlen(body);
    char *exact = malloc(length ? length : 1); /* at its size, so that a sanitizer sees the end */
    assert_non_null(exact);
    memcpy(exact, body, length);
    struct response response = {.http_status = answer->status ? answer->status : 200,
                                .body = exact,
                                .body_bytes = length,
                                .content_type = "application/json",
                                .trusted = !answer->untrusted};
    struct evidence evidence = {.rule = "left over", .code = "left over", .latency_ms = 7};
    (answer->closes ? channel->kind->interpret_close
                    : channel->kind->interpret)(channel, order, &fixture_moment, &response, &evidence);
    assert_int_equal(evidence.latency_ms, 7);
    assert_int_equal(strlen(evidence.body_digest), length ? 64 : 0);
    free(exact);
    return evidence;
}

/* Fails with both words shown. */
#define assert_kind(evidence, expected) \
    assert_string_equal(evidence_kind_text((evidence).kind), evidence_kind_text(EVIDENCE_##expected))

#endif
