/* Reading amounts and currencies. Compiled by the thread that loads the configuration, used by the workers.
 * Never guesses: what is not exactly money in the declared form is not read at all. */
#include "channel/amount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPONENT_MAX 4 /* money_format_decimal writes no more */

bool currency_is_code(const char *text)
{
    for (int i = 0; i < CURRENCY_BYTES - 1; i++)
        if (text[i] < 'A' || text[i] > 'Z')
            return false;
    return text[CURRENCY_BYTES - 1] == '\0';
}

/* "ISK=2" */
static bool exponent_parse(const char *text, struct money_exponent *out)
{
    if (strlen(text) != 5 || text[3] != '=' || text[4] < '0' || text[4] > '0' + EXPONENT_MAX)
        return false;
    memcpy(out->currency, text, 3);
    out->currency[3] = '\0';
    out->exponent = text[4] - '0';
    return currency_is_code(out->currency);
}

static void exponent_compile(struct money_form *form, const char *text, unsigned place, struct blame *blame)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof(key), "answer.exponents[%u]", place);
    struct money_exponent exponent;
    if (!exponent_parse(text ? text : "", &exponent)) {
        blame_key(blame, key,
                  "\"%.40s\" is not an exponent: write a currency code, \"=\" and 0 to %d, as ISK=2",
                  text ? text : "", EXPONENT_MAX);
        return;
    }
    for (unsigned i = 0; i < form->exponent_count; i++)
        if (strcmp(form->exponents[i].currency, exponent.currency) == 0)
            blame_key(blame, key, "the exponent of %s is given twice; keep one", exponent.currency);
    form->exponents[form->exponent_count++] = exponent;
}

void money_form_compile(struct money_form *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct money_form){0};
    const char *format = spec->amount_format ? spec->amount_format : "minor";
    out->decimal = strcmp(format, "decimal") == 0;
    if (!out->decimal && strcmp(format, "minor") != 0)
        blame_key(blame, "answer.amount_format", "\"%.40s\" is no amount format; write minor or decimal",
                  format);
    out->exponents = blame_array(blame, spec->exponent_count, sizeof(*out->exponents));
    for (unsigned i = 0; out->exponents && i < spec->exponent_count; i++)
        exponent_compile(out, spec->exponents[i], i, blame);
}

void money_form_finish(struct money_form *form)
{
    free(form->exponents);
    *form = (struct money_form){0};
}

int money_form_exponent(const struct money_form *form, const char *currency)
{
    for (unsigned i = 0; i < form->exponent_count; i++)
        if (strcmp(form->exponents[i].currency, currency) == 0)
            return form->exponents[i].exponent;
    return currency_exponent(currency);
}

/* From one number of decimals to another, exactly. */
static bool minor_rescale(int64_t minor, int from, int to, int64_t *out)
{
    for (; from < to; from++)
        if (__builtin_mul_overflow(minor, 10, &minor))
            return false;
    for (; from > to; from--) {
        if (minor % 10 != 0)
            return false;
        minor /= 10;
    }
    *out = minor;
    return true;
}

/* A currency that ISO 4217 does not know has only the channel's exponent, and one without any is left as it
 * is. */
static int iso_exponent(const struct money_form *form, const char *currency)
{
    int exponent = currency_exponent(currency);
    return exponent >= 0 ? exponent : money_form_exponent(form, currency);
}

bool money_form_to_channel(const struct money_form *form, const char *currency, int64_t minor, int64_t *out)
{
    int from = iso_exponent(form, currency);
    return minor >= 0 && minor_rescale(minor, from, money_form_exponent(form, currency), out);
}

static bool amount_value(const struct money_form *form, const char *currency, const json_t *value,
                         int64_t *out)
{
    int exponent = money_form_exponent(form, currency);
    const char *text = json_string_value(value);
    int64_t minor = 0;
    if (form->decimal) {
        if (!text || exponent < 0 || !money_parse_decimal(text, exponent, &minor))
            return false;
    } else if (text) {
        if (!money_parse_minor(text, &minor))
            return false;
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        minor = json_integer_value(value);
    } else {
        return false;
    }
    return minor_rescale(minor, exponent, iso_exponent(form, currency), out);
}

void amount_compile(struct amount *out, const struct http_amount_spec *spec, const char *key,
                    struct blame *blame)
{
    *out = (struct amount){.given = (spec->over && *spec->over) || (spec->at && *spec->at),
                           .filtered = spec->where_is_count > 0};
    char part[KEY_BYTES];
    snprintf(part, sizeof(part), "%s.over", key);
    pointer_compile(&out->over, spec->over, true, part, blame);
    snprintf(part, sizeof(part), "%s.at", key);
    pointer_compile(&out->at, spec->at, false, part, blame);
    snprintf(part, sizeof(part), "%s.where_at", key);
    pointer_compile(&out->where_at, spec->where_at, false, part, blame);
    if (spec->where_at && !out->filtered)
        blame_key(blame, part, "where_at needs where_is: the values that select an amount");
    snprintf(part, sizeof(part), "%s.number_at", key);
    pointer_compile(&out->number_at, spec->number_at, false, part, blame);
    snprintf(part, sizeof(part), "%s.where_is", key);
    texts_copy(&out->where_is, spec->where_is, spec->where_is_count, blame);
    if (!spec->where_at && out->filtered)
        blame_key(blame, part, "where_is needs where_at: the pointer to what is compared");
    if (!out->given && (spec->where_at || out->filtered))
        blame_key(blame, key, "at (and over, for several amounts) is missing: the pointer to the amount");
}

void amount_finish(struct amount *amount)
{
    pointer_finish(&amount->over);
    pointer_finish(&amount->at);
    pointer_finish(&amount->where_at);
    pointer_finish(&amount->number_at);
    texts_finish(&amount->where_is);
}

struct amount_sum {
    const struct amount *amount;
    const struct money_form *form;
    const char *currency;
    int64_t minor;
    unsigned count;
};

static bool amount_counts(const struct amount *amount, const json_t *element)
{
    const json_t *value = pointer_find(&amount->where_at, element);
    for (unsigned i = 0; value && i < amount->where_is.count; i++)
        if (json_value_is(value, amount->where_is.items[i]))
            return true;
    return !amount->filtered;
}

struct amount_named {
    const struct amount *amount;
    const json_t *number;
};

static bool number_take(void *self, const json_t *element)
{
    struct amount_named *named = self;
    if (!amount_counts(named->amount, element))
        return true;
    named->number = pointer_find(&named->amount->number_at, element);
    return false;
}

const json_t *amount_number(const struct amount *amount, const json_t *root)
{
    struct amount_named named = {.amount = amount};
    if (pointer_is_given(&amount->number_at))
        pointer_each(&amount->over, root, number_take, &named);
    return named.number;
}

static bool amount_add(void *self, const json_t *element)
{
    struct amount_sum *sum = self;
    if (!amount_counts(sum->amount, element))
        return true;
    int64_t minor = 0;
    sum->count++;
    return amount_value(sum->form, sum->currency, pointer_find(&sum->amount->at, element), &minor) &&
           !__builtin_add_overflow(sum->minor, minor, &sum->minor);
}

bool amount_read(const struct amount *amount, const struct money_form *form, const char *currency,
                 const json_t *root, int64_t *out_minor)
{
    struct amount_sum sum = {.amount = amount, .form = form, .currency = currency};
    if (!amount->given || !pointer_each(&amount->over, root, amount_add, &sum) || !sum.count)
        return false;
    *out_minor = sum.minor;
    return true;
}

/* Letters only, and no locale: toupper would ask one. */
static bool currency_visit(void *self, const json_t *value)
{
    char *currency = self;
    const char *text = json_string_value(value);
    char found[CURRENCY_BYTES] = "";
    if (!text || strlen(text) != 3)
        return false;
    for (int i = 0; i < 3; i++)
        found[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
    if (!currency_is_code(found) || (*currency && strcmp(currency, found) != 0))
        return false;
    memcpy(currency, found, CURRENCY_BYTES);
    return true;
}

bool currency_read(const struct pointer *pointer, const json_t *root, char out[CURRENCY_BYTES])
{
    char found[CURRENCY_BYTES] = "";
    if (!pointer_is_given(pointer) || !pointer_each(pointer, root, currency_visit, found) || !*found)
        return false;
    memcpy(out, found, CURRENCY_BYTES);
    return true;
}
