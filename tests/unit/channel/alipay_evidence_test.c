/* What makes an answer of Alipay's evidence: whose it is, its money, its signature, and the ways to forge one. */
#include "alipay_fixture.h"

#define NODE(code, names, more) "{\"code\":\"" code "\",\"msg\":\"Success\"," names more "}"
#define OURS                    "\"out_trade_no\":\"A1001_try-2\",\"trade_no\":\"2023111522001400001\""
#define PAID                    ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.88\""
#define CLOSED                  ",\"trade_status\":\"TRADE_CLOSED\",\"total_amount\":\"88.88\""
#define OURS_PAID               NODE("10000", OURS, PAID)

static struct evidence read_by(const struct alipay_spec *spec, const struct lost_order *order,
                               const struct alipay_answer *answer)
{
    struct channel *channel = alipay_make(spec);
    struct evidence evidence = alipay_read(channel, order, answer);
    channel->kind->destroy(channel);
    return evidence;
}

static struct evidence read_node(const struct lost_order *order, const char *node)
{
    struct alipay_spec spec = alipay_spec();
    return read_by(&spec, order, &(struct alipay_answer){.node = node});
}

static void kind_check(struct evidence evidence, enum evidence_kind expected, const char *what)
{
    if (evidence.kind != expected)
        fail_msg("%s: reads as %s, code \"%s\"", what, evidence_kind_text(evidence.kind), evidence.code);
}

/* ---- whose it is ---- */

struct naming_row {
    const char *number;
    const char *data;
    const char *node;
    enum evidence_kind kind;
};

#define BY_TRADE "{\"trade_no\":\"2023111522001400001\"}"

static void an_answer_is_ours_when_it_names_what_was_asked(void **state)
{
    (void)state;
    static const struct naming_row rows[] = {
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":\"A1001_try-2\"", PAID), EVIDENCE_PAID},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":\"A1001_TRY-2\"", PAID), EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":\"A1001_try-22\"", PAID), EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":1001", PAID), EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":\"\"", PAID), EVIDENCE_UNMATCHED},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":null", PAID), EVIDENCE_UNMATCHED},
        {"A1001_try-2", "", NODE("10000", "\"trade_no\":\"2023111522001400001\"", PAID), EVIDENCE_UNMATCHED},
        {"A1001_try-2", "", NODE("10000", "\"out_trade_no\":\"A1002\"", CLOSED), EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "", NODE("10000", "\"a\":1", CLOSED), EVIDENCE_UNMATCHED},
        {"A1001_try-2", "", NODE("10000", "\"a\":1", ",\"trade_status\":\"NEW\""), EVIDENCE_UNMATCHED},
        {"A1001_try-2", BY_TRADE, OURS_PAID, EVIDENCE_PAID},
        {"", BY_TRADE, OURS_PAID, EVIDENCE_PAID},
        {"", BY_TRADE, NODE("10000", "\"trade_no\":\"2023111522001400002\"", PAID), EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", BY_TRADE, NODE("10000", "\"out_trade_no\":\"A1001_try-2\"", PAID),
         EVIDENCE_UNMATCHED},
        {"A1002", BY_TRADE, OURS_PAID, EVIDENCE_OTHER_ORDER},
        /* A failure need not name anybody, but must not name somebody else. */
        {"A1001_try-2", "", NODE("40004", "\"sub_code\":\"ACQ.TRADE_NOT_EXIST\"", ""), EVIDENCE_NOT_FOUND},
        {"A1001_try-2", "",
         NODE("40004", "\"sub_code\":\"ACQ.TRADE_NOT_EXIST\",\"out_trade_no\":\"A1002\"", ""),
         EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "", NODE("10003", "\"out_trade_no\":\"A1002\"", ""), EVIDENCE_OTHER_ORDER},
        {"", "", OURS_PAID, EVIDENCE_OTHER_ORDER},
        {"A1001_try-2", "[]", OURS_PAID, EVIDENCE_OTHER_ORDER},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lost_order order = alipay_order;
        strcpy(order.number, rows[i].number);
        strcpy(order.channel_data, rows[i].data);
        struct evidence evidence = read_node(&order, rows[i].node);
        kind_check(evidence, rows[i].kind, rows[i].node);
        assert_true(evidence.authentic);
        if (rows[i].kind == EVIDENCE_OTHER_ORDER)
            assert_string_equal(evidence.channel_number, "");
    }
}

/* ---- its money ---- */

static void amounts_are_read_exactly_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *money;
        enum evidence_kind kind;
        int64_t minor;
        const char *currency;
    } rows[] = {
        {"\"total_amount\":\"0.01\"", EVIDENCE_PAID, 1, "CNY"},
        {"\"total_amount\":\"88.8\"", EVIDENCE_PAID, 8880, "CNY"},
        {"\"total_amount\":\"88\"", EVIDENCE_PAID, 8800, "CNY"},
        {"\"total_amount\":\"100000000.00\"", EVIDENCE_PAID, 10000000000, "CNY"},
        {"\"total_amount\":\"12.34\",\"trans_currency\":\"HKD\"", EVIDENCE_PAID, 1234, "HKD"},
        {"\"total_amount\":\"1234\",\"trans_currency\":\"JPY\"", EVIDENCE_PAID, 1234, "JPY"},
        {"\"total_amount\":\"1234.00\",\"trans_currency\":\"JPY\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"12.34\",\"trans_currency\":\"hkd\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"12.34\",\"trans_currency\":\"XQZ\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"12.34\",\"trans_currency\":156", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"12.345\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"-12.34\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"1e2\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"1,000.00\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\" 12.34\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":\"99999999999999999999.00\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":88.88", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":88", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"total_amount\":null", EVIDENCE_UNKNOWN_STATE, 0, ""},
        {"\"receipt_amount\":\"88.88\",\"buyer_pay_amount\":\"88.88\"", EVIDENCE_UNKNOWN_STATE, 0, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char node[512];
        snprintf(node, sizeof(node), "{\"code\":\"10000\"," OURS ",\"trade_status\":\"TRADE_SUCCESS\",%s}",
                 rows[i].money);
        struct evidence evidence = read_node(&alipay_order, node);
        kind_check(evidence, rows[i].kind, rows[i].money);
        assert_int_equal(evidence.has_amount, rows[i].kind == EVIDENCE_PAID);
        if (evidence.has_amount)
            assert_int_equal(evidence.amount_minor, rows[i].minor);
        assert_string_equal(evidence.currency, rows[i].currency);
    }
}

static void what_an_answer_leaves_for_the_audit(void **state)
{
    (void)state;
    struct evidence evidence = read_node(&alipay_order, OURS_PAID);
    assert_string_equal(evidence.channel_number, "2023111522001400001");
    assert_string_equal(evidence.rule, "10000 TRADE_SUCCESS");
    assert_string_equal(evidence.code, "10000 TRADE_SUCCESS");
    evidence = read_node(&alipay_order,
                         NODE("10000", "\"out_trade_no\":\"A1001_try-2\",\"trade_no\":\"a b\"", PAID));
    assert_kind(evidence, PAID);
    assert_string_equal(evidence.channel_number, "");
    char long_code[200] = "{\"code\":\"1000000000000000000000000000000000000000000\",\"sub_code\":\"";
    memset(long_code + strlen(long_code), 'x', 100);
    strcat(long_code, "\"}");
    evidence = read_node(&alipay_order, long_code);
    assert_kind(evidence, UNMATCHED);
    assert_int_equal(strlen(evidence.code), CODE_BYTES - 1);
}

/* ---- signatures ---- */

#define Q "\"alipay_trade_query_response\":"
#define S "\"sign\":\"%s\""

static void only_the_received_bytes_of_our_own_node_count(void **state)
{
    (void)state;
    static const struct {
        const char *body; /* signed is OURS_PAID */
        const char *code;
    } rows[] = {
        {"{" Q OURS_PAID "," S "}", NULL},
        {"\r\n{ " Q " \t" OURS_PAID "\n, " S " } ", NULL},
        {"{" S "," Q OURS_PAID "}", NULL},
        {"{\"x\":\"\\\"alipay_trade_query_response\\\":{}\"," Q OURS_PAID "," S "}", NULL},
        {"{\"x\":{" Q "{}},\"y\":[1,true,null,-1.5e3,[{}]]," Q OURS_PAID "," S "}", NULL},
        {"{\"alipay_trade_close_response\":{}," Q OURS_PAID "," S "}", NULL},
        /* another method's answer, which would be good there */
        {"{\"alipay_trade_close_response\":" OURS_PAID "," S "}", "node_missing"},
        {"{\"alipay_trade_pay_response\":" OURS_PAID "," S "}", "node_missing"},
        {"{\"error_response\":" OURS_PAID "," S "}", "node_missing 10000 TRADE_SUCCESS"},
        {"{\"Alipay_trade_query_response\":" OURS_PAID "," S "}", "node_missing"},
        {"{\"x\":{" Q OURS_PAID "}," S "}", "node_missing"},
        {"{\"\\u0061lipay_trade_query_response\":" OURS_PAID "," S "}", "node_missing 10000 TRADE_SUCCESS"},
        {"{" Q "[" OURS_PAID "]," S "}", "signature_wrong"},
        /* signed elsewhere, read here */
        {"{\"x\":" OURS_PAID "," Q NODE("10000", OURS, ",\"trade_status\":\"TRADE_CLOSED\"") "," S "}",
         "signature_wrong 10000 TRADE_CLOSED"},
        {"{" Q NODE("10000", OURS, PAID " ") "," S "}", "signature_wrong 10000 TRADE_SUCCESS"},
        {"{" Q "\"text\"," S "}", "signature_wrong"},
        {"{" Q "{}," S "}", "signature_wrong"},
    };
    struct alipay_spec spec = alipay_spec();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct alipay_answer answer = {.body = rows[i].body, .text = OURS_PAID};
        struct evidence evidence = read_by(&spec, &alipay_order, &answer);
        kind_check(evidence, rows[i].code ? EVIDENCE_UNAUTHENTIC : EVIDENCE_PAID, rows[i].body);
        assert_int_equal(evidence.authentic, !rows[i].code);
        assert_string_equal(evidence.code, rows[i].code ? rows[i].code : "10000 TRADE_SUCCESS");
        assert_int_equal(evidence.has_amount, !rows[i].code);
    }
}

/* Two copies of one member: who verifies and who reads could look at different ones. */
static void no_member_may_be_there_twice(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{" Q OURS_PAID "," Q "{}," S "}",
        "{" Q "{}," Q OURS_PAID "," S "}",
        "{" Q OURS_PAID ",\"alipay_trade_query_respons\\u0065\":{}," S "}",
        "{" Q OURS_PAID ",\"sign\":\"AA==\"," S "}",
        "{" Q OURS_PAID "," S "}}",
        "{" Q OURS_PAID "," S ",}",
        "{" Q OURS_PAID "," S "} x",
        "[{" Q OURS_PAID "," S "}]",
    };
    struct alipay_spec spec = alipay_spec();
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct alipay_answer answer = {.body = bodies[i], .text = OURS_PAID};
        kind_check(read_by(&spec, &alipay_order, &answer), EVIDENCE_GARBAGE, bodies[i]);
    }
    /* Inside the node as well, though it is signed. */
    kind_check(read_node(&alipay_order, NODE("10000", OURS "," OURS, PAID)), EVIDENCE_GARBAGE,
               "twice inside");
}

static void a_signature_is_whole_and_by_alipays_key(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    const struct alipay_answer answers[] = {
        {.node = OURS_PAID, .key = alipay_keys.stranger},
        {.node = OURS_PAID, .key = alipay_keys.app},
        {.node = OURS_PAID, .sign = "AA=="},
        {.node = OURS_PAID, .sign = "not base64"},
        {.node = OURS_PAID, .sign = "\\u4e2d"},
        {.node = OURS_PAID, .text = NODE("10000", OURS, CLOSED)},
    };
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct evidence evidence = read_by(&spec, &alipay_order, &answers[i]);
        kind_check(evidence, EVIDENCE_UNAUTHENTIC, "forged");
        assert_false(evidence.authentic);
        assert_string_equal(evidence.code, "signature_wrong 10000 TRADE_SUCCESS");
        assert_string_equal(evidence.channel_number, "");
    }
    /* A wrong signature makes a failure no better. */
    struct alipay_answer failure = {.node = "{\"code\":\"40002\",\"sub_code\":\"isv.invalid-signature\"}",
                                    .key = alipay_keys.stranger};
    assert_kind(read_by(&spec, &alipay_order, &failure), UNAUTHENTIC);
}

#define URL_AS(slash) ",\"store\":\"http:" slash slash "a.example" slash "b\""

static void slashes_may_be_escaped_after_signing(void **state)
{
    (void)state;
    static const char plain[] = NODE("10000", OURS, PAID URL_AS("/"));
    static const char escaped[] = NODE("10000", OURS, PAID URL_AS("\\/"));
    struct alipay_spec spec = alipay_spec();
    struct alipay_answer as_received = {.node = escaped};
    struct alipay_answer before = {.node = escaped, .text = plain};
    struct alipay_answer never = {.node = plain, .text = escaped};
    assert_kind(read_by(&spec, &alipay_order, &as_received), PAID);
    assert_kind(read_by(&spec, &alipay_order, &before), PAID);
    assert_kind(read_by(&spec, &alipay_order, &never), UNAUTHENTIC);
}

/* What was signed is read, also where it differs from what was received: "\\/" is one backslash and a slash there, but only an
 * escaped slash in what is verified. */
static void what_is_verified_is_what_is_read(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct alipay_answer answer = {
        .node = "{\"code\":\"10000\",\"out_trade_no\":\"A1001_try-2\",\"trade_status\":\"X\\\\/Y\"}",
        .text = "{\"code\":\"10000\",\"out_trade_no\":\"A1001_try-2\",\"trade_status\":\"X\\/Y\"}"};
    struct evidence evidence = read_by(&spec, &alipay_order, &answer);
    assert_kind(evidence, UNKNOWN_STATE);
    assert_string_equal(evidence.code, "10000 X/Y");
}

/* ---- certificate mode ---- */

static void the_answer_names_its_certificate(void **state)
{
    (void)state;
    const struct {
        EVP_PKEY *key;
        const char *serial;
        const char *code; /* NULL: good */
    } rows[] = {
        {alipay_keys.alipay, OLD_SERIAL, NULL},
        {alipay_keys.next, NEXT_SERIAL, NULL},
        {alipay_keys.next, OLD_SERIAL, "signature_wrong 10000 TRADE_SUCCESS"},
        {alipay_keys.alipay, NULL, "certificate_unnamed 10000 TRADE_SUCCESS"},
        {alipay_keys.alipay, "", "certificate_unnamed 10000 TRADE_SUCCESS"},
        {alipay_keys.app, APP_SERIAL, "certificate_unknown " APP_SERIAL " 10000 TRADE"},
    };
    struct alipay_spec spec = alipay_certificate_spec();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct alipay_answer answer = {.node = OURS_PAID, .key = rows[i].key, .serial = rows[i].serial};
        struct evidence evidence = read_by(&spec, &alipay_order, &answer);
        kind_check(evidence, rows[i].code ? EVIDENCE_UNAUTHENTIC : EVIDENCE_PAID, "by certificate");
        if (rows[i].code)
            assert_string_equal(evidence.code, rows[i].code);
    }
}

/* ---- any bytes at all ---- */

/* No node in which a byte was changed still proves anything, no part of an answer does, and nothing is read beyond its end.
 * (Beside the node, base64's last character has bits that mean nothing.) */
static void changed_bytes_prove_nothing(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    char body[ANSWER_BYTES];
    unsigned random = 20231115;
    unsigned kinds[EVIDENCE_KINDS] = {0};
    alipay_body(&(struct alipay_answer){.node = OURS_PAID}, body);
    size_t length = strlen(body);
    size_t node = (size_t)(strstr(body, OURS_PAID) - body);
    for (int i = 0; i < 20000; i++) {
        char *changed = malloc(length);
        struct evidence evidence = {0};
        assert_non_null(changed);
        memcpy(changed, body, length);
        random = random * 1664525u + 1013904223u;
        size_t at = (random >> 8) % length;
        char byte = "\"\\{}[],:/0 \xff"[random % 12];
        bool spoils = changed[at] != byte && at >= node && at < node + strlen(OURS_PAID);
        changed[at] = byte;
        struct response response = {.http_status = 200,
                                    .body = changed,
                                    .body_bytes = i % 3 ? length : at,
                                    .content_type = "",
                                    .trusted = true};
        channel->kind->interpret(channel, &alipay_order, &fixture_moment, &response, &evidence);
        if (evidence.kind == EVIDENCE_PAID)
            assert_true(!spoils && response.body_bytes == length);
        assert_true(evidence.kind == EVIDENCE_PAID || evidence.kind == EVIDENCE_GARBAGE ||
                    evidence.kind == EVIDENCE_UNAUTHENTIC);
        kinds[evidence.kind]++;
        free(changed);
    }
    assert_true(kinds[EVIDENCE_PAID] > 10 && kinds[EVIDENCE_UNAUTHENTIC] > 1000);
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_ours_when_it_names_what_was_asked),
        cmocka_unit_test(amounts_are_read_exactly_or_not_at_all),
        cmocka_unit_test(what_an_answer_leaves_for_the_audit),
        cmocka_unit_test(only_the_received_bytes_of_our_own_node_count),
        cmocka_unit_test(no_member_may_be_there_twice),
        cmocka_unit_test(a_signature_is_whole_and_by_alipays_key),
        cmocka_unit_test(slashes_may_be_escaped_after_signing),
        cmocka_unit_test(what_is_verified_is_what_is_read),
        cmocka_unit_test(the_answer_names_its_certificate),
        cmocka_unit_test(changed_bytes_prove_nothing),
    };
    return cmocka_run_group_tests(tests, alipay_setup, alipay_teardown);
}
