/* makegood query and makegood replay, as an operator types them: the real binary asks the HTTPS bank. The configuration
 * names a database that is not there: neither command needs one. */
#include "stage.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char out[OUTPUT_BYTES];
static char err[OUTPUT_BYTES];

#define COMMAND(...) run((const char *const[]){makegood_program, __VA_ARGS__, NULL}, out, err)
#define QUERY(...)   COMMAND("query", "-c", config_file, __VA_ARGS__)
#define REPLAY(...)  COMMAND("replay", "-c", config_file, __VA_ARGS__)
#define NUMBER       "pi_000001"
#define FITTING      "--amount", "12.34", "--currency", "CNY"

static char config_file[160];

/* Order 1 costs 12.34 CNY, its fate is the script. */
static void bank_open(const char *script, const struct settings *settings)
{
    stage_open(&orders_shop);
    stage_order_at(1, script, 1234, "main", NULL);
    stage_prepare();
    struct settings without = *settings;
    without.port = "5433";
    without.timeout = "3s"; /* one question each: a busy machine has its time */
    without.lease = "10s";
    config_path(0, config_file);
    config_write(config_file, &without, "end-query");
}

static void assert_discreet(void)
{
    assert_lacks(out, BANK_KEY);
    assert_lacks(err, BANK_KEY);
    assert_lacks(out, PASSWORD);
    assert_lacks(err, PASSWORD);
}

/* --- query ----------------------------------------------------------------------------------------------------- */

static void test_all_is_shown(void **state)
{
    (void)state;
    bank_open("paid", &(struct settings){0});
    assert_int_equal(QUERY("main", NUMBER, FITTING, "--order-no", "ORD-000001"), 0);
    assert_string_equal(err, "");
    assert_contains(out, "main " NUMBER "\n\nRequest\n  GET https://localhost:");
    assert_contains(out, "/main/v1/payment_intents/" NUMBER "\n");
    assert_contains(out, "\n  Authorization: Bearer sk_c***[23]\n");
    assert_contains(out, "\nAnswer\n  HTTP 200 after ");
    assert_contains(out, "\n  Content-Type: application/json\n");
    assert_contains(out, "\n    \"amount_received\": 1234,\n");
    assert_contains(out, "\n  kind             paid (the channel says: paid)\n");
    assert_contains(out, "\n  channel's rule   paid\n");
    assert_contains(out, "\n  amount           12.34 CNY\n");
    assert_contains(out, "\n  channel's number ch_" NUMBER "\n");
    assert_contains(out, "\n  it would be paid\n  by the rule      paid");
    assert_contains(out, "Nothing was written");
    assert_lacks(out, "\x1b");
    assert_discreet();
    char *asks = bank_get("asks");
    assert_contains(asks, NUMBER "\t1\t"); /* once */
    free(asks);
}

static void test_amount_is_not_guessed(void **state)
{
    (void)state;
    bank_open("paid", &(struct settings){0});
    assert_int_equal(QUERY("main", NUMBER), 0);
    assert_contains(out, "it would be paid, if the order's amount is 12.34 CNY\n");
    assert_contains(out, "--amount 12.34 --currency CNY");
    assert_int_equal(QUERY("main", NUMBER, "--amount", "12.35", "--currency", "CNY"), 0);
    assert_contains(out,
                    "parked as amount_mismatch: the channel's amount is 12.34 CNY, the order's 12.35 CNY");
    assert_int_equal(QUERY("main", NUMBER, "--order-no", "ORD-000009", FITTING), 3);
    assert_contains(out, "other_order");
}

static void test_fates(void **state)
{
    static const struct {
        const char *script;
        int code;
        const char *says;
    } fates[] = {
        {"pending", 0, "it would be asked again in 300ms\n"},
        {"closed", 0, "it would be closed\n"},
        {"refunded", 0, "it would be refunded\n"},
        {"refund_part", 0, "it would be parked as refund_seen: "},
        {"not_found", 0, "channel's rule   missing\n"},
        {"unknown_state", 0, "unknown_state (about our number"},
        {"wrong_currency", 0,
         "parked as currency_mismatch: the channel's amount is 12.34 USD, the order's 12.34 CNY"},
        {"unauthorized", 3, "kind             unauthorized"},
        {"rate_limited:7", 3, "asked to wait    7s\n"},
        {"server_error", 3, "HTTP 500 after"},
        {"other_order", 3, "kind             other_order"},
        {"html", 3, "<h1>Welcome to the guest network, "},
        {"garbage", 3, "kind             garbage"},
        {"cut", 3, "none that is whole, though it began with HTTP 200\n"},
        {"reset", 3, "none that is whole\n"},
        {"silence", 3, "kind             timeout"},
        {"flood", 3, "kind             too_large"},
    };
    (void)state;
    bank_open("paid", &(struct settings){0});
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
        bank_mode(fates[i].script);
        int code = QUERY("main", NUMBER, FITTING);
        if (code != fates[i].code || !strstr(out, fates[i].says) || *err)
            fail_msg("%s: exit code %d, %s%s", fates[i].script, code, out, err);
        assert_discreet();
    }
    assert_int_equal(QUERY("dead", NUMBER), 3);
    assert_contains(out, "kind             unreachable");
}

static void test_json(void **state)
{
    (void)state;
    bank_open("paid", &(struct settings){0});
    assert_int_equal(QUERY("main", NUMBER, "--json"), 0);
    assert_int_equal(strncmp(out, "{\n  \"channel\": \"main\",\n", 22), 0);
    assert_contains(out, "\"Authorization: Bearer sk_c***[23]\"");
    assert_contains(out, "\"sentence\": \"paid, if the order's amount is 12.34 CNY\"");
    assert_contains(out, "\"written\": false");
    assert_discreet();
    bank_mode("silence");
    assert_int_equal(QUERY("main", NUMBER, "--json"), 3);
    assert_contains(out, "\"answer\": null");
    assert_contains(out, "\"kind\": \"timeout\"");
}

static void assert_misuse(int code, const char *what)
{
    assert_int_equal(code, 2);
    assert_string_equal(out, "");
    assert_contains(err, what);
    assert_int_equal(strncmp(err, "makegood: ", 10), 0);
    assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
}

static void test_misuse(void **state)
{
    (void)state;
    bank_open("paid", &(struct settings){0});
    assert_misuse(QUERY("stripe", NUMBER), "has no channel stripe; it has main, dead");
    assert_misuse(QUERY("main"), "lacks what to work on, CHANNEL NUMBER");
    assert_misuse(QUERY("main", NUMBER, "more"), "takes no argument like more");
    assert_misuse(QUERY("main", "a/../b"), "NUMBER can not be a/../b");
    assert_misuse(QUERY("main", ""), "NUMBER can not be");
    assert_misuse(QUERY("main", NUMBER, "--order-no", "a b"), "--order-no can not be a b");
    assert_misuse(QUERY("main", NUMBER, "--amount", "12.34"), "with its currency");
    assert_misuse(QUERY("main", NUMBER, "--currency", "CNY"), "with its currency");
    assert_misuse(QUERY("main", NUMBER, "--amount", "12.34", "--currency", "cny"), "cny is no currency");
    assert_misuse(QUERY("main", NUMBER, "--amount", "12.345", "--currency", "CNY"), "no amount in CNY");
    assert_misuse(QUERY("main", NUMBER, "--amount", "0", "--currency", "CNY"), "above zero");
    assert_misuse(QUERY("main", NUMBER, "--data", "[]"), "no JSON object");
    assert_misuse(COMMAND("query", "main", NUMBER), "needs a configuration");
    assert_misuse(REPLAY("a", "b"), "takes no argument like b");
    char *asks = bank_get("asks");
    assert_lacks(asks, NUMBER "\t1\t"); /* nobody was asked */
    free(asks);
    assert_int_equal(COMMAND("query", "-c", "/nowhere.yaml", "main", NUMBER), 1);
    assert_contains(err, "/nowhere.yaml");
}

/* What the template needs and nobody said. */
static void test_unaskable(void **state)
{
    (void)state;
    bank_open("paid", &(struct settings){.more = "    headers: [{name: X-Shop, value: \"{data.shop}\"}]\n"});
    assert_misuse(QUERY("main", NUMBER),
                  "nobody was asked: channel_data has no member \"shop\" that "
                  "is a text, integer or boolean without control characters, and the question needs it; ");
    assert_int_equal(QUERY("main", NUMBER, "--data", "{\"shop\": \"s1\"}"), 0);
    assert_contains(out, "\n  X-Shop: s1\n");
}

/* --- replay ---------------------------------------------------------------------------------------------------- */

static void answers_save(const char *answers)
{
    static const char *const scripts[] = {"paid", "pending", "wrong_amount", "not_found", "html", "refunded"};
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        bank_mode(scripts[i]);
        QUERY("main", NUMBER, FITTING, "--save", answers);
        assert_string_equal(err, "");
        assert_contains(out, "mode 0600");
        assert_contains(out, "makegood replay -c ");
        assert_discreet();
    }
}

static void test_answers_are_replayed(void **state)
{
    char answers[128];
    (void)state;
    bank_open("paid", &(struct settings){0});
    snprintf(answers, sizeof(answers), "%s/answers", stage.folder);
    answers_save(answers);
    kill(stage.bank, SIGKILL); /* nobody is asked any more */
    assert_int_equal(REPLAY(answers), 0);
    assert_string_equal(out, "6 answers, 0 would be decided differently\n");
    assert_string_equal(err, "");
    config_write(config_file,
                 &(struct settings){.amount_at = "/amount", .paid_when = "{at: /status, is: [paid]}"}, "x");
    assert_int_equal(REPLAY(answers), 3);
    assert_contains(out, "CASE  ");
    assert_contains(out, "park amount_mismatch  retry\n");
    assert_contains(out, "  verdict         paid ");
    assert_contains(out, "  kind            paid ");
    assert_contains(out, "\n6 answers, 2 would be decided differently\n");
    assert_string_equal(err, "");
}

static void test_what_can_not_be_saved(void **state)
{
    char answers[128];
    (void)state;
    bank_open("silence", &(struct settings){0});
    snprintf(answers, sizeof(answers), "%s/answers", stage.folder);
    assert_int_equal(QUERY("main", NUMBER, "--save", answers), 3);
    assert_contains(err, "nothing is saved, since no whole answer came; ");
    assert_int_not_equal(access(answers, F_OK), 0);
    bank_mode("paid");
    assert_int_equal(QUERY("main", NUMBER, "--save", "/nowhere/at/all"), 1);
    assert_contains(err, "can not be saved in /nowhere/at/all: No such file or directory; ");
    assert_contains(out, "it would be paid"); /* it was asked: that is shown */
    assert_lacks(out, "Saved");
}

static void test_faulty_answers_are_told(void **state)
{
    char path[160];
    (void)state;
    bank_open("paid", &(struct settings){0});
    assert_int_equal(REPLAY("/nowhere/at/all"), 1);
    assert_contains(err, "/nowhere/at/all can not be read; ");
    assert_int_equal(REPLAY(stage.folder), 1);
    assert_contains(err, "holds no stored answer; ");
    snprintf(path, sizeof(path), "%s/case", stage.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/case/response", stage.folder);
    file_write(path, "HTTP/1.1 404\n\n{\"error\": {\"code\": \"resource_missing\"}}");
    snprintf(path, sizeof(path), "%s/case/expect.json", stage.folder);
    file_write(path, "{\"evidence\": {\"kind\": \"not_found\"}}");
    assert_int_equal(REPLAY(stage.folder), 1);
    assert_contains(err, "/case has no order.json; ");
    snprintf(path, sizeof(path), "%s/case/order.json", stage.folder);
    file_write(path, "{\"number\": \"n1\"}");
    assert_int_equal(REPLAY(stage.folder), 1);
    assert_contains(err, "names no channel; write --channel NAME");
    assert_int_equal(REPLAY(stage.folder, "--channel", "gone"), 1);
    assert_contains(err, "its channel gone is not in ");
    assert_int_equal(REPLAY(stage.folder, "--channel", "main"), 0);
    assert_string_equal(out, "1 answer, 0 would be decided differently\n");
}

/* A copy of the text in which the first `from` is `to`. */
static char *replaced(char *text, const char *from, const char *to)
{
    char *made = NULL;
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    free(text);
    return made;
}

/* A ready file of config/channels reads the golden answers of its provider as they were recorded. */
static void golden_check(const char *shipped, const char *merchant, const char *golden_merchant,
                         const char *golden)
{
    char path[256];
    char key[128];
    char secret[96];
    snprintf(path, sizeof(path), SOURCE_DIR "/config/channels/%s.yaml", shipped);
    snprintf(key, sizeof(key), "%s/%s.key", stage.folder, shipped);
    snprintf(secret, sizeof(secret), "/etc/makegood/%s_secret", shipped);
    file_write(key, "sk_test_golden\n");
    assert_int_equal(chmod(key, 0600), 0);
    char *channels = replaced(file_read(path), secret, key);
    if (merchant)
        channels = replaced(channels, merchant, golden_merchant);
    char *sample = file_read(SOURCE_DIR "/config/makegood.yaml");
    *strstr(sample, "\nchannels:\n") = '\0';
    char *text = NULL;
    assert_true(asprintf(&text, "%s\n%s", sample, channels) > 0);
    config_path(0, config_file);
    file_write(config_file, text);
    free(text);
    free(sample);
    free(channels);
    snprintf(path, sizeof(path), SOURCE_DIR "/tests/golden/cases/%s", golden);
    REPLAY(path); /* cases without an answer, of requests alone, are told */
    if (!strstr(out, " answers, 0 would be decided differently\n"))
        fail_msg("%s: %s%s", shipped, out, err);
    assert_true(atoi(out) > 10);
}

static void test_golden_answers(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    golden_check("stripe", "merchant: \"true\"", "merchant: \"false\"", "stripe");
    golden_check("paypal", "merchant: 7BFHPMZ9VEDJA", "merchant: MERCHANT1", "paypal");
    golden_check("square", "merchant: L88917AVBK2S5", "merchant: LOC1", "square");
    golden_check("braintree", NULL, NULL, "graphql");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_shown),
        TEST(test_amount_is_not_guessed),
        TEST(test_fates),
        TEST(test_json),
        TEST(test_misuse),
        TEST(test_unaskable),
        TEST(test_answers_are_replayed),
        TEST(test_what_can_not_be_saved),
        TEST(test_faulty_answers_are_told),
        TEST(test_golden_answers),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
