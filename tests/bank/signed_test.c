/* Alipay, UnionPay, PayPal and closing at Stripe, as the bank plays them: what is signed is verified here by OpenSSL, every
 * forgery of its menu is shown to be one, and requests with a wrong signature or token are shown to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "seals.h"
#include "stand.h"

/* ---- Alipay ---- */

static void form_add(char *form, size_t bytes, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);
    size_t at = strlen(form);
    snprintf(form + at, bytes - at, "%s%s=%s", at ? "&" : "", name, escaped);
    curl_free(escaped);
}

static struct told alipay_ask(const char *number, const char *method, bool well)
{
    char text[1024], content[100], seal[768], file[128], form[4096] = "";
    snprintf(content, sizeof content, "{\"out_trade_no\":\"%s\"}", number);
    snprintf(text, sizeof text,
             "app_id=1&biz_content=%s&charset=utf-8&method=%s&sign_type=RSA2&timestamp=2026-01-01 00:00:00%s",
             content, method, well ? "" : "x");
    sealed_by(file_of("keys/alipay-app.key", file), text, seal);
    form_add(form, sizeof form, "method", method);
    form_add(form, sizeof form, "app_id", "1");
    form_add(form, sizeof form, "charset", "utf-8");
    form_add(form, sizeof form, "empty", "");
    form_add(form, sizeof form, "sign_type", "RSA2");
    form_add(form, sizeof form, "timestamp", "2026-01-01 00:00:00");
    form_add(form, sizeof form, "biz_content", content);
    form_add(form, sizeof form, "sign", seal);
    return ask("/gateway.do", (struct how){.post = form});
}

static struct told alipay_query(const char *number)
{
    return alipay_ask(number, "alipay.trade.query", true);
}

/* The node's text up to the signature, which this bank writes last. */
static bool alipay_is_signed(const struct told *told, const char *node)
{
    char name[64], seal[768], file[128];
    snprintf(name, sizeof name, "\"%s\":", node);
    const char *at = strstr(told->body, name);
    const char *end = strstr(told->body, ",\"sign\":\"");
    if (!at || !end)
        return false;
    at += strlen(name);
    snprintf(seal, sizeof seal, "%.*s", 344, end + strlen(",\"sign\":\""));
    return seal_is_of(file_of("keys/alipay.crt", file), at, (size_t)(end - at), seal);
}

static void alipay_answers_are_signed(void **state)
{
    static const struct {
        const char *number, *text;
        bool is_signed;
    } cases[] = {
        {"paid00000", "\"trade_status\":\"TRADE_SUCCESS\"", true},
        {"closed000", "\"buyer_pay_amount\":\"0.00\"", true},
        {"other0000", "\"out_trade_no\":\"nextother\"", true},
        {"amount000", "\"total_amount\":\"12.35\"", true},
        {"nobody000", "ACQ.TRADE_NOT_EXIST", true},
        {"absent000", "ACQ.TRADE_NOT_EXIST", true},
        {"limited00", "isv.app-call-limited", true},
        {"nobodyno0", "ACQ.TRADE_NOT_EXIST", false},
        {"forged000", "TRADE_SUCCESS", false},
        {"unsigned0", "TRADE_SUCCESS", false},
        {"stranger0", "TRADE_SUCCESS", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told = alipay_query(cases[i].number);
        expect(&told, 200, cases[i].text);
        if (alipay_is_signed(&told, "alipay_trade_query_response") != cases[i].is_signed)
            fail_msg("%s: signed is not %d", cases[i].number, cases[i].is_signed);
    }
    struct told told = alipay_query("node00000");
    assert_null(strstr(told.body, "alipay_trade_query_response"));
    assert_true(alipay_is_signed(&told, "alipay_trade_close_response"));
    told = alipay_query("twice0000");
    const char *first = strstr(told.body, "alipay_trade_query_response");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "alipay_trade_query_response"));
}

static void alipay_checks_requests(void **state)
{
    (void)state;
    struct told told = alipay_ask("paid00000", "alipay.trade.query", false);
    expect(&told, 200, "{\"error_response\":{\"code\":\"40002\"");
    assert_non_null(strstr(told.body, "isv.invalid-signature"));
    assert_null(strstr(told.body, "\"sign\""));
}

static void alipay_closes(void **state)
{
    (void)state;
    struct told told = alipay_query("unpaidali");
    expect(&told, 200, "WAIT_BUYER_PAY");
    told = alipay_ask("unpaidali", "alipay.trade.close", true);
    expect(&told, 200, "\"code\":\"10000\"");
    assert_true(alipay_is_signed(&told, "alipay_trade_close_response"));
    told = alipay_query("unpaidali");
    expect(&told, 200, "TRADE_CLOSED");
    told = alipay_ask("raceali00", "alipay.trade.close", true);
    expect(&told, 200, "ACQ.TRADE_STATUS_ERROR");
    told = alipay_query("raceali00");
    expect(&told, 200, "TRADE_SUCCESS");
    told = alipay_ask("absent000", "alipay.trade.close", true);
    expect(&told, 200, "ACQ.TRADE_NOT_EXIST");
}

/* ---- UnionPay ---- */

static struct told unionpay_ask(const char *number, bool well)
{
    char text[512], digest[65], seal[768], file[128], serial[64], form[2048];
    serial_decimal_of(file_of("keys/unionpay-merchant.crt", file), serial);
    snprintf(text, sizeof text, "certId=%s&merId=777290058110048&orderId=%s&txnTime=20260101000000", serial,
             number);
    hex_of(text, strlen(text) - !well, digest);
    sealed_by(file_of("keys/unionpay-merchant.key", file), digest, seal);
    snprintf(form, sizeof form, "%s", text);
    form_add(form, sizeof form, "signature", seal);
    return ask("/gateway/api/queryTrans.do", (struct how){.post = form});
}

/* The bank writes its fields as they are sorted for the signature. */
static bool unionpay_is_signed(const struct told *told)
{
    char text[8192], digest[65], seal[768], file[128];
    const char *at = strstr(told->body, "&signature=");
    if (!at)
        return false;
    snprintf(seal, sizeof seal, "%.344s", at + strlen("&signature="));
    snprintf(text, sizeof text, "%.*s%s", (int)(at - told->body), told->body,
             at + strlen("&signature=") + 344);
    hex_of(text, strlen(text), digest);
    return seal_is_of(file_of("keys/unionpay-signer.crt", file), digest, 64, seal);
}

static void unionpay_answers_are_signed(void **state)
{
    static const struct {
        const char *number, *text;
        bool is_signed;
    } cases[] = {
        {"paid00000", "origRespCode=00&", true},  {"other0000", "orderId=nextother&", true},
        {"amount000", "txnAmt=1235&", true},      {"closed000", "origRespCode=01&", true},
        {"nobody000", "respCode=34&", true},      {"absent000", "respCode=34&", true},
        {"limited00", "respCode=37&", true},      {"nobodyno0", "respCode=34&", false},
        {"forged000", "origRespCode=00&", false}, {"unsigned0", "origRespCode=00&", false},
        {"stranger0", "origRespCode=00&", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told = unionpay_ask(cases[i].number, true);
        expect(&told, 200, cases[i].text);
        if (unionpay_is_signed(&told) != cases[i].is_signed)
            fail_msg("%s: signed is not %d", cases[i].number, cases[i].is_signed);
    }
    struct told told = unionpay_ask("paid00000", false);
    expect(&told, 200, "respCode=11&");
}

/* ---- PayPal and Stripe ---- */

static struct told token_get(char header[300])
{
    struct told told = ask("/v1/oauth2/token",
                           (struct how){.user = "client:secret", .post = "grant_type=client_credentials"});
    const char *at = strstr(told.body, "\"access_token\":\"");
    assert_non_null(at);
    at += strlen("\"access_token\":\"");
    snprintf(header, 300, "Authorization: Bearer %.*s", (int)strcspn(at, "\""), at);
    return told;
}

static void paypal_tokens_end(void **state)
{
    char header[300];
    (void)state;
    struct told told = ask("/v2/checkout/orders/paid00000", (struct how){0});
    expect(&told, 401, "invalid_token");
    told = token_get(header);
    expect(&told, 200, "\"expires_in\":1}");
    told = ask("/v2/checkout/orders/paid00000", (struct how){.header = header});
    expect(&told, 200, "\"status\":\"COMPLETED\",\"amount\":{\"currency_code\":\"CNY\",\"value\":\"12.34\"}");
    usleep(1100000);
    told = ask("/v2/checkout/orders/paid00000", (struct how){.header = header});
    expect(&told, 401, "invalid_token");
    token_get(header);
    header[strlen(header) - 1] ^= 1;
    told = ask("/v2/checkout/orders/paid00000", (struct how){.header = header});
    expect(&told, 401, "invalid_token");
    told = ask("/_bank/stats", (struct how){0});
    expect(&told, 200, "\"tokens\":2,");
    told = ask("/v1/oauth2/token", (struct how){.post = "grant_type=client_credentials"});
    expect(&told, 401, "invalid_client");
}

static void stripe_cancels(void **state)
{
    (void)state;
    struct told told = ask("/v1/payment_intents/unpaidstr/cancel", (struct how){.post = ""});
    expect(&told, 200, "\"status\":\"canceled\"");
    told = ask("/v1/payment_intents/unpaidstr", (struct how){0});
    expect(&told, 200, "\"status\":\"canceled\"");
    told = ask("/v1/payment_intents/paid00000/cancel", (struct how){.post = ""});
    expect(&told, 400, "payment_intent_unexpected_state");
}

static int run(int (*setup)(void **), int (*teardown)(void **))
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(alipay_answers_are_signed),
        cmocka_unit_test(alipay_checks_requests),
        cmocka_unit_test(alipay_closes),
        cmocka_unit_test(unionpay_answers_are_signed),
        cmocka_unit_test(paypal_tokens_end),
        cmocka_unit_test(stripe_cancels),
    };
    return cmocka_run_group_tests_name("bank_signed", tests, setup, teardown);
}

int main(int argc, char **argv)
{
    return stand_run(argc, argv, run);
}
