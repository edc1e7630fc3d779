/* The inside of the UnionPay channel: shared by unionpay_create.c, which makes it, unionpay.c, which asks, and
 * unionpay_fields.c and unionpay_answer.c, which read what comes back. Immutable after its creation. */
#ifndef MAKEGOOD_CHANNEL_UNIONPAY_INNER_H
#define MAKEGOOD_CHANNEL_UNIONPAY_INNER_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "makegood/channel.h"

#define TXN_TIME_BYTES 15 /* yyyyMMddHHmmss */

struct unionpay {
    struct channel head; /* first: a struct channel * is one of these */
    char *url;
    char *merchant;
    char *certificate_id; /* serial of the merchant's certificate, decimal */
    char *signer;         /* what the answers' certificate names */
    EVP_PKEY *private_key;
    X509_STORE *roots;
};

extern const struct channel_kind unionpay_kind;

/* 0; -EINVAL with a sentence when the attempt can not be asked about. */
int unionpay_txn_time(const struct lost_order *order, char out[TXN_TIME_BYTES], const char **why);

void unionpay_interpret(const struct channel *channel, const struct lost_order *order,
                        const struct moment *moment, const struct response *response, struct evidence *out);

/* ---- messages: fields with a name and a value ---- */

/* Some bytes of somebody else's. */
struct span {
    const char *bytes;
    size_t length;
};

struct field {
    struct span name;
    struct span value;
};

#define FIELDS_MAX 96

struct fields {
    struct field items[FIELDS_MAX];
    unsigned count;
};

bool span_is(struct span span, const char *text);

/* name=value&name=value, as it is: nothing is decoded, and what stands inside braces divides nothing. False when it is no
 * such text, or has a name twice. The fields point into the bytes, and are sorted by name. */
bool fields_read(struct fields *out, const char *bytes, size_t length);
/* The value; empty where there is none. */
struct span fields_value(const struct fields *fields, const char *name);

/* What signMethod 01 signs: SHA-256 in small hex digits of the fields sorted by name, without the signature. False when
 * memory runs out. */
bool fields_digest(const struct fields *fields, char out[DIGEST_BYTES]);

#endif
