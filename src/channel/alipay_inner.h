/* The inside of the Alipay channel: shared by alipay_create.c, which makes it, alipay.c, which asks, alipay_sign.c, which signs
 * and verifies, alipay_node.c, which finds what is signed, alipay_serial.c, which numbers certificates, and alipay_answer.c,
 * which says what an answer means. Immutable after its creation. */
#ifndef MAKEGOOD_CHANNEL_ALIPAY_INNER_H
#define MAKEGOOD_CHANNEL_ALIPAY_INNER_H

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "makegood/channel.h"

#define ALIPAY_KEYS_MAX 8

/* A key that answers are verified with. */
struct alipay_key {
    char *serial; /* alipay_cert_sn of its certificate; NULL in key mode */
    EVP_PKEY *key;
    EVP_MD_CTX *verifier; /* by it */
};

struct alipay {
    struct channel head; /* first: a struct channel * is one of these */
    char *url;
    char *app_id;
    char *app_auth_token; /* NULL: none; a secret */
    EVP_PKEY *private_key;
    EVP_MD_CTX *signer; /* by it */
    char *app_serial;   /* NULL in key mode */
    char *root_serial;  /* the same */
    struct alipay_key keys[ALIPAY_KEYS_MAX];
    unsigned key_count;
};

extern const struct channel_kind alipay_kind;

/* ---- what is asked ---- */

/* What an attempt is asked by. */
struct alipay_question {
    const char *number;          /* out_trade_no, "": unknown */
    char trade_no[NUMBER_BYTES]; /* "": asked by number */
};

/* 0; -EINVAL with a sentence when the attempt can not be asked about. */
int alipay_question_read(const struct lost_order *order, struct alipay_question *out, const char **why);

/* Would this text tell app_auth_token? */
bool alipay_is_told_by(const struct channel *channel, const char *text);

void alipay_interpret(const struct channel *channel, const struct lost_order *order,
                      const struct moment *moment, const struct response *response, struct evidence *out);
void alipay_interpret_close(const struct channel *channel, const struct lost_order *order,
                            const struct moment *moment, const struct response *response,
                            struct evidence *out);

/* ---- signatures ---- */

struct alipay_param {
    const char *name;
    const char *value; /* NULL or "": left out */
};

/* What is signed: name=value&name=value, sorted by name, values raw, without those that have no value and without `sign`.
 * Sorts the parameters. To be wiped and freed; NULL when memory runs out. */
char *alipay_sign_text(struct alipay_param *params, size_t count);

/* The answer out of our method's node, read from the bytes that were verified; a new reference. NULL, and what is wrong in
 * *fault, for evidence.code, when the document carries no valid signature of these. */
json_t *alipay_verify(const struct alipay *alipay, const json_t *document, const struct response *response,
                      const char *node_name, char fault[CODE_BYTES]);

/* Some bytes of a document. */
struct alipay_node {
    const char *bytes;
    size_t length;
};

/* The value of this member of the top object, as it stands there: with its braces or quotes. False when the member is not there
 * exactly once, or the brackets and quotes do not pair. */
bool alipay_node_find(const char *bytes, size_t length, const char *name, struct alipay_node *out);

/* ---- certificates ---- */

/* app_cert_sn, alipay_cert_sn: MD5 of the issuer's name and the serial number. 0 and a text to be freed, -EINVAL with a
 * sentence, or -ENOMEM. */
int alipay_serial_write(char **out, const X509 *certificate, const char **why);
/* alipay_root_cert_sn: the same of every RSA-signed certificate of a PEM text, joined by "_". */
int alipay_root_serial_write(char **out, const char *text, const char **why);

#endif
