/* UnionPay's requests: the form, its signature as the OpenSSL command line sees it, and attempts that can not be asked. */
#include <curl/curl.h>
#include <unistd.h>

#include "unionpay_fixture.h"

static struct request request_build(const struct channel *channel, const struct lost_order *order)
{
    struct request request;
    const char *why;
    assert_int_equal(channel->kind->build(channel, order, &fixture_moment, &request, &why), 0);
    return request;
}

/* The fields as they are signed; certId is the decimal serial, by OpenSSL's own arithmetic. */
static char *signed_text(void)
{
    char *text = NULL;
    int64_t serial = 0;
    ASN1_INTEGER_get_int64(&serial, X509_get0_serialNumber(cast.merchant.certificate));
    assert_true(asprintf(&text,
                         "accessType=0&bizType=000000&certId=%lld&encoding=UTF-8&merId=" MERCHANT
                         "&orderId=" ORDER_ID "&signMethod=01&txnSubType=00&txnTime=" TXN_TIME
                         "&txnType=00&version=5.1.0",
                         (long long)serial) > 0);
    return text;
}

static void the_question_is_a_form(void **state)
{
    (void)state;
    struct channel *channel = standard_channel();
    struct request request = request_build(channel, &unionpay_order);
    char *text = signed_text();
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.url, "https://gateway.95516.com/gateway/api/queryTrans.do");
    assert_null(request.second_url);
    assert_string_equal(request.asked, "POST https://gateway.95516.com/gateway/api/queryTrans.do");
    assert_int_equal(request.header_count, 2);
    assert_string_equal(request.headers[0], "Content-Type: application/x-www-form-urlencoded;charset=UTF-8");
    assert_string_equal(request.headers[1], "X-Request-Id: mg-1-2");
    assert_int_equal(request.body_bytes, strlen(request.body));
    assert_memory_equal(request.body, text, strlen(text));
    assert_memory_equal(request.body + strlen(text), "&signature=", 11);
    const char *signature = request.body + strlen(text) + 11;
    assert_true(strlen(signature) >= 344);
    assert_null(strpbrk(signature, "+/=&"));
    free(text);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void file_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void the_command_line_verifies_our_signature(void **state)
{
    (void)state;
    char folder[] = "/tmp/unionpay_test_XXXXXX";
    char command[512];
    char *home = getcwd(NULL, 0);
    struct channel *channel = standard_channel();
    struct request request = request_build(channel, &unionpay_order);
    int length = 0;
    char *signature = curl_easy_unescape(NULL, strstr(request.body, "&signature=") + 11, 0, &length);
    char *text = signed_text();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    file_write("text", text);
    file_write("base64", signature);
    file_write("certificate.pem", cast.merchant.pem);
    int said = system("openssl dgst -sha256 -r text | cut -c1-64 | tr -d '\\n' > digest && "
                      "openssl base64 -d -A -in base64 -out signature && "
                      "openssl x509 -in certificate.pem -noout -pubkey -out key.pem && "
                      "openssl dgst -sha256 -verify key.pem -signature signature digest > said");
    assert_int_equal(chdir(home), 0);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(said, 0);
    free(text);
    free(home);
    curl_free(signature);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void unaskable(const struct channel *channel, const struct lost_order *order, const char *words)
{
    struct request request;
    const char *why = NULL;
    int error = channel->kind->build(channel, order, &fixture_moment, &request, &why);
    if (error != -EINVAL || !strstr(why, words))
        fail_msg("\"%s\" %s: %d, %s", order->number, order->channel_data, error, why);
    assert_null(request.body);
}

static void an_attempt_without_its_time_can_not_be_asked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "{}",
                                        "[]",
                                        "nonsense",
                                        "{\"txn_time\":20231115061000}",
                                        "{\"txn_time\":\"2023111506100\"}",
                                        "{\"txn_time\":\"202311150610000\"}",
                                        "{\"txn_time\":\"2023-11-15 061\"}",
                                        "{\"txn_time\":\"20231115061000\\u0000\"}",
                                        "{\"txnTime\":\"20231115061000\"}"};
    struct channel *channel = standard_channel();
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct lost_order order = unionpay_order;
        snprintf(order.channel_data, sizeof(order.channel_data), "%s", wrong[i]);
        unaskable(channel, &order, "channel_data.txn_time");
    }
    channel->kind->destroy(channel);
}

static void a_number_that_is_no_order_id_can_not_be_asked(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "ORDER01",       "ORDER-0001",
        "ORDER_0001", "ORDER|0001",    "ORDER*0001",
        "ORDER 0001", "ORDER0001&a=b", "12345678901234567890123456789012345678901"};
    static const char *const right[] = {"ORDER001", "1234567890123456789012345678901234567890"};
    struct channel *channel = standard_channel();
    struct lost_order order = unionpay_order;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(order.number, sizeof(order.number), "%s", wrong[i]);
        unaskable(channel, &order, "orderId");
    }
    for (size_t i = 0; i < COUNT(right); i++) {
        snprintf(order.number, sizeof(order.number), "%s", right[i]);
        struct request request = request_build(channel, &order);
        request_finish(&request);
    }
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_is_a_form),
        cmocka_unit_test(the_command_line_verifies_our_signature),
        cmocka_unit_test(an_attempt_without_its_time_can_not_be_asked),
        cmocka_unit_test(a_number_that_is_no_order_id_can_not_be_asked),
    };
    return cmocka_run_group_tests(tests, cast_make, cast_drop);
}
