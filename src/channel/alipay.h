/* Alipay's gateway (`type: alipay`): alipay.trade.query and alipay.trade.close, signed with RSA2. Facts and their sources:
 * doc/channel.md; statuses and error codes as Alipay documents them for these two methods.
 *
 * The attempt's number is out_trade_no; an attempt whose channel_data names a trade_no is asked by that. Ours is an answer that
 * names what was asked by. It is verified over the exact bytes of our method's own node, a direct child of the document that
 * occurs once, and read from these very bytes. An answer that does not verify (error_response need not be signed) is never
 * more than a reason to ask again. */
#ifndef MAKEGOOD_CHANNEL_ALIPAY_H
#define MAKEGOOD_CHANNEL_ALIPAY_H

#include "makegood/channel.h"
#include "makegood/fault.h"

struct alipay_spec {
    const char *name;
    const char *url; /* NULL: https://openapi.alipay.com/gateway.do */
    const char *app_id;
    const char *app_auth_token; /* NULL: none; a secret */
    /* Texts of files that were read already. */
    const char *private_key; /* the application's */
    const char *public_key;  /* key mode: Alipay's; NULL in certificate mode */
    /* Certificate mode: all three, and no public_key. */
    const char *app_certificate;
    const char *alipay_certificate; /* while Alipay changes it, the old one and the new one together */
    const char *root_certificates;
    struct transport transport; /* copied */
};

/* As http_channel_create: 0 and a channel, -EINVAL and at least one fault added, or -ENOMEM. The specification may be freed
 * afterwards. */
int alipay_create(struct channel **out, const struct alipay_spec *spec, const char *path_prefix,
                  struct faults *faults);

#endif
