/* Money: int64 minor units and an ISO 4217 code. Never a float (law 7).
 *
 * The exponent says how many decimals the currency has (CNY 2, JPY 0, KWD 3). The table is ISO 4217's; a
 * channel that departs from it (Stripe's ISK and UGX, PayPal's HUF and TWD) says so in its configuration. */
#ifndef MAKEGOOD_MONEY_H
#define MAKEGOOD_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#define CURRENCY_BYTES   4 /* three upper-case letters and the final NUL */
#define MONEY_TEXT_BYTES 48

/* Decimals of the currency by ISO 4217, or -1 when the code is unknown. */
int currency_exponent(const char *currency);

/* "12.34" with exponent 2 -> 1234. Refuses signs, exponents, spaces, more decimals than the currency has, an
 * empty text, and whatever does not fit; fewer decimals are fine ("12.3", "12"). */
bool money_parse_decimal(const char *text, int exponent, int64_t *out_minor);

/* "1234" -> 1234: plain digits, no sign. */
bool money_parse_minor(const char *text, int64_t *out_minor);

/* 1234 with exponent 2 -> "12.34". */
void money_format_decimal(int64_t minor, int exponent, char out[MONEY_TEXT_BYTES]);

#endif
