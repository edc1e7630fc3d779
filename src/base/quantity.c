/* Reading and writing quantities. Called by the thread that loads the configuration or reads the command
 * line; never guesses a unit. */
#include "base/quantity.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Ascending, ended by a nameless one. */
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}, {NULL, 0}};
static const struct unit sizes[] = {
    {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit percent[] = {{"%", 1}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

/* Where the digits end, or NULL. */
static const char *digits_parse(const char *text, int64_t *out)
{
    size_t length = strspn(text, "0123456789");
    int64_t value = 0;
    if (length == 0 || (*text == '0' && length > 1))
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
            return NULL;
    *out = value;
    return text + length;
}

static bool quantity_parse(const char *text, const struct unit *units, int64_t *out)
{
    int64_t value = 0;
    const char *name = digits_parse(text, &value);
    for (; name && units->name; units++)
        if (strcmp(units->name, name) == 0)
            return !__builtin_mul_overflow(value, units->factor, out);
    return false;
}

bool quantity_parse_integer(const char *text, int64_t *out)
{
    return quantity_parse(text, plain, out);
}

bool quantity_parse_duration(const char *text, int64_t *out_ms)
{
    return quantity_parse(text, durations, out_ms);
}

bool quantity_parse_size(const char *text, int64_t *out_bytes)
{
    return quantity_parse(text, sizes, out_bytes);
}

bool quantity_parse_percent(const char *text, int64_t *out_percent)
{
    return quantity_parse(text, percent, out_percent);
}

bool quantity_parse_boolean(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static void quantity_format(int64_t value, const struct unit *units, const struct unit *zero,
                            char out[QUANTITY_TEXT_BYTES])
{
    const struct unit *best = value ? units : zero;
    for (; value && units->name; units++)
        if (value % units->factor == 0)
            best = units;
    snprintf(out, QUANTITY_TEXT_BYTES, "%" PRId64 "%s", value / best->factor, best->name);
}

void quantity_format_duration(int64_t ms, char out[QUANTITY_TEXT_BYTES])
{
    quantity_format(ms, durations, &durations[1], out);
}

void quantity_format_size(int64_t bytes, char out[QUANTITY_TEXT_BYTES])
{
    quantity_format(bytes, sizes, &sizes[0], out);
}
