/* Channels of the built-in types as the configuration makes them: their keys, their files, their defaults; and the keys of
 * an order's life. Key material is made anew in every run by the openssl command. */
#include "fixture.h"

#include <time.h>

#include "daemon/expiry.h"

#define HEAD                                                                                                 \
    "database: {url: host=/x}\n"                                                                             \
    "order_table: {table: public.o, key: k, status: s, amount: a, amount_unit: minor, currency: c, unpaid: " \
    "[new],\n"                                                                                               \
    "  paid: {write: paid, from: [new]}, closed: {write: shut, from: [new]}}\n"

#define HTTP_CHANNEL                                                                           \
    "  - name: plain\n    url: https://x.example/{number}\n"                                   \
    "    answer: {number: /id, status: /status, amount: {at: /amount}, currency: /currency}\n" \
    "    rules: [{evidence: paid, when: [{at: /status, is: [paid]}]}]\n"

#define WECHAT_CHANNEL                                                                                  \
    "  - name: wechat\n    type: wechatpay\n    merchant: '1900000001'\n    serial: 5157F09EFDC096DE\n" \
    "    private_key_file: %s/key.pem\n    platform_certificate_files: [%s/cert.pem]\n"

struct world {
    struct fixture fixture;
    char text[4096];
};

static struct world world;

static int world_open(void **state)
{
    char command[400];
    (void)state;
    fixture_open(&world.fixture);
    const char *folder = world.fixture.folder;
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey rsa:2048 -nodes -days 10 -subj /CN=bank -keyout %s/key.pem -out "
             "%s/cert.pem "
             "2>/dev/null && chmod 600 %s/key.pem && chmod 644 %s/cert.pem",
             folder, folder, folder, folder);
    return system(command);
}

static int world_close(void **state)
{
    char path[128];
    (void)state;
    static const char *const files[] = {"key.pem", "cert.pem"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", world.fixture.folder, files[i]);
        unlink(path);
    }
    fixture_close(&world.fixture);
    return 0;
}

/* HEAD and one channel of WeChat Pay, with more lines. */
static const char *wechat_text(const char *more)
{
    const char *folder = world.fixture.folder;
    snprintf(world.text, sizeof(world.text), HEAD "channels:\n" WECHAT_CHANNEL "%s", folder, folder, more);
    return world.text;
}

/* Must be refused: the first fault's path, and a part of its text. */
static void refused(const char *text, const char *path, const char *part)
{
    struct faults faults;
    struct config *config = NULL;
    assert_int_equal(text_load_bytes(&world.fixture, text, strlen(text), &config, &faults), -22);
    assert_true(faults.count > 0);
    if (!faults.items[0].path || strcmp(faults.items[0].path, path) != 0 ||
        !strstr(faults.items[0].text, part))
        fail_msg("%s: %s", faults.items[0].path, faults.items[0].text);
    faults_finish(&faults);
}

/* ---- types ---- */

static void a_built_in_channel_needs_no_description(void **state)
{
    (void)state;
    struct config *config = text_load(&world.fixture, wechat_text(""));
    const struct policy *policy = &config->policies[0];
    assert_string_equal(config->channels[0]->kind->name, "wechatpay");
    assert_true(policy->can_close);
    assert_false(policy->closes);
    assert_int_equal(policy->tail.length, 3);
    assert_int_equal(policy->tail.delays_ms[1], 25 * 3600000);
    assert_int_equal(policy->schedule.delays_ms[0], 5000);
    assert_int_equal(config->channels[0]->skew_max_ms, 300000);
    config_drop(config);
}

static void a_key_of_another_type_is_told(void **state)
{
    (void)state;
    refused(wechat_text("    rules: []\n"), "channels[0].rules", "a channel of this type has no such key");
    refused(wechat_text("    secret_file: /x\n"), "channels[0].secret_file",
            "a channel of this type has no such key");
    snprintf(world.text, sizeof(world.text), HEAD "channels:\n" HTTP_CHANNEL "    serial: 1A\n");
    refused(world.text, "channels[0].serial", "a channel of this type has no such key");
}

static void what_a_file_lacks_is_told_at_its_key(void **state)
{
    (void)state;
    const char *folder = world.fixture.folder;
    snprintf(world.text, sizeof(world.text), HEAD "channels:\n" WECHAT_CHANNEL, "/nowhere", folder);
    refused(world.text, "channels[0].private_key_file", "/nowhere/key.pem can not be opened");
    snprintf(world.text, sizeof(world.text), HEAD "channels:\n" WECHAT_CHANNEL, folder, "/nowhere");
    refused(world.text, "channels[0].platform_certificate_files[0]", "/nowhere/cert.pem can not be opened");
    snprintf(
        world.text, sizeof(world.text),
        HEAD
        "channels:\n  - {name: w, type: wechatpay, merchant: '1', serial: A1, private_key_file: %s/secret, "
        "platform_certificate_files: [%s/cert.pem]}\n",
        folder, folder);
    refused(world.text, "channels[0].private_key_file", "this is no private key");
}

static void a_private_key_lies_open_to_nobody_a_certificate_to_all(void **state)
{
    (void)state;
    char key[128];
    snprintf(key, sizeof(key), "%s/key.pem", world.fixture.folder);
    assert_int_equal(chmod(key, 0644), 0);
    refused(wechat_text(""), "channels[0].private_key_file", "can be read or changed by others");
    assert_int_equal(chmod(key, 0600), 0);
    config_drop(text_load(&world.fixture, wechat_text("")));
}

static void a_changed_key_file_is_read_with_the_next_load(void **state)
{
    (void)state;
    char certificate[128];
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", world.fixture.folder);
    struct config *before = text_load(&world.fixture, wechat_text(""));
    assert_int_equal(rename(certificate, world.fixture.file), 0);
    text_write(certificate, "rubbish\n", 8, 0644);
    char *kept = calloc(1, 1 << 16);
    FILE *file = fopen(world.fixture.file, "r");
    size_t bytes = fread(kept, 1, (1 << 16) - 1, file);
    fclose(file);
    refused(wechat_text(""), "channels[0].platform_certificate_files[0]", "this is no certificate");
    text_write(certificate, kept, bytes, 0644);
    config_drop(text_load(&world.fixture, wechat_text("")));
    config_drop(before);
    free(kept);
}

/* The channel's own constructor tells its faults at the configuration's keys. */
static void alipays_faults_stand_at_its_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"private_key_file", "app_certificate_file", "alipay_certificate_file",
                                       "root_certificates_file"};
    const char *folder = world.fixture.folder;
    for (size_t faulty = 0; faulty < sizeof(keys) / sizeof(keys[0]); faulty++) {
        char path[64];
        int length = snprintf(world.text, sizeof(world.text),
                              HEAD "channels:\n  - {name: a, type: alipay, app_id: '2021'");
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            length += snprintf(world.text + length, sizeof(world.text) - (size_t)length, ", %s: %s/%s",
                               keys[i], folder,
                               i == faulty ? "secret"
                               : i == 0    ? "key.pem"
                                           : "cert.pem");
        snprintf(world.text + length, sizeof(world.text) - (size_t)length, "}\n");
        snprintf(path, sizeof(path), "channels[0].%s", keys[faulty]);
        refused(world.text, path, faulty == 0 ? "this is no private key" : "certificate");
    }
}

static void more_certificates_than_fit_are_told(void **state)
{
    (void)state;
    char *list = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&list, &bytes);
    const char *folder = world.fixture.folder;
    fprintf(out,
            HEAD "channels:\n  - {name: w, type: wechatpay, merchant: '1', serial: A1, private_key_file: "
                 "%s/key.pem, platform_certificate_files: [%s/cert.pem",
            folder, folder);
    for (int i = 1; i < 40; i++)
        fprintf(out, ", %s/cert.pem", folder);
    fputs("]}\n", out);
    fclose(out);
    refused(list, "channels[0].platform_certificate_files", "the list has 40 elements; keep it to 16");
    free(list);
}

/* What a directory of the service manager holds is guarded by that directory, and named by its file alone. */
static void keys_that_were_handed_over_are_found(void **state)
{
    (void)state;
    char key[128];
    snprintf(key, sizeof(key), "%s/key.pem", world.fixture.folder);
    assert_int_equal(chmod(key, 0644), 0);
    setenv("CREDENTIALS_DIRECTORY", world.fixture.folder, 1);
    snprintf(
        world.text, sizeof(world.text), "%s",
        HEAD
        "channels:\n  - {name: w, type: wechatpay, merchant: '1', serial: A1, private_key_file: key.pem, "
        "platform_certificate_files: [cert.pem]}\n");
    config_drop(text_load(&world.fixture, world.text));
    unsetenv("CREDENTIALS_DIRECTORY");
    refused(world.text, "channels[0].platform_certificate_files[0]", "$CREDENTIALS_DIRECTORY is not set");
    assert_int_equal(chmod(key, 0600), 0);
}

/* ---- life ---- */

static void the_keys_of_a_life_hold(void **state)
{
    (void)state;
    struct config *config = text_load(
        &world.fixture, wechat_text("    close_at_horizon: true\n    tail: 5m 1h\n    late: accept\n"
                                    "    schedules:\n"
                                    "      - {method: code, until: 1m, schedule: 5s}\n"
                                    "      - {until: 10m, schedule: 30s 1m}\n"));
    const struct policy *policy = &config->policies[0];
    assert_true(policy->closes && policy->can_close && policy->accept_late);
    assert_int_equal(policy->tail.length, 2);
    assert_int_equal(policy->tail.delays_ms[1], 3600000);
    assert_int_equal(policy->plan_count, 2);
    assert_string_equal(policy->plans[0].method, "code");
    assert_int_equal(policy->plans[0].until_ms, 60000);
    assert_int_equal(policy->plans[0].schedule.delays_ms[0], 5000);
    assert_string_equal(policy->plans[1].method, "");
    assert_int_equal(policy->plans[1].schedule.length, 2);
    config_drop(config);
}

static void a_tail_can_be_turned_off(void **state)
{
    (void)state;
    struct config *config = text_load(&world.fixture, wechat_text("    tail: none\n"));
    assert_int_equal(config->policies[0].tail.length, 0);
    config_drop(config);
    config = text_load(&world.fixture, HEAD "channels:\n" HTTP_CHANNEL);
    assert_int_equal(config->policies[0].tail.length, 0);
    config_drop(config);
}

static void what_can_not_close_is_not_told_to(void **state)
{
    (void)state;
    snprintf(world.text, sizeof(world.text), HEAD "channels:\n" HTTP_CHANNEL "    close_at_horizon: true\n");
    refused(world.text, "channels[0].close_at_horizon", "this channel can not be asked to close anything");
}

static void a_tail_goes_forward(void **state)
{
    (void)state;
    refused(wechat_text("    tail: 1h 10m\n"), "channels[0].tail",
            "each time must be later than the one before");
}

static void days_left_are_whole_days(void **state)
{
    (void)state;
    static const struct {
        int64_t left_s;
        bool near;
        int days;
    } rows[] = {{30 * 86400, false, 30},
                {30 * 86400 - 1, true, 29},
                {86400, true, 1},
                {86399, true, 0},
                {0, true, 0},
                {-1, true, -1},
                {-86400, true, -1},
                {-86401, true, -2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct channel channel = {.credential_end = 2000000000};
        int days;
        assert_int_equal(expiry_is_near(&channel, 2000000000 - rows[i].left_s, &days), rows[i].near);
        assert_int_equal(days, rows[i].days);
    }
}

static void a_certificate_that_ends_soon_is_seen(void **state)
{
    (void)state;
    int days;
    int64_t now_s = (int64_t)time(NULL);
    struct config *config = text_load(&world.fixture, wechat_text(""));
    const struct channel *channel = config->channels[0];
    assert_true(expiry_is_near(channel, now_s, &days));
    assert_in_range(days, 9, 10);
    assert_true(expiry_is_near(channel, now_s + 11 * 86400, &days));
    assert_in_range(-days, 1, 2);
    assert_false(expiry_is_near(channel, now_s - 25 * 86400, &days));
    struct channel endless = {.credential_end = 0};
    assert_false(expiry_is_near(&endless, now_s, &days));
    config_drop(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_built_in_channel_needs_no_description),
        cmocka_unit_test(a_key_of_another_type_is_told),
        cmocka_unit_test(what_a_file_lacks_is_told_at_its_key),
        cmocka_unit_test(a_private_key_lies_open_to_nobody_a_certificate_to_all),
        cmocka_unit_test(a_changed_key_file_is_read_with_the_next_load),
        cmocka_unit_test(alipays_faults_stand_at_its_keys),
        cmocka_unit_test(more_certificates_than_fit_are_told),
        cmocka_unit_test(keys_that_were_handed_over_are_found),
        cmocka_unit_test(the_keys_of_a_life_hold),
        cmocka_unit_test(a_tail_can_be_turned_off),
        cmocka_unit_test(days_left_are_whole_days),
        cmocka_unit_test(what_can_not_close_is_not_told_to),
        cmocka_unit_test(a_tail_goes_forward),
        cmocka_unit_test(a_certificate_that_ends_soon_is_seen),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
