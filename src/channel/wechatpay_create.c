/* Making the WeChat Pay channel out of its specification: keys are loaded and everything is checked here. Runs on the thread
 * that loads the configuration; keeps nothing of the specification, and repeats no key in a fault. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/head.h"
#include "channel/json_arena.h"
#include "channel/rsa.h"
#include "channel/url.h"
#include "channel/wechatpay.h"
#include "channel/wechatpay_inner.h"

/* ---- whom we ask, and who we are ---- */

/* Scheme and host: the path is what is signed. */
static char *host_compile(const char *url, bool allow_plain_http, const char *key, struct blame *blame)
{
    struct template template;
    size_t before = blame->faults->count;
    url_compile(&template, url, allow_plain_http, key, blame);
    template_finish(&template);
    const char *host = strstr(url, "://");
    if (blame->faults->count == before && host && strpbrk(host + 3, "/?"))
        blame_key(blame, key,
                  "the URL ends with the host, as https://api.mch.weixin.qq.com; makegood adds the path");
    return blame_copy(blame, url);
}

static void hosts_compile(struct wechatpay *wechat, const struct wechatpay_spec *spec, struct blame *blame)
{
    bool plain = spec->transport.allow_plain_http;
    const char *second = spec->second_url;
    if (!second && !spec->url)
        second = "https://api2.mch.weixin.qq.com";
    wechat->url = host_compile(spec->url ? spec->url : "https://api.mch.weixin.qq.com", plain, "url", blame);
    if (second && *second)
        wechat->second_url = host_compile(second, plain, "second_url", blame);
}

static void merchant_compile(char **out, const char *text, const char *key, struct blame *blame)
{
    if (!text || !wechatpay_merchant_is_valid(text))
        blame_key(blame, key,
                  "a merchant of WeChat Pay's (mchid) has 1 to %d digits; write it as the platform shows it",
                  MERCHANT_BYTES - 1);
    *out = blame_copy(blame, text);
}

static void app_compile(struct wechatpay *wechat, const char *app_id, struct blame *blame)
{
    if (app_id && (strlen(app_id) >= MERCHANT_BYTES || !order_number_is_valid(app_id)))
        blame_key(blame, "app_id",
                  "an appid has 1 to %d letters and digits, as wxd678efh567hg6787; remove it where several "
                  "apps share the merchant",
                  MERCHANT_BYTES - 1);
    wechat->app_id = blame_copy(blame, app_id);
}

static void serial_compile(struct wechatpay *wechat, const char *serial, struct blame *blame)
{
    size_t digits = serial ? strspn(serial, "0123456789abcdefABCDEF") : 0;
    if (!digits || digits > 64 || serial[digits])
        blame_key(blame, "serial",
                  "the serial number of the merchant's certificate is missing or no hex number; "
                  "`openssl x509 -noout -serial -in apiclient_cert.pem` shows it");
    wechat->serial = blame_copy(blame, serial);
    for (char *at = wechat->serial; at && *at; at++)
        if (*at >= 'a' && *at <= 'f')
            *at = (char)(*at - 'a' + 'A');
}

/* ---- keys ---- */

static void private_key_compile(struct wechatpay *wechat, const char *text, struct blame *blame)
{
    const char *why = "the merchant's private key is missing; it is the file apiclient_key.pem";
    int error = text && *text ? rsa_private_load(&wechat->private_key, text, &why) : -EINVAL;
    blame_load(error, "private_key_file", why, blame);
    wechat->signer = error ? NULL : rsa_signer(wechat->private_key);
    if (!error && !wechat->signer)
        blame_memory(blame);
}

/* Serial and key are the channel's from here on. */
static int key_add(struct wechatpay *wechat, char *serial, EVP_PKEY *key)
{
    EVP_MD_CTX *verifier = rsa_verifier(key);
    wechat->keys[wechat->key_count++] = (struct wechatpay_key){serial, key, verifier};
    return verifier ? 0 : -ENOMEM;
}

/* The key and serial of one platform certificate; its end in *out_end. */
static int certificate_take(struct wechatpay *wechat, const char *text, int64_t *out_end, const char **why)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    int error = certificate_load(&certificate, text, why);
    if (!error)
        error = rsa_public_load(&key, text, why);
    char *serial = error ? NULL : certificate_serial(certificate);
    if (serial) {
        error = key_add(wechat, serial, key);
        *out_end = certificate_end(certificate);
    } else {
        EVP_PKEY_free(key);
        error = error ? error : -ENOMEM;
    }
    X509_free(certificate);
    return error;
}

/* The first end is warned about; the certificate that ends last is the newest. */
static void certificates_compile(struct wechatpay *wechat, const struct wechatpay_spec *spec,
                                 struct blame *blame)
{
    int64_t newest = 0;
    for (unsigned i = 0; i < spec->platform_certificate_count; i++) {
        char key[KEY_BYTES];
        const char *why = "";
        int64_t end = 0;
        snprintf(key, sizeof(key), "platform_certificate_files[%u]", i);
        int error = certificate_take(wechat, spec->platform_certificates[i], &end, &why);
        blame_load(error, key, why, blame);
        if (error)
            continue;
        head_ends(&wechat->head, end);
        if (wechat->answer_serial && end <= newest)
            continue;
        newest = end;
        wechat->answer_serial = wechat->keys[wechat->key_count - 1].serial;
    }
}

static bool key_id_is_valid(const char *id)
{
    static const char start[] = "PUB_KEY_ID_";
    return strncmp(id, start, strlen(start)) == 0 && strlen(id) < 64 && order_number_is_valid(id);
}

static void public_key_compile(struct wechatpay *wechat, const struct wechatpay_spec *spec,
                               struct blame *blame)
{
    const char *why;
    EVP_PKEY *key = NULL;
    if (!spec->public_key_id && !spec->public_key)
        return;
    if (!spec->public_key_id || !key_id_is_valid(spec->public_key_id)) {
        blame_key(
            blame, "public_key_id",
            "the id of WeChat Pay's public key is missing or does not begin with PUB_KEY_ID_; copy it from "
            "where the key was downloaded");
        return;
    }
    why = "WeChat Pay's public key is missing; it is the file pub_key.pem";
    int error = spec->public_key ? rsa_public_load(&key, spec->public_key, &why) : -EINVAL;
    blame_load(error, "public_key_file", why, blame);
    char *id = error ? NULL : blame_copy(blame, spec->public_key_id);
    if (!id) {
        EVP_PKEY_free(key);
        return;
    }
    if (key_add(wechat, id, key) < 0)
        blame_memory(blame);
    wechat->answer_serial = id; /* new merchants have this one only */
}

static void keys_compile(struct wechatpay *wechat, const struct wechatpay_spec *spec, struct blame *blame)
{
    private_key_compile(wechat, spec->private_key, blame);
    wechat->keys = blame_array(blame, spec->platform_certificate_count + 1, sizeof(*wechat->keys));
    if (!wechat->keys)
        return;
    certificates_compile(wechat, spec, blame);
    public_key_compile(wechat, spec, blame);
    if (!spec->platform_certificate_count && !spec->public_key_id && !spec->public_key)
        blame_key(blame, "public_key_file",
                  "answers can not be verified without a key: give public_key_id and public_key_file, or "
                  "platform_certificate_files");
}

int wechatpay_create(struct channel **out, const struct wechatpay_spec *spec, const char *path_prefix,
                     struct faults *faults)
{
    struct blame blame = {.faults = faults, .prefix = path_prefix};
    *out = NULL;
    json_object_seed(0); /* the hash seed, before any thread needs it */
    json_arena_install();
    struct wechatpay *wechat = calloc(1, sizeof(*wechat));
    if (!wechat)
        return -ENOMEM;
    wechat->head.kind = &wechatpay_kind;
    wechat->head.can_close = true;
    wechat->head.skew_max_ms = 300000;
    head_compile(&wechat->head, spec->name, &spec->transport, &blame);
    hosts_compile(wechat, spec, &blame);
    app_compile(wechat, spec->app_id, &blame);
    merchant_compile(&wechat->merchant, spec->merchant, "merchant", &blame);
    if (spec->sub_merchant)
        merchant_compile(&wechat->sub_merchant, spec->sub_merchant, "sub_merchant", &blame);
    serial_compile(wechat, spec->serial, &blame);
    keys_compile(wechat, spec, &blame);
    if (blame.error) {
        wechatpay_kind.destroy(&wechat->head);
        return blame.error;
    }
    *out = &wechat->head;
    return 0;
}
