/* From drafts to channels, by type. Runs on the thread that loads the configuration. Key material lives in memory of its
 * own until the channel has taken it, and is wiped then. */
#include "daemon/config_channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "channel/alipay.h"
#include "channel/unionpay.h"
#include "channel/wechatpay.h"
#include "daemon/config_secret.h"

#define CERTIFICATES_MAX 16 /* as the key table bounds their list */
#define TEXTS_MAX        (CERTIFICATES_MAX + 4)

/* What one channel's files hold. */
struct material {
    struct config_reader *reader;
    const char *prefix;
    char *texts[TEXTS_MAX];
    int count;
    bool failed; /* a file that is named could not be read: what it lacks is not blamed again */
};

/* The text of the file that a key names; NULL when it names none, or the fault was told. */
static const char *file_take(struct material *material, const char *key, const char *file,
                             enum secrecy secrecy)
{
    char path[CONFIG_PATH_BYTES];
    char why[512] = "";
    if (!file)
        return NULL;
    snprintf(path, sizeof(path), "%s.%s", material->prefix, key);
    char *text = secret_read(file, secrecy, why, sizeof(why));
    if (text) {
        assert(material->count < TEXTS_MAX);
        material->texts[material->count++] = text;
    } else if (*why) {
        config_blame(material->reader, path, "%s", why);
        material->failed = true;
    } else
        material->reader->error = -ENOMEM;
    return text;
}

static void material_drop(struct material *material)
{
    for (int i = 0; i < material->count; i++)
        secret_drop(material->texts[i]);
}

/* --- the types ------------------------------------------------------------------------------------------------------ */

static int http_make(struct channel **out, struct material *material, const struct channel_draft *draft,
                     struct faults *faults)
{
    struct http_channel_spec spec = draft->spec;
    spec.secret = file_take(material, "secret_file", draft->secret_file, SECRECY_GUARDED);
    return http_channel_create(out, &spec, material->prefix, faults);
}

static int alipay_make(struct channel **out, struct material *material, const struct channel_draft *draft,
                       struct faults *faults)
{
    const struct alipay_spec spec = {
        .name = draft->spec.name,
        .url = draft->spec.url,
        .app_id = draft->app_id,
        .app_auth_token =
            file_take(material, "app_auth_token_file", draft->app_auth_token_file, SECRECY_GUARDED),
        .private_key = file_take(material, "private_key_file", draft->private_key_file, SECRECY_GUARDED),
        .public_key = file_take(material, "public_key_file", draft->public_key_file, SECRECY_OPEN),
        .app_certificate = file_take(material, "app_certificate_file", draft->certificate_file, SECRECY_OPEN),
        .alipay_certificate =
            file_take(material, "alipay_certificate_file", draft->alipay_certificate_file, SECRECY_OPEN),
        .root_certificates =
            file_take(material, "root_certificates_file", draft->root_certificates_file, SECRECY_OPEN),
        .transport = draft->spec.transport,
    };
    return material->failed ? -EINVAL : alipay_create(out, &spec, material->prefix, faults);
}

static int wechatpay_make(struct channel **out, struct material *material, const struct channel_draft *draft,
                          struct faults *faults)
{
    const char *certificates[CERTIFICATES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < draft->platform_certificate_file_count && i < CERTIFICATES_MAX; i++) {
        char key[48];
        snprintf(key, sizeof(key), "platform_certificate_files[%u]", i);
        const char *text = file_take(material, key, draft->platform_certificate_files[i], SECRECY_OPEN);
        if (text)
            certificates[count++] = text;
    }
    const struct wechatpay_spec spec = {
        .name = draft->spec.name,
        .url = draft->spec.url,
        .second_url = draft->second_url,
        .app_id = draft->app_id,
        .merchant = draft->spec.merchant,
        .sub_merchant = draft->sub_merchant,
        .serial = draft->serial,
        .private_key = file_take(material, "private_key_file", draft->private_key_file, SECRECY_GUARDED),
        .platform_certificates = certificates,
        .platform_certificate_count = count,
        .public_key_id = draft->public_key_id,
        .public_key = file_take(material, "public_key_file", draft->public_key_file, SECRECY_OPEN),
        .transport = draft->spec.transport,
    };
    return material->failed ? -EINVAL : wechatpay_create(out, &spec, material->prefix, faults);
}

static int unionpay_make(struct channel **out, struct material *material, const struct channel_draft *draft,
                         struct faults *faults)
{
    const struct unionpay_spec spec = {
        .name = draft->spec.name,
        .url = draft->spec.url,
        .merchant = draft->spec.merchant,
        .certificate = file_take(material, "certificate_file", draft->certificate_file, SECRECY_OPEN),
        .private_key = file_take(material, "private_key_file", draft->private_key_file, SECRECY_GUARDED),
        .root_certificates =
            file_take(material, "root_certificates_file", draft->root_certificates_file, SECRECY_OPEN),
        .signer = draft->signer,
        .transport = draft->spec.transport,
    };
    return material->failed ? -EINVAL : unionpay_create(out, &spec, material->prefix, faults);
}

/* --- one channel ---------------------------------------------------------------------------------------------------- */

static void closing_settle(struct config_reader *reader, struct channel_draft *draft,
                           const struct channel *channel, const char *prefix)
{
    char path[CONFIG_PATH_BYTES];
    draft->policy.can_close = channel->can_close;
    snprintf(path, sizeof(path), "%s.close_at_horizon", prefix);
    if (draft->policy.closes && !channel->can_close)
        config_blame(reader, path, "this channel can not be asked to close anything; remove the key");
}

/* As the channel itself says once it is made. */
static bool can_close(enum channel_type type, const struct channel_draft *draft)
{
    return type == CHANNEL_ALIPAY || type == CHANNEL_WECHATPAY ||
           (type == CHANNEL_HTTP && draft->spec.close.url);
}

struct channel *config_channel_make(struct config_reader *reader, struct channel_draft *draft,
                                    const char *prefix)
{
    static int (*const makers[CHANNEL_TYPES])(struct channel **, struct material *,
                                              const struct channel_draft *, struct faults *) = {
        [CHANNEL_HTTP] = http_make,
        [CHANNEL_ALIPAY] = alipay_make,
        [CHANNEL_WECHATPAY] = wechatpay_make,
        [CHANNEL_UNIONPAY] = unionpay_make,
    };
    struct material material = {.reader = reader, .prefix = prefix};
    struct channel *channel = NULL;
    struct faults faults;
    enum channel_type type = CHANNEL_HTTP;
    if (draft->type && !channel_type_parse(draft->type, &type))
        return NULL; /* blamed already */
    if (reader->sealed) {
        draft->policy.can_close = can_close(type, draft);
        return NULL;
    }
    faults_init(&faults);
    if (makers[type](&channel, &material, draft, &faults) == -ENOMEM)
        reader->error = -ENOMEM;
    config_layer_begin(reader);
    for (size_t i = 0; i < faults.count; i++)
        config_blame(reader, faults.items[i].path, "%s", faults.items[i].text ? faults.items[i].text : "");
    if (channel)
        closing_settle(reader, draft, channel, prefix);
    faults_finish(&faults);
    material_drop(&material);
    return channel;
}
