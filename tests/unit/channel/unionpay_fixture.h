/* What the tests of the UnionPay channel share: a small certification authority, made at run time, a channel, an order, and
 * answers signed as UnionPay signs them (written apart from the channel's own code). */
#ifndef MAKEGOOD_TESTS_CHANNEL_UNIONPAY_FIXTURE_H
#define MAKEGOOD_TESTS_CHANNEL_UNIONPAY_FIXTURE_H

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "channel/unionpay.h"
#include "fixture.h"

#define SIGNER       "中国银联股份有限公司"
#define SIGNER_CN    "041@8310000000083040@" SIGNER "@00016495"
#define ORDER_ID     "ORDER0001"
#define TXN_TIME     "20231115061000"
#define MERCHANT     "777290058110048"
#define ANSWER_BYTES (16 << 10)

/* Certificates are good from 2023 to 2025; the moment lies between, at 2023-11-15 06:13:20 in Beijing. */
#define FROM 1672531200
#define TO   1735689600

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char *pem;
};

/* Everybody there is. */
struct cast {
    struct identity root;
    struct identity middle; /* vouched for by the root */
    struct identity unionpay;
    struct identity merchant;
    struct identity foreign; /* another root */
    char *roots;             /* root and middle */
    char *merchant_key;
};

static struct cast cast;

static inline char *bio_text(BIO *bio)
{
    char *bytes;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)length);
    BIO_free(bio);
    return text;
}

static inline char *certificate_pem(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    return bio_text(bio);
}

static inline void certificate_mark_ca(X509 *certificate)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Issued by itself where there is no issuer. */
static inline X509 *certificate_issue(EVP_PKEY *key, const char *name, const struct identity *issuer,
                                      bool is_ca, long to)
{
    static long serial = 4242424242;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial++);
    ASN1_TIME_set(X509_getm_notBefore(certificate), FROM);
    ASN1_TIME_set(X509_getm_notAfter(certificate), to);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer->certificate) : subject);
    X509_set_pubkey(certificate, key);
    if (is_ca)
        certificate_mark_ca(certificate);
    assert_true(X509_sign(certificate, issuer ? issuer->key : key, EVP_sha256()) > 0);
    return certificate;
}

static inline struct identity identity_make(const char *name, const struct identity *issuer, bool is_ca,
                                            long to)
{
    struct identity identity = {.key = EVP_RSA_gen(2048)};
    assert_non_null(identity.key);
    identity.certificate = certificate_issue(identity.key, name, issuer, is_ca, to);
    identity.pem = certificate_pem(identity.certificate);
    return identity;
}

static inline void identity_drop(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    free(identity->pem);
}

static inline char *text_join(const char *one, const char *other)
{
    char *text = NULL;
    assert_true(asprintf(&text, "%s%s", one, other) > 0);
    return text;
}

static inline int cast_make(void **state)
{
    (void)state;
    cast.root = identity_make("Test Root", NULL, true, TO + 86400L);
    cast.middle = identity_make("Test Middle", &cast.root, true, TO);
    cast.unionpay = identity_make(SIGNER_CN, &cast.middle, false, TO);
    cast.merchant = identity_make("041@Z2@" MERCHANT "@1", &cast.middle, false, TO - 86400L);
    cast.foreign = identity_make("Foreign Root", NULL, true, TO);
    cast.roots = text_join(cast.middle.pem, cast.root.pem);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, cast.merchant.key, NULL, NULL, 0, NULL, NULL), 1);
    cast.merchant_key = bio_text(bio);
    return 0;
}

static inline int cast_drop(void **state)
{
    (void)state;
    struct identity *all[] = {&cast.root, &cast.middle, &cast.unionpay, &cast.merchant, &cast.foreign};
    for (size_t i = 0; i < COUNT(all); i++)
        identity_drop(all[i]);
    free(cast.roots);
    free(cast.merchant_key);
    return 0;
}

/* ---- channel and order ---- */

static inline struct unionpay_spec unionpay_spec(void)
{
    return (struct unionpay_spec){.name = "up",
                                  .merchant = MERCHANT,
                                  .certificate = cast.merchant.pem,
                                  .private_key = cast.merchant_key,
                                  .root_certificates = cast.roots,
                                  .transport = {.body_max_bytes = ANSWER_BYTES}};
}

static inline struct channel *unionpay_channel(const struct unionpay_spec *spec)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    int error = unionpay_create(&channel, spec, "", &faults);
    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].path, faults.items[i].text);
    faults_finish(&faults);
    assert_int_equal(error, 0);
    return channel;
}

static const struct lost_order unionpay_order = {.order_no = "A1",
                                                 .number = ORDER_ID,
                                                 .channel_data = "{\"txn_time\":\"" TXN_TIME "\"}",
                                                 .amount_minor = 1234,
                                                 .currency = "CNY",
                                                 .left_ms = 60000,
                                                 .claims = 1};

/* ---- answers ---- */

#define ANSWER_FIELDS 32

struct answer_fields {
    char *items[ANSWER_FIELDS]; /* name=value, in the order in which they are sent */
    size_t count;
};

/* "name=value" sets, "name" alone removes. */
static inline void answer_change(struct answer_fields *fields, const char *change)
{
    size_t name = strcspn(change, "=");
    size_t i = 0;
    while (i < fields->count &&
           (strncmp(fields->items[i], change, name) != 0 || fields->items[i][name] != '='))
        i++;
    if (i < fields->count)
        free(fields->items[i]);
    if (change[name])
        fields->items[i] = strdup(change);
    else if (i < fields->count)
        fields->items[i] = fields->items[--fields->count];
    if (i == fields->count && change[name])
        fields->count++;
    assert_true(fields->count < ANSWER_FIELDS);
}

static inline int item_compare(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static inline void answer_join(char *const *items, size_t count, char out[ANSWER_BYTES])
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, ANSWER_BYTES - length, "%s%s", i ? "&" : "", items[i]);
    assert_true(length < ANSWER_BYTES);
}

/* The signature of the hex SHA-256 of the sorted fields, appended as a field. */
static inline void answer_sign(struct answer_fields *fields, EVP_PKEY *key)
{
    char *sorted[ANSWER_FIELDS];
    char text[ANSWER_BYTES];
    char hex[65];
    unsigned char bytes[512];
    size_t length = sizeof(bytes);
    char line[1024] = "signature=";
    memcpy(sorted, fields->items, fields->count * sizeof(sorted[0]));
    qsort(sorted, fields->count, sizeof(sorted[0]), item_compare);
    answer_join(sorted, fields->count, text);
    SHA256((const unsigned char *)text, strlen(text), bytes);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key);
    assert_int_equal(EVP_DigestSign(context, bytes, &length, (const unsigned char *)hex, 64), 1);
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)line + strlen(line), bytes, (int)length);
    answer_change(fields, line);
}

static inline struct answer_fields answer_base(const char *certificate)
{
    static const char *const base[] = {"version=5.1.0",
                                       "txnType=00",
                                       "txnSubType=00",
                                       "signMethod=01",
                                       "respCode=00",
                                       "respMsg=成功[0000000]",
                                       "origRespCode=00",
                                       "origRespMsg=成功[0000000]",
                                       "encoding=UTF-8",
                                       "merId=" MERCHANT,
                                       "orderId=" ORDER_ID,
                                       "txnTime=" TXN_TIME,
                                       "txnAmt=1234",
                                       "currencyCode=156",
                                       "queryId=172311150610007340658",
                                       "reqReserved={shop=7&respCode=34&deep={a=b&c=d}}",
                                       "accNo=6216***********0018"};
    struct answer_fields fields = {.count = 0};
    for (size_t i = 0; i < COUNT(base); i++)
        answer_change(&fields, base[i]);
    char *line = text_join("signPubKeyCert=", certificate);
    answer_change(&fields, line);
    free(line);
    return fields;
}

static inline void answer_end(struct answer_fields *fields, char out[ANSWER_BYTES])
{
    answer_join(fields->items, fields->count, out);
    for (size_t i = 0; i < fields->count; i++)
        free(fields->items[i]);
}

/* UnionPay's answer with up to three changes, made before it is signed. */
static inline void answer_make(char out[ANSWER_BYTES], const char *one, const char *two, const char *three)
{
    const char *const changes[] = {one, two, three};
    struct answer_fields fields = answer_base(cast.unionpay.pem);
    for (size_t i = 0; i < COUNT(changes); i++)
        if (changes[i])
            answer_change(&fields, changes[i]);
    answer_sign(&fields, cast.unionpay.key);
    answer_end(&fields, out);
}

static inline struct evidence unionpay_read(const struct channel *channel, const struct lost_order *order,
                                            int http_status, const char *body)
{
    struct evidence evidence = {.kind = EVIDENCE_NONE};
    struct response response = {.http_status = http_status,
                                .body = body,
                                .body_bytes = strlen(body),
                                .content_type = "",
                                .trusted = true};
    channel->kind->interpret(channel, order, &fixture_moment, &response, &evidence);
    return evidence;
}

static inline struct channel *standard_channel(void)
{
    struct unionpay_spec spec = unionpay_spec();
    return unionpay_channel(&spec);
}

#endif
