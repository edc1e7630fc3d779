/* WeChat Pay's official vectors (tests/vectors/README.md): signatures, the form of Authorization, the headers of an answer,
 * and a complete notification. */
#include "channel/wechatpay_inner.h"
#include "wechatpay_fixture.h"

#define FOLDER "tests/vectors/wechatpay/"

static json_t *vectors_load(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    json_t *vectors = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!vectors)
        fail_msg("%s can not be read", path);
    return vectors;
}

static const char *text_of(const json_t *vector, const char *name)
{
    return json_string_value(json_object_get(vector, name));
}

/* To be freed. */
static char *file_text(const char *name)
{
    char path[128];
    char text[8192];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can not be read", path);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return strdup(text);
}

static EVP_PKEY *key_load(const char *name, int (*load)(EVP_PKEY **, const char *, const char **))
{
    EVP_PKEY *key = NULL;
    const char *why;
    char *text = file_text(name);
    assert_int_equal(load(&key, text, &why), 0);
    free(text);
    return key;
}

static void serial_check(const char *name, const char *expected)
{
    X509 *certificate = NULL;
    const char *why;
    char *text = file_text(name);
    assert_int_equal(certificate_load(&certificate, text, &why), 0);
    char *serial = certificate_serial(certificate);
    assert_string_equal(serial, expected);
    free(serial);
    X509_free(certificate);
    free(text);
}

/* By the public key, and by the certificate: the same must be said. */
static void signature_check(const json_t *vector, const char *key_member)
{
    const char *message = text_of(vector, "message");
    const char *signature = text_of(vector, "signature");
    bool valid = strcmp(text_of(vector, "expect"), "valid") == 0;
    if (!text_of(vector, key_member))
        return;
    EVP_PKEY *key = key_load(text_of(vector, key_member), rsa_public_load);
    if (rsa_verify(key, message, strlen(message), signature, strlen(signature)) != valid)
        fail_msg("%s by its %s", text_of(vector, "name"), key_member);
    EVP_PKEY_free(key);
}

static void rsa_sign_vectors(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("rsa_sign.json");
    assert_int_equal(json_array_size(vectors), 4);
    json_array_foreach(vectors, i, vector)
    {
        const char *message = text_of(vector, "message");
        signature_check(vector, "public_key");
        signature_check(vector, "cert");
        if (text_of(vector, "cert"))
            serial_check(text_of(vector, "cert"), text_of(vector, "serial"));
        if (!text_of(vector, "private_key"))
            continue;
        EVP_PKEY *key = key_load(text_of(vector, "private_key"), rsa_private_load);
        char *signature = rsa_sign(key, message, strlen(message));
        assert_string_equal(signature, text_of(vector, "signature"));
        free(signature);
        EVP_PKEY_free(key);
    }
    json_decref(vectors);
}

/* The official keys and certificates in this folder that belong together. */
static void keys_and_certificates_fit(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"keys/axios-apiclient_key.pem", "certs/axios-apiclient_cert.pem"},
        {"keys/java-merchant_private_key.pem", "certs/java-merchant_certificate.pem"},
        {"keys/java-wechat_pay_private_key.pem", "certs/java-wechat_pay_certificate.pem"},
        {"keys/java-wechat_pay_private_key.pem", "keys/java-wechat_pay_public_key.pem"},
        {"keys/go-testing_private_key.pem", "keys/go-platform_public_key.pem"},
        {"keys/go-testing_private_key.pem", "certs/go-platform_F5765756002FDD77.pem"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        EVP_PKEY *private = key_load(pairs[i][0], rsa_private_load);
        EVP_PKEY *public = key_load(pairs[i][1], rsa_public_load);
        char *signature = rsa_sign(private, "text", 4);
        if (!rsa_verify(public, "text", 4, signature, strlen(signature)))
            fail_msg("%s does not fit %s", pairs[i][1], pairs[i][0]);
        free(signature);
        EVP_PKEY_free(private);
        EVP_PKEY_free(public);
    }
}

/* ---- requests ---- */

/* The vector's account, with wechatpay-go's test key and one platform certificate. */
static struct channel *channel_of(const char *merchant, const char *serial, const char *certificate)
{
    char *key = file_text("keys/go-testing_private_key.pem");
    char *platform = file_text(certificate);
    const char *platforms[] = {platform};
    struct wechatpay_spec spec = wechatpay_spec();
    spec.merchant = merchant;
    spec.serial = serial;
    spec.private_key = key;
    spec.platform_certificates = platforms;
    spec.platform_certificate_count = 1;
    spec.public_key_id = spec.public_key = NULL;
    struct channel *channel = wechatpay_make(&spec);
    free(key);
    free(platform);
    return channel;
}

static char *authorization_of(const json_t *vector, const char *target, const char *body)
{
    struct channel *channel = channel_of(text_of(vector, "mchid"), text_of(vector, "serial_no"),
                                         "certs/go-platform_F5765756002FDD77.pem");
    struct moment moment = {.unix_ms = json_integer_value(json_object_get(vector, "timestamp")) * 1000 + 999};
    struct request request = {0};
    snprintf(moment.nonce, sizeof(moment.nonce), "%s", text_of(vector, "nonce"));
    assert_int_equal(wechatpay_authorize((struct wechatpay *)channel, &moment, text_of(vector, "method"),
                                         target, body, &request),
                     0);
    assert_int_equal(request.header_count, 1);
    char *line = strdup(request.headers[0]);
    request_finish(&request);
    channel->kind->destroy(channel);
    return line;
}

/* Cuts the signature out of the line, which keeps ending in `signature="`. */
static char *signature_cut(char *line)
{
    static const char start[] = ",signature=\"";
    char *at = strstr(line, start);
    assert_non_null(at);
    at += strlen(start);
    char *signature = strndup(at, strlen(at) - 1);
    assert_string_equal(at + strlen(signature), "\"");
    *at = '\0';
    return signature;
}

static void authorization_check(const json_t *vector)
{
    const char *message = text_of(vector, "signed_message");
    char *line = authorization_of(vector, text_of(vector, "url"), text_of(vector, "body"));
    char *signature = signature_cut(line);
    EVP_PKEY *key = key_load("keys/go-platform_public_key.pem", rsa_public_load);
    if (!rsa_verify(key, message, strlen(message), signature, strlen(signature)))
        fail_msg("%s: this is not what was signed", text_of(vector, "name"));
    char expected[512];
    snprintf(expected, sizeof(expected),
             "Authorization: WECHATPAY2-SHA256-RSA2048 "
             "mchid=\"%s\",nonce_str=\"%s\",timestamp=\"%" JSON_INTEGER_FORMAT
             "\",serial_no=\"%s\",signature=\"",
             text_of(vector, "mchid"), text_of(vector, "nonce"),
             json_integer_value(json_object_get(vector, "timestamp")), text_of(vector, "serial_no"));
    assert_string_equal(line, expected);
    const char *whole = text_of(vector, "authorization_with_signature_fake_sign");
    if (whole) {
        snprintf(expected, sizeof(expected), "%sfake-sign\"", line + strlen("Authorization: "));
        assert_string_equal(expected, whole);
    }
    EVP_PKEY_free(key);
    free(signature);
    free(line);
}

/* go-query-string-is-signed-as-sent: escapes are neither undone nor normalised. */
static void query_check(const json_t *account, const char *target)
{
    char text[256];
    snprintf(text, sizeof(text), "GET\n%s\n1624523846\nA1B2C3D4E5F6G7\n\n", target);
    char *line = authorization_of(account, target, "");
    char *signature = signature_cut(line);
    EVP_PKEY *key = key_load("keys/go-platform_public_key.pem", rsa_public_load);
    assert_true(rsa_verify(key, text, strlen(text), signature, strlen(signature)));
    EVP_PKEY_free(key);
    free(signature);
    free(line);
}

static void authorization_vectors(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("authorization_format.json");
    assert_int_equal(json_array_size(vectors), 4);
    json_array_foreach(vectors, i, vector) if (text_of(vector, "signed_message")) authorization_check(vector);
    else query_check(json_array_get(vectors, 0), text_of(vector, "url"));
    json_decref(vectors);
}

/* ---- answers ---- */

static bool verified(const struct channel *channel, const struct wechat_headers *headers, int64_t now_s,
                     const char *body)
{
    char fault[CODE_BYTES];
    struct moment moment = {.unix_ms = now_s * 1000};
    struct response response = {.http_status = 200,
                                .body = body,
                                .body_bytes = strlen(body),
                                .trusted = true,
                                .header = wechat_header,
                                .head = headers};
    return wechatpay_verify((const struct wechatpay *)channel, &moment, &response, fault);
}

static void header_rule_check(const struct channel *channel, const json_t *vector)
{
    const char *body = strcmp(text_of(vector, "name"), "empty-body") == 0 ? "" : "{\"a\":1}";
    const char *missing = text_of(vector, "missing");
    const char *invalid = text_of(vector, "invalid");
    EVP_PKEY *key = key_load("keys/go-testing_private_key.pem", rsa_private_load);
    char *signature = wechat_sign(key, "1624523846", "A1B2C3D4E5F6G7", body);
    struct wechat_headers headers = {"1624523846", "A1B2C3D4E5F6G7", "F5765756002FDD77", signature};
    const struct {
        const char *name;
        const char **value;
    } fields[] = {{"Wechatpay-Timestamp", &headers.timestamp},
                  {"Wechatpay-Nonce", &headers.nonce},
                  {"Wechatpay-Serial", &headers.serial},
                  {"Wechatpay-Signature", &headers.signature}};
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (missing && strcmp(missing, fields[i].name) == 0)
            *fields[i].value = NULL;
        if (invalid && strcmp(invalid, fields[i].name) == 0)
            *fields[i].value = "invalid";
    }
    bool ok = strncmp(text_of(vector, "expect"), "ok", 2) == 0;
    if (verified(channel, &headers, 1624523846, body) != ok)
        fail_msg("%s: %s", text_of(vector, "name"), text_of(vector, "expect"));
    free(signature);
    EVP_PKEY_free(key);
}

static void response_header_vectors(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    struct channel *channel =
        channel_of("1234567890", "0123456789ABC", "certs/go-platform_F5765756002FDD77.pem");
    json_t *vectors = vectors_load("response_header_rules.json");
    assert_int_equal(json_array_size(vectors), 8);
    json_array_foreach(vectors, i, vector) header_rule_check(channel, vector);
    json_decref(vectors);
    channel->kind->destroy(channel);
}

static void a_notification_is_verified_like_an_answer(void **state)
{
    (void)state;
    json_t *vector = vectors_load("notify_go.json");
    const json_t *named = json_object_get(vector, "headers");
    int64_t now_s = json_integer_value(json_object_get(vector, "now"));
    struct wechat_headers headers = {text_of(named, "Wechatpay-Timestamp"), text_of(named, "Wechatpay-Nonce"),
                                     text_of(named, "Wechatpay-Serial"),
                                     text_of(named, "Wechatpay-Signature")};
    struct channel *channel = channel_of("1234567890", "0123456789ABC", text_of(vector, "platform_cert"));
    assert_true(verified(channel, &headers, now_s, text_of(vector, "body")));
    assert_false(verified(channel, &headers, now_s + 300, text_of(vector, "body")));
    assert_false(verified(channel, &headers, now_s, text_of(vector, "plaintext")));
    channel->kind->destroy(channel);
    channel = channel_of("1234567890", "0123456789ABC", "certs/go-platform_F5765756002FDD77.pem");
    assert_false(verified(channel, &headers, now_s, text_of(vector, "body")));
    channel->kind->destroy(channel);
    json_decref(vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_sign_vectors),
        cmocka_unit_test(keys_and_certificates_fit),
        cmocka_unit_test(authorization_vectors),
        cmocka_unit_test(response_header_vectors),
        cmocka_unit_test(a_notification_is_verified_like_an_answer),
    };
    return cmocka_run_group_tests(tests, wechatpay_setup, wechatpay_teardown);
}
