/* The ready files of config/channels, and the example of doc/channel.md: each is loaded as it ships, its files in a folder
 * of ours. What is not in force (a key behind "#") is loaded as well, where a file shows another way. Key material is made
 * anew in every run by the openssl command. */
#include "fixture.h"

#include <glob.h>

#define SHIPPED "config/channels/"
#define FILES   "/etc/makegood/"

#define HEAD                                                                                                 \
    "database: {url: host=/x}\n"                                                                             \
    "order_table: {table: public.o, key: k, status: s, amount: a, amount_unit: minor, currency: c, unpaid: " \
    "[new],\n"                                                                                               \
    "  paid: {write: paid, from: [new]}, closed: {write: shut, from: [new]}}\n"

struct world {
    struct fixture fixture;
    char keys[96]; /* what stands in for FILES */
};

static struct world world;

static int world_open(void **state)
{
    char command[800];
    (void)state;
    fixture_open(&world.fixture);
    snprintf(world.keys, sizeof(world.keys), "%s/keys/", world.fixture.folder);
    snprintf(
        command, sizeof(command),
        "mkdir %s && cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 100 -subj /CN=bank -keyout key "
        "-out certificate 2>/dev/null && openssl genrsa 2>/dev/null | openssl rsa -pubout -out public "
        "2>/dev/null && echo sk_test > secret && chmod 600 key secret",
        world.keys, world.keys);
    return system(command);
}

static int world_close(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", world.keys);
    assert_int_equal(system(command), 0);
    fixture_close(&world.fixture);
    return 0;
}

static char *file_text(const char *name)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t bytes = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    assert_in_range(bytes, 1, (1 << 16) - 2);
    return text;
}

/* What a file of that name holds. */
static const char *material_of(const char *name)
{
    if (strstr(name, "private_key") || strstr(name, "apiclient_key") || strstr(name, "merchant_key"))
        return "key";
    if (strstr(name, "public_key"))
        return "public";
    return strstr(name, "cert.pem") || strstr(name, ".crt") ? "certificate" : "secret";
}

/* The file behind HEAD, its paths led to our folder. To be freed. */
static char *configuration_make(const char *text)
{
    char *made = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&made, &bytes);
    assert_non_null(out);
    fputs(HEAD, out);
    for (const char *at = text; *at;) {
        if (strncmp(at, FILES, strlen(FILES)) != 0) {
            fputc(*at++, out);
            continue;
        }
        char name[96];
        size_t length = strcspn(at, "],} \n");
        assert_in_range(length, strlen(FILES) + 1, sizeof(name) - 1);
        snprintf(name, sizeof(name), "%.*s", (int)length, at);
        fprintf(out, "%s%s", world.keys, material_of(name));
        at += length;
    }
    assert_int_equal(fclose(out), 0);
    return made;
}

static struct config *shipped_load(const char *name, const char *from, const char *to)
{
    char *text = file_text(name);
    if (from)
        text = text_replace(text, from, to);
    char *configuration = configuration_make(text);
    struct config *config = text_load(&world.fixture, configuration);
    free(configuration);
    free(text);
    return config;
}

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
        cmocka_unit_test(files_show_the_keys_of_their_type),
        cmocka_unit_test(wechat_pay_has_a_policy_of_its_own),
        cmocka_unit_test(alipay_has_two_modes),
        cmocka_unit_test(unionpay_can_not_close),
        cmocka_unit_test(the_documents_example_loads),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
