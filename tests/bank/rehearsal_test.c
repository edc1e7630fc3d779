/* A shop's rehearsal: the channels that `makegood bank --config` prints stand in a configuration, and `makegood query` asks
 * them about every fate. Two implementations that share no code must agree on what is signed, and on what proves nothing. */
#include "stand.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The shipped sample up to its channels, and then the bank's. */
static const char *configuration_write(char out[128])
{
    char keys[128], command[1024];
    file_of("makegood.yaml", out);
    snprintf(command, sizeof command,
             "sed -n '/^channels:/q;p' config/makegood.yaml > %s && " MAKEGOOD_PROGRAM
             " bank --keys %s --port %d --config >> %s",
             out, file_of("keys", keys), bank_port(), out);
    assert_int_equal(system(command), 0);
    return out;
}

static void evidence_is(const char *configuration, const char *channel, const char *number, const char *kind)
{
    char command[1024], said[16384] = "";
    snprintf(command, sizeof command,
             MAKEGOOD_PROGRAM " query -c %s %s %s --amount 12.34 --currency CNY --json --data "
                              "'{\"txn_time\":\"20260101000000\"}' 2>&1",
             configuration, channel, number);
    FILE *output = popen(command, "re");
    assert_non_null(output);
    size_t bytes = fread(said, 1, sizeof said - 1, output);
    pclose(output);
    json_t *document = json_loadb(said, bytes, 0, NULL);
    const char *seen = json_string_value(json_object_get(json_object_get(document, "evidence"), "kind"));
    if (!seen || strcmp(seen, kind) != 0)
        fail_msg("%s %s: %s is expected, not %s", channel, number, kind, seen ? seen : said);
    json_decref(document);
}

static void both_sides_agree(void **state)
{
    static const struct {
        const char *number, *wechatpay, *alipay, *unionpay;
    } cases[] = {
        {"paid00000", "paid", "paid", "paid"},
        {"amount000", "paid", "paid", "paid"}, /* the amount is compared later */
        {"closed000", "closed", "closed", "closed"},
        {"unpaidwx0", "pending", "pending", "pending"},
        {"nobody000", "not_found", "not_found", "not_found"},
        {"absent000", "not_found", "not_found", "not_found"},
        {"other0000", "other_order", "other_order", "other_order"},
        {"forged000", "unauthentic", "unauthentic", "unauthentic"},
        {"stale0000", "unauthentic", "unauthentic", "unauthentic"},
        {"unsigned0", "unauthentic", "unauthentic", "unauthentic"},
        {"stranger0", "unauthentic", "unauthentic", "unauthentic"},
        {"nobodyno0", "unauthentic", "unauthentic", "unauthentic"},
        {"node00000", "paid", "unauthentic", "paid"},
        {"twice0000", "paid", "garbage", "paid"},
        {"limited00", "rate_limited", "rate_limited", "rate_limited"},
        {"gateway00", "server_error", "server_error", "server_error"},
        {"cut000000", "unreachable", "unreachable", "unreachable"},
    };
    char file[128];
    const char *configuration = configuration_write(file);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        evidence_is(configuration, "wechatpay", cases[i].number, cases[i].wechatpay);
        evidence_is(configuration, "alipay", cases[i].number, cases[i].alipay);
        evidence_is(configuration, "unionpay", cases[i].number, cases[i].unionpay);
    }
}

/* A key that is well formed and not ours: the others' loading would tell it from its certificate. */
static void a_wrong_key_is_refused(void **state)
{
    char file[128], command[512];
    const char *configuration = configuration_write(file);
    (void)state;
    snprintf(command, sizeof command, "sed -i 's|wechatpay-merchant.key|server.key|' %s", configuration);
    assert_int_equal(system(command), 0);
    evidence_is(configuration, "wechatpay", "paid00000", "unauthorized");
}

static void misuse_is_told(void **state)
{
    static const struct {
        const char *arguments;
        int code;
        const char *why;
    } cases[] = {
        {"--config", 2, "--config needs --keys DIR"},
        {"--keys /proc/nowhere --port 1 --config", 1, "keys can not be made in /proc/nowhere"},
        {"--ledger /dev/null --token-lifetime 0", 2, "--token-lifetime takes seconds"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[512], said[512] = "";
        snprintf(command, sizeof command, MAKEGOOD_PROGRAM " bank %s 2>&1", cases[i].arguments);
        FILE *output = popen(command, "re");
        assert_non_null(output);
        assert_non_null(fgets(said, sizeof said, output));
        assert_int_equal(pclose(output), cases[i].code << 8);
        assert_non_null(strstr(said, cases[i].why));
    }
}

static int run(int (*setup)(void **), int (*teardown)(void **))
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree),
        cmocka_unit_test(a_wrong_key_is_refused),
        cmocka_unit_test(misuse_is_told),
    };
    return cmocka_run_group_tests_name("bank_rehearsal", tests, setup, teardown);
}

int main(int argc, char **argv)
{
    return stand_run(argc, argv, run);
}
