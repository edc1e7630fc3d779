/* Alipay's signatures: the text of a request, and whether an answer is Alipay's. Called by the workers. What is verified is what
 * is read: the answer is parsed out of the very bytes that the signature covers. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/alipay_inner.h"
#include "channel/draft.h"
#include "channel/json.h"
#include "channel/rsa.h"

/* ---- requests ---- */

static int param_compare(const void *one, const void *other)
{
    return strcmp(((const struct alipay_param *)one)->name, ((const struct alipay_param *)other)->name);
}

static bool param_is_signed(const struct alipay_param *param)
{
    return param->value && *param->value && strcmp(param->name, "sign") != 0;
}

char *alipay_sign_text(struct alipay_param *params, size_t count)
{
    size_t room = 1;
    struct draft text = {0};
    qsort(params, count, sizeof(*params), param_compare);
    for (size_t i = 0; i < count; i++)
        room += param_is_signed(&params[i]) ? strlen(params[i].name) + strlen(params[i].value) + 2 : 0;
    draft_reserve(&text, room);
    for (size_t i = 0; i < count; i++) {
        if (!param_is_signed(&params[i]))
            continue;
        draft_say(&text, text.length ? "&" : "");
        draft_say(&text, params[i].name);
        draft_say(&text, "=");
        draft_say(&text, params[i].value);
    }
    return draft_take(&text);
}

/* ---- answers ---- */

/* In certificate mode the answer names the certificate. */
static const EVP_MD_CTX *verifier_find(const struct alipay *alipay, const char *serial)
{
    if (!alipay->app_serial)
        return alipay->keys[0].verifier;
    for (unsigned i = 0; serial && i < alipay->key_count; i++)
        if (strcmp(alipay->keys[i].serial, serial) == 0)
            return alipay->keys[i].verifier;
    return NULL;
}

/* "\/" written as "/"; NULL when there is none to be written so. */
static char *slashes_write(const struct alipay_node *node, size_t *out_length)
{
    char *text = memmem(node->bytes, node->length, "\\/", 2) ? malloc(node->length) : NULL;
    *out_length = 0;
    for (size_t i = 0; text && i < node->length; i++) {
        bool escapes = node->bytes[i] == '\\' && i + 1 < node->length && node->bytes[i + 1] == '/';
        if (!escapes)
            text[(*out_length)++] = node->bytes[i];
    }
    return text;
}

static json_t *text_verify(const EVP_MD_CTX *verifier, const char *sign, const char *bytes, size_t length)
{
    if (!rsa_verify_by(verifier, bytes, length, sign, strlen(sign)))
        return NULL;
    json_t *answer = json_load_strict(bytes, length, length);
    if (json_is_object(answer))
        return answer;
    json_decref(answer);
    return NULL;
}

/* As received; and as some of Alipay's servers sign it, before the slashes are escaped. */
static json_t *node_verify(const EVP_MD_CTX *verifier, const char *sign, const struct alipay_node *node)
{
    json_t *answer = text_verify(verifier, sign, node->bytes, node->length);
    if (answer)
        return answer;
    size_t length;
    char *text = slashes_write(node, &length);
    answer = text ? text_verify(verifier, sign, text, length) : NULL;
    free(text);
    return answer;
}

json_t *alipay_verify(const struct alipay *alipay, const json_t *document, const struct response *response,
                      const char *node_name, char fault[CODE_BYTES])
{
    const char *sign = json_string_value(json_object_get(document, "sign"));
    const char *serial = json_string_value(json_object_get(document, "alipay_cert_sn"));
    const EVP_MD_CTX *verifier = verifier_find(alipay, serial);
    struct alipay_node node;
    json_t *answer = NULL;
    if (!sign || !*sign)
        snprintf(fault, CODE_BYTES, "unsigned");
    else if (!alipay_node_find(response->body, response->body_bytes, node_name, &node))
        snprintf(fault, CODE_BYTES, "node_missing");
    else if (!verifier && !(serial && *serial))
        snprintf(fault, CODE_BYTES, "certificate_unnamed");
    else if (!verifier)
        snprintf(fault, CODE_BYTES, "certificate_unknown %.32s", serial);
    else if (!(answer = node_verify(verifier, sign, &node)))
        snprintf(fault, CODE_BYTES, "signature_wrong");
    return answer;
}
