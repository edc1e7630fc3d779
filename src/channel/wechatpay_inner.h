/* The inside of the WeChat Pay channel: shared by wechatpay_create.c, which makes it, wechatpay.c, which asks,
 * wechatpay_verify.c and wechatpay_answer.c, which read what comes back. Immutable after its creation. */
#ifndef MAKEGOOD_CHANNEL_WECHATPAY_INNER_H
#define MAKEGOOD_CHANNEL_WECHATPAY_INNER_H

#include <openssl/evp.h>

#include "makegood/channel.h"

#define MERCHANT_BYTES 33 /* mchid and appid: at most 32 characters */

/* A key that answers are verified with: of a platform certificate, or WeChat Pay's public key. */
struct wechatpay_key {
    char *serial; /* upper-case hex, or PUB_KEY_ID_... */
    EVP_PKEY *key;
    EVP_MD_CTX *verifier; /* by it */
};

struct wechatpay {
    struct channel head; /* first: a struct channel * is one of these */
    char *url;           /* scheme and host */
    char *second_url;    /* NULL: none */
    char *app_id;        /* NULL: not compared */
    char *merchant;
    char *sub_merchant; /* NULL: none by default */
    char *serial;       /* of the merchant's certificate */
    EVP_PKEY *private_key;
    EVP_MD_CTX *signer; /* by it */
    struct wechatpay_key *keys;
    unsigned key_count;
    const char *answer_serial; /* of the key that answers should be signed with */
};

extern const struct channel_kind wechatpay_kind;

/* What an attempt is asked by, and whose it is. */
struct wechatpay_question {
    const char *number;                /* out_trade_no, "": unknown */
    char transaction_id[NUMBER_BYTES]; /* "": asked by number */
    char sub_merchant[MERCHANT_BYTES]; /* "": direct mode */
};

/* 0; -EINVAL with a sentence when the attempt can not be asked about. */
int wechatpay_question_read(const struct wechatpay *wechat, const struct lost_order *order,
                            struct wechatpay_question *out, const char **why);

/* mchid, sub_mchid: digits. */
bool wechatpay_merchant_is_valid(const char *text);

/* Adds the Authorization header for these very bytes; target is path and query. 0 or -ENOMEM. */
int wechatpay_authorize(const struct wechatpay *wechat, const struct moment *moment, const char *method,
                        const char *target, const char *body, struct request *out);

/* True when the answer carries a fresh signature of one of our keys. Otherwise what is wrong, for evidence.code. */
bool wechatpay_verify(const struct wechatpay *wechat, const struct moment *moment,
                      const struct response *response, char fault[CODE_BYTES]);

void wechatpay_interpret(const struct channel *channel, const struct lost_order *order,
                         const struct moment *moment, const struct response *response, struct evidence *out);
void wechatpay_interpret_close(const struct channel *channel, const struct lost_order *order,
                               const struct moment *moment, const struct response *response,
                               struct evidence *out);

#endif
