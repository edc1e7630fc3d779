/* Making the Alipay channel: each fault at its key, with its mend, and never a byte of a key; and what is kept. */
#include "alipay_fixture.h"

static void refused(const struct alipay_spec *spec, const char *path, const char *words)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    assert_int_equal(alipay_create(&channel, spec, "channels[0]", &faults), -EINVAL);
    assert_null(channel);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].path, path);
    if (!strstr(faults.items[0].text, words))
        fail_msg("%s is told as: %s", path, faults.items[0].text);
    assert_null(strstr(faults.items[0].text, "MII"));
    faults_finish(&faults);
}

#define REFUSED_OF(base, field, value, key, words)    \
    do {                                              \
        struct alipay_spec changed = base();          \
        changed.field = value;                        \
        refused(&changed, "channels[0]." key, words); \
    } while (0)
#define REFUSED(field, value, key, words) REFUSED_OF(alipay_spec, field, value, key, words)

static void who_is_asked_and_who_we_are(void **state)
{
    (void)state;
    REFUSED(name, "Ali Pay", "name", "small letters");
    REFUSED(transport.body_max_bytes, 0, "body_max", "64KiB");
    REFUSED(url, "http://openapi.alipay.com/gateway.do", "url", "https://");
    REFUSED(url, "https://openapi.alipay.com/gateway.do?a=b", "url", "no query");
    REFUSED(url, "https://openapi.alipay.com/{number}", "url", "no placeholder");
    REFUSED(app_id, NULL, "app_id", "digits");
    REFUSED(app_id, "", "app_id", "digits");
    REFUSED(app_id, "2021 1", "app_id", "digits");
    REFUSED(app_id, "123456789012345678901234567890123", "app_id", "digits");
    REFUSED(app_auth_token, "", "app_auth_token_file", "hands it out");
    REFUSED(app_auth_token, "secret token", "app_auth_token_file", "hands it out");
    REFUSED(app_auth_token, "MII&", "app_auth_token_file", "hands it out");
}

static void key_mode(void **state)
{
    (void)state;
    REFUSED(private_key, NULL, "private_key_file", "missing");
    REFUSED(private_key, "", "private_key_file", "missing");
    REFUSED(private_key, alipay_keys.app_public, "private_key_file", "no private key");
    REFUSED(public_key, "no key", "public_key_file", "no public key");
    REFUSED(public_key, alipay_keys.app_public, "public_key_file", "application's own public key");
    REFUSED(public_key, NULL, "public_key_file", "all of app_certificate_file");
    REFUSED(root_certificates, alipay_keys.both_certificates, "public_key_file", "two modes");
}

static void certificate_mode(void **state)
{
    (void)state;
#define CERTIFICATE(field, value, words) \
    REFUSED_OF(alipay_certificate_spec, field, value, #field "_file", words)
    REFUSED_OF(alipay_certificate_spec, app_certificate, "no certificate", "app_certificate_file", "PEM");
    REFUSED_OF(alipay_certificate_spec, app_certificate, alipay_keys.alipay_certificate,
               "app_certificate_file", "does not belong");
    CERTIFICATE(alipay_certificate, "no certificate", "alipayCertPublicKey_RSA2.crt");
    CERTIFICATE(alipay_certificate, "", "alipayCertPublicKey_RSA2.crt");
    CERTIFICATE(root_certificates, alipay_keys.alipay_public, "alipayRootCert.crt");
    REFUSED_OF(alipay_certificate_spec, app_certificate, NULL, "public_key_file", "all of");
    REFUSED_OF(alipay_certificate_spec, alipay_certificate, NULL, "public_key_file", "all of");
    REFUSED_OF(alipay_certificate_spec, root_certificates, NULL, "public_key_file", "all of");
    char nine[9 * 2048] = "";
    for (int i = 0; i < 9; i++)
        strcat(nine, alipay_keys.alipay_certificate);
    CERTIFICATE(alipay_certificate, nine, "too many");
}

static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    struct channel *channel;
    struct faults faults;
    faults_init(&faults);
    assert_int_equal(alipay_create(&channel, &(struct alipay_spec){.url = ""}, NULL, &faults), -EINVAL);
    static const char *const paths[] = {"name",   "body_max",         "url",
                                        "app_id", "private_key_file", "public_key_file"};
    assert_int_equal(faults.count, COUNT(paths));
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_string_equal(faults.items[i].path, paths[i]);
    faults_finish(&faults);
}

static void the_head_says_what_the_channel_can(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    assert_string_equal(channel->kind->name, "alipay");
    assert_true(channel->can_close);
    assert_false(channel->needs_grant);
    assert_int_equal(channel->skew_max_ms, 0);
    assert_int_equal(channel->credential_end, 0);
    channel->kind->destroy(channel);
    spec = alipay_certificate_spec();
    channel = alipay_make(&spec);
    assert_int_equal(channel->credential_end, OLD_END);
    channel->kind->destroy(channel);
    spec.alipay_certificate = alipay_keys.next_certificate;
    channel = alipay_make(&spec);
    assert_int_equal(channel->credential_end, APP_END);
    channel->kind->destroy(channel);
}

/* As Alipay's key tool writes keys: one line of base64, PKCS#8 and SPKI. */
static void bare_keys_are_taken(void **state)
{
    (void)state;
    unsigned char *der = NULL;
    char private[4096];
    char public[4096];
    struct alipay_spec spec = alipay_spec();
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(alipay_keys.app);
    int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    EVP_EncodeBlock((unsigned char *)private, der, length);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    der = NULL;
    length = i2d_PUBKEY(alipay_keys.alipay, &der);
    EVP_EncodeBlock((unsigned char *)public, der, length);
    OPENSSL_free(der);
    spec.private_key = private;
    spec.public_key = public;
    struct channel *channel = alipay_make(&spec);
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_and_who_we_are),
        cmocka_unit_test(key_mode),
        cmocka_unit_test(certificate_mode),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(the_head_says_what_the_channel_can),
        cmocka_unit_test(bare_keys_are_taken),
    };
    return cmocka_run_group_tests(tests, alipay_setup, alipay_teardown);
}
