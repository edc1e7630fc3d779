/* WeChat Pay's requests: what goes on the wire, and that the OpenSSL command line finds its signature good. */
#include <unistd.h>

#include "wechatpay_fixture.h"

#define OUT_TRADE_NO "/v3/pay/transactions/out-trade-no/A1001_try%7C2%2A"
#define HOST         "https://api.mch.weixin.qq.com"
#define SECOND_HOST  "https://api2.mch.weixin.qq.com"

static const char *header_of(const struct request *request, const char *name)
{
    size_t length = strlen(name);
    const char *found = NULL;
    for (int i = 0; i < request->header_count; i++)
        if (strncmp(request->headers[i], name, length) == 0 && request->headers[i][length] == ':') {
            assert_null(found); /* once */
            found = request->headers[i] + length + 2;
        }
    return found;
}

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* 0: an implementation that is not ours says that this is the merchant's signature of the text. */
static int openssl_verify(const char *text, const char *signature)
{
    char folder[] = "/tmp/makegood-wechatpay-XXXXXX";
    char command[512];
    assert_non_null(mkdtemp(folder));
    file_write(folder, "text", text);
    file_write(folder, "signature", signature);
    file_write(folder, "key", wechat_keys.merchant_public);
    snprintf(command, sizeof(command),
             "cd %s && openssl base64 -d -A -in signature -out raw && "
             "openssl dgst -sha256 -verify key -signature raw text >/dev/null 2>&1",
             folder);
    int result = system(command);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return result;
}

/* Takes Authorization apart by its documented form; `target` and `body` are what the wire has. */
static void authorization_check(const struct request *request, const char *target)
{
    const char *start = "WECHATPAY2-SHA256-RSA2048 mchid=\"1230000109\",nonce_str=\"" /* of fixture_moment */
                        "00112233445566778899aabbccddeeff\",timestamp=\"1700000000\",serial_no=\""
                        "5F1C72E2A8931B72A2E13AF8DEE92471EB397115\",signature=\"";
    const char *value = header_of(request, "Authorization");
    assert_non_null(value);
    assert_memory_equal(value, start, strlen(start));
    char *signature = strdup(value + strlen(start));
    assert_string_equal(signature + strlen(signature) - 1, "\"");
    signature[strlen(signature) - 1] = '\0';
    char text[1024];
    snprintf(text, sizeof(text), "%s\n%s\n1700000000\n00112233445566778899aabbccddeeff\n%s\n",
             request->method, target, request->body ? request->body : "");
    assert_int_equal(openssl_verify(text, signature), 0);
    text[strlen(text) - 2] ^= 1;
    assert_int_not_equal(openssl_verify(text, signature), 0);
    free(signature);
}

/* One question of this specification, from its target on the wire. */
static void question_check(const struct wechatpay_spec *spec, const struct lost_order *order, bool closes,
                           const char *target, const char *body)
{
    struct channel *channel = wechatpay_make(spec);
    struct request request;
    const char *why = NULL;
    int (*build)(const struct channel *, const struct lost_order *, const struct moment *, struct request *,
                 const char **) = closes ? channel->kind->build_close : channel->kind->build;
    assert_int_equal(build(channel, order, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.method, closes ? "POST" : "GET");
    assert_memory_equal(request.url, HOST, strlen(HOST));
    assert_string_equal(request.url + strlen(HOST), target);
    assert_memory_equal(request.second_url, SECOND_HOST, strlen(SECOND_HOST));
    assert_string_equal(request.second_url + strlen(SECOND_HOST), target);
    if (body) {
        assert_string_equal(request.body, body);
        assert_int_equal(request.body_bytes, strlen(body));
    } else
        assert_null(request.body);
    authorization_check(&request, target);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void direct_mode_asks_by_out_trade_no(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    question_check(&spec, &wechatpay_order, false, OUT_TRADE_NO "?mchid=1230000109", NULL);
    spec.serial = "5f1c72e2a8931b72a2e13af8dee92471eb397115"; /* is sent in capitals */
    question_check(&spec, &wechatpay_order, false, OUT_TRADE_NO "?mchid=1230000109", NULL);
}

static void a_transaction_id_is_asked_by_where_it_is_given(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    struct lost_order order = wechatpay_order;
    strcpy(order.channel_data, "{\"transaction_id\":\"4200001234\",\"sub_mchid\":null,\"other\":1}");
    question_check(&spec, &order, false, "/v3/pay/transactions/id/4200001234?mchid=1230000109", NULL);
    order.number[0] = '\0';
    question_check(&spec, &order, false, "/v3/pay/transactions/id/4200001234?mchid=1230000109", NULL);
}

static void partner_mode_names_both_merchants(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    struct lost_order order = wechatpay_order;
    spec.sub_merchant = "1900000109";
    question_check(&spec, &order, false,
                   "/v3/pay/partner/transactions/out-trade-no/A1001_try%7C2%2A?sp_mchid=1230000109&sub_mchid="
                   "1900000109",
                   NULL);
    strcpy(order.channel_data, "{\"sub_mchid\":\"1900000200\"}");
    question_check(&spec, &order, false,
                   "/v3/pay/partner/transactions/out-trade-no/A1001_try%7C2%2A?sp_mchid=1230000109&sub_mchid="
                   "1900000200",
                   NULL);
    spec.sub_merchant = NULL;
    strcpy(order.channel_data, "{\"sub_mchid\":\"1900000300\",\"transaction_id\":\"42\"}");
    question_check(&spec, &order, false,
                   "/v3/pay/partner/transactions/id/42?sp_mchid=1230000109&sub_mchid=1900000300", NULL);
}

static void closing_names_who_closes(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    struct lost_order order = wechatpay_order;
    question_check(&spec, &order, true, OUT_TRADE_NO "/close", "{\"mchid\":\"1230000109\"}");
    /* by out_trade_no also where it is asked by the other number */
    strcpy(order.channel_data, "{\"sub_mchid\":\"1900000300\",\"transaction_id\":\"42\"}");
    question_check(&spec, &order, true, "/v3/pay/partner/transactions/out-trade-no/A1001_try%7C2%2A/close",
                   "{\"sp_mchid\":\"1230000109\",\"sub_mchid\":\"1900000300\"}");
}

/* Builds, or fails the test. */
static struct request request_of(const struct channel *channel, bool closes)
{
    struct request request;
    const char *why;
    assert_int_equal((closes ? channel->kind->build_close : channel->kind->build)(
                         channel, &wechatpay_order, &fixture_moment, &request, &why),
                     0);
    return request;
}

static void the_other_headers_are_there(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    struct channel *channel = wechatpay_make(&spec);
    struct request request = request_of(channel, false);
    assert_string_equal(header_of(&request, "Accept"), "application/json");
    assert_string_equal(header_of(&request, "X-Request-Id"), "mg-1-2");
    assert_string_equal(header_of(&request, "Wechatpay-Serial"), PUBLIC_KEY_ID);
    assert_null(header_of(&request, "Content-Type"));
    assert_string_equal(request.asked, "GET " HOST OUT_TRADE_NO);
    request_finish(&request);
    request = request_of(channel, true);
    assert_string_equal(header_of(&request, "Content-Type"), "application/json");
    assert_string_equal(request.asked, "POST " HOST OUT_TRADE_NO "/close");
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void the_newest_certificate_is_asked_for_where_there_is_no_public_key(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    spec.public_key = spec.public_key_id = NULL;
    for (int i = 0; i < 2; i++) { /* in either order */
        char *first = wechat_keys.certificates[0];
        wechat_keys.certificates[0] = wechat_keys.certificates[1];
        wechat_keys.certificates[1] = first;
        struct channel *channel = wechatpay_make(&spec);
        struct request request = request_of(channel, false);
        assert_string_equal(header_of(&request, "Wechatpay-Serial"), NEW_SERIAL);
        assert_int_equal(channel->credential_end, OLD_END);
        request_finish(&request);
        channel->kind->destroy(channel);
    }
}

static void hosts_are_configured(void **state)
{
    (void)state;
    struct wechatpay_spec spec = wechatpay_spec();
    spec.second_url = "";
    struct channel *channel = wechatpay_make(&spec);
    struct request request = request_of(channel, false);
    assert_null(request.second_url);
    request_finish(&request);
    channel->kind->destroy(channel);
    spec.url = "http://127.0.0.1:8080";
    spec.second_url = NULL; /* a test's bank has no stand-in at WeChat Pay */
    spec.transport.allow_plain_http = true;
    channel = wechatpay_make(&spec);
    request = request_of(channel, false);
    assert_string_equal(request.url, "http://127.0.0.1:8080" OUT_TRADE_NO "?mchid=1230000109");
    assert_null(request.second_url);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void what_can_not_be_asked_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        const char *data;
        bool closes;
        const char *words;
    } rows[] = {
        {"", "", false, "out_trade_no"},
        {"A1001", "", false, "6 to 32"},
        {"A12345678901234567890123456789012", "", false, "6 to 32"},
        {"A1001/..", "", false, "6 to 32"},
        {"A1001", "{\"transaction_id\":\"42\"}", false, "6 to 32"},
        {"A10010", "[1]", false, "not a JSON object"},
        {"A10010", "{", false, "not a JSON object"},
        {"A10010", "{\"transaction_id\":42}", false, "transaction_id"},
        {"A10010", "{\"transaction_id\":\"\"}", false, "transaction_id"},
        {"A10010", "{\"transaction_id\":\"4/2\"}", false, "transaction_id"},
        {"A10010", "{\"sub_mchid\":1900000109}", false, "sub_mchid"},
        {"A10010", "{\"sub_mchid\":\"19&mchid=1\"}", false, "sub_mchid"},
        {"A10010", "{\"sub_mchid\":\"123456789012345678901234567890123\"}", false, "sub_mchid"},
        {"", "{\"transaction_id\":\"42\"}", true, "closes by out_trade_no"},
        {"A1001", "", true, "6 to 32"},
    };
    struct wechatpay_spec spec = wechatpay_spec();
    struct channel *channel = wechatpay_make(&spec);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lost_order order = wechatpay_order;
        struct request request;
        const char *why = "";
        strcpy(order.number, rows[i].number);
        strcpy(order.channel_data, rows[i].data);
        assert_int_equal((rows[i].closes ? channel->kind->build_close : channel->kind->build)(
                             channel, &order, &fixture_moment, &request, &why),
                         -EINVAL);
        if (!strstr(why, rows[i].words))
            fail_msg("row %zu is told as: %s", i, why);
    }
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_mode_asks_by_out_trade_no),
        cmocka_unit_test(a_transaction_id_is_asked_by_where_it_is_given),
        cmocka_unit_test(partner_mode_names_both_merchants),
        cmocka_unit_test(closing_names_who_closes),
        cmocka_unit_test(the_other_headers_are_there),
        cmocka_unit_test(the_newest_certificate_is_asked_for_where_there_is_no_public_key),
        cmocka_unit_test(hosts_are_configured),
        cmocka_unit_test(what_can_not_be_asked_is_told),
    };
    return cmocka_run_group_tests(tests, wechatpay_setup, wechatpay_teardown);
}
