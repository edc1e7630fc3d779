/* Money as integers. Pure; any thread. Exponents: ISO 4217 list one (minor units), as of 2024. */
#include "makegood/money.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the alphabet, each code with a space: a list is searched as an array of four letters each. */
#define CODE_STEP 4
static const char two_decimals[] =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP "
    "GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN "
    "QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD "
    "TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG ZWL ";
static const char no_decimals[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ";
static const char three_decimals[] = "BHD IQD JOD KWD LYD OMR TND ";
static const char four_decimals[] = "CLF UYW ";

static int code_compare(const void *wanted, const void *code)
{
    return memcmp(wanted, code, CODE_STEP - 1);
}

int currency_exponent(const char *currency)
{
    static const struct {
        const char *codes;
        size_t count;
        int exponent;
    } lists[] = {{two_decimals, sizeof(two_decimals) / CODE_STEP, 2},
                 {no_decimals, sizeof(no_decimals) / CODE_STEP, 0},
                 {three_decimals, sizeof(three_decimals) / CODE_STEP, 3},
                 {four_decimals, sizeof(four_decimals) / CODE_STEP, 4}};
    if (strlen(currency) != CODE_STEP - 1)
        return -1;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (bsearch(currency, lists[i].codes, lists[i].count, CODE_STEP, code_compare))
            return lists[i].exponent;
    return -1;
}

static bool digit_append(int64_t *minor, char digit)
{
    return !__builtin_mul_overflow(*minor, 10, minor) && !__builtin_add_overflow(*minor, digit - '0', minor);
}

static const char *digits_append(int64_t *minor, const char *text, int longest)
{
    for (; longest > 0 && *text >= '0' && *text <= '9'; text++, longest--)
        if (!digit_append(minor, *text))
            return NULL;
    return text;
}

bool money_parse_decimal(const char *text, int exponent, int64_t *out_minor)
{
    int64_t minor = 0;
    const char *point = digits_append(&minor, text, 19);
    if (!point || point == text || exponent < 0)
        return false;
    const char *end = point;
    if (*point == '.') {
        end = digits_append(&minor, point + 1, exponent);
        if (!end || end == point + 1)
            return false;
    }
    if (*end != '\0')
        return false;
    int written = *point == '.' ? (int)(end - point) - 1 : 0;
    for (int i = written; i < exponent; i++)
        if (!digit_append(&minor, '0'))
            return false;
    *out_minor = minor;
    return true;
}

bool money_parse_minor(const char *text, int64_t *out_minor)
{
    return money_parse_decimal(text, 0, out_minor);
}

void money_format_decimal(int64_t minor, int exponent, char out[MONEY_TEXT_BYTES])
{
    assert(minor >= 0 && exponent >= 0 && exponent <= 4);
    int64_t unit = 1;
    for (int i = 0; i < exponent; i++)
        unit *= 10;
    if (exponent > 0)
        snprintf(out, MONEY_TEXT_BYTES, "%" PRId64 ".%0*" PRId64, minor / unit, exponent, minor % unit);
    else
        snprintf(out, MONEY_TEXT_BYTES, "%" PRId64, minor);
}
