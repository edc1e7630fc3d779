/* Providers: how each channel is asked and how it answers. The server finds the provider by the path, the order by the
 * number that the provider reads, and the fate by the order; the provider says it in its own words. A provider keeps
 * no state and is called by the server's threads. */
#ifndef BANK_PROVIDER_H
#define BANK_PROVIDER_H

#include <microhttpd.h>
#include <time.h>

#include "bank/answer.h"
#include "bank/form.h"
#include "bank/keys.h"
#include "bank/tokens.h"

enum verb { VERB_QUERY, VERB_CLOSE, VERB_TOKEN };

struct question {
    struct MHD_Connection *connection;
    const struct keys *keys; /* NULL: without --keys; providers that sign are not there */
    const char *secret;      /* --key; NULL: none is asked for */
    struct tokens *tokens;
    const char *method;
    const char *target; /* path and query, as they were sent */
    const char *rest;   /* what follows the provider's path, unescaped */
    char *body;         /* NUL-terminated; forms are read where they stand */
    size_t body_bytes;
    enum verb verb;
    char number[65];
    char merchant[33];         /* as it was asked for, and so answered */
    char txn_time[15];         /* UnionPay */
    bool by_certificate;       /* Alipay: certificate mode */
    char signer[SERIAL_BYTES]; /* WeChat Pay: the key that is to answer */
};

/* What is true about the order that was asked for. */
struct report {
    enum word word;     /* a state; never a fault of the connection */
    enum word forgery;  /* BAD_SIGNATURE to TWO_NODES, or PAID: genuine */
    const char *number; /* not NUL-terminated */
    int number_length;
    int64_t amount_minor;
    const char *currency; /* lower case */
    unsigned retry_after_s;
};

struct provider {
    const char *path;
    bool needs_keys;
    /* False: refused, the answer is written. */
    bool (*read)(struct question *question, struct answer *out);
    void (*tell)(const struct question *question, const struct report *report, struct answer *out);
    /* About a number that the ledger does not have. */
    void (*unknown)(const struct question *question, struct answer *out);
};

extern const struct provider wechatpay, wechatpay_partner, alipay, unionpay, paypal_token, paypal_order;

/* Letters and digits only, so that they can be repeated in any answer. */
bool word_copy(const char *text, size_t length, char *out, size_t bytes);
const char *question_header(const struct question *question, const char *name);
struct tm beijing_time(time_t time);
/* 12.34 */
void yuan_write(int64_t amount_minor, char out[32]);

#endif
