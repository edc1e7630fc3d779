/* UUIDs from text: PostgreSQL's own form, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/uuid.h"

static void test_every_digit_finds_its_place(void **state)
{
    static const unsigned char expected[UUID_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                                       0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    unsigned char bytes[UUID_BYTES];
    (void)state;
    assert_true(uuid_parse("01234567-89ab-cdef-fedc-ba9876543210", bytes));
    assert_memory_equal(bytes, expected, UUID_BYTES);
}

static void test_anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "0",
        "01234567",
        "01234567-",
        "01234567-89ab-cdef-fedc-ba987654321",
        "01234567-89ab-cdef-fedc-ba98765432100",
        "01234567-89ab-cdef-fedc-ba9876543210 ",
        " 01234567-89ab-cdef-fedc-ba9876543210",
        "{01234567-89ab-cdef-fedc-ba9876543210}",
        "01234567-89AB-CDEF-FEDC-BA9876543210",
        "01234567-89ab-cdef-fedc-ba987654321g",
        "g1234567-89ab-cdef-fedc-ba9876543210",
        "0123456789abcdeffedcba9876543210",
        "0123456-789ab-cdef-fedc-ba9876543210",
        "01234567-89ab-cdef-fedcba-9876543210",
        "------------------------------------",
    };
    unsigned char bytes[UUID_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (uuid_parse(wrong[i], bytes))
            fail_msg("\"%s\" passes for a UUID", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_digit_finds_its_place),
        cmocka_unit_test(test_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
