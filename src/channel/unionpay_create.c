/* Making the UnionPay channel out of its specification: keys and certificates are loaded and everything is checked here. Runs
 * on the thread that loads the configuration; keeps nothing of the specification, and repeats no key in a fault. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/chain.h"
#include "channel/head.h"
#include "channel/json_arena.h"
#include "channel/rsa.h"
#include "channel/unionpay.h"
#include "channel/unionpay_inner.h"
#include "channel/url.h"

#define QUERY_URL   "https://gateway.95516.com/gateway/api/queryTrans.do"
#define SIGNER_NAME "中国银联股份有限公司"

static void merchant_take(struct unionpay *unionpay, const char *merchant, struct blame *blame)
{
    if (!merchant || strlen(merchant) != 15 || !order_number_is_valid(merchant) || strpbrk(merchant, "_|*-"))
        blame_key(blame, "merchant", "a merchant of UnionPay's (merId) has 15 letters and digits");
    unionpay->merchant = blame_copy(blame, merchant);
}

static void signer_take(struct unionpay *unionpay, const char *signer, struct blame *blame)
{
    if (signer && !*signer)
        blame_key(blame, "signer",
                  "nobody is named; write what the certificate of the answers must name, or remove the key");
    unionpay->signer = blame_copy(blame, signer ? signer : SIGNER_NAME);
}

static void certificate_take(struct unionpay *unionpay, X509 *certificate, struct blame *blame)
{
    unionpay->certificate_id = certificate_serial_decimal(certificate);
    if (!unionpay->certificate_id)
        blame_memory(blame);
    head_ends(&unionpay->head, certificate_end(certificate));
    if (unionpay->private_key && X509_check_private_key(certificate, unionpay->private_key) != 1)
        blame_key(blame, "private_key_file",
                  "this key does not belong to the certificate; both come out of the same .pfx file");
}

static void credentials_take(struct unionpay *unionpay, const struct unionpay_spec *spec, struct blame *blame)
{
    X509 *certificate = NULL;
    const char *why = "the merchant's private key is missing; `openssl pkcs12 -nocerts -nodes` takes it out "
                      "of the .pfx file";
    int error =
        spec->private_key ? rsa_private_load(&unionpay->private_key, spec->private_key, &why) : -EINVAL;
    blame_load(error, "private_key_file", why, blame);
    why = "the merchant's certificate is missing; `openssl pkcs12 -clcerts -nokeys` takes it out of the .pfx "
          "file";
    error = spec->certificate ? certificate_load(&certificate, spec->certificate, &why) : -EINVAL;
    if (blame_load(error, "certificate_file", why, blame))
        certificate_take(unionpay, certificate, blame);
    X509_free(certificate);
}

static void roots_take(struct unionpay *unionpay, const char *text, struct blame *blame)
{
    int64_t end = 0;
    const char *why = "UnionPay's root certificate is missing; its SDK has it as acp_prod_root.cer, and "
                      "acp_prod_middle.cer belongs into the same file";
    int error = text ? roots_load(&unionpay->roots, text, &end, &why) : -EINVAL;
    if (blame_load(error, "root_certificates_file", why, blame))
        head_ends(&unionpay->head, end);
}

int unionpay_create(struct channel **out, const struct unionpay_spec *spec, const char *path_prefix,
                    struct faults *faults)
{
    struct blame blame = {.faults = faults, .prefix = path_prefix};
    *out = NULL;
    json_object_seed(0); /* the hash seed, before any thread needs it */
    json_arena_install();
    struct unionpay *unionpay = calloc(1, sizeof(*unionpay));
    if (!unionpay)
        return -ENOMEM;
    unionpay->head.kind = &unionpay_kind;
    head_compile(&unionpay->head, spec->name, &spec->transport, &blame);
    unionpay->url =
        url_gateway(spec->url ? spec->url : QUERY_URL, spec->transport.allow_plain_http, QUERY_URL, &blame);
    merchant_take(unionpay, spec->merchant, &blame);
    signer_take(unionpay, spec->signer, &blame);
    credentials_take(unionpay, spec, &blame);
    roots_take(unionpay, spec->root_certificates, &blame);
    if (blame.error) {
        unionpay_kind.destroy(&unionpay->head);
        return blame.error;
    }
    *out = &unionpay->head;
    return 0;
}
