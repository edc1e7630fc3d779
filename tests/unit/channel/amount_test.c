/* Amounts and currencies out of an answer, and back. */
#include "channel/amount.h"
#include "fixture.h"

struct reading {
    struct money_form form;
    struct amount amount;
};

static void reading_init(struct reading *reading, const struct http_amount_spec *amount, const char *format,
                         const char **exponents, unsigned exponent_count)
{
    struct fixture_blame fixture;
    struct http_channel_spec spec = {
        .amount_format = format, .exponents = exponents, .exponent_count = exponent_count};
    fixture_blame_init(&fixture);
    money_form_compile(&reading->form, &spec, &fixture.blame);
    amount_compile(&reading->amount, amount, "amount", &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void reading_finish(struct reading *reading)
{
    money_form_finish(&reading->form);
    amount_finish(&reading->amount);
}

#define UNREADABLE INT64_MIN

static int64_t read_one(const struct reading *reading, const char *currency, const char *text)
{
    json_t *json = fixture_json(text);
    int64_t minor = UNREADABLE;
    bool read = amount_read(&reading->amount, &reading->form, currency, json, &minor);
    json_decref(json);
    assert_true(read == (minor != UNREADABLE));
    return minor;
}

static void minor_units_are_integers_or_digits(void **state)
{
    (void)state;
    struct reading reading;
    reading_init(&reading, &(struct http_amount_spec){.at = "/a"}, NULL, NULL, 0);
    static const struct {
        const char *text;
        int64_t minor;
    } rows[] = {{"{\"a\":1099}", 1099},
                {"{\"a\":\"1099\"}", 1099},
                {"{\"a\":0}", 0},
                {"{\"a\":-0}", 0},
                {"{\"a\":9223372036854775807}", INT64_MAX},
                {"{\"a\":-1}", UNREADABLE},
                {"{\"a\":1099.0}", UNREADABLE},
                {"{\"a\":1e2}", UNREADABLE},
                {"{\"a\":\"-1\"}", UNREADABLE},
                {"{\"a\":\"1.0\"}", UNREADABLE},
                {"{\"a\":\"\"}", UNREADABLE},
                {"{\"a\":true}", UNREADABLE},
                {"{\"a\":null}", UNREADABLE},
                {"{\"a\":[5]}", UNREADABLE},
                {"{}", UNREADABLE},
                {"[]", UNREADABLE},
                {"{\"a\":\"9223372036854775808\"}", UNREADABLE}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(read_one(&reading, "EUR", rows[i].text) == rows[i].minor);
    reading_finish(&reading);
}

static void decimals_are_strings_by_the_exponent(void **state)
{
    (void)state;
    struct reading reading;
    reading_init(&reading, &(struct http_amount_spec){.at = "/a"}, "decimal", NULL, 0);
    assert_true(read_one(&reading, "EUR", "{\"a\":\"12.34\"}") == 1234);
    assert_true(read_one(&reading, "EUR", "{\"a\":\"12.3\"}") == 1230);
    assert_true(read_one(&reading, "JPY", "{\"a\":\"12\"}") == 12);
    assert_true(read_one(&reading, "KWD", "{\"a\":\"1.234\"}") == 1234);
    assert_true(read_one(&reading, "JPY", "{\"a\":\"12.0\"}") == UNREADABLE);
    assert_true(read_one(&reading, "EUR", "{\"a\":\"12.345\"}") == UNREADABLE);
    assert_true(read_one(&reading, "EUR", "{\"a\":12}") == UNREADABLE);
    assert_true(read_one(&reading, "EUR", "{\"a\":12.34}") == UNREADABLE);
    assert_true(read_one(&reading, "ZZZ", "{\"a\":\"12\"}") == UNREADABLE);
    reading_finish(&reading);
}

static void a_channels_exponent_is_converted_exactly(void **state)
{
    (void)state;
    const char *exponents[] = {"ISK=2", "HUF=0", "XTS=3"};
    struct reading reading;
    reading_init(&reading, &(struct http_amount_spec){.at = "/a"}, "minor", exponents, 3);
    assert_true(read_one(&reading, "ISK", "{\"a\":500}") == 5);
    assert_true(read_one(&reading, "ISK", "{\"a\":501}") == UNREADABLE);
    assert_true(read_one(&reading, "HUF", "{\"a\":5}") == 500);
    assert_true(read_one(&reading, "HUF", "{\"a\":92233720368547759}") == UNREADABLE);
    assert_true(read_one(&reading, "XTS", "{\"a\":5}") == 5); /* unknown to ISO 4217: nothing to convert to */
    assert_true(read_one(&reading, "EUR", "{\"a\":5}") == 5);
    int64_t minor;
    assert_true(money_form_to_channel(&reading.form, "ISK", 5, &minor) && minor == 500);
    assert_true(money_form_to_channel(&reading.form, "HUF", 500, &minor) && minor == 5);
    assert_false(money_form_to_channel(&reading.form, "HUF", 501, &minor));
    assert_false(money_form_to_channel(&reading.form, "ISK", INT64_MAX, &minor));
    assert_false(money_form_to_channel(&reading.form, "EUR", -1, &minor));
    assert_int_equal(money_form_exponent(&reading.form, "ISK"), 2);
    assert_int_equal(money_form_exponent(&reading.form, "KWD"), 3);
    assert_int_equal(money_form_exponent(&reading.form, "QQQ"), -1);
    reading_finish(&reading);
}

static void several_are_summed(void **state)
{
    (void)state;
    const char *good[] = {"good", "fine"};
    struct reading reading;
    reading_init(&reading,
                 &(struct http_amount_spec){
                     .over = "/l/*", .at = "/a", .where_at = "/s", .where_is = good, .where_is_count = 2},
                 "minor", NULL, 0);
    assert_true(
        read_one(&reading, "EUR",
                 "{\"l\":[{\"a\":1,\"s\":\"good\"},{\"a\":20,\"s\":\"bad\"},{\"a\":300,\"s\":\"fine\"},"
                 "{\"a\":4000}]}") == 301);
    assert_true(read_one(&reading, "EUR", "{\"l\":[{\"a\":1,\"s\":\"bad\"}]}") == UNREADABLE);
    assert_true(read_one(&reading, "EUR", "{\"l\":[]}") == UNREADABLE);
    assert_true(read_one(&reading, "EUR", "{\"l\":[{\"a\":1,\"s\":\"good\"},{\"s\":\"good\"}]}") ==
                UNREADABLE);
    assert_true(read_one(&reading, "EUR",
                         "{\"l\":[{\"a\":9223372036854775807,\"s\":\"good\"},{\"a\":1,\"s\":\"good\"}]}") ==
                UNREADABLE);
    reading_finish(&reading);
}

static void an_amount_that_is_not_given_is_not_read(void **state)
{
    (void)state;
    struct reading reading;
    reading_init(&reading, &(struct http_amount_spec){.at = ""}, NULL, NULL, 0);
    assert_false(reading.amount.given);
    assert_true(read_one(&reading, "EUR", "[1]") == UNREADABLE);
    reading_finish(&reading);
}

static bool currency(const char *path, const char *text, char out[CURRENCY_BYTES])
{
    struct fixture_blame fixture;
    struct pointer pointer;
    json_t *json = fixture_json(text);
    fixture_blame_init(&fixture);
    pointer_compile(&pointer, path, true, "key", &fixture.blame);
    bool read = currency_read(&pointer, json, out);
    pointer_finish(&pointer);
    json_decref(json);
    fixture_blame_check(&fixture, NULL, NULL);
    return read;
}

static void currencies_are_three_letters_that_agree(void **state)
{
    (void)state;
    char code[CURRENCY_BYTES] = "";
    assert_true(currency("/c", "{\"c\":\"usd\"}", code));
    assert_string_equal(code, "USD");
    assert_true(currency("/*/c", "[{\"c\":\"EUR\"},{},{\"c\":\"eur\"}]", code));
    assert_string_equal(code, "EUR");
    assert_false(currency("/*/c", "[{\"c\":\"EUR\"},{\"c\":\"USD\"}]", code));
    assert_false(currency("/*/c", "[{\"c\":\"EUR\"},{\"c\":null}]", code));
    assert_false(currency("/*/c", "[]", code));
    assert_false(currency("/c", "{\"c\":\"US\"}", code));
    assert_false(currency("/c", "{\"c\":\"USDT\"}", code));
    assert_false(currency("/c", "{\"c\":\"U$D\"}", code));
    assert_false(currency("/c", "{\"c\":840}", code));
    assert_false(currency(NULL, "{\"c\":\"USD\"}", code));
    assert_string_equal(code, "EUR"); /* untouched by the failures */
}

static void a_code_is_three_capital_letters(void **state)
{
    (void)state;
    static const char *const no_codes[] = {"",    "E",   "EU",  "EURO", "EUR ", "eur",
                                           "EUr", "E R", "EU1", "[UR",  "@UR"};
    assert_true(currency_is_code("AZX")); /* known or not */
    for (size_t i = 0; i < COUNT(no_codes); i++)
        assert_false(currency_is_code(no_codes[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minor_units_are_integers_or_digits),
        cmocka_unit_test(decimals_are_strings_by_the_exponent),
        cmocka_unit_test(a_channels_exponent_is_converted_exactly),
        cmocka_unit_test(several_are_summed),
        cmocka_unit_test(an_amount_that_is_not_given_is_not_read),
        cmocka_unit_test(currencies_are_three_letters_that_agree),
        cmocka_unit_test(a_code_is_three_capital_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
