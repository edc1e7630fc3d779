/* Money: exponents, and texts to minor units and back without ever guessing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "makegood/money.h"

static void currencies_have_their_exponents(void **state)
{
    (void)state;
    assert_int_equal(currency_exponent("CNY"), 2);
    assert_int_equal(currency_exponent("USD"), 2);
    assert_int_equal(currency_exponent("AED"), 2); /* first of its list */
    assert_int_equal(currency_exponent("ZWL"), 2); /* last of its list */
    assert_int_equal(currency_exponent("JPY"), 0);
    assert_int_equal(currency_exponent("XPF"), 0);
    assert_int_equal(currency_exponent("KWD"), 3);
    assert_int_equal(currency_exponent("CLF"), 4);
}

/* Each of them: one that stands out of order in the table is not found. */
static void every_currency_is_found(void **state)
{
    (void)state;
    static const struct {
        int exponent;
        const char *codes;
    } rows[] = {
        {2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
            "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR "
            "FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW "
            "KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN "
            "NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
            "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS "
            "VED VES WST XCD YER ZAR ZMW ZWG ZWL "},
        {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
        {3, "BHD IQD JOD KWD LYD OMR TND "},
        {4, "CLF UYW "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (const char *at = rows[i].codes; *at; at += strlen("CNY ")) {
            char code[CURRENCY_BYTES];
            snprintf(code, sizeof(code), "%.3s", at);
            if (currency_exponent(code) != rows[i].exponent)
                fail_msg("%s has the exponent %d", code, currency_exponent(code));
        }
}

static void unknown_currencies_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "C",   "CN",  "CNYX", "cny",  "XYZ",
                                        "Y C", "C Y", " CN", "€",    "CN\n", "12Y"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (currency_exponent(texts[i]) != -1)
            fail_msg("'%s' passes for a currency", texts[i]);
}

static void decimals_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exponent;
        int64_t minor;
    } cases[] = {
        {"12.34", 2, 1234},
        {"12.3", 2, 1230},
        {"12", 2, 1200},
        {"0", 2, 0},
        {"0.01", 2, 1},
        {"0.1", 2, 10},
        {"5", 0, 5},
        {"1.234", 3, 1234},
        {"1.2345", 4, 12345},
        {"0.00", 2, 0},
        {"100", 0, 100},
        {"92233720368547758.07", 2, INT64_MAX},
        {"9223372036854775807", 0, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t minor = -1;
        if (!money_parse_decimal(cases[i].text, cases[i].exponent, &minor) || minor != cases[i].minor)
            fail_msg("'%s' with exponent %d is read as %lld", cases[i].text, cases[i].exponent,
                     (long long)minor);
    }
}

static void what_is_no_amount_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exponent;
    } cases[] = {
        {"", 2},
        {".", 2},
        {".5", 2},
        {"5.", 2},
        {"-1", 2},
        {"+1", 2},
        {" 1", 2},
        {"1 ", 2},
        {"1e3", 2},
        {"1E3", 2},
        {"1.234", 2},
        {"1.0", 0},
        {"1,00", 2},
        {"0x10", 2},
        {"1.2.3", 2},
        {"NaN", 2},
        {"inf", 2},
        {"1_000", 2},
        {"١", 2},
        {"1.-1", 2},
        {"1. 1", 2},
        {"12.34\n", 2},
        {"1", -1},
        {"92233720368547758.08", 2},
        {"9223372036854775808", 0},
        {"99999999999999999999", 0},
        {"92233720368547758070", 0},
        {"10000000000000000000000000000", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t minor = -77;
        if (money_parse_decimal(cases[i].text, cases[i].exponent, &minor))
            fail_msg("'%s' with exponent %d is read as %lld", cases[i].text, cases[i].exponent,
                     (long long)minor);
        assert_int_equal(minor, -77); /* untouched */
    }
}

static void minor_units_are_plain_digits(void **state)
{
    (void)state;
    int64_t minor;
    assert_true(money_parse_minor("1234", &minor));
    assert_int_equal(minor, 1234);
    assert_false(money_parse_minor("12.34", &minor));
    assert_false(money_parse_minor("-1", &minor));
    assert_false(money_parse_minor("", &minor));
}

static void amounts_are_written(void **state)
{
    (void)state;
    char text[MONEY_TEXT_BYTES];
    money_format_decimal(1234, 2, text);
    assert_string_equal(text, "12.34");
    money_format_decimal(5, 2, text);
    assert_string_equal(text, "0.05");
    money_format_decimal(1234, 0, text);
    assert_string_equal(text, "1234");
    money_format_decimal(INT64_MAX, 4, text);
    assert_string_equal(text, "922337203685477.5807");
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    uint64_t number = 1;
    for (int i = 0; i < 200000; i++) {
        number = number * 6364136223846793005u + 1442695040888963407u;
        int64_t minor = (int64_t)(number >> (1 + i % 63));
        int exponent = i % 5;
        char text[MONEY_TEXT_BYTES];
        int64_t again = -1;
        money_format_decimal(minor, exponent, text);
        if (!money_parse_decimal(text, exponent, &again) || again != minor)
            fail_msg("%lld is written '%s' and read back as %lld", (long long)minor, text, (long long)again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_their_exponents),
        cmocka_unit_test(every_currency_is_found),
        cmocka_unit_test(unknown_currencies_are_refused),
        cmocka_unit_test(decimals_are_read),
        cmocka_unit_test(what_is_no_amount_is_refused),
        cmocka_unit_test(minor_units_are_plain_digits),
        cmocka_unit_test(amounts_are_written),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
