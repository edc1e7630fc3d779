/* WeChat Pay as the bank plays it: what it signs is verified here by OpenSSL, every forgery of its menu is shown to be one,
 * requests with a wrong signature are shown to be refused, and closes to end what is unpaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "seals.h"
#include "stand.h"

/* How a request departs from a right one. */
struct wechat {
    bool closes;
    int clock_s;
    bool strange_serial, other_text, no_credential;
};

static struct told wechat_ask(const char *number, struct wechat how)
{
    char path[200], text[512], seal[768], header[1400], file[128], serial[64];
    const char *body = how.closes ? "{\"mchid\":\"" MERCHANT "\"}" : "";
    long long now = (long long)time(NULL) + how.clock_s;
    snprintf(path, sizeof path, "/v3/pay/transactions/out-trade-no/%s%s", number,
             how.closes ? "/close" : "?mchid=" MERCHANT);
    snprintf(text, sizeof text, "%s\n%s\n%lld\nn0nce\n%s\n%s", how.closes ? "POST" : "GET", path, now, body,
             how.other_text ? "x" : "");
    sealed_by(file_of("keys/wechatpay-merchant.key", file), text, seal);
    serial_of(file_of(how.strange_serial ? "keys/ca.crt" : "keys/wechatpay-merchant.crt", file), serial);
    snprintf(header, sizeof header,
             "Authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"" MERCHANT
             "\",nonce_str=\"n0nce\",timestamp=\"%lld\",serial_no=\"%s\",signature=\"%s\"",
             now, serial, seal);
    return ask(path,
               (struct how){.header = how.no_credential ? NULL : header, .post = how.closes ? body : NULL});
}

static bool header_of(const struct told *told, const char *name, char *out, size_t bytes)
{
    const char *at = strcasestr(told->headers, name);
    if (!at)
        return false;
    at += strlen(name) + 2;
    snprintf(out, bytes, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

static bool wechat_is_signed(const struct told *told)
{
    char stamp[32], nonce[64], seal[768], text[17000], file[128];
    if (!header_of(told, "Wechatpay-Signature", seal, sizeof seal))
        return false;
    assert_true(header_of(told, "Wechatpay-Timestamp", stamp, sizeof stamp));
    assert_true(header_of(told, "Wechatpay-Nonce", nonce, sizeof nonce));
    int bytes = snprintf(text, sizeof text, "%s\n%s\n%s\n", stamp, nonce, told->body);
    return seal_is_of(file_of("keys/wechatpay-platform.crt", file), text, (size_t)bytes, seal);
}

static void wechat_answers_are_signed(void **state)
{
    static const struct {
        const char *number;
        long status;
        const char *text;
        bool is_signed;
    } cases[] = {
        {"paid00000", 200, "\"trade_state\":\"SUCCESS\"", true},
        {"closed000", 200, "\"trade_state\":\"CLOSED\"", true},
        {"other0000", 200, "\"out_trade_no\":\"nextother\"", true},
        {"amount000", 200, "\"total\":1235}", true},
        {"nobody000", 404, "ORDER_NOT_EXIST", true},
        {"absent000", 404, "ORDER_NOT_EXIST", true},
        {"nobodyno0", 404, "ORDER_NOT_EXIST", false},
        {"forged000", 200, "\"trade_state\":\"SUCCESS\"", false},
        {"unsigned0", 200, "\"trade_state\":\"SUCCESS\"", false},
        {"gateway00", 502, "<html>", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told = wechat_ask(cases[i].number, (struct wechat){0});
        expect(&told, cases[i].status, cases[i].text);
        if (wechat_is_signed(&told) != cases[i].is_signed)
            fail_msg("%s: signed is not %d", cases[i].number, cases[i].is_signed);
    }
    assert_int_equal(wechat_ask("cut000000", (struct wechat){0}).code, CURLE_PARTIAL_FILE);
}

static void wechat_names_its_key_and_its_time(void **state)
{
    char file[128], serial[64], named[64], stamp[32];
    (void)state;
    struct told told = wechat_ask("paid00000", (struct wechat){0});
    serial_of(file_of("keys/wechatpay-platform.crt", file), serial);
    assert_true(header_of(&told, "Wechatpay-Serial", named, sizeof named));
    assert_string_equal(named, serial);
    told = wechat_ask("stranger0", (struct wechat){0});
    assert_true(header_of(&told, "Wechatpay-Serial", named, sizeof named));
    assert_string_not_equal(named, serial);
    told = wechat_ask("stale0000", (struct wechat){0});
    assert_true(wechat_is_signed(&told));
    assert_true(header_of(&told, "Wechatpay-Timestamp", stamp, sizeof stamp));
    assert_true(time(NULL) - strtoll(stamp, NULL, 10) > 500);
    told = wechat_ask("limited00", (struct wechat){0});
    expect(&told, 429, "FREQUENCY_LIMITED");
    assert_int_equal(told.retry_after_s, 7);
}

static void wechat_checks_requests(void **state)
{
    static const struct wechat wrong[] = {{.clock_s = -400},
                                          {.clock_s = 400},
                                          {.strange_serial = true},
                                          {.other_text = true},
                                          {.no_credential = true}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct told told = wechat_ask("paid00000", wrong[i]);
        expect(&told, 401, "SIGN_ERROR");
    }
    struct told told = wechat_ask("paid00000", (struct wechat){.clock_s = -200});
    expect(&told, 200, "SUCCESS");
}

static void wechat_closes(void **state)
{
    static const struct wechat close = {.closes = true};
    (void)state;
    struct told told = wechat_ask("unpaidwx0", (struct wechat){0});
    expect(&told, 200, "NOTPAY");
    told = wechat_ask("unpaidwx0", close);
    expect(&told, 204, "");
    assert_true(wechat_is_signed(&told));
    told = wechat_ask("unpaidwx0", (struct wechat){0});
    expect(&told, 200, "\"trade_state\":\"CLOSED\"");
    told = wechat_ask("paid00000", close);
    expect(&told, 400, "ORDER_PAID");
    told = wechat_ask("absent000", close);
    expect(&told, 204, "");
}

static void a_buyer_can_pay_just_before_the_close(void **state)
{
    (void)state;
    struct told told = wechat_ask("racewx000", (struct wechat){0});
    expect(&told, 200, "NOTPAY");
    told = wechat_ask("racewx000", (struct wechat){.closes = true});
    expect(&told, 400, "ORDER_PAID");
    told = wechat_ask("racewx000", (struct wechat){0});
    expect(&told, 200, "SUCCESS");
}

static void keys_are_kept(void **state)
{
    char before[64], after[64], file[128];
    (void)state;
    serial_of(file_of("keys/wechatpay-platform.crt", file), before);
    bank_restart();
    serial_of(file, after);
    assert_string_equal(before, after);
    struct told told = wechat_ask("paid00000", (struct wechat){0});
    assert_true(wechat_is_signed(&told));
}

static int run(int (*setup)(void **), int (*teardown)(void **))
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wechat_answers_are_signed),
        cmocka_unit_test(wechat_names_its_key_and_its_time),
        cmocka_unit_test(wechat_checks_requests),
        cmocka_unit_test(wechat_closes),
        cmocka_unit_test(a_buyer_can_pay_just_before_the_close),
        cmocka_unit_test(keys_are_kept),
    };
    return cmocka_run_group_tests_name("bank_wechatpay", tests, setup, teardown);
}

int main(int argc, char **argv)
{
    return stand_run(argc, argv, run);
}
