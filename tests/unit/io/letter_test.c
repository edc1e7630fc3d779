/* Letters: what a shop writes, what makegood writes after it, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/letter.h"

#define SHORT "\"order_no\":\"A17\",\"channel\":\"alipay\",\"amount_minor\":1234,\"currency\":\"CNY\""

static const struct postmark postmark = {"01AB", 1000000, 1005000, 1007000, 3};
static struct letter letter;
static char why[LETTER_WHY_BYTES];

static bool take(const char *text)
{
    why[0] = '\0';
    return letter_read(text, strlen(text), &postmark, &letter, why);
}

static void test_the_shops_letter(void **state)
{
    (void)state;
    assert_true(take("{" SHORT "}"));
    assert_string_equal(letter.order.order_no, "A17");
    assert_string_equal(letter.order.channel, "alipay");
    assert_string_equal(letter.order.number, "");
    assert_int_equal(letter.order.amount_minor, 1234);
    assert_int_equal(letter.order.phase, PHASE_OPEN);
    assert_int_equal(letter.order.age_ms, 7000); /* since it was sent */
    assert_int_equal(letter.order.late_ms, 2000);
    assert_int_equal(letter.order.claimed_us, 1005000000);
    assert_int_equal(letter.order.claims, 3);
    assert_true(letter.order.left_ms == NO_END);
    char chain[TOKEN_BYTES];
    memcpy(chain, letter.order.token, sizeof(chain));
    assert_true(take("{" SHORT
                     ",\"expires_at_ms\":1017000,\"created_at_ms\":7000,\"number\":\"N|1\",\"attempt\":\"2\","
                     "\"method\":\"app\",\"channel_data\":{\"b\":1,\"a\":null}}"));
    assert_string_equal(letter.order.token, chain); /* of the message's identifier */
    assert_int_equal(letter.order.left_ms, 10000);
    assert_int_equal(letter.order.age_ms, 1000000);
    assert_string_equal(letter.order.channel_data, "{\"a\":null,\"b\":1}");
}

/* All that a letter says is in the next one, but for where the order stands. */
static void test_the_next_letter(void **state)
{
    (void)state;
    char text[LETTER_BYTES];
    assert_true(take("{" SHORT
                     ",\"expires_at_ms\":1017000,\"number\":\"N1\",\"attempt\":\"2\",\"method\":\"app\","
                     "\"channel_data\":{\"a\":\"b\"}}"));
    struct letter first = letter;
    struct letter next = first;
    next.order.phase = PHASE_TAIL;
    next.order.answers = 4;
    next.order.errors = 5;
    next.order.unknowns = 6;
    next.order.claims = 7;
    next.order.claimed_us = 1234567890123;
    size_t length = letter_write(&next, text);
    assert_in_range(length, 100, 1000);
    struct postmark later = postmark;
    later.id = "another";
    assert_true(letter_read(text, length, &later, &letter, why));
    assert_string_equal(letter.order.token, first.order.token);
    assert_string_equal(letter.order.number, "N1");
    assert_string_equal(letter.order.attempt, "2");
    assert_string_equal(letter.order.method, "app");
    assert_string_equal(letter.order.channel_data, first.order.channel_data);
    assert_int_equal(letter.created_ms, first.created_ms);
    assert_int_equal(letter.expires_ms, first.expires_ms);
    assert_int_equal(letter.order.phase, PHASE_TAIL);
    assert_int_equal(letter.order.answers, 4);
    assert_int_equal(letter.order.errors, 5);
    assert_int_equal(letter.order.unknowns, 6);
    assert_true(letter.order.claimed_us == 1234567890123);
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no JSON"},
        {"[]", "no JSON object"},
        {"{" SHORT "} x", "no JSON"},
        {"{" SHORT ",\"channel\":\"b\"}", "no JSON"},
        {"{\"channel\":\"a\",\"amount_minor\":1,\"currency\":\"CNY\"}", "order_no"},
        {"{\"order_no\":\"A 1\",\"channel\":\"a\",\"amount_minor\":1,\"currency\":\"CNY\"}", "order_no"},
        {"{\"order_no\":7,\"channel\":\"a\",\"amount_minor\":1,\"currency\":\"CNY\"}", "order_no"},
        {"{\"order_no\":\"A1\",\"channel\":\"A\",\"amount_minor\":1,\"currency\":\"CNY\"}", "channel"},
        {"{\"order_no\":\"A1\",\"channel\":\"a\",\"amount_minor\":0,\"currency\":\"CNY\"}", "amount_minor"},
        {"{\"order_no\":\"A1\",\"channel\":\"a\",\"amount_minor\":1.5,\"currency\":\"CNY\"}", "amount_minor"},
        {"{\"order_no\":\"A1\",\"channel\":\"a\",\"amount_minor\":\"1\",\"currency\":\"CNY\"}",
         "amount_minor"},
        {"{\"order_no\":\"A1\",\"channel\":\"a\",\"amount_minor\":1}", "currency"},
        {"{\"order_no\":\"A1\",\"channel\":\"a\",\"amount_minor\":1,\"currency\":\"cny\"}", "currency"},
        {"{" SHORT ",\"number\":\"a/b\"}", "number"},
        {"{" SHORT ",\"number\":\"a\\u0000b\"}", "no JSON"},
        {"{" SHORT ",\"method\":\"0123456789012345678901234567890123\"}", "method"},
        {"{" SHORT ",\"channel_data\":[1]}", "channel_data"},
        {"{" SHORT ",\"chain\":\"x\"}", "chain"},
        {"{" SHORT ",\"phase\":\"over\"}", "phase"},
        {"{" SHORT ",\"answers\":-1}", "counter"},
        {"{" SHORT ",\"errors\":99999999999}", "counter"},
        {"{" SHORT ",\"due_us\":0}", "due_us"},
        {"{" SHORT ",\"expires_at_ms\":\"soon\"}", "expires_at_ms"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(take(cases[i].text));
        if (!strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].text, why);
    }
}

static void test_too_long_is_refused(void **state)
{
    static char text[LETTER_BYTES + 64];
    (void)state;
    int length = snprintf(text, sizeof(text), "{" SHORT "}");
    memset(text + length, ' ', sizeof(text) - (size_t)length);
    assert_true(letter_read(text, LETTER_BYTES, &postmark, &letter, why));
    assert_false(letter_read(text, LETTER_BYTES + 1, &postmark, &letter, why));
    char data[1200];
    memset(data, 'x', sizeof(data));
    snprintf(text, sizeof(text), "{" SHORT ",\"channel_data\":{\"a\":\"%.1100s\"}}", data);
    assert_false(take(text));
    assert_non_null(strstr(why, "channel_data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shops_letter),
        cmocka_unit_test(test_the_next_letter),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
