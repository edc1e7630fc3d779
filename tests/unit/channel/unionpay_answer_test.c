/* UnionPay's answers: every row of the mapping, money, whose attempt it is, and how the text is divided. */
#include "unionpay_fixture.h"

static struct evidence changed_read(const struct lost_order *order, const char *one, const char *two,
                                    const char *three)
{
    char answer[ANSWER_BYTES];
    struct channel *channel = standard_channel();
    answer_make(answer, one, two, three);
    struct evidence evidence = unionpay_read(channel, order, 200, answer);
    channel->kind->destroy(channel);
    return evidence;
}

static void a_payment_is_read(void **state)
{
    (void)state;
    struct evidence evidence = changed_read(&unionpay_order, NULL, NULL, NULL);
    assert_int_equal(evidence.kind, EVIDENCE_PAID);
    assert_true(evidence.authentic);
    assert_false(evidence.merchant_differs);
    assert_true(evidence.has_amount);
    assert_false(evidence.has_refunded);
    assert_int_equal(evidence.amount_minor, 1234);
    assert_string_equal(evidence.currency, "CNY");
    assert_string_equal(evidence.channel_number, "172311150610007340658");
    assert_string_equal(evidence.code, "00/00");
    assert_string_equal(evidence.rule, "00/00");
    assert_int_equal(strlen(evidence.body_digest), 64);
}

/* The table of doc/channel.md; `late` is after the attempt's life. */
static const struct {
    const char *code;
    const char *origin; /* "origRespCode": none */
    enum evidence_kind kind;
    enum evidence_kind late;
} table[] = {
    {"00", "origRespCode=00", EVIDENCE_PAID, EVIDENCE_PAID},
    {"00", "origRespCode=A6", EVIDENCE_PAID, EVIDENCE_PAID},
    {"00", "origRespCode=03", EVIDENCE_PENDING, EVIDENCE_PENDING},
    {"00", "origRespCode=04", EVIDENCE_PENDING, EVIDENCE_PENDING},
    {"00", "origRespCode=05", EVIDENCE_PENDING, EVIDENCE_PENDING},
    {"00", "origRespCode=01", EVIDENCE_PENDING, EVIDENCE_CLOSED},
    {"00", "origRespCode=64", EVIDENCE_PENDING, EVIDENCE_CLOSED},
    {"00", "origRespCode=42", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"00", "origRespCode", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"00", "origRespCode=", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"00", "origRespCode=000", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"42", "origRespCode=00", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"42", "origRespCode", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"34", "origRespCode", EVIDENCE_NOT_FOUND, EVIDENCE_NOT_FOUND},
    {"37", "origRespCode", EVIDENCE_RATE_LIMITED, EVIDENCE_RATE_LIMITED},
    {"02", "origRespCode", EVIDENCE_SERVER_ERROR, EVIDENCE_SERVER_ERROR},
    {"03", "origRespCode", EVIDENCE_SERVER_ERROR, EVIDENCE_SERVER_ERROR},
    {"04", "origRespCode=00", EVIDENCE_SERVER_ERROR, EVIDENCE_SERVER_ERROR},
    {"05", "origRespCode", EVIDENCE_SERVER_ERROR, EVIDENCE_SERVER_ERROR},
    {"06", "origRespCode", EVIDENCE_SERVER_ERROR, EVIDENCE_SERVER_ERROR},
    {"10", "origRespCode", EVIDENCE_UNAUTHORIZED, EVIDENCE_UNAUTHORIZED},
    {"11", "origRespCode", EVIDENCE_UNAUTHORIZED, EVIDENCE_UNAUTHORIZED},
    {"13", "origRespCode", EVIDENCE_UNAUTHORIZED, EVIDENCE_UNAUTHORIZED},
    {"31", "origRespCode", EVIDENCE_UNAUTHORIZED, EVIDENCE_UNAUTHORIZED},
    {"32", "origRespCode", EVIDENCE_UNAUTHORIZED, EVIDENCE_UNAUTHORIZED},
    {"01", "origRespCode=00", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"99", "origRespCode", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
    {"", "origRespCode=00", EVIDENCE_UNKNOWN_STATE, EVIDENCE_UNKNOWN_STATE},
};

static void every_row_of_the_table_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        char code[32];
        struct lost_order late = unionpay_order;
        late.left_ms = 0;
        snprintf(code, sizeof(code), "respCode=%s", table[i].code);
        enum evidence_kind kind = changed_read(&unionpay_order, code, table[i].origin, NULL).kind;
        enum evidence_kind then = changed_read(&late, code, table[i].origin, NULL).kind;
        if (kind != table[i].kind || then != table[i].late)
            fail_msg("%s, %s: %s, and late %s", code, table[i].origin, evidence_kind_text(kind),
                     evidence_kind_text(then));
    }
}

/* 2023-11-15 06:13:20 in Beijing is now. */
static void a_failed_try_ends_nothing_before_the_time_to_pay_is_over(void **state)
{
    (void)state;
    static const struct {
        const char *change;
        enum evidence_kind kind;
    } cases[] = {
        {"payTimeout=20231115061319", EVIDENCE_CLOSED},
        {"payTimeout=20231115061320", EVIDENCE_PENDING},
        {"payTimeout=20231115061321", EVIDENCE_PENDING},
        {"payTimeout=20231114235959", EVIDENCE_CLOSED},
        {"payTimeout=20231114221320", EVIDENCE_CLOSED},
        {"payTimeout=20231115", EVIDENCE_PENDING},
        {"payTimeout=2023-11-15 0613", EVIDENCE_PENDING},
        {"payTimeout=20221315061319", EVIDENCE_PENDING},
        {"payTimeout=", EVIDENCE_CLOSED},
    };
    struct lost_order late = unionpay_order;
    late.left_ms = -1;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (changed_read(&late, "origRespCode=01", cases[i].change, NULL).kind != cases[i].kind)
            fail_msg("%s", cases[i].change);
    struct lost_order endless = unionpay_order;
    endless.left_ms = NO_END;
    assert_int_equal(changed_read(&endless, "origRespCode=01", NULL, NULL).kind, EVIDENCE_PENDING);
}

static void only_fen_of_yuan_are_money(void **state)
{
    (void)state;
    static const char *const wrong[] = {"txnAmt",
                                        "txnAmt=",
                                        "txnAmt=-1234",
                                        "txnAmt=12.34",
                                        "txnAmt=1234 ",
                                        "txnAmt=+1234",
                                        "txnAmt=1e3",
                                        "currencyCode",
                                        "currencyCode=840",
                                        "currencyCode=CNY",
                                        "txnAmt=9223372036854775808"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct evidence evidence = changed_read(&unionpay_order, wrong[i], NULL, NULL);
        if (evidence.kind != EVIDENCE_UNKNOWN_STATE || evidence.has_amount)
            fail_msg("%s", wrong[i]);
    }
    struct evidence other = changed_read(&unionpay_order, "txnAmt=1", NULL, NULL);
    assert_int_equal(other.kind, EVIDENCE_PAID);
    assert_int_equal(other.amount_minor, 1); /* what decide parks */
}

static void the_genuine_answer_of_another_attempt_is_not_ours(void **state)
{
    (void)state;
    static const char *const others[] = {"orderId=ORDER0002", "txnTime=20231115061001",
                                         "merId=777290058110049", "orderId=ORDER00010"};
    static const char *const missing[] = {"orderId", "txnTime", "merId", "orderId="};
    static const char *const codes[] = {"respCode=00", "respCode=34", "respCode=42", "respCode=77"};
    for (size_t i = 0; i < COUNT(others); i++)
        for (size_t j = 0; j < COUNT(codes); j++) {
            struct evidence evidence = changed_read(&unionpay_order, others[i], codes[j], NULL);
            assert_int_equal(evidence.kind, EVIDENCE_OTHER_ORDER);
            assert_string_equal(evidence.channel_number, "");
            assert_int_equal(evidence.merchant_differs, i == 2);
            assert_int_equal(changed_read(&unionpay_order, missing[i], codes[j], NULL).kind,
                             EVIDENCE_UNMATCHED);
        }
    struct lost_order timeless = unionpay_order;
    timeless.channel_data[0] = '\0';
    assert_int_equal(changed_read(&timeless, NULL, NULL, NULL).kind, EVIDENCE_UNMATCHED);
}

/* What UnionPay tells of itself is a fault, whoever is named. */
static void a_fault_needs_no_name(void **state)
{
    (void)state;
    assert_int_equal(changed_read(&unionpay_order, "respCode=37", "orderId", NULL).kind,
                     EVIDENCE_RATE_LIMITED);
    assert_int_equal(changed_read(&unionpay_order, "respCode=11", "orderId=ORDER0002", NULL).kind,
                     EVIDENCE_UNAUTHORIZED);
}

static void what_is_in_braces_divides_nothing(void **state)
{
    (void)state;
    static const char *const kept[] = {"reqReserved={orderId=ORDER0002&txnAmt=1}",
                                       "reqReserved={a={b&c}&d}",
                                       "reqReserved=x{&}y{&}",
                                       "reqReserved=}",
                                       "reqReserved=a=b==",
                                       "reqReserved=}{&}",
                                       "reqReserved=",
                                       "reqReserved=[a]"};
    for (size_t i = 0; i < COUNT(kept); i++)
        if (changed_read(&unionpay_order, kept[i], NULL, NULL).kind != EVIDENCE_PAID)
            fail_msg("%s", kept[i]);
    /* Opened and never closed: the rest is its value, and no signature is left. */
    assert_int_equal(changed_read(&unionpay_order, "reqReserved={", NULL, NULL).kind, EVIDENCE_UNAUTHENTIC);
}

static void what_is_no_message_is_garbage(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES + 64];
    struct channel *channel = standard_channel();
    static const char *const wrong[] = {"",
                                        "&",
                                        "=",
                                        "=1",
                                        "respCode",
                                        "respCode=00&&a=b",
                                        "respCode=00&b",
                                        "<html><a href=x>login</a></html>",
                                        "{\"respCode\":\"00\"}",
                                        "a b=1",
                                        "respCode=00&respCode=00"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (unionpay_read(channel, &unionpay_order, 200, wrong[i]).kind != EVIDENCE_GARBAGE)
            fail_msg("%s", wrong[i]);
    static const char *const twice[] = {"&respCode=00", "&signature=x", "&txnAmt=1234"};
    for (size_t i = 0; i < COUNT(twice); i++) {
        answer_make(answer, NULL, NULL, NULL);
        strcat(answer, twice[i]);
        assert_int_equal(unionpay_read(channel, &unionpay_order, 200, answer).kind, EVIDENCE_GARBAGE);
    }
    answer[0] = '\0';
    for (int i = 0; i < 97; i++)
        snprintf(answer + strlen(answer), 16, "&f%d=1", i);
    assert_int_equal(unionpay_read(channel, &unionpay_order, 200, answer + 1).kind, EVIDENCE_GARBAGE);
    answer_make(answer, NULL, NULL, NULL);
    struct response cut = {
        .http_status = 200, .body = answer, .body_bytes = strlen(answer) + 1, .trusted = true};
    struct evidence evidence = {.kind = EVIDENCE_NONE};
    channel->kind->interpret(channel, &unionpay_order, &fixture_moment, &cut, &evidence); /* with its NUL */
    assert_int_equal(evidence.kind, EVIDENCE_GARBAGE);
    channel->kind->destroy(channel);
}

static void the_status_of_http_goes_first(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum evidence_kind kind;
    } cases[] = {{500, EVIDENCE_SERVER_ERROR}, {502, EVIDENCE_SERVER_ERROR}, {429, EVIDENCE_RATE_LIMITED},
                 {401, EVIDENCE_UNAUTHORIZED}, {302, EVIDENCE_UNMATCHED},    {404, EVIDENCE_UNMATCHED},
                 {201, EVIDENCE_UNMATCHED}};
    char answer[ANSWER_BYTES];
    struct channel *channel = standard_channel();
    answer_make(answer, NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct evidence evidence = unionpay_read(channel, &unionpay_order, cases[i].status, answer);
        assert_int_equal(evidence.kind, cases[i].kind);
        assert_false(evidence.authentic);
    }
    channel->kind->destroy(channel);
}

static void no_answer_is_read_off_an_untrusted_or_an_endless_wire(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    struct channel *channel = standard_channel();
    struct evidence evidence = {.kind = EVIDENCE_NONE};
    answer_make(answer, NULL, NULL, NULL);
    struct response response = {.http_status = 200, .body = answer, .body_bytes = strlen(answer)};
    channel->kind->interpret(channel, &unionpay_order, &fixture_moment, &response, &evidence);
    assert_int_equal(evidence.kind, EVIDENCE_UNTRUSTED);
    assert_false(evidence.authentic);
    response.trusted = true;
    channel->transport.body_max_bytes = (int64_t)response.body_bytes - 1;
    channel->kind->interpret(channel, &unionpay_order, &fixture_moment, &response, &evidence);
    assert_int_equal(evidence.kind, EVIDENCE_TOO_LARGE);
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_is_read),
        cmocka_unit_test(every_row_of_the_table_holds),
        cmocka_unit_test(a_failed_try_ends_nothing_before_the_time_to_pay_is_over),
        cmocka_unit_test(only_fen_of_yuan_are_money),
        cmocka_unit_test(the_genuine_answer_of_another_attempt_is_not_ours),
        cmocka_unit_test(a_fault_needs_no_name),
        cmocka_unit_test(what_is_in_braces_divides_nothing),
        cmocka_unit_test(what_is_no_message_is_garbage),
        cmocka_unit_test(the_status_of_http_goes_first),
        cmocka_unit_test(no_answer_is_read_off_an_untrusted_or_an_endless_wire),
    };
    return cmocka_run_group_tests(tests, cast_make, cast_drop);
}
