/* Hexadecimal text. */
#include "channel/hex.h"

#include "fixture.h"

static void every_byte_is_two_digits(void **state)
{
    (void)state;
    char text[513];
    char expected[513];
    unsigned char bytes[256];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (unsigned char)i;
        snprintf(expected + 2 * i, 3, "%02x", i);
    }
    hex_write(bytes, sizeof(bytes), text);
    assert_string_equal(text, expected);
}

static void nothing_is_an_empty_text(void **state)
{
    (void)state;
    char text[1] = "x";
    hex_write((const unsigned char *)"", 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_two_digits),
        cmocka_unit_test(nothing_is_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
