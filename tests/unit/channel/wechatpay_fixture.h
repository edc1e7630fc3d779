/* What the tests of the WeChat Pay channel share: keys that are made anew in every run, a channel that has all of them, and
 * answers that are signed with them. */
#ifndef MAKEGOOD_TESTS_CHANNEL_WECHATPAY_FIXTURE_H
#define MAKEGOOD_TESTS_CHANNEL_WECHATPAY_FIXTURE_H

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "channel/rsa.h"
#include "channel/wechatpay.h"
#include "fixture.h"

#define OLD_SERIAL    "0A0000000000000000000000000000000000010B"
#define NEW_SERIAL    "5DEA10EF55877E3CF6C33255C2E7DEFFF7E427EC"
#define PUBLIC_KEY_ID "PUB_KEY_ID_0114232134912410000000000000"
#define OLD_END       1893456000 /* 2030-01-01 */
#define NEW_END       2051222400 /* 2035-01-01 */

/* Held by the suite from wechatpay_setup to wechatpay_teardown. */
static struct {
    EVP_PKEY *merchant, *old, *new, *public, *stranger;
    char *merchant_private, *merchant_public, *public_text;
    char *certificates[2];
} wechat_keys;

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

static inline char *certificate_text(EVP_PKEY *key, const char *serial, time_t end)
{
    BIGNUM *number = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *certificate = X509_new();
    BN_hex2bn(&number, serial);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    ASN1_TIME_set(X509_getm_notBefore(certificate), 1600000000);
    ASN1_TIME_set(X509_getm_notAfter(certificate), end);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    BN_free(number);
    X509_free(certificate);
    return bio_take(bio);
}

static inline int wechatpay_setup(void **state)
{
    (void)state;
    EVP_PKEY **keys[] = {&wechat_keys.merchant, &wechat_keys.old, &wechat_keys.new, &wechat_keys.public,
                         &wechat_keys.stranger};
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!(*keys[i] = EVP_RSA_gen(2048)))
            return -1;
    wechat_keys.merchant_private = key_text(wechat_keys.merchant, true);
    wechat_keys.merchant_public = key_text(wechat_keys.merchant, false);
    wechat_keys.public_text = key_text(wechat_keys.public, false);
    wechat_keys.certificates[0] = certificate_text(wechat_keys.new, NEW_SERIAL, NEW_END);
    wechat_keys.certificates[1] = certificate_text(wechat_keys.old, OLD_SERIAL, OLD_END);
    return 0;
}

static inline int wechatpay_teardown(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {wechat_keys.merchant, wechat_keys.old, wechat_keys.new, wechat_keys.public,
                        wechat_keys.stranger};
    char *texts[] = {wechat_keys.merchant_private, wechat_keys.merchant_public, wechat_keys.public_text,
                     wechat_keys.certificates[0], wechat_keys.certificates[1]};
    for (size_t i = 0; i < COUNT(keys); i++)
        EVP_PKEY_free(keys[i]);
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
    return 0;
}

/* Accepted as it is: direct mode, every key loaded. */
static inline struct wechatpay_spec wechatpay_spec(void)
{
    return (struct wechatpay_spec){.name = "wechat",
                                   .app_id = "wxd678efh567hg6787",
                                   .merchant = "1230000109",
                                   .serial = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
                                   .private_key = wechat_keys.merchant_private,
                                   .platform_certificates = (const char *const *)wechat_keys.certificates,
                                   .platform_certificate_count = 2,
                                   .public_key_id = PUBLIC_KEY_ID,
                                   .public_key = wechat_keys.public_text,
                                   .transport = {.body_max_bytes = 65536}};
}

static inline struct channel *wechatpay_make(const struct wechatpay_spec *spec)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    int error = wechatpay_create(&channel, spec, "", &faults);
    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].path, faults.items[i].text);
    faults_finish(&faults);
    assert_int_equal(error, 0);
    return channel;
}

static const struct lost_order wechatpay_order = {.order_no = "A1001",
                                                  .number = "A1001_try|2*",
                                                  .amount_minor = 1999,
                                                  .currency = "CNY",
                                                  .left_ms = NO_END,
                                                  .claims = 1};

/* The four headers of an answer; NULL: absent. */
struct wechat_headers {
    const char *timestamp;
    const char *nonce;
    const char *serial;
    const char *signature;
};

static inline const char *wechat_header(const void *head, const char *name)
{
    const struct wechat_headers *headers = head;
    const char *const items[][2] = {{"Wechatpay-Timestamp", headers->timestamp},
                                    {"Wechatpay-Nonce", headers->nonce},
                                    {"Wechatpay-Serial", headers->serial},
                                    {"Wechatpay-Signature", headers->signature}};
    for (size_t i = 0; i < COUNT(items); i++)
        if (strcmp(items[i][0], name) == 0)
            return items[i][1];
    return NULL;
}

/* Signed as WeChat Pay signs; the signature is the caller's to free. */
static inline char *wechat_sign(EVP_PKEY *key, const char *timestamp, const char *nonce, const char *body)
{
    char text[8192];
    int length = snprintf(text, sizeof(text), "%s\n%s\n%s\n", timestamp, nonce, body);
    assert_in_range(length, 1, sizeof(text) - 1);
    return rsa_sign(key, text, (size_t)length);
}

/* An answer, and how it is signed. What is NULL is as it should be. */
struct wechat_answer {
    int status;
    const char *body;
    EVP_PKEY *key; /* NULL: the new platform certificate's */
    const char *serial;
    const char *timestamp;
    const char *signature;
    const char *missing; /* "all": unsigned */
    bool untrusted;
    bool closes;
};

#define NOW_S "1700000000" /* fixture_moment */

static inline struct evidence wechat_read(const struct channel *channel, const struct lost_order *order,
                                          const struct wechat_answer *answer)
{
    struct wechat_headers headers = {.timestamp = answer->timestamp ? answer->timestamp : NOW_S,
                                     .nonce = "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz",
                                     .serial = answer->serial ? answer->serial : NEW_SERIAL};
    EVP_PKEY *key = answer->key ? answer->key : wechat_keys.new;
    char *signature = wechat_sign(key, headers.timestamp, headers.nonce, answer->body);
    headers.signature = answer->signature ? answer->signature : signature;
    const char **fields[] = {&headers.timestamp, &headers.nonce, &headers.serial, &headers.signature};
    static const char *const names[] = {"timestamp", "nonce", "serial", "signature"};
    for (size_t i = 0; answer->missing && i < COUNT(fields); i++)
        if (strcmp(answer->missing, names[i]) == 0 || strcmp(answer->missing, "all") == 0)
            *fields[i] = NULL;
    struct response response = {.http_status = answer->status,
                                .body = answer->body,
                                .body_bytes = strlen(answer->body),
                                .content_type = "application/json",
                                .trusted = !answer->untrusted,
                                .header = wechat_header,
                                .head = &headers};
    struct evidence evidence = {.http_status = answer->status, .rule = "left over", .code = "left over"};
    (answer->closes ? channel->kind->interpret_close
                    : channel->kind->interpret)(channel, order, &fixture_moment, &response, &evidence);
    free(signature);
    return evidence;
}

/* Fails with both words shown. */
#define assert_kind(evidence, expected) \
    assert_string_equal(evidence_kind_text((evidence).kind), evidence_kind_text(EVIDENCE_##expected))

#endif
