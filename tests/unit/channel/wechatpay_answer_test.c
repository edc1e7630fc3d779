/* WeChat Pay's answers: every row of the mapping, signed as it must be and as it must not. */
#include "wechatpay_fixture.h"

#define TRADE_HEAD                                                                                          \
    "{\"mchid\":\"1230000109\",\"appid\":\"wxd678efh567hg6787\",\"out_trade_no\":\"A1001_try|2*\","         \
    "\"transaction_id\":\"4200001234\",\"trade_type\":\"JSAPI\",\"success_time\":\"2023-11-14T22:13:20+08:" \
    "00\","
#define AMOUNT \
    "\"amount\":{\"total\":1999,\"payer_total\":1500,\"currency\":\"CNY\",\"payer_currency\":\"CNY\"}"
#define TRADE(state) TRADE_HEAD "\"trade_state\":\"" state "\"," AMOUNT "}"
#define ERROR(code)  "{\"code\":\"" code "\",\"message\":\"said so\",\"detail\":{\"field\":\"x\"}}"
#define HTML         "<html><body>Please log in</body></html>"

struct row {
    const char *what;
    struct wechat_answer answer;
    enum evidence_kind kind;
    const char *code;
};

static struct channel *channel_make(void)
{
    struct wechatpay_spec spec = wechatpay_spec();
    return wechatpay_make(&spec);
}

static void rows_check(const struct row *rows, size_t count)
{
    struct channel *channel = channel_make();
    for (size_t i = 0; i < count; i++) {
        struct evidence evidence = wechat_read(channel, &wechatpay_order, &rows[i].answer);
        if (evidence.kind != rows[i].kind || strcmp(evidence.code, rows[i].code) != 0)
            fail_msg("%s: reads as %s, code \"%s\"", rows[i].what, evidence_kind_text(evidence.kind),
                     evidence.code);
        bool paid = evidence.kind == EVIDENCE_PAID || evidence.kind == EVIDENCE_PAID_FLAGGED;
        assert_int_equal(evidence.has_amount, paid);
        assert_int_equal(evidence.amount_minor, paid ? 1999 : 0);
        if (evidence_class(evidence.kind) == EVIDENCE_ANSWER)
            assert_true(evidence.authentic);
        assert_false(evidence.merchant_differs);
        assert_false(evidence.has_refunded);
        assert_true(strlen(evidence.body_digest) == (*rows[i].answer.body ? 64 : 0));
    }
    channel->kind->destroy(channel);
}

static void trade_states(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"paid", {.status = 200, .body = TRADE("SUCCESS")}, EVIDENCE_PAID, "SUCCESS"},
        {"moved to refund: was paid",
         {.status = 200, .body = TRADE("REFUND")},
         EVIDENCE_PAID_FLAGGED,
         "REFUND"},
        {"not paid yet", {.status = 200, .body = TRADE("NOTPAY")}, EVIDENCE_PENDING, "NOTPAY"},
        {"closed", {.status = 200, .body = TRADE("CLOSED")}, EVIDENCE_CLOSED, "CLOSED"},
        {"reversed", {.status = 200, .body = TRADE("REVOKED")}, EVIDENCE_CLOSED, "REVOKED"},
        {"the payer types a password",
         {.status = 200, .body = TRADE("USERPAYING")},
         EVIDENCE_PENDING,
         "USERPAYING"},
        {"failed", {.status = 200, .body = TRADE("PAYERROR")}, EVIDENCE_CLOSED, "PAYERROR"},
        {"a state that is not listed",
         {.status = 200, .body = TRADE("ACCEPT")},
         EVIDENCE_UNKNOWN_STATE,
         "ACCEPT"},
        {"in another case", {.status = 200, .body = TRADE("success")}, EVIDENCE_UNKNOWN_STATE, "success"},
        {"not even printable",
         {.status = 200, .body = TRADE("\\u0007\\u4e2d")},
         EVIDENCE_UNKNOWN_STATE,
         "????"},
        {"no state", {.status = 200, .body = TRADE_HEAD AMOUNT "}"}, EVIDENCE_UNKNOWN_STATE, ""},
        {"a state of the wrong type",
         {.status = 200, .body = TRADE_HEAD "\"trade_state\":1," AMOUNT "}"},
         EVIDENCE_UNKNOWN_STATE,
         ""},
    };
    rows_check(rows, COUNT(rows));
}

static void errors_of_the_query(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"no such order",
         {.status = 404, .body = ERROR("ORDER_NOT_EXIST")},
         EVIDENCE_NOT_FOUND,
         "ORDER_NOT_EXIST"},
        {"v2's spelling",
         {.status = 404, .body = ERROR("ORDERNOTEXIST")},
         EVIDENCE_NOT_FOUND,
         "ORDERNOTEXIST"},
        {"no resource",
         {.status = 404, .body = ERROR("RESOURCE_NOT_EXISTS")},
         EVIDENCE_NOT_FOUND,
         "RESOURCE_NOT_EXISTS"},
        {"404 with another code", {.status = 404, .body = ERROR("NO_ROUTE")}, EVIDENCE_UNMATCHED, "NO_ROUTE"},
        {"404 that is not JSON", {.status = 404, .body = HTML}, EVIDENCE_GARBAGE, ""},
        {"the code under another status",
         {.status = 400, .body = ERROR("ORDER_NOT_EXIST")},
         EVIDENCE_UNMATCHED,
         "ORDER_NOT_EXIST"},
        {"accepted", {.status = 202, .body = ""}, EVIDENCE_SERVER_ERROR, ""},
        {"no content", {.status = 204, .body = ""}, EVIDENCE_GARBAGE, ""},
        {"parameter", {.status = 400, .body = ERROR("PARAM_ERROR")}, EVIDENCE_UNAUTHORIZED, "PARAM_ERROR"},
        {"request",
         {.status = 400, .body = ERROR("INVALID_REQUEST")},
         EVIDENCE_UNAUTHORIZED,
         "INVALID_REQUEST"},
        {"app",
         {.status = 400, .body = ERROR("APPID_MCHID_NOT_MATCH")},
         EVIDENCE_UNAUTHORIZED,
         "APPID_MCHID_NOT_MATCH"},
        {"merchant",
         {.status = 400, .body = ERROR("MCH_NOT_EXISTS")},
         EVIDENCE_UNAUTHORIZED,
         "MCH_NOT_EXISTS"},
        {"another 400", {.status = 400, .body = ERROR("NEW_WORD")}, EVIDENCE_UNMATCHED, "NEW_WORD"},
        {"our signature", {.status = 401, .body = ERROR("SIGN_ERROR")}, EVIDENCE_UNAUTHORIZED, "SIGN_ERROR"},
        {"401 alone", {.status = 401, .body = ""}, EVIDENCE_UNAUTHORIZED, ""},
        {"no rights", {.status = 403, .body = ERROR("NO_AUTH")}, EVIDENCE_UNAUTHORIZED, "NO_AUTH"},
        {"rate",
         {.status = 429, .body = ERROR("RATELIMIT_EXCEEDED")},
         EVIDENCE_RATE_LIMITED,
         "RATELIMIT_EXCEEDED"},
        {"rate", {.status = 429, .body = ERROR("RATE_LIMITED")}, EVIDENCE_RATE_LIMITED, "RATE_LIMITED"},
        {"rate",
         {.status = 429, .body = ERROR("FREQUENCY_LIMITED")},
         EVIDENCE_RATE_LIMITED,
         "FREQUENCY_LIMITED"},
        {"any 429", {.status = 429, .body = HTML}, EVIDENCE_RATE_LIMITED, ""},
        {"rate as 403",
         {.status = 403, .body = ERROR("RATELIMIT_EXCEEDED")},
         EVIDENCE_RATE_LIMITED,
         "RATELIMIT_EXCEEDED"},
        {"rate as 403",
         {.status = 403, .body = ERROR("RATE_LIMITED")},
         EVIDENCE_RATE_LIMITED,
         "RATE_LIMITED"},
        {"rate as 403",
         {.status = 403, .body = ERROR("FREQUENCY_LIMITED")},
         EVIDENCE_RATE_LIMITED,
         "FREQUENCY_LIMITED"},
        {"system", {.status = 500, .body = ERROR("SYSTEM_ERROR")}, EVIDENCE_SERVER_ERROR, "SYSTEM_ERROR"},
        {"502", {.status = 502, .body = HTML}, EVIDENCE_SERVER_ERROR, ""},
        {"service",
         {.status = 503, .body = ERROR("SERVICE_UNAVAILABLE")},
         EVIDENCE_SERVER_ERROR,
         "SERVICE_UNAVAILABLE"},
        {"500 that claims to be an answer",
         {.status = 500, .body = TRADE("SUCCESS")},
         EVIDENCE_SERVER_ERROR,
         ""},
    };
    rows_check(rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(rows);
         i++) { /* without a signature: what settles nothing stays what it is */
        struct row row = rows[i];
        row.answer.missing = "all";
        if (row.answer.status / 100 == 2 || row.answer.status == 404) {
            row.kind = EVIDENCE_UNAUTHENTIC;
            row.code = "unsigned";
        }
        rows_check(&row, 1);
    }
}

static void answers_to_closing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"closed", {.status = 204, .body = ""}, EVIDENCE_CLOSED, ""},
        {"paid", {.status = 400, .body = ERROR("ORDER_PAID")}, EVIDENCE_PENDING, "ORDER_PAID"},
        {"paid", {.status = 403, .body = ERROR("ORDERPAID")}, EVIDENCE_PENDING, "ORDERPAID"},
        {"closed already", {.status = 400, .body = ERROR("ORDER_CLOSED")}, EVIDENCE_CLOSED, "ORDER_CLOSED"},
        {"closed already", {.status = 403, .body = ERROR("ORDERCLOSED")}, EVIDENCE_CLOSED, "ORDERCLOSED"},
        {"unknown", {.status = 404, .body = ERROR("ORDER_NOT_EXIST")}, EVIDENCE_NOT_FOUND, "ORDER_NOT_EXIST"},
        {"unknown", {.status = 404, .body = ERROR("ORDERNOTEXIST")}, EVIDENCE_NOT_FOUND, "ORDERNOTEXIST"},
        {"unknown",
         {.status = 404, .body = ERROR("RESOURCE_NOT_EXISTS")},
         EVIDENCE_NOT_FOUND,
         "RESOURCE_NOT_EXISTS"},
        {"a query's answer", {.status = 200, .body = TRADE("CLOSED")}, EVIDENCE_UNMATCHED, "CLOSED"},
        {"request",
         {.status = 400, .body = ERROR("INVALID_REQUEST")},
         EVIDENCE_UNAUTHORIZED,
         "INVALID_REQUEST"},
        {"401", {.status = 401, .body = ERROR("SIGN_ERROR")}, EVIDENCE_UNAUTHORIZED, "SIGN_ERROR"},
        {"429", {.status = 429, .body = ""}, EVIDENCE_RATE_LIMITED, ""},
        {"500", {.status = 500, .body = ERROR("SYSTEM_ERROR")}, EVIDENCE_SERVER_ERROR, "SYSTEM_ERROR"},
        {"502", {.status = 502, .body = HTML}, EVIDENCE_SERVER_ERROR, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct row row = rows[i];
        row.answer.closes = true;
        rows_check(&row, 1);
        row.answer.missing = "signature";
        if (row.answer.status / 100 == 2 || evidence_class(row.kind) == EVIDENCE_ANSWER) {
            row.kind = EVIDENCE_UNAUTHENTIC;
            row.code = "unsigned";
        }
        rows_check(&row, 1);
    }
}

/* Not one of these settles anything, whatever its body says. */
static void signatures_that_do_not_hold(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"unsigned",
         {.status = 200, .body = TRADE("SUCCESS"), .missing = "all"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"no timestamp",
         {.status = 200, .body = TRADE("SUCCESS"), .missing = "timestamp"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"no nonce",
         {.status = 200, .body = TRADE("SUCCESS"), .missing = "nonce"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"no serial",
         {.status = 200, .body = TRADE("SUCCESS"), .missing = "serial"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"no signature",
         {.status = 200, .body = TRADE("SUCCESS"), .missing = "signature"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"a captive portal",
         {.status = 200, .body = HTML, .missing = "all"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"unsigned 404",
         {.status = 404, .body = ERROR("ORDER_NOT_EXIST"), .missing = "all"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"forged 404",
         {.status = 404, .body = ERROR("ORDER_NOT_EXIST"), .key = wechat_keys.stranger},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"forged",
         {.status = 200, .body = TRADE("SUCCESS"), .key = wechat_keys.stranger},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"empty",
         {.status = 200, .body = TRADE("SUCCESS"), .signature = ""},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"no base64",
         {.status = 200, .body = TRADE("SUCCESS"), .signature = "?"},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"probe",
         {.status = 200, .body = TRADE("SUCCESS"), .signature = "WECHATPAY/SIGNTEST/AAAA"},
         EVIDENCE_UNAUTHENTIC,
         "signature_probe"},
        {"unknown serial",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = "1234567890ABCDEF"},
         EVIDENCE_UNAUTHENTIC,
         "serial_unknown 1234567890ABCDEF"},
        {"no serial at all",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = ""},
         EVIDENCE_UNAUTHENTIC,
         "serial_unknown "},
        {"too old",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "1699999700"},
         EVIDENCE_UNAUTHENTIC,
         "timestamp_stale 1699999700"},
        {"too new",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "1700000300"},
         EVIDENCE_UNAUTHENTIC,
         "timestamp_stale 1700000300"},
        {"milliseconds",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "1700000000000"},
         EVIDENCE_UNAUTHENTIC,
         "timestamp_stale 1700000000000"},
        {"not decimal",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "+1700000000"},
         EVIDENCE_UNAUTHENTIC,
         "timestamp_stale +1700000000"},
        {"beyond int64",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "17000000000000000000"},
         EVIDENCE_UNAUTHENTIC,
         "timestamp_stale 17000000000000000000"},
        {"almost too old",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "1699999701"},
         EVIDENCE_PAID,
         "SUCCESS"},
        {"almost too new",
         {.status = 200, .body = TRADE("SUCCESS"), .timestamp = "1700000299"},
         EVIDENCE_PAID,
         "SUCCESS"},
    };
    rows_check(rows, COUNT(rows));
}

/* Both kinds of key are loaded; the serial chooses, and only it. */
static void the_serial_chooses_the_key(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"public key",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = PUBLIC_KEY_ID, .key = wechat_keys.public},
         EVIDENCE_PAID,
         "SUCCESS"},
        {"new certificate",
         {.status = 200, .body = TRADE("SUCCESS"), .key = wechat_keys.new},
         EVIDENCE_PAID,
         "SUCCESS"},
        {"old certificate",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = OLD_SERIAL, .key = wechat_keys.old},
         EVIDENCE_PAID,
         "SUCCESS"},
        {"without the leading zero",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = OLD_SERIAL + 1, .key = wechat_keys.old},
         EVIDENCE_PAID,
         "SUCCESS"},
        {"another's serial",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = OLD_SERIAL, .key = wechat_keys.new},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"another's id",
         {.status = 200, .body = TRADE("SUCCESS"), .serial = PUBLIC_KEY_ID, .key = wechat_keys.new},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
        {"the merchant's own key",
         {.status = 200,
          .body = TRADE("SUCCESS"),
          .serial = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
          .key = wechat_keys.merchant},
         EVIDENCE_UNAUTHENTIC,
         "serial_unknown 5F1C72E2A8931B72A2E13AF8DEE92471EB397115"},
    };
    rows_check(rows, COUNT(rows));
}

/* Genuine, and no proof for this order. */
static void genuine_answers_about_something_else(void **state)
{
    (void)state;
#define PAID_AS(number) "{\"trade_state\":\"SUCCESS\"," number AMOUNT "}"
    static const struct row rows[] = {
        {"other order",
         {.status = 200, .body = PAID_AS("\"out_trade_no\":\"A1002_try\",")},
         EVIDENCE_OTHER_ORDER,
         "SUCCESS"},
        {"number in another case",
         {.status = 200, .body = PAID_AS("\"out_trade_no\":\"a1001_try|2*\",")},
         EVIDENCE_OTHER_ORDER,
         "SUCCESS"},
        {"a number of another type",
         {.status = 200, .body = PAID_AS("\"out_trade_no\":1001,")},
         EVIDENCE_OTHER_ORDER,
         "SUCCESS"},
        {"no number", {.status = 200, .body = PAID_AS("")}, EVIDENCE_UNMATCHED, "SUCCESS"},
        {"null", {.status = 200, .body = PAID_AS("\"out_trade_no\":null,")}, EVIDENCE_UNMATCHED, "SUCCESS"},
        {"a certificate list", {.status = 200, .body = "{\"data\":[]}"}, EVIDENCE_UNMATCHED, ""},
        {"a list", {.status = 200, .body = "[" TRADE("SUCCESS") "]"}, EVIDENCE_GARBAGE, ""},
        {"cut", {.status = 200, .body = TRADE_HEAD}, EVIDENCE_GARBAGE, ""},
        {"empty", {.status = 200, .body = ""}, EVIDENCE_GARBAGE, ""},
        {"duplicate member",
         {.status = 200,
          .body = TRADE_HEAD "\"trade_state\":\"NOTPAY\",\"trade_state\":\"SUCCESS\"," AMOUNT "}"},
         EVIDENCE_GARBAGE,
         ""},
        {"not UTF-8", {.status = 200, .body = TRADE("SUCCESS\xff")}, EVIDENCE_GARBAGE, ""},
    };
    rows_check(rows, COUNT(rows));
}

static void amounts_that_can_not_be_read(void **state)
{
    (void)state;
    static const char *const amounts[] = {
        "\"amount\":{\"total\":19.99,\"currency\":\"CNY\"}",
        "\"amount\":{\"total\":1999.0,\"currency\":\"CNY\"}",
        "\"amount\":{\"total\":\"1999\",\"currency\":\"CNY\"}",
        "\"amount\":{\"total\":-1999,\"currency\":\"CNY\"}",
        "\"amount\":{\"total\":null,\"currency\":\"CNY\"}",
        "\"amount\":{\"total_amount\":1999,\"currency\":\"CNY\"}",
        "\"amount\":{\"payer_total\":1999,\"currency\":\"CNY\"}",
        "\"amount\":{\"total\":1999}",
        "\"amount\":{\"total\":1999,\"currency\":156}",
        "\"amount\":{\"total\":1999,\"currency\":\"cny\"}",
        "\"amount\":{\"total\":1999,\"currency\":\"CNYX\"}",
        "\"amount\":1999",
        "\"amount\":[1999]",
        "\"other\":1",
    };
    for (size_t i = 0; i < COUNT(amounts); i++) {
        char body[512];
        snprintf(body, sizeof(body), "%s\"trade_state\":\"SUCCESS\",%s}", TRADE_HEAD, amounts[i]);
        struct row row = {amounts[i], {.status = 200, .body = body}, EVIDENCE_UNKNOWN_STATE, "SUCCESS"};
        rows_check(&row, 1);
        snprintf(body, sizeof(body), "%s\"trade_state\":\"NOTPAY\",%s}", TRADE_HEAD, amounts[i]);
        row = (struct row){amounts[i], {.status = 200, .body = body}, EVIDENCE_PENDING, "NOTPAY"};
        rows_check(&row, 1); /* nothing is claimed of the amount here */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade_states),
        cmocka_unit_test(errors_of_the_query),
        cmocka_unit_test(answers_to_closing),
        cmocka_unit_test(signatures_that_do_not_hold),
        cmocka_unit_test(the_serial_chooses_the_key),
        cmocka_unit_test(genuine_answers_about_something_else),
        cmocka_unit_test(amounts_that_can_not_be_read),
    };
    return cmocka_run_group_tests(tests, wechatpay_setup, wechatpay_teardown);
}
