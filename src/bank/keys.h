/* Keys of the simulated channels: what both sides of a rehearsal need, as PEM files in one folder. Made once; loaded
 * before the server's threads start, and only read afterwards. */
#ifndef BANK_KEYS_H
#define BANK_KEYS_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "bank/ledger.h"

/* X(NAME, file, common name, who certifies it). A file becomes FILE.crt, FILE.key and FILE.pub. */
#define IDENTITY_LIST(X)                                                                  \
    X(CA, "ca", "makegood bank", CA)                                                      \
    X(SERVER, "server", "localhost", CA)                                                  \
    X(WECHATPAY, "wechatpay-platform", "Tenpay.com sign", CA)                             \
    X(WECHATPAY_MERCHANT, "wechatpay-merchant", "1900000001", CA)                         \
    X(ALIPAY_ROOT, "alipay-root", "Ant Financial root of makegood bank", ALIPAY_ROOT)     \
    X(ALIPAY, "alipay", "Alipay of makegood bank", ALIPAY_ROOT)                           \
    X(ALIPAY_APP, "alipay-app", "2021000000000001", ALIPAY_ROOT)                          \
    X(UNIONPAY_ROOT, "unionpay-root", "CFCA root of makegood bank", UNIONPAY_ROOT)        \
    X(UNIONPAY, "unionpay-signer", "041@Z1@中国银联股份有限公司@00000001", UNIONPAY_ROOT) \
    X(UNIONPAY_MERCHANT, "unionpay-merchant", "041@Z2@777290058110048@00000002", UNIONPAY_ROOT)

enum identity_name {
#define X(name, ...) IDENTITY_##name,
    IDENTITY_LIST(X)
#undef X
        IDENTITIES
};

#define SERIAL_BYTES 64

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char hex[SERIAL_BYTES];     /* serial number, upper case */
    char decimal[SERIAL_BYTES]; /* the same */
    char digest[SERIAL_BYTES];  /* Alipay's "SN": MD5 of issuer and serial */
};

struct keys {
    struct identity of[IDENTITIES];
};

/* Makes whatever the folder lacks: nothing but the whole set when ca.crt is not there. 0, or -1 and a sentence. */
int keys_open(struct keys *keys, const char *folder, char why[WHY_BYTES]);
void keys_close(struct keys *keys);

/* mint.c: new keys and certificates into an existing folder. 0 or -1. */
int keys_mint(const char *folder);
const char *identity_file(enum identity_name name);

#endif
