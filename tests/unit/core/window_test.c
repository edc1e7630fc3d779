/* Maintenance windows: what can be written, and when one holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "makegood/window.h"

#define SUNDAY                  1700352000 /* 2023-11-19 00:00 UTC */
#define AT(day, hours, minutes) (SUNDAY + ((day)*24 + (hours)) * 3600 + (minutes)*60)

static bool holds(const char *text, int64_t utc_s)
{
    struct window window;
    if (!window_parse(text, &window))
        fail_msg("%s is not understood", text);
    return window_holds(&window, utc_s);
}

static void test_every_day(void **state)
{
    (void)state;
    for (int day = 0; day < 7; day++) {
        assert_false(holds("02:00-04:30", AT(day, 1, 59)));
        assert_true(holds("02:00-04:30", AT(day, 2, 0)));
        assert_true(holds("02:00-04:30", AT(day, 4, 29)));
        assert_false(holds("02:00-04:30", AT(day, 4, 30)));
    }
    assert_true(holds("00:00-24:00", AT(3, 23, 59)));
}

static void test_over_midnight(void **state)
{
    (void)state;
    assert_true(holds("Sat 23:30-00:30", AT(6, 23, 45)));
    assert_true(holds("Sat 23:30-00:30", AT(7, 0, 15)));
    assert_false(holds("Sat 23:30-00:30", AT(6, 0, 15)));
    assert_false(holds("Sat 23:30-00:30", AT(7, 23, 45)));
}

static void test_days(void **state)
{
    (void)state;
    assert_false(holds("Mon-Fri 10:00-11:00", AT(0, 10, 0)));
    assert_true(holds("Mon-Fri 10:00-11:00", AT(1, 10, 0)));
    assert_true(holds("Mon-Fri 10:00-11:00", AT(5, 10, 0)));
    assert_false(holds("Mon-Fri 10:00-11:00", AT(6, 10, 0)));
    assert_true(holds("Fri-Mon 10:00-11:00", AT(0, 10, 0)));
    assert_false(holds("Fri-Mon 10:00-11:00", AT(2, 10, 0)));
    assert_true(holds("Tue,Thu 10:00-11:00", AT(4, 10, 30)));
    assert_false(holds("Tue,Thu 10:00-11:00", AT(3, 10, 30)));
}

static void test_offsets(void **state)
{
    (void)state;
    assert_true(holds("Mon 02:00-04:00 +08:00", AT(0, 18, 0))); /* Monday 02:00 there */
    assert_false(holds("Mon 02:00-04:00 +08:00", AT(1, 2, 0)));
    assert_true(holds("Sat 22:00-23:00 -05:00", AT(7, 3, 30)));
    assert_true(holds("02:00-04:00 +05:30", AT(2, 20, 30)));
}

static void test_nonsense(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "02:00",
                                        "2:00-3:00",
                                        "02:00-02:00",
                                        "02:60-03:00",
                                        "24:00-01:00",
                                        "25:00-26:00",
                                        "02:00-24:01",
                                        "sun 02:00-03:00",
                                        "Sun,02:00-03:00",
                                        "Sun-Foo 02:00-03:00",
                                        "Sun  02:00-03:00",
                                        "02:00-03:00 08:00",
                                        "02:00-03:00 +8:00",
                                        "02:00-03:00 +14:01",
                                        "02:00-03:00 +08:00 x",
                                        "02:00-03:00x",
                                        "02:-1-03:00",
                                        "Sun"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct window window;
        if (window_parse(texts[i], &window))
            fail_msg("\"%s\" is understood", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_day), cmocka_unit_test(test_over_midnight),
                                       cmocka_unit_test(test_days), cmocka_unit_test(test_offsets),
                                       cmocka_unit_test(test_nonsense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
