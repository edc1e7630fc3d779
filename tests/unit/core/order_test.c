/* Which texts may be an order number or a channel's name: only these ever enter a URL, a header or a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "makegood/order.h"

static void numbers_of_the_charset_pass(void **state)
{
    (void)state;
    assert_true(order_number_is_valid("a"));
    assert_true(order_number_is_valid("Order_1|2*3-4"));
    char longest[NUMBER_BYTES];
    memset(longest, '9', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(order_number_is_valid(longest));
}

static void every_other_byte_is_refused(void **state)
{
    (void)state;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_|*-";
    for (int byte = 1; byte < 256; byte++) {
        char text[4] = {'a', (char)byte, 'b', '\0'};
        assert_int_equal(order_number_is_valid(text), strchr(allowed, byte) != NULL);
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    char text[NUMBER_BYTES + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(order_number_is_valid(text));
    assert_false(order_number_is_valid(""));
    assert_false(channel_name_is_valid(""));
    text[CHANNEL_BYTES] = '\0';
    assert_false(channel_name_is_valid(text));
    text[CHANNEL_BYTES - 1] = '\0';
    assert_true(channel_name_is_valid(text));
}

static void channel_names_are_lower_case(void **state)
{
    (void)state;
    assert_true(channel_name_is_valid("alipay-1_main"));
    assert_false(channel_name_is_valid("Alipay"));
    assert_false(channel_name_is_valid("a b"));
    assert_false(channel_name_is_valid("a|b"));
    assert_false(channel_name_is_valid("a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_the_charset_pass),
        cmocka_unit_test(every_other_byte_is_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(channel_names_are_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
