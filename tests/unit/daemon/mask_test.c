/* What is masked, what is not, and what can not reach a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mask.h"

#define SECRET "canary-5ecret"

static bool is_told_by(const struct channel *channel, const char *text)
{
    (void)channel;
    return strstr(text, SECRET) != NULL;
}

static const struct channel_kind kind = {.name = "test", .is_told_by = is_told_by};
static const struct channel_kind open_kind = {.name = "open"};
static const struct channel channel = {.kind = &kind};
static const struct channel open_channel = {.kind = &open_kind}; /* sends no secret of its own */

static void check(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void check_body(const char *body, const char *expected)
{
    check(mask_body(&channel, body, strlen(body)), expected);
}

static void names_are_judged(void **state)
{
    static const char *const due[] = {"Authorization", "sign",    "Wechatpay-Signature", "client_secret",
                                      "access_token",  "API-Key", "app_auth_token",      "PassWord"};
    static const char *const open[] = {
        "Accept", "charset",     "sign_type", "signMethod",       "app_id",      "amount",
        "",       "biz_content", "status",    "Wechatpay-Serial", "out_trade_no"};
    (void)state;
    for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
        if (!mask_is_due(due[i], strlen(due[i])))
            fail_msg("%s is not masked", due[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (mask_is_due(open[i], strlen(open[i])))
            fail_msg("%s is masked", open[i]);
    assert_false(mask_is_due("design", 3)); /* only so much of it is the name */
}

static void headers_are_masked(void **state)
{
    (void)state;
    check(mask_header(&channel, "Accept: application/json"), "Accept: application/json");
    check(mask_header(&channel, "Authorization: Bearer sk_live_123456"), "Authorization: Bearer sk_l***[14]");
    check(mask_header(&channel, "authorization: sk_live_123456"), "authorization: sk_l***[14]");
    check(mask_header(&channel, "X-Api-Key:abcdefghi"), "X-Api-Key: abcd***[9]");
    check(mask_header(&channel, "X-Token: abcdefgh"),
          "X-Token: ***[8]"); /* four of eight would be half of it */
    check(mask_header(&channel, "X-Token: "), "X-Token: ***[0]");
    check(mask_header(&channel, "X-Shop: " SECRET), "(hidden: a secret of the channel stands in it)");
    check(mask_header(&open_channel, "X-Shop: " SECRET), "X-Shop: " SECRET);
    check(mask_header(&channel, "X-Odd: a\x1b[31m\r\nb"), "X-Odd: a\\x1b[31m\nb");
}

static void urls_are_masked(void **state)
{
    (void)state;
    check(mask_url(&channel, "https://a.example/v1/pi_1"), "https://a.example/v1/pi_1");
    check(mask_url(&channel, "https://a.example/keys/1?expand%5B%5D=x&flag&sign=0123456789&n=1"),
          "https://a.example/keys/1?expand%5B%5D=x&flag&sign=0123***[10]&n=1");
    check(mask_url(&channel, "https://a.example/?token=1"), "https://a.example/?token=***[1]");
    check(mask_url(&channel, "https://a.example/" SECRET), "(hidden: a secret of the channel stands in it)");
}

static void forms_are_masked(void **state)
{
    (void)state;
    check_body("app_id=2014&sign_type=RSA2&sign=abcdefghijk%3D&biz_content={}",
               "app_id=2014&sign_type=RSA2&sign=abcd***[14]&biz_content={}");
    check_body("<a href=\"?k=1\">sign here</a>&token", "<a href=\"?k=1\">sign here</a>&token");
    check_body("plain", "plain");
}

static void json_is_masked_and_laid_out(void **state)
{
    (void)state;
    check_body(
        "{\"id\":\"pi_1\",\"client_secret\":\"pi_1_secret_9\",\"a\":{\"tokens\":[\"0123456789\"]},"
        "\"amount\":88.88,\"key\":7,\"note\":\"it is " SECRET "\"}",
        "{\n  \"id\": \"pi_1\",\n  \"client_secret\": \"pi_1***[13]\",\n  \"a\": {\n    \"tokens\": [\n"
        "      \"0123***[10]\"\n    ]\n  },\n  \"amount\": 88.88,\n  \"key\": 7,\n"
        "  \"note\": \"(hidden: a secret of the channel stands in it)\"\n}");
    check_body("{\"a\":\"\\u001b[2J\\u202e\"}", "{\n  \"a\": \"\\\\x1b[2J\\\\xe2\\\\x80\\\\xae\"\n}");
    check_body("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"); /* not JSON to us: as it came */
}

static void json_of_a_body_is_masked_alike(void **state)
{
    (void)state;
    json_t *value = mask_body_json(&channel, "{\"token\":\"0123456789\"}", 22);
    assert_string_equal(json_string_value(json_object_get(value, "token")), "0123***[10]");
    json_decref(value);
    value = mask_body_json(&channel, "a\x01" SECRET, 2 + strlen(SECRET));
    assert_string_equal(json_string_value(value), "(hidden: a secret of the channel stands in it)");
    json_decref(value);
}

/* The search for the secret must not end where a text of C ends. */
static void secrets_behind_a_nul_are_seen(void **state)
{
    static const char body[] = "ab\0" SECRET;
    (void)state;
    check(mask_body(&channel, body, sizeof(body) - 1), "(hidden: a secret of the channel stands in it)");
    check(mask_body(&open_channel, body, sizeof(body) - 1), "ab\\x00" SECRET);
}

static void check_printable(const char *text, const char *expected)
{
    check(text_printable(text, strlen(text)), expected);
}

static void terminals_are_safe(void **state)
{
    (void)state;
    check_printable("", "");
    check_printable("a\tb\nc\r\nd\re", "a\tb\nc\nd\\x0de");
    check_printable("\x1b]0;title\x07\x7f", "\\x1b]0;title\\x07\\x7f");
    check_printable("\xe6\x94\xaf\xe4\xbb\x98 \xc3\xa9", "\xe6\x94\xaf\xe4\xbb\x98 \xc3\xa9");
    check_printable("\xc2\x9b"
                    "31m",
                    "\\xc2\\x9b31m"); /* a C1 control */
    check_printable("\xe2\x80\xae"
                    "x\xe2\x81\xa7",
                    "\\xe2\\x80\\xaex\\xe2\\x81\\xa7"); /* marks of direction */
    check_printable("\xe2\x80\xa6", "\xe2\x80\xa6");    /* an ellipsis is none */
    check_printable("\xe6\x94", "\\xe6\\x94");
    check_printable("\xff\xe6\x94\xaf", "\\xff\\xe6\\x94\\xaf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_judged),
        cmocka_unit_test(headers_are_masked),
        cmocka_unit_test(urls_are_masked),
        cmocka_unit_test(forms_are_masked),
        cmocka_unit_test(json_is_masked_and_laid_out),
        cmocka_unit_test(json_of_a_body_is_masked_alike),
        cmocka_unit_test(secrets_behind_a_nul_are_seen),
        cmocka_unit_test(terminals_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
