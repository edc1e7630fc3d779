/* Alipay's requests: what goes on the wire, and that the OpenSSL command line finds its signature good. */
#include <unistd.h>

#include "alipay_fixture.h"

#define GATEWAY "https://openapi.alipay.com/gateway.do"
#define TOKEN   "201509BBeff9351ad1874306903e96b91d248A36"

typedef int (*build_function)(const struct channel *, const struct lost_order *, const struct moment *,
                              struct request *, const char **);

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* 0: an implementation that is not ours says that this is the application's signature of the text. */
static int openssl_verify(const char *text, const char *signature)
{
    char folder[] = "/tmp/makegood-alipay-XXXXXX";
    char command[512];
    assert_non_null(mkdtemp(folder));
    file_write(folder, "text", text);
    file_write(folder, "signature", signature);
    file_write(folder, "key", alipay_keys.app_public);
    snprintf(command, sizeof(command),
             "cd %s && openssl base64 -d -A -in signature -out raw && "
             "openssl dgst -sha256 -verify key -signature raw text >/dev/null 2>&1",
             folder);
    int result = system(command);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return result;
}

/* The signature out of a URL, percent-decoded by hand; to be freed. */
static char *signature_of(const char *url)
{
    char *text = strdup(strstr(url, "&sign=") + 6);
    char *to = text;
    for (const char *from = text; *from; from++) {
        unsigned byte = (unsigned char)*from;
        if (byte == '%') {
            assert_int_equal(sscanf(from + 1, "%2X", &byte), 1);
            from += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return text;
}

/* One question: what stands in the URL up to the signature, the body, and the text that is signed. */
static void question_check(const struct alipay_spec *spec, const struct lost_order *order, bool closes,
                           const char *query, const char *body, const char *text)
{
    struct channel *channel = alipay_make(spec);
    struct request request;
    const char *why = NULL;
    build_function build = closes ? channel->kind->build_close : channel->kind->build;
    assert_int_equal(build(channel, order, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.method, "POST");
    assert_null(request.second_url);
    char *expected = NULL;
    char *signature = signature_of(request.url);
    assert_true(asprintf(&expected, GATEWAY "?%s&sign=", query) > 0);
    assert_memory_equal(request.url, expected, strlen(expected));
    assert_null(strpbrk(request.url + strlen(expected), "&+/= "));
    assert_string_equal(request.body, body);
    assert_int_equal(request.body_bytes, strlen(body));
    assert_string_equal(request.asked, "POST " GATEWAY);
    assert_int_equal(openssl_verify(text, signature), 0);
    free(expected);
    free(signature);
    request_finish(&request);
    channel->kind->destroy(channel);
}

#define BY_NUMBER "biz_content=%7B%22out_trade_no%22%3A%22A1001_try-2%22%7D"
#define BY_TRADE  "biz_content=%7B%22trade_no%22%3A%222023111522001400001%22%7D"
#define URL_TAIL(method)                                                                            \
    "app_id=2021001161683774&charset=utf-8&format=JSON&method=" method "&sign_type=RSA2&timestamp=" \
    "2023-11-15%2006%3A13%3A20&version=1.0"
#define TEXT_TAIL(content, method)                                                             \
    "app_id=2021001161683774&biz_content=" content "&charset=utf-8&format=JSON&method=" method \
    "&sign_type=RSA2&timestamp=2023-11-15 06:13:20&version=1.0"

static void a_number_is_asked_by(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct lost_order order = alipay_order;
    question_check(&spec, &order, false, URL_TAIL("alipay.trade.query"), BY_NUMBER,
                   TEXT_TAIL("{\"out_trade_no\":\"A1001_try-2\"}", "alipay.trade.query"));
    strcpy(order.channel_data, "{\"trade_no\":null,\"other\":{\"a\":1}}");
    question_check(&spec, &order, false, URL_TAIL("alipay.trade.query"), BY_NUMBER,
                   TEXT_TAIL("{\"out_trade_no\":\"A1001_try-2\"}", "alipay.trade.query"));
    question_check(&spec, &order, true, URL_TAIL("alipay.trade.close"), BY_NUMBER,
                   TEXT_TAIL("{\"out_trade_no\":\"A1001_try-2\"}", "alipay.trade.close"));
}

static void a_trade_no_is_asked_by_where_it_is_given(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct lost_order order = alipay_order;
    strcpy(order.channel_data, "{\"trade_no\":\"2023111522001400001\"}");
    question_check(&spec, &order, false, URL_TAIL("alipay.trade.query"), BY_TRADE,
                   TEXT_TAIL("{\"trade_no\":\"2023111522001400001\"}", "alipay.trade.query"));
    order.number[0] = '\0';
    question_check(&spec, &order, true, URL_TAIL("alipay.trade.close"), BY_TRADE,
                   TEXT_TAIL("{\"trade_no\":\"2023111522001400001\"}", "alipay.trade.close"));
}

#define SERIALS "app_cert_sn=" APP_SERIAL "&"
#define ROOTS   "alipay_root_cert_sn=" OLD_SERIAL "_" NEXT_SERIAL "&"

static void certificates_and_a_token_are_named(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_certificate_spec();
    question_check(&spec, &alipay_order, false, ROOTS SERIALS URL_TAIL("alipay.trade.query"), BY_NUMBER,
                   ROOTS SERIALS TEXT_TAIL("{\"out_trade_no\":\"A1001_try-2\"}", "alipay.trade.query"));
    spec.app_auth_token = TOKEN;
    question_check(&spec, &alipay_order, false,
                   ROOTS "app_auth_token=" TOKEN "&" SERIALS URL_TAIL("alipay.trade.query"), BY_NUMBER,
                   ROOTS "app_auth_token=" TOKEN
                         "&" SERIALS TEXT_TAIL("{\"out_trade_no\":\"A1001_try-2\"}", "alipay.trade.query"));
}

static void a_parameter_without_a_value_is_not_signed(void **state)
{
    (void)state;
    struct alipay_param params[] = {{"b", "2&=%"}, {"sign", "s"}, {"c", ""},  {"B", "1"},
                                    {"a", NULL},   {"b_", "4"},   {"bb", " "}};
    char *text = alipay_sign_text(params, COUNT(params));
    assert_string_equal(text, "B=1&b=2&=%&b_=4&bb= ");
    free(text);
    text = alipay_sign_text(params, 0);
    assert_string_equal(text, "");
    free(text);
}

static void the_check_can_fail(void **state)
{
    (void)state;
    char *signature = rsa_sign(alipay_keys.app, "a=1", 3);
    assert_int_equal(openssl_verify("a=1", signature), 0);
    assert_int_not_equal(openssl_verify("a=2", signature), 0);
    free(signature);
}

/* Day, month and year turn at midnight in Beijing, in leap years as well. */
static void the_time_is_beijings(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_s;
        const char *text;
    } times[] = {{1703951999, "timestamp=2023-12-30%2023%3A59%3A59&"},
                 {1704038400, "timestamp=2024-01-01%2000%3A00%3A00&"},
                 {1709136000, "timestamp=2024-02-29%2000%3A00%3A00&"}};
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    setenv("TZ", "America/New_York", 1); /* which is nobody's business here */
    for (size_t i = 0; i < COUNT(times); i++) {
        struct moment moment = fixture_moment;
        struct request request;
        const char *why;
        moment.unix_ms = times[i].unix_s * 1000 + 999;
        assert_int_equal(channel->kind->build(channel, &alipay_order, &moment, &request, &why), 0);
        assert_non_null(strstr(request.url, times[i].text));
        request_finish(&request);
    }
    unsetenv("TZ");
    channel->kind->destroy(channel);
}

static void headers_say_what_the_body_is(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    struct moment moment = fixture_moment;
    struct request request;
    const char *why;
    assert_int_equal(channel->kind->build(channel, &alipay_order, &moment, &request, &why), 0);
    assert_int_equal(request.header_count, 2);
    assert_string_equal(request.headers[0], "Content-Type: application/x-www-form-urlencoded;charset=utf-8");
    assert_string_equal(request.headers[1], "X-Request-Id: mg-1-2");
    request_finish(&request);
    strcpy(moment.request_id, "mg\r\nX: y");
    assert_int_equal(channel->kind->build(channel, &alipay_order, &moment, &request, &why), 0);
    assert_int_equal(request.header_count, 1);
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void what_can_not_be_asked_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        const char *data;
        const char *words;
    } rows[] = {{"", "", "out_trade_no"},
                {"A|1", "", "out_trade_no"},
                {"A*1", "", "out_trade_no"},
                {"A 1", "", "out_trade_no"},
                {"A1\"}", "", "out_trade_no"},
                {"A1", "[]", "not a JSON object"},
                {"A1", "{", "not a JSON object"},
                {"A1", "{\"trade_no\":\"1\",\"trade_no\":\"2\"}", "not a JSON object"},
                {"A1", "{\"trade_no\":2023}", "write it as a string"},
                {"A1", "{\"trade_no\":\"\"}", "no number of Alipay's"},
                {"A1", "{\"trade_no\":\"1&2\"}", "no number of Alipay's"}};
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lost_order order = alipay_order;
        struct request request;
        strcpy(order.number, rows[i].number);
        strcpy(order.channel_data, rows[i].data);
        build_function builds[] = {channel->kind->build, channel->kind->build_close};
        for (size_t j = 0; j < COUNT(builds); j++) {
            const char *why = NULL;
            assert_int_equal(builds[j](channel, &order, &fixture_moment, &request, &why), -EINVAL);
            if (!strstr(why, rows[i].words))
                fail_msg("%s %s: %s", rows[i].number, rows[i].data, why);
            assert_null(request.url);
        }
    }
    channel->kind->destroy(channel);
}

static void the_token_is_known_as_a_secret(void **state)
{
    (void)state;
    struct alipay_spec spec = alipay_spec();
    struct channel *channel = alipay_make(&spec);
    assert_false(channel->kind->is_told_by(channel, TOKEN));
    channel->kind->destroy(channel);
    spec.app_auth_token = TOKEN;
    channel = alipay_make(&spec);
    assert_true(channel->kind->is_told_by(channel, "a=1&app_auth_token=" TOKEN "&b=2"));
    assert_false(channel->kind->is_told_by(channel, "a=1&app_auth_token=&b=2"));
    static const char *const nodes[] = {"{\"code\":\"20001\",\"sub_code\":\"bad " TOKEN "\"}",
                                        "{\"code\":\"" TOKEN "\",\"sub_code\":\"x\"}"};
    for (size_t i = 0; i < COUNT(nodes); i++) {
        struct alipay_answer answer = {.node = nodes[i]};
        assert_string_equal(alipay_read(channel, &alipay_order, &answer).code, "");
    }
    channel->kind->destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_asked_by),
        cmocka_unit_test(a_trade_no_is_asked_by_where_it_is_given),
        cmocka_unit_test(certificates_and_a_token_are_named),
        cmocka_unit_test(a_parameter_without_a_value_is_not_signed),
        cmocka_unit_test(the_check_can_fail),
        cmocka_unit_test(the_time_is_beijings),
        cmocka_unit_test(headers_say_what_the_body_is),
        cmocka_unit_test(what_can_not_be_asked_says_why),
        cmocka_unit_test(the_token_is_known_as_a_secret),
    };
    return cmocka_run_group_tests(tests, alipay_setup, alipay_teardown);
}
