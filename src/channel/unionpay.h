/* UnionPay's order query (`type: unionpay`): queryTrans.do with signMethod 01. An order is known by merchant, orderId (the
 * attempt's number) and txnTime, which the shop hands over as channel_data.txn_time. Facts and their sources:
 * doc/channel.md.
 *
 * The answer is k=v&k=v without percent-encoding; values may hold "=" and, inside braces, "&". It is verified with the
 * certificate that it carries, which must chain to the configured root and name UnionPay. */
#ifndef MAKEGOOD_CHANNEL_UNIONPAY_H
#define MAKEGOOD_CHANNEL_UNIONPAY_H

#include "makegood/channel.h"
#include "makegood/fault.h"

struct unionpay_spec {
    const char *name;
    const char *url;      /* NULL: https://gateway.95516.com/gateway/api/queryTrans.do */
    const char *merchant; /* merId */
    /* Texts of files that were read already. */
    const char *certificate;       /* the merchant's signing certificate: certId is its serial as a decimal */
    const char *private_key;       /* its key */
    const char *root_certificates; /* UnionPay's root, and what is between it and the signing certificate */
    /* What stands between two "@" in the common name of the certificate that answers are signed with; NULL: the name that
     * UnionPay uses. Merchants have certificates under the same root. */
    const char *signer;
    struct transport transport; /* copied */
};

/* As http_channel_create. */
int unionpay_create(struct channel **out, const struct unionpay_spec *spec, const char *path_prefix,
                    struct faults *faults);

#endif
