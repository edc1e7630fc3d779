/* Making the WeChat Pay channel: each fault at its key, with its mend, and never a byte of a key. */
#include "wechatpay_fixture.h"

static void refused(const struct wechatpay_spec *spec, const char *path, const char *words)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    assert_int_equal(wechatpay_create(&channel, spec, "channels[0]", &faults), -EINVAL);
    assert_null(channel);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].path, path);
    if (!strstr(faults.items[0].text, words))
        fail_msg("%s is told as: %s", path, faults.items[0].text);
    assert_null(strstr(faults.items[0].text, "MII"));
    faults_finish(&faults);
}

#define REFUSED(field, value, key, words)                 \
    do {                                                  \
        struct wechatpay_spec changed = wechatpay_spec(); \
        changed.field = value;                            \
        refused(&changed, "channels[0]." key, words);     \
    } while (0)

static void names_and_hosts_are_checked(void **state)
{
    (void)state;
    REFUSED(name, "We Chat", "name", "small letters");
    REFUSED(url, "http://api.mch.weixin.qq.com", "url", "https://");
    REFUSED(url, "https://api.mch.weixin.qq.com/", "url", "ends with the host");
    REFUSED(url, "https://api.mch.weixin.qq.com/v3", "url", "ends with the host");
    REFUSED(url, "https://{number}.example", "url", "placeholder");
    REFUSED(second_url, "https://api2.mch.weixin.qq.com?a=b", "second_url", "ends with the host");
    REFUSED(transport.body_max_bytes, 0, "body_max", "64KiB");
}

static void who_we_are_is_checked(void **state)
{
    (void)state;
    REFUSED(merchant, NULL, "merchant", "digits");
    REFUSED(merchant, "wxd678efh567hg6787", "merchant", "digits");
    REFUSED(merchant, "123456789012345678901234567890123", "merchant", "1 to 32");
    REFUSED(sub_merchant, "", "sub_merchant", "digits");
    REFUSED(sub_merchant, "1\"", "sub_merchant", "digits");
    REFUSED(app_id, "", "app_id", "letters and digits");
    REFUSED(app_id, "wx 1", "app_id", "letters and digits");
    REFUSED(serial, NULL, "serial", "openssl x509");
    REFUSED(serial, "5F:1C", "serial", "openssl x509");
}

static void keys_are_checked(void **state)
{
    (void)state;
    REFUSED(private_key, NULL, "private_key_file", "apiclient_key.pem");
    REFUSED(private_key, "", "private_key_file", "apiclient_key.pem");
    REFUSED(private_key, wechat_keys.merchant_public, "private_key_file", "no private key");
    REFUSED(public_key, NULL, "public_key_file", "pub_key.pem");
    REFUSED(public_key, "no key", "public_key_file", "no public key");
    REFUSED(public_key_id, NULL, "public_key_id", "PUB_KEY_ID_");
    REFUSED(public_key_id, NEW_SERIAL, "public_key_id", "PUB_KEY_ID_");
    REFUSED(public_key_id, "PUB_KEY_ID_1\r\nX: y", "public_key_id", "PUB_KEY_ID_");
    const char *texts[] = {wechat_keys.certificates[0], wechat_keys.public_text};
    REFUSED(platform_certificates, texts, "platform_certificate_files[1]", "no certificate");
    struct wechatpay_spec none = wechatpay_spec();
    none.public_key = none.public_key_id = NULL;
    none.platform_certificate_count = 0;
    refused(&none, "channels[0].public_key_file", "platform_certificate_files");
}

static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    struct channel *channel;
    struct faults faults;
    faults_init(&faults);
    assert_int_equal(wechatpay_create(&channel, &(struct wechatpay_spec){.url = ""}, NULL, &faults), -EINVAL);
    static const char *const paths[] = {
        "name", "body_max", "url", "merchant", "serial", "private_key_file", "public_key_file"};
    assert_int_equal(faults.count, COUNT(paths));
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_string_equal(faults.items[i].path, paths[i]);
    faults_finish(&faults);
}

static void the_head_tells_what_the_channel_can(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    char ca_file[] = "/etc/ca.pem";
    spec.transport.ca_file = ca_file;
    spec.public_key = spec.public_key_id = NULL;
    struct channel *channel = wechatpay_make(&spec);
    assert_string_equal(channel->name, "wechat");
    assert_string_equal(channel->kind->name, "wechatpay");
    assert_true(channel->can_close);
    assert_false(channel->needs_grant);
    assert_int_equal(channel->skew_max_ms, 300000);
    assert_int_equal(channel->credential_end, OLD_END);
    assert_string_equal(channel->transport.ca_file, ca_file);
    assert_ptr_not_equal(channel->transport.ca_file, ca_file);
    channel->kind->destroy(channel);
    spec = wechatpay_spec();
    spec.platform_certificate_count = 0;
    channel = wechatpay_make(&spec);
    assert_int_equal(channel->credential_end, 0); /* the public key has no end */
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_hosts_are_checked),
        cmocka_unit_test(who_we_are_is_checked),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(the_head_tells_what_the_channel_can),
    };
    return cmocka_run_group_tests(tests, wechatpay_setup, wechatpay_teardown);
}
