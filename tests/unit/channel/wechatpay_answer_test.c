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
            fail_msg("%d %s: reads as %s, code \"%s\"", rows[i].answer.status, rows[i].what,
                     evidence_kind_text(evidence.kind), evidence.code);
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

/* An error with this code; or this body, which has none. */
#define SAYS(http, word, means)                                             \
    {                                                                       \
        word, {.status = http, .body = ERROR(word)}, EVIDENCE_##means, word \
    }
#define HAS(http, text, means)                                     \
    {                                                              \
        text, {.status = http, .body = text}, EVIDENCE_##means, "" \
    }

static void errors_of_the_query(void **state)
{
    (void)state;
    static const struct row rows[] = {
        SAYS(404, "ORDER_NOT_EXIST", NOT_FOUND),
        SAYS(404, "ORDERNOTEXIST", NOT_FOUND),
        SAYS(404, "RESOURCE_NOT_EXISTS", NOT_FOUND),
        SAYS(404, "NO_ROUTE", UNMATCHED),
        HAS(404, HTML, GARBAGE),
        SAYS(400, "ORDER_NOT_EXIST", UNMATCHED),
        HAS(202, "", SERVER_ERROR),
        HAS(204, "", GARBAGE),
        SAYS(400, "PARAM_ERROR", UNAUTHORIZED),
        SAYS(400, "INVALID_REQUEST", UNAUTHORIZED),
        SAYS(400, "APPID_MCHID_NOT_MATCH", UNAUTHORIZED),
        SAYS(400, "MCH_NOT_EXISTS", UNAUTHORIZED),
        SAYS(400, "SIGN_ERROR", UNAUTHORIZED),
        SAYS(400, "NEW_WORD", UNMATCHED),
        HAS(400, HTML, GARBAGE),
        SAYS(401, "SIGN_ERROR", UNAUTHORIZED),
        HAS(401, "", UNAUTHORIZED),
        SAYS(403, "NO_AUTH", UNAUTHORIZED),
        SAYS(429, "RATELIMIT_EXCEEDED", RATE_LIMITED),
        SAYS(429, "RATE_LIMITED", RATE_LIMITED),
        SAYS(429, "FREQUENCY_LIMITED", RATE_LIMITED),
        HAS(429, HTML, RATE_LIMITED),
        SAYS(403, "RATELIMIT_EXCEEDED", RATE_LIMITED),
        SAYS(403, "RATE_LIMITED", RATE_LIMITED),
        SAYS(403, "FREQUENCY_LIMITED", RATE_LIMITED),
        SAYS(500, "SYSTEM_ERROR", SERVER_ERROR),
        HAS(502, HTML, SERVER_ERROR),
        SAYS(503, "SERVICE_UNAVAILABLE", SERVER_ERROR),
        HAS(500, TRADE("SUCCESS"), SERVER_ERROR),
        HAS(302, "", UNMATCHED),
    };
    rows_check(rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) { /* unsigned: what settles nothing stays what it is */
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
        HAS(204, "", CLOSED),
        SAYS(400, "ORDER_PAID", PENDING),
        SAYS(403, "ORDERPAID", PENDING),
        SAYS(400, "ORDER_CLOSED", CLOSED),
        SAYS(403, "ORDERCLOSED", CLOSED),
        SAYS(404, "ORDER_NOT_EXIST", NOT_FOUND),
        SAYS(404, "ORDERNOTEXIST", NOT_FOUND),
        SAYS(404, "RESOURCE_NOT_EXISTS", NOT_FOUND),
        {"a query's answer", {.status = 200, .body = TRADE("CLOSED")}, EVIDENCE_UNMATCHED, "CLOSED"},
        HAS(202, "", SERVER_ERROR),
        SAYS(400, "INVALID_REQUEST", UNAUTHORIZED),
        SAYS(401, "SIGN_ERROR", UNAUTHORIZED),
        SAYS(403, "FREQUENCY_LIMITED", RATE_LIMITED),
        HAS(429, "", RATE_LIMITED),
        SAYS(500, "SYSTEM_ERROR", SERVER_ERROR),
        SAYS(500, "ORDER_CLOSED", SERVER_ERROR),
        HAS(502, HTML, SERVER_ERROR),
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

#define PAID(...)                                            \
    {                                                        \
        .status = 200, .body = TRADE("SUCCESS"), __VA_ARGS__ \
    }

/* It says "paid", and is not WeChat Pay's. */
#define FORGED(tells, ...)                                    \
    {                                                         \
        tells, PAID(__VA_ARGS__), EVIDENCE_UNAUTHENTIC, tells \
    }

static void signatures_that_do_not_hold(void **state)
{
    (void)state;
    const struct row rows[] = {
        FORGED("unsigned", .missing = "all"),
        FORGED("unsigned", .missing = "timestamp"),
        FORGED("unsigned", .missing = "nonce"),
        FORGED("unsigned", .missing = "serial"),
        FORGED("unsigned", .missing = "signature"),
        FORGED("signature_wrong", .key = wechat_keys.stranger),
        FORGED("signature_wrong", .signature = ""),
        FORGED("signature_wrong", .signature = "?"),
        FORGED("signature_probe", .signature = "WECHATPAY/SIGNTEST/AAAA"),
        FORGED("serial_unknown 1234567890ABCDEF", .serial = "1234567890ABCDEF"),
        FORGED("serial_unknown ", .serial = ""),
        FORGED("timestamp_stale 1699999700", .timestamp = "1699999700"),
        FORGED("timestamp_stale 1700000300", .timestamp = "1700000300"),
        FORGED("timestamp_stale 1700000000000", .timestamp = "1700000000000"),
        FORGED("timestamp_stale +1700000000", .timestamp = "+1700000000"),
        FORGED("timestamp_stale 1700000000.5", .timestamp = "1700000000.5"),
        FORGED("timestamp_stale 17000000000000000000", .timestamp = "17000000000000000000"),
        FORGED("timestamp_stale ", .timestamp = ""),
        {"almost too old", PAID(.timestamp = "1699999701"), EVIDENCE_PAID, "SUCCESS"},
        {"almost too new", PAID(.timestamp = "1700000299"), EVIDENCE_PAID, "SUCCESS"},
        {"a captive portal",
         {.status = 200, .body = HTML, .missing = "all"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned"},
        {"not found, forged",
         {.status = 404, .body = ERROR("ORDER_NOT_EXIST"), .key = wechat_keys.stranger},
         EVIDENCE_UNAUTHENTIC,
         "signature_wrong"},
    };
    rows_check(rows, COUNT(rows));
}

/* Both kinds of key are loaded; the serial chooses, and only it. */
static void the_serial_chooses_the_key(void **state)
{
    (void)state;
#define OWN_SERIAL "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
    const struct row rows[] = {
        {"public key", PAID(.serial = PUBLIC_KEY_ID, .key = wechat_keys.public), EVIDENCE_PAID, "SUCCESS"},
        {"new certificate", PAID(.serial = NEW_SERIAL, .key = wechat_keys.new), EVIDENCE_PAID, "SUCCESS"},
        {"old certificate", PAID(.serial = OLD_SERIAL, .key = wechat_keys.old), EVIDENCE_PAID, "SUCCESS"},
        {"no leading zero", PAID(.serial = &OLD_SERIAL[1], .key = wechat_keys.old), EVIDENCE_PAID, "SUCCESS"},
        FORGED("signature_wrong", .serial = OLD_SERIAL, .key = wechat_keys.new),
        FORGED("signature_wrong", .serial = PUBLIC_KEY_ID, .key = wechat_keys.new),
        FORGED("signature_wrong", .serial = NEW_SERIAL, .key = wechat_keys.public),
        FORGED("serial_unknown " OWN_SERIAL, .serial = OWN_SERIAL, .key = wechat_keys.merchant),
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
