/* A ready channels: section: see paste.h. Runs on the main thread. Prints paths, never keys. */
#include "bank/paste.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

void paste_print(const struct keys *keys, const char *folder, int port)
{
    char path[PATH_MAX];
    const char *in = realpath(folder, path) ? path : folder;
    printf("channels:\n"
           "  - name: wechatpay\n"
           "    type: wechatpay\n"
           "    url: https://localhost:%d\n"
           "    app_id: wx8888888888888888\n"
           "    merchant: \"1900000001\"\n"
           "    serial: \"%s\"\n"
           "    private_key_file: %s/wechatpay-merchant.key\n"
           "    platform_certificate_files: [%s/wechatpay-platform.crt]\n"
           "    ca_file: %s/ca.crt\n",
           port, keys->of[IDENTITY_WECHATPAY_MERCHANT].hex, in, in, in);
    printf("  - name: alipay\n"
           "    type: alipay\n"
           "    url: https://localhost:%d/gateway.do\n"
           "    app_id: \"2021000000000001\"\n"
           "    private_key_file: %s/alipay-app.key\n"
           "    app_certificate_file: %s/alipay-app.crt\n"
           "    alipay_certificate_file: %s/alipay.crt\n"
           "    root_certificates_file: %s/alipay-root.crt\n"
           "    ca_file: %s/ca.crt\n",
           port, in, in, in, in, in);
    printf("  - name: unionpay\n"
           "    type: unionpay\n"
           "    url: https://localhost:%d/gateway/api/queryTrans.do\n"
           "    merchant: \"777290058110048\"\n"
           "    private_key_file: %s/unionpay-merchant.key\n"
           "    certificate_file: %s/unionpay-merchant.crt\n"
           "    root_certificates_file: %s/unionpay-root.crt\n"
           "    ca_file: %s/ca.crt\n",
           port, in, in, in, in);
}
