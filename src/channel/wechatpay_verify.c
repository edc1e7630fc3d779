/* Whether an answer is WeChat Pay's: the four Wechatpay-* headers over the raw body. Called by the workers for every answer,
 * before a byte of it is read. Whatever is absent, ambiguous, stale or unknown is not verified. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/quantity.h"
#include "channel/draft.h"
#include "channel/rsa.h"
#include "channel/wechatpay_inner.h"

#define WINDOW_S 300

struct signature {
    const char *timestamp;
    const char *nonce;
    const char *serial;
    const char *value;
};

static const char *header_find(const struct response *response, const char *name)
{
    return response->header ? response->header(response->head, name) : NULL;
}

static bool timestamp_is_fresh(const char *text, const struct moment *moment)
{
    int64_t then_s;
    int64_t now_s = moment->unix_ms / 1000;
    return quantity_parse_integer(text, &then_s) && then_s > now_s - WINDOW_S && then_s < now_s + WINDOW_S;
}

/* Some write a serial's leading zero, some do not. */
static bool serial_is(const char *known, const char *named)
{
    return strcasecmp(known + strspn(known, "0"), named + strspn(named, "0")) == 0;
}

static const EVP_MD_CTX *verifier_find(const struct wechatpay *wechat, const char *serial)
{
    for (unsigned i = 0; i < wechat->key_count; i++)
        if (serial_is(wechat->keys[i].serial, serial))
            return wechat->keys[i].verifier;
    return NULL;
}

/* "timestamp\nnonce\nbody\n" */
static bool signature_holds(const struct signature *signature, const EVP_MD_CTX *verifier,
                            const struct response *response)
{
    struct draft draft = {0};
    draft_say(&draft, signature->timestamp);
    draft_say(&draft, "\n");
    draft_say(&draft, signature->nonce);
    draft_say(&draft, "\n");
    draft_add(&draft, response->body, response->body_bytes);
    draft_say(&draft, "\n");
    size_t length = draft.length;
    char *text = draft_take(&draft);
    bool holds = text && rsa_verify_by(verifier, text, length, signature->value, strlen(signature->value));
    free(text);
    return holds;
}

bool wechatpay_verify(const struct wechatpay *wechat, const struct moment *moment,
                      const struct response *response, char fault[CODE_BYTES])
{
    static const char probe[] = "WECHATPAY/SIGNTEST/"; /* WeChat Pay tries whether we verify at all */
    struct signature signature = {.timestamp = header_find(response, "Wechatpay-Timestamp"),
                                  .nonce = header_find(response, "Wechatpay-Nonce"),
                                  .serial = header_find(response, "Wechatpay-Serial"),
                                  .value = header_find(response, "Wechatpay-Signature")};
    bool complete = signature.timestamp && signature.nonce && signature.serial && signature.value;
    const EVP_MD_CTX *verifier = complete ? verifier_find(wechat, signature.serial) : NULL;
    if (!complete)
        snprintf(fault, CODE_BYTES, "unsigned");
    else if (strncmp(signature.value, probe, strlen(probe)) == 0)
        snprintf(fault, CODE_BYTES, "signature_probe");
    else if (!timestamp_is_fresh(signature.timestamp, moment))
        snprintf(fault, CODE_BYTES, "timestamp_stale %.40s", signature.timestamp);
    else if (!verifier)
        snprintf(fault, CODE_BYTES, "serial_unknown %.48s", signature.serial);
    else if (!signature_holds(&signature, verifier, response))
        snprintf(fault, CODE_BYTES, "signature_wrong");
    else
        return true;
    return false;
}
