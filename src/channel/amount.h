/* Amounts: out of an answer into int64 minor units by ISO 4217, and back into what a channel writes (law 7).
 *
 * A channel may depart from ISO 4217's exponent (Stripe sends ISK with two decimals); its own exponent is
 * used to read and to write, and the result is converted exactly or not at all. JSON reals are refused. Any
 * thread. */
#ifndef MAKEGOOD_CHANNEL_AMOUNT_H
#define MAKEGOOD_CHANNEL_AMOUNT_H

#include "channel/blame.h"
#include "channel/http_channel.h"
#include "channel/json.h"
#include "channel/pointer.h"

struct money_exponent {
    char currency[CURRENCY_BYTES];
    int exponent;
};

/* How a channel writes money. */
struct money_form {
    bool decimal; /* decimal strings; otherwise minor units, as a JSON integer or a string of digits */
    struct money_exponent *exponents;
    unsigned exponent_count;
};

/* Faults go to answer.amount_format and answer.exponents[N]. */
void money_form_compile(struct money_form *out, const struct http_channel_spec *spec, struct blame *blame);
void money_form_finish(struct money_form *form);

/* Decimals the channel gives the currency, or -1 when the code is unknown. */
int money_form_exponent(const struct money_form *form, const char *currency);
/* ISO 4217 minor units to the channel's; false when it can not be exact. */
bool money_form_to_channel(const struct money_form *form, const char *currency, int64_t minor, int64_t *out);

struct amount {
    struct pointer over;
    struct pointer at;
    struct pointer where_at;
    struct pointer number_at;
    struct texts where_is;
    bool given;
    bool filtered;
};

void amount_compile(struct amount *out, const struct http_amount_spec *spec, const char *key,
                    struct blame *blame);
void amount_finish(struct amount *amount);

/* The channel's own number in the first selected element; NULL when none is configured or there. */
const json_t *amount_number(const struct amount *amount, const json_t *root);

/* The sum of the selected amounts; false when none is selected or one can not be read. */
bool amount_read(const struct amount *amount, const struct money_form *form, const char *currency,
                 const json_t *root, int64_t *out_minor);

/* Three capital letters, whether ISO 4217 knows them or not. */
bool currency_is_code(const char *text);
/* Three letters, in upper case afterwards; where the pointer has stars, all must agree. */
bool currency_read(const struct pointer *pointer, const json_t *root, char out[CURRENCY_BYTES]);

#endif
