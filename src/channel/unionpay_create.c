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

static void url_take(struct unionpay *unionpay, const char *url, bool allow_plain_http, struct blame *blame)
{
    struct template template;
    url_compile(&template, url, allow_plain_http, "url", blame);
    template_finish(&template);
    if (strpbrk(url, "{}?"))
        blame_key(blame, "url", "the URL has no placeholder and no query; write it as " QUERY_URL);
    unionpay->url = blame_copy(blame, url);
}

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

/* The first end of what the channel was given. */
static void end_take(struct unionpay *unionpay, int64_t end)
{
    int64_t *first = &unionpay->head.credential_end;
    if (end > 0 && (!*first || end < *first))
        *first = end;
}

static bool load_blame(int error, const char *key, const char *why, struct blame *blame)
{
    if (error == -EINVAL)
        blame_key(blame, key, "%s", why);
    else if (error)
        blame_memory(blame);
    return !error;
}

static void certificate_take(struct unionpay *unionpay, X509 *certificate, struct blame *blame)
{
    unionpay->certificate_id = certificate_serial_decimal(certificate);
    if (!unionpay->certificate_id)
        blame_memory(blame);
    end_take(unionpay, certificate_end(certificate));
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
    load_blame(error, "private_key_file", why, blame);
    why = "the merchant's certificate is missing; `openssl pkcs12 -clcerts -nokeys` takes it out of the .pfx "
          "file";
    error = spec->certificate ? certificate_load(&certificate, spec->certificate, &why) : -EINVAL;
    if (load_blame(error, "certificate_file", why, blame))
        certificate_take(unionpay, certificate, blame);
    X509_free(certificate);
}

static void roots_take(struct unionpay *unionpay, const char *text, struct blame *blame)
{
    int64_t end = 0;
    const char *why = "UnionPay's root certificate is missing; its SDK has it as acp_prod_root.cer, and "
                      "acp_prod_middle.cer belongs into the same file";
    int error = text ? roots_load(&unionpay->roots, text, &end, &why) : -EINVAL;
    if (load_blame(error, "root_certificates_file", why, blame))
        end_take(unionpay, end);
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
    url_take(unionpay, spec->url ? spec->url : QUERY_URL, spec->transport.allow_plain_http, &blame);
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
