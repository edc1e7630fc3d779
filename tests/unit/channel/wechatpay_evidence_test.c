/* What WeChat Pay's answers prove beyond their kind: money, numbers, merchants, and nothing once a byte is changed. */
#include "wechatpay_fixture.h"

static struct channel *channel_of(const char *app_id, const char *sub_merchant)
{
    struct wechatpay_spec spec = wechatpay_spec();
    spec.app_id = app_id;
    spec.sub_merchant = sub_merchant;
    return wechatpay_make(&spec);
}

/* A paid answer about our number, with these members more. */
static struct evidence paid_read(const struct channel *channel, const struct lost_order *order,
                                 const char *members)
{
    char body[1024];
    snprintf(body, sizeof(body),
             "{\"trade_state\":\"SUCCESS\",\"out_trade_no\":\"A1001_try|2*\",%s"
             "\"amount\":{\"total\":1999,\"currency\":\"CNY\"}}",
             members);
    return wechat_read(channel, order, &(struct wechat_answer){.status = 200, .body = body});
}

static void a_payment_is_read_whole(void **state)
{
    (void)state;
    struct channel *channel = channel_of("wxd678efh567hg6787", NULL);
    struct evidence evidence = paid_read(
        channel, &wechatpay_order,
        "\"transaction_id\":\"4200001234\",\"mchid\":\"1230000109\",\"appid\":\"wxd678efh567hg6787\",");
    assert_kind(evidence, PAID);
    assert_true(evidence.authentic);
    assert_true(evidence.has_amount);
    assert_int_equal(evidence.amount_minor, 1999);
    assert_string_equal(evidence.currency, "CNY");
    assert_string_equal(evidence.channel_number, "4200001234");
    assert_string_equal(evidence.code, "SUCCESS");
    assert_string_equal(evidence.rule, "200 SUCCESS");
    assert_false(evidence.merchant_differs);
    assert_int_equal(evidence.http_status, 200); /* left as it was */
    /* a number that we could not keep is not kept */
    evidence = paid_read(channel, &wechatpay_order, "\"transaction_id\":\"42 00\",");
    assert_kind(evidence, PAID);
    assert_string_equal(evidence.channel_number, "");
    channel->kind->destroy(channel);
}

/* What is compared by the core is told as it is. */
static void amount_and_currency_are_told_as_they_are(void **state)
{
    (void)state;
    struct channel *channel = channel_of(NULL, NULL);
    struct evidence evidence = wechat_read(
        channel, &wechatpay_order,
        &(struct wechat_answer){.status = 200,
                                .body = "{\"trade_state\":\"SUCCESS\",\"out_trade_no\":\"A1001_try|2*\","
                                        "\"amount\":{\"total\":1,\"currency\":\"HKD\"}}"});
    assert_kind(evidence, PAID);
    assert_int_equal(evidence.amount_minor, 1);
    assert_string_equal(evidence.currency, "HKD");
    channel->kind->destroy(channel);
}

static void merchants_are_compared(void **state)
{
    (void)state;
    static const struct {
        const char *app_id;
        const char *sub_merchant;
        const char *data;
        const char *members;
        bool differs;
    } rows[] = {
        {"wx1", NULL, "", "\"mchid\":\"1230000109\",\"appid\":\"wx1\",", false},
        {"wx1", NULL, "", "\"mchid\":\"1230000110\",\"appid\":\"wx1\",", true},
        {"wx1", NULL, "", "\"mchid\":\"1230000109\",\"appid\":\"wx2\",", true},
        {"wx1", NULL, "", "\"mchid\":1230000109,\"appid\":\"wx1\",", true},
        {NULL, NULL, "", "\"mchid\":\"1230000109\",\"appid\":\"wx2\",", false},
        {"wx1", NULL, "", "", false},
        {"wx1", "19", "", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"19\",\"sp_appid\":\"wx1\",", false},
        {"wx1", "19", "", "\"sp_mchid\":\"1230000110\",\"sub_mchid\":\"19\",\"sp_appid\":\"wx1\",", true},
        {"wx1", "19", "", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"20\",\"sp_appid\":\"wx1\",", true},
        {"wx1", "19", "", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"19\",\"sp_appid\":\"wx2\",", true},
        {"wx1", "19", "{\"sub_mchid\":\"20\"}", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"20\",", false},
        {"wx1", "19", "{\"sub_mchid\":\"20\"}", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"19\",", true},
        {"wx1", NULL, "{\"sub_mchid\":\"20\"}", "\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"19\",", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct channel *channel = channel_of(rows[i].app_id, rows[i].sub_merchant);
        struct lost_order order = wechatpay_order;
        strcpy(order.channel_data, rows[i].data);
        struct evidence evidence = paid_read(channel, &order, rows[i].members);
        assert_kind(evidence, PAID);
        if (evidence.merchant_differs != rows[i].differs)
            fail_msg("row %zu: merchant_differs is %d", i, evidence.merchant_differs);
        channel->kind->destroy(channel);
    }
}

static void an_attempt_asked_by_transaction_id_is_known_by_it(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        const char *data;
        const char *members;
        enum evidence_kind kind;
    } rows[] = {
        {"", "{\"transaction_id\":\"42\"}", "\"transaction_id\":\"42\",", EVIDENCE_PAID},
        {"", "{\"transaction_id\":\"42\"}", "\"transaction_id\":\"43\",", EVIDENCE_OTHER_ORDER},
        {"", "{\"transaction_id\":\"42\"}", "", EVIDENCE_UNMATCHED},
        {"A1001_try|2*", "{\"transaction_id\":\"42\"}", "\"transaction_id\":\"42\",", EVIDENCE_PAID},
        {"A1001_try|2*", "{\"transaction_id\":\"42\"}", "\"transaction_id\":\"43\",", EVIDENCE_OTHER_ORDER},
        {"A1002_try", "{\"transaction_id\":\"42\"}", "\"transaction_id\":\"42\",", EVIDENCE_OTHER_ORDER},
        {"A1001_try|2*", "{\"transaction_id\":42}", "\"transaction_id\":\"42\",", EVIDENCE_UNMATCHED},
    };
    struct channel *channel = channel_of(NULL, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lost_order order = wechatpay_order;
        strcpy(order.number, rows[i].number);
        strcpy(order.channel_data, rows[i].data);
        struct evidence evidence = paid_read(channel, &order, rows[i].members);
        if (evidence.kind != rows[i].kind)
            fail_msg("row %zu reads as %s", i, evidence_kind_text(evidence.kind));
    }
    channel->kind->destroy(channel);
}

static void a_minute_is_waited_where_frequency_is_limited(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        int64_t given_ms;
        int64_t told_ms;
    } rows[] = {
        {429, "{\"code\":\"FREQUENCY_LIMITED\"}", 0, 60000},
        {403, "{\"code\":\"FREQUENCY_LIMITED\"}", 0, 60000},
        {429, "{\"code\":\"FREQUENCY_LIMITED\"}", 5000, 5000},
        {429, "{\"code\":\"RATELIMIT_EXCEEDED\"}", 0, 0},
        {500, "{\"code\":\"FREQUENCY_LIMITED\"}", 0, 0},
        {404, "{\"code\":\"FREQUENCY_LIMITED\"}", 0, 0},
    };
    struct channel *channel = channel_of(NULL, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response response = {.http_status = rows[i].status,
                                    .body = rows[i].body,
                                    .body_bytes = strlen(rows[i].body),
                                    .trusted = true,
                                    .retry_after_ms = rows[i].given_ms}; /* and no headers are known */
        struct evidence evidence = {.retry_after_ms = rows[i].given_ms};
        channel->kind->interpret(channel, &wechatpay_order, &fixture_moment, &response, &evidence);
        assert_int_equal(evidence.retry_after_ms, rows[i].told_ms);
    }
    channel->kind->destroy(channel);
}

static void what_is_not_trusted_or_too_large_is_not_read(void **state)
{
    (void)state;
    const char *body = "{\"trade_state\":\"SUCCESS\"}";
    struct channel *channel = channel_of(NULL, NULL);
    struct evidence evidence = wechat_read(
        channel, &wechatpay_order, &(struct wechat_answer){.status = 200, .body = body, .untrusted = true});
    assert_kind(evidence, UNTRUSTED);
    assert_false(evidence.authentic);
    assert_string_equal(evidence.code, "");
    channel->transport.body_max_bytes = (int64_t)strlen(body);
    evidence = wechat_read(channel, &wechatpay_order, &(struct wechat_answer){.status = 200, .body = body});
    assert_kind(evidence, UNMATCHED);
    channel->transport.body_max_bytes--;
    evidence = wechat_read(channel, &wechatpay_order, &(struct wechat_answer){.status = 200, .body = body});
    assert_kind(evidence, TOO_LARGE);
    assert_false(evidence.authentic);
    channel->kind->destroy(channel);
}

/* One genuine signature, and every byte of the body changed in turn. */
static void no_changed_byte_passes(void **state)
{
    (void)state;
    char body[] = "{\"trade_state\":\"SUCCESS\",\"out_trade_no\":\"A1001_try|2*\",\"amount\":{\"total\":1999,"
                  "\"currency\":\"CNY\"}}";
    struct channel *channel = channel_of(NULL, NULL);
    char *signature = wechat_sign(wechat_keys.new, NOW_S, "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz", body);
    struct wechat_answer answer = {.status = 200, .body = body, .signature = signature};
    assert_kind(wechat_read(channel, &wechatpay_order, &answer), PAID);
    for (size_t i = 0; i < sizeof(body) - 1; i++) {
        body[i] ^= 1;
        struct evidence evidence = wechat_read(channel, &wechatpay_order, &answer);
        assert_kind(evidence, UNAUTHENTIC);
        assert_false(evidence.authentic);
        assert_false(evidence.has_amount);
        body[i] ^= 1;
    }
    answer.timestamp = "1700000001"; /* the timestamp is signed as well */
    assert_kind(wechat_read(channel, &wechatpay_order, &answer), UNAUTHENTIC);
    free(signature);
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_is_read_whole),
        cmocka_unit_test(amount_and_currency_are_told_as_they_are),
        cmocka_unit_test(merchants_are_compared),
        cmocka_unit_test(an_attempt_asked_by_transaction_id_is_known_by_it),
        cmocka_unit_test(a_minute_is_waited_where_frequency_is_limited),
        cmocka_unit_test(what_is_not_trusted_or_too_large_is_not_read),
        cmocka_unit_test(no_changed_byte_passes),
    };
    return cmocka_run_group_tests(tests, wechatpay_setup, wechatpay_teardown);
}
