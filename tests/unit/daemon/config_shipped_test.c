/* The ready files of config/channels, and the example of doc/channel.md: each is loaded as it ships, its files in a folder
 * of ours. What is not in force (a key behind "#") is loaded as well, where a file shows another way. Key material is made
 * anew in every run by the openssl command. */
#include "shipped.h"

#include <errno.h>
#include <glob.h>

/* ---- every file ---- */

static void every_shipped_channel_loads(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(SHIPPED "*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct config *config = shipped_load(found.gl_pathv[i], NULL, NULL);
        char name[128];
        snprintf(name, sizeof(name), SHIPPED "%s.yaml", config->channels[0]->name);
        assert_string_equal(name, found.gl_pathv[i]);
        assert_int_equal(config->channel_count, 1);
        config_drop(config);
    }
    globfree(&found);
}

/* Who talks to the database alone needs no secret, and gets the same policies. */
static void no_secret_is_needed_beside_the_database(void **state)
{
    char away[128];
    glob_t found;
    (void)state;
    snprintf(away, sizeof(away), "%s/away", world.fixture.folder);
    assert_int_equal(glob(SHIPPED "*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct faults faults;
        struct config *sealed = NULL;
        struct config *whole = shipped_load(found.gl_pathv[i], NULL, NULL);
        const struct policy *policy = &whole->policies[0];
        faults_init(&faults);
        assert_int_equal(rename(world.keys, away), 0);
        assert_int_equal(config_load(&sealed, world.fixture.file, &faults), -EINVAL);
        faults_finish(&faults);
        faults_init(&faults);
        assert_int_equal(config_load_sealed(&sealed, world.fixture.file, &faults), 0);
        assert_int_equal(rename(away, world.keys), 0);
        assert_string_equal(sealed->policies[0].channel, policy->channel);
        assert_int_equal(sealed->policies[0].can_close, policy->can_close);
        assert_int_equal(sealed->policies[0].horizon_ms, policy->horizon_ms);
        assert_int_equal(sealed->policies[0].schedule.length, policy->schedule.length);
        assert_string_equal(sealed->mapping, whole->mapping);
        assert_null(config_channel(sealed, policy->channel));
        faults_finish(&faults);
        config_drop(sealed);
        config_drop(whole);
    }
    globfree(&found);
}

/* A file shows every key that its type of channel has beyond the common ones. */
static void shown(const char *file, const char *const *keys)
{
    char *text = file_text(file);
    for (; *keys; keys++)
        if (!strstr(text, *keys))
            fail_msg("%s does not show %s", file, *keys);
    free(text);
}

static void files_show_the_keys_of_their_type(void **state)
{
    (void)state;
    shown(
        SHIPPED "wechatpay.yaml",
        (const char *const[]){"merchant: ", "app_id: ", "sub_merchant: ", "serial: ", "private_key_file: ",
                              "public_key_id: ", "public_key_file: ", "platform_certificate_files: ", NULL});
    shown(SHIPPED "alipay.yaml",
          (const char *const[]){
              "url: ", "app_id: ", "app_auth_token_file: ", "private_key_file: ", "public_key_file: ",
              "app_certificate_file: ", "alipay_certificate_file: ", "root_certificates_file: ", NULL});
    shown(SHIPPED "unionpay.yaml",
          (const char *const[]){"url: ", "merchant: ", "certificate_file: ", "private_key_file: ",
                                "root_certificates_file: ", "signer: ", NULL});
}

/* ---- the other ways ---- */

static void wechat_pay_has_a_policy_of_its_own(void **state)
{
    (void)state;
    struct config *config = shipped_load(SHIPPED "wechatpay.yaml", NULL, NULL);
    const struct policy *policy = &config->policies[0];
    assert_true(policy->can_close);
    assert_false(policy->closes);
    assert_int_equal(policy->plan_count, 1);
    assert_string_equal(policy->plans[0].method, "code_payment");
    assert_int_equal(config->channels[0]->credential_end, 0); /* a public key does not end */
    config_drop(config);
    config =
        shipped_load(SHIPPED "wechatpay.yaml", "#platform_certificate_files", "platform_certificate_files");
    assert_true(config->channels[0]->credential_end > 0);
    config_drop(config);
}

static void alipay_has_two_modes(void **state)
{
    (void)state;
    struct config *config = shipped_load(SHIPPED "alipay.yaml", NULL, NULL);
    assert_int_equal(config->channels[0]->credential_end, 0);
    assert_true(config->policies[0].can_close);
    config_drop(config);
    char *text = file_text(SHIPPED "alipay.yaml");
    text = text_replace(text, "    public_key_file", "    #public_key_file");
    text = text_replace(text, "#app_certificate_file", "app_certificate_file");
    text = text_replace(text, "#alipay_certificate_file", "alipay_certificate_file");
    text = text_replace(text, "#root_certificates_file", "root_certificates_file");
    text = text_replace(text, "#app_auth_token_file", "app_auth_token_file");
    char *configuration = configuration_make(text);
    config = text_load(&world.fixture, configuration);
    assert_true(config->channels[0]->credential_end > 0);
    config_drop(config);
    free(configuration);
    free(text);
}

static void unionpay_can_not_close(void **state)
{
    (void)state;
    struct config *config = shipped_load(SHIPPED "unionpay.yaml", "#signer", "signer");
    assert_false(config->policies[0].can_close);
    assert_true(config->channels[0]->credential_end > 0);
    assert_int_equal(config->policies[0].schedule.delays_ms[2], 20 * 60000);
    config_drop(config);
}

/* ---- the example of doc/channel.md ---- */

static void the_documents_example_loads(void **state)
{
    (void)state;
    static const char begin[] = "```yaml\n";
    char *text = file_text("doc/channel.md");
    char *example = strstr(text, begin);
    assert_non_null(example);
    char *end = strstr(example + strlen(begin), "```");
    assert_non_null(end);
    *end = '\0';
    char *configuration = configuration_make(example + strlen(begin));
    struct config *config = text_load(&world.fixture, configuration);
    assert_string_equal(config->channels[0]->name, "tidepay");
    config_drop(config);
    free(configuration);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_channel_loads),
        cmocka_unit_test(no_secret_is_needed_beside_the_database),
        cmocka_unit_test(files_show_the_keys_of_their_type),
        cmocka_unit_test(wechat_pay_has_a_policy_of_its_own),
        cmocka_unit_test(alipay_has_two_modes),
        cmocka_unit_test(unionpay_can_not_close),
        cmocka_unit_test(the_documents_example_loads),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
