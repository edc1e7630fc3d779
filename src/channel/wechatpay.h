/* WeChat Pay API v3 (`type: wechatpay`): query by out_trade_no (the attempt's number), or by transaction_id where
 * channel_data names one; direct and partner mode; close. Facts and their sources: doc/channel.md.
 *
 * Requests carry WECHATPAY2-SHA256-RSA2048. Answers are verified over the raw body with the key that Wechatpay-Serial names,
 * within 300 seconds of our clock; without a valid signature an answer is evidence of nothing. */
#ifndef MAKEGOOD_CHANNEL_WECHATPAY_H
#define MAKEGOOD_CHANNEL_WECHATPAY_H

#include "makegood/channel.h"
#include "makegood/fault.h"

struct wechatpay_spec {
    const char *name;
    const char *url;        /* NULL: https://api.mch.weixin.qq.com */
    const char *second_url; /* "": none; NULL: https://api2.mch.weixin.qq.com, or none where url is given */
    const char *app_id;     /* NULL: not compared */
    const char *merchant;   /* mchid; in partner mode sp_mchid */
    const char *
        sub_merchant; /* partner mode: sub_mchid, which an attempt's channel_data.sub_mchid overrides; NULL: direct
                                 mode for attempts that name none */
    const char *serial; /* of the merchant's certificate, hex */
    /* Texts of files that were read already. */
    const char *private_key; /* the merchant's */
    const char *const *platform_certificates;
    unsigned platform_certificate_count;
    const char *public_key_id; /* PUB_KEY_ID_...; with public_key, or neither */
    const char *public_key;
    struct transport transport; /* copied */
};

/* At least one of platform certificates and public key is needed; both may be loaded together. As http_channel_create. */
int wechatpay_create(struct channel **out, const struct wechatpay_spec *spec, const char *path_prefix,
                     struct faults *faults);

#endif
