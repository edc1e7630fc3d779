/* Alipay's answers: every row of the mapping, signed as it must be and as it must not. */
#include "alipay_fixture.h"

#define OURS "\"out_trade_no\":\"A1001_try-2\",\"trade_no\":\"2023111522001400001\""
#define TRADE(status, more)                                                                \
    "{\"code\":\"10000\",\"msg\":\"Success\"," OURS ",\"trade_status\":\"" status          \
    "\",\"total_amount\":\"88.88\",\"receipt_amount\":\"80.00\",\"invoice_amount\":\"0\"," \
    "\"buyer_logon_id\":\"159****5620\"" more "}"
#define PAID_ON ",\"buyer_pay_amount\":\"80.00\",\"send_pay_date\":\"2023-11-15 06:00:00\""
#define FAILED(number, word)                                                                              \
    "{\"code\":\"" number "\",\"msg\":\"Business Failed\",\"sub_code\":\"" word                           \
    "\",\"sub_msg\":\"\xe4\xba\xa4\xe6\x98\x93\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8\",\"out_trade_no\":\"" \
    "A1001_try-2\",\"buyer_pay_amount\":\"0.00\",\"receipt_amount\":\"0.00\"}"
#define HTML "<html><body>Please log in</body></html>"

struct row {
    struct alipay_answer answer;
    enum evidence_kind kind;
    const char *code;
};

static struct channel *channel_make(void)
{
    struct alipay_spec spec = alipay_spec();
    return alipay_make(&spec);
}

static void rows_check(const struct row *rows, size_t count)
{
    struct channel *channel = channel_make();
    for (size_t i = 0; i < count; i++) {
        struct evidence evidence = alipay_read(channel, &alipay_order, &rows[i].answer);
        if (evidence.kind != rows[i].kind || strcmp(evidence.code, rows[i].code) != 0)
            fail_msg("row %zu %s: reads as %s, code \"%s\"", i, rows[i].code,
                     evidence_kind_text(evidence.kind), evidence.code);
        bool paid = evidence.kind == EVIDENCE_PAID || evidence.kind == EVIDENCE_PAID_FLAGGED;
        assert_int_equal(evidence.has_amount, paid);
        assert_int_equal(evidence.amount_minor, paid ? 8888 : 0);
        assert_string_equal(evidence.currency, paid ? "CNY" : "");
        if (evidence_class(evidence.kind) == EVIDENCE_ANSWER)
            assert_true(evidence.authentic);
        if (paid)
            assert_string_equal(evidence.channel_number, "2023111522001400001");
        assert_false(evidence.merchant_differs);
        assert_false(evidence.has_refunded);
    }
    channel->kind->destroy(channel);
}

#define IS(text, means, said)                  \
    {                                          \
        {.node = text}, EVIDENCE_##means, said \
    }
#define FAILS(code, word, means) IS(FAILED(code, word), means, code " " word)

static void trade_states(void **state)
{
    (void)state;
    static const struct row rows[] = {
        IS(TRADE("WAIT_BUYER_PAY", ",\"buyer_pay_amount\":\"0.00\""), PENDING, "10000 WAIT_BUYER_PAY"),
        IS(TRADE("TRADE_SUCCESS", PAID_ON), PAID, "10000 TRADE_SUCCESS"),
        IS(TRADE("TRADE_FINISHED", PAID_ON), PAID, "10000 TRADE_FINISHED"),
        IS(TRADE("TRADE_SUCCESS", PAID_ON ",\"credit_pay_mode\":\"\""), PAID, "10000 TRADE_SUCCESS"),
        IS(TRADE("TRADE_SUCCESS", PAID_ON ",\"credit_pay_mode\":null"), PAID, "10000 TRADE_SUCCESS"),
        IS(TRADE("TRADE_SUCCESS", PAID_ON ",\"trans_currency\":\"CNY\""), PAID, "10000 TRADE_SUCCESS"),
        IS(TRADE("TRADE_NEW", PAID_ON), UNKNOWN_STATE, "10000 TRADE_NEW"),
        IS(TRADE("trade_success", PAID_ON), UNKNOWN_STATE, "10000 trade_success"),
        IS(TRADE("", PAID_ON), UNKNOWN_STATE, "10000"),
        IS("{\"code\":\"10000\"," OURS "}", UNKNOWN_STATE, "10000"),
        IS("{\"code\":\"10000\"," OURS ",\"trade_status\":1}", UNKNOWN_STATE, "10000"),
        IS(TRADE("\\u0007\\u4e2d", ""), UNKNOWN_STATE, "10000 ????"),
    };
    rows_check(rows, COUNT(rows));
}

/* The same word for what timed out unpaid and for what was paid and refunded in full. */
static void closed_is_told_apart(void **state)
{
    (void)state;
    static const struct row rows[] = {
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":\"0.00\""), CLOSED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ""), CLOSED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":\"\",\"send_pay_date\":null"), CLOSED,
           "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", PAID_ON), PAID_FLAGGED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":\"0.00\",\"send_pay_date\":\"2023-11-15 06:00:00\""),
           PAID_FLAGGED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":\"0.01\""), PAID_FLAGGED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":\"-0.01\""), PAID_FLAGGED, "10000 TRADE_CLOSED"),
        IS(TRADE("TRADE_CLOSED", ",\"buyer_pay_amount\":0"), PAID_FLAGGED, "10000 TRADE_CLOSED"),
    };
    rows_check(rows, COUNT(rows));
}

static void goods_on_credit_are_not_paid_yet(void **state)
{
    (void)state;
    static const struct row rows[] = {
        IS(TRADE("TRADE_SUCCESS", PAID_ON ",\"credit_pay_mode\":\"creditAdvanceV2\""), PAID_FLAGGED,
           "10000 TRADE_SUCCESS"),
        IS(TRADE("TRADE_FINISHED", PAID_ON ",\"credit_pay_mode\":\"creditAdvance\""), PAID_FLAGGED,
           "10000 TRADE_FINISHED"),
        IS(TRADE("TRADE_SUCCESS", PAID_ON ",\"credit_pay_mode\":true"), PAID_FLAGGED, "10000 TRADE_SUCCESS"),
        IS(TRADE("WAIT_BUYER_PAY", ",\"credit_pay_mode\":\"creditAdvanceV2\""), PENDING,
           "10000 WAIT_BUYER_PAY"),
    };
    rows_check(rows, COUNT(rows));
}

static const struct row failures[] = {
    FAILS("40005", "isv.app-call-limited", RATE_LIMITED),
    FAILS("40005", "isv.method-call-limited-exceed", RATE_LIMITED),
    FAILS("40005", "isv.new-limit", RATE_LIMITED),
    FAILS("40002", "isv.app-call-limited-exceed", RATE_LIMITED),
    FAILS("20000", "isp.unknow-error", SERVER_ERROR),
    FAILS("20000", "aop.unknow-error", SERVER_ERROR),
    FAILS("40004", "ACQ.SYSTEM_ERROR", SERVER_ERROR),
    FAILS("40004", "aop.ACQ.SYSTEM_ERROR", SERVER_ERROR),
    FAILS("40004", "ACQ.INVALID_PARAMETER", UNAUTHORIZED),
    FAILS("40004", "ACQ.ENTERPRISE_PAY_BIZ_ERROR", UNAUTHORIZED),
    FAILS("20001", "aop.auth-token-time-out", UNAUTHORIZED),
    FAILS("40001", "isv.missing-signature", UNAUTHORIZED),
    FAILS("40002", "isv.invalid-signature", UNAUTHORIZED),
    FAILS("40002", "isv.invalid-app-id", UNAUTHORIZED),
    FAILS("40002", "isv.invalid-timestamp", UNAUTHORIZED),
    FAILS("40003", "isv.insufficient-conditions", UNAUTHORIZED),
    FAILS("40006", "isv.insufficient-isv-permissions", UNAUTHORIZED),
};

static void failures_of_the_query(void **state)
{
    (void)state;
    static const struct row rows[] = {
        FAILS("40004", "ACQ.TRADE_NOT_EXIST", NOT_FOUND),
        FAILS("40004", "ACQ.TRADE_NOT_EXIST2", UNMATCHED),
        FAILS("40004", "ACQ.NEW_WORD", UNMATCHED),
        FAILS("40002", "ACQ.TRADE_NOT_EXIST", UNAUTHORIZED),
        IS("{\"code\":\"10003\",\"msg\":\"order success pay inprocess\"}", PENDING, "10003"),
        FAILS("50000", "new.word", UNMATCHED),
    };
    rows_check(rows, COUNT(rows));
    rows_check(failures, COUNT(failures));
}

/* The gateway may not know whose key to sign with. What is our fault or the channel's stays what it is. */
static void unsigned_failures(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "error_response"};
    for (size_t i = 0; i < 2 * COUNT(failures); i++) {
        struct row row = failures[i / 2];
        char code[CODE_BYTES];
        snprintf(code, sizeof(code), "unsigned %s", row.code);
        row.code = code;
        row.answer.sign = "";
        row.answer.name = names[i % 2];
        rows_check(&row, 1);
    }
}

#define UNSIGNED(called, text, said)                                           \
    {                                                                          \
        {.name = called, .node = text, .sign = ""}, EVIDENCE_UNAUTHENTIC, said \
    }

static void nothing_unsigned_is_an_answer(void **state)
{
    (void)state;
    static const struct row rows[] = {
        UNSIGNED(NULL, TRADE("TRADE_SUCCESS", PAID_ON), "unsigned 10000 TRADE_SUCCESS"),
        UNSIGNED(NULL, TRADE("TRADE_CLOSED", ""), "unsigned 10000 TRADE_CLOSED"),
        UNSIGNED(NULL, TRADE("WAIT_BUYER_PAY", ""), "unsigned 10000 WAIT_BUYER_PAY"),
        UNSIGNED(NULL, FAILED("40004", "ACQ.TRADE_NOT_EXIST"), "unsigned 40004 ACQ.TRADE_NOT_EXIST"),
        UNSIGNED("error_response", FAILED("40004", "ACQ.TRADE_NOT_EXIST"),
                 "unsigned 40004 ACQ.TRADE_NOT_EXIST"),
        UNSIGNED("error_response", TRADE("TRADE_SUCCESS", PAID_ON), "unsigned 10000 TRADE_SUCCESS"),
        UNSIGNED("error_response", FAILED("50000", "new.word"), "unsigned 50000 new.word"),
        UNSIGNED("other_response", FAILED("40002", "isv.invalid-app-id"), "unsigned"),
        UNSIGNED(NULL, "\"text\"", "unsigned"),
    };
    static const struct row bodies[] = {
        {{.body = "{}"}, EVIDENCE_UNAUTHENTIC, "unsigned"},
        {{.body = "{\"error_response\":{\"code\":\"40003\"},\"sign\":\"\"}"},
         EVIDENCE_UNAUTHORIZED,
         "unsigned 40003"},
        {{.body = "{\"alipay_trade_query_response\":" TRADE("TRADE_CLOSED", "") ",\"sign\":\"\"}"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned 10000 TRADE_CLOSED"},
        {{.body = "{\"alipay_trade_query_response\":" TRADE("TRADE_CLOSED", "") ",\"sign\":1}"},
         EVIDENCE_UNAUTHENTIC,
         "unsigned 10000 TRADE_CLOSED"},
    };
    rows_check(rows, COUNT(rows));
    rows_check(bodies, COUNT(bodies));
}

#define CLOSES(text, means, said)                              \
    {                                                          \
        {.node = text, .closes = true}, EVIDENCE_##means, said \
    }
#define CLOSE_FAILS(word, means) CLOSES(FAILED("40004", word), means, "40004 " word)

static void answers_to_closing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        CLOSES("{\"code\":\"10000\",\"msg\":\"Success\"," OURS "}", CLOSED, "10000"),
        CLOSES("{\"code\":\"10000\",\"msg\":\"Success\"}", CLOSED, "10000"),
        CLOSES("{\"code\":\"10000\",\"out_trade_no\":\"A1002\"}", OTHER_ORDER, "10000"),
        CLOSE_FAILS("ACQ.TRADE_NOT_EXIST", NOT_FOUND),
        CLOSE_FAILS("ACQ.TRADE_STATUS_ERROR", PENDING),
        CLOSE_FAILS("ACQ.REASON_TRADE_STATUS_INVALID", PENDING),
        CLOSE_FAILS("ACQ.REASON_ILLEGAL_STATUS", PENDING),
        CLOSE_FAILS("ACQ.SYSTEM_ERROR", SERVER_ERROR),
        CLOSE_FAILS("ACQ.INVALID_PARAMETER", UNAUTHORIZED),
        CLOSE_FAILS("ACQ.NEW_WORD", UNMATCHED),
    };
    rows_check(rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct row row = failures[i];
        row.answer.closes = true;
        rows_check(&row, 1);
    }
    for (size_t i = 0; i < 7; i++) { /* without a signature, none of these */
        struct row row = {rows[i].answer, EVIDENCE_UNAUTHENTIC, ""};
        char code[CODE_BYTES];
        row.answer.sign = "";
        snprintf(code, sizeof(code), "unsigned %s", rows[i].code);
        row.code = code;
        rows_check(&row, 1);
    }
}

static void what_is_no_document_of_alipays(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.body = ""}, EVIDENCE_GARBAGE, ""},
        {{.body = HTML}, EVIDENCE_GARBAGE, ""},
        {{.body = "[]"}, EVIDENCE_GARBAGE, ""},
        {{.body = "{\"alipay_trade_query_response\":{\"code\":\"100"}, EVIDENCE_GARBAGE, ""},
        {{.body = HTML, .status = 502}, EVIDENCE_SERVER_ERROR, ""},
        {{.node = TRADE("TRADE_SUCCESS", PAID_ON), .status = 500}, EVIDENCE_SERVER_ERROR, ""},
        {{.node = TRADE("TRADE_SUCCESS", PAID_ON), .status = 201}, EVIDENCE_UNMATCHED, ""},
        {{.node = TRADE("TRADE_SUCCESS", PAID_ON), .status = 404}, EVIDENCE_UNMATCHED, ""},
        {{.body = "", .status = 429}, EVIDENCE_RATE_LIMITED, ""},
        {{.body = "", .status = 403}, EVIDENCE_UNAUTHORIZED, ""},
        {{.body = "", .status = 302}, EVIDENCE_UNMATCHED, ""},
        {{.node = TRADE("TRADE_SUCCESS", PAID_ON), .untrusted = true}, EVIDENCE_UNTRUSTED, ""},
    };
    rows_check(rows, COUNT(rows));
}

static void a_long_body_is_not_read(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    spec.transport.body_max_bytes = 100;
    struct channel *channel = alipay_make(&spec);
    struct alipay_answer answer = {.node = TRADE("TRADE_SUCCESS", PAID_ON)};
    assert_kind(alipay_read(channel, &alipay_order, &answer), TOO_LARGE);
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade_states),
        cmocka_unit_test(closed_is_told_apart),
        cmocka_unit_test(goods_on_credit_are_not_paid_yet),
        cmocka_unit_test(failures_of_the_query),
        cmocka_unit_test(unsigned_failures),
        cmocka_unit_test(nothing_unsigned_is_an_answer),
        cmocka_unit_test(answers_to_closing),
        cmocka_unit_test(what_is_no_document_of_alipays),
        cmocka_unit_test(a_long_body_is_not_read),
    };
    return cmocka_run_group_tests(tests, alipay_setup, alipay_teardown);
}
