/* Quantities: what is read, what is refused, and that writing and reading agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/quantity.h"

struct sample {
    const char *text;
    int64_t value;
};

static void check_good(bool (*parse)(const char *, int64_t *), const struct sample *samples)
{
    for (; samples->text; samples++) {
        int64_t value = -1;
        if (!parse(samples->text, &value) || value != samples->value)
            fail_msg("\"%s\" reads as %lld", samples->text, (long long)value);
    }
}

static void check_bad(bool (*parse)(const char *, int64_t *), const char *const *texts)
{
    for (; *texts; texts++) {
        int64_t value = 0;
        if (parse(*texts, &value))
            fail_msg("\"%s\" was read as %lld", *texts, (long long)value);
    }
}

static void durations_are_read(void **state)
{
    (void)state;
    check_good(quantity_parse_duration, (const struct sample[]){{"0ms", 0},
                                                                {"0s", 0},
                                                                {"250ms", 250},
                                                                {"5s", 5000},
                                                                {"1m", 60000},
                                                                {"2h", 7200000},
                                                                {"3d", 259200000},
                                                                {"9223372036854775807ms", INT64_MAX},
                                                                {NULL, 0}});
    check_bad(quantity_parse_duration,
              (const char *const[]){"", "5", "s", "-5s", "+5s", " 5s", "5s ", "5 s", "5S", "5sec", "1.5s",
                                    "05s", "5s3", "1h30m", "0x5s", "9223372036854775808ms", "106751991168d",
                                    "5\xc2\xb5s", NULL});
}

static void sizes_are_read(void **state)
{
    (void)state;
    check_good(
        quantity_parse_size,
        (const struct sample[]){
            {"0B", 0}, {"100B", 100}, {"64KiB", 65536}, {"2MiB", 2097152}, {"1GiB", 1073741824}, {NULL, 0}});
    check_bad(quantity_parse_size, (const char *const[]){"", "64", "64K", "64kb", "64KB", "64 KiB", "-1B",
                                                         "1e3B", "8589934592GiB", NULL});
}

static void integers_are_read(void **state)
{
    (void)state;
    check_good(quantity_parse_integer,
               (const struct sample[]){{"0", 0}, {"7", 7}, {"9223372036854775807", INT64_MAX}, {NULL, 0}});
    check_bad(quantity_parse_integer,
              (const char *const[]){"", "-1", "+1", "1 ", " 1", "01", "1_000", "1.0", "0x10",
                                    "9223372036854775808", "99999999999999999999", NULL});
}

static void percentages_are_read(void **state)
{
    (void)state;
    check_good(quantity_parse_percent, (const struct sample[]){{"0%", 0}, {"20%", 20}, {NULL, 0}});
    check_bad(quantity_parse_percent,
              (const char *const[]){"", "20", "%", "20 %", "20%%", "-1%", "0.5%", NULL});
}

static void booleans_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "True", "TRUE", "1", "0", "on", "off", "y", "n", "true ", "yess"};
    bool value = false;
    assert_true(quantity_parse_boolean("true", &value) && value);
    assert_true(quantity_parse_boolean("no", &value) && !value);
    assert_true(quantity_parse_boolean("yes", &value) && value);
    assert_true(quantity_parse_boolean("false", &value) && !value);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(quantity_parse_boolean(bad[i], &value));
}

static void writing_is_reading_back(void **state)
{
    (void)state;
    static const int64_t values[] = {0,     1,     999,   1000,    1024,     1500,
                                     60000, 65536, 90000, 3600000, 86400000, INT64_MAX};
    char text[QUANTITY_TEXT_BYTES];
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        int64_t value = -1;
        quantity_format_duration(values[i], text);
        assert_true(quantity_parse_duration(text, &value) && value == values[i]);
        quantity_format_size(values[i], text);
        assert_true(quantity_parse_size(text, &value) && value == values[i]);
    }
    quantity_format_duration(90000, text);
    assert_string_equal(text, "90s");
    quantity_format_duration(0, text);
    assert_string_equal(text, "0s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read), cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(integers_are_read),  cmocka_unit_test(percentages_are_read),
        cmocka_unit_test(booleans_are_read),  cmocka_unit_test(writing_is_reading_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
