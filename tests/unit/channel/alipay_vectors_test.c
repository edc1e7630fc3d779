/* Alipay's official vectors (tests/vectors/README.md): what is signed, who signed it, and the numbers of certificates. */
#include "alipay_fixture.h"

#define FOLDER "tests/vectors/alipay/"

static json_t *vectors_load(const char *name, size_t count)
{
    char path[128];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    json_t *vectors = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!vectors)
        fail_msg("%s can not be read", path);
    assert_int_equal(json_array_size(vectors), count);
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
    char text[16384];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can not be read", path);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return strdup(text);
}

static EVP_PKEY *key_load(const char *name)
{
    EVP_PKEY *key = NULL;
    const char *why;
    char *text = file_text(name);
    assert_int_equal(rsa_public_load(&key, text, &why), 0);
    free(text);
    return key;
}

/* ---- what is signed ---- */

static void nodes_are_found_as_they_stand(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("extract_signed_content.json", 20);
    json_array_foreach(vectors, i, vector)
    {
        const char *raw = text_of(vector, "raw");
        const char *expected = text_of(vector, "expect_signed_content");
        struct alipay_node node;
        bool found = alipay_node_find(raw, strlen(raw), text_of(vector, "response_key"), &node);
        if (found != (expected != NULL))
            fail_msg("%s: %s", text_of(vector, "name"), found ? "found" : "not found");
        if (!found)
            continue;
        assert_int_equal(node.length, strlen(expected));
        assert_memory_equal(node.bytes, expected, node.length);
        for (size_t cut = 0; cut < strlen(raw); cut++) /* a part of a document is none */
            assert_false(alipay_node_find(raw, cut, text_of(vector, "response_key"), &node));
    }
    json_decref(vectors);
}

static void a_text_that_does_not_pair_has_no_node(void **state)
{
    (void)state;
    static const char *const good[] = {"{\"n\":@}", " { \"n\" : @ } ", "{\"a\":\"\\\\\",\"n\":@}",
                                       "{\"a\":1,\"n\":@}", "{\"n\":@,\"nn\":[{}]}"};
    static const char *const bad[] = {"",
                                      "@",
                                      "{",
                                      "{}",
                                      "{\"n\"}",
                                      "{\"n\":}",
                                      "{\"n\":@",
                                      "{\"n\":@}}",
                                      "{\"n\":@} x",
                                      "{\"n\":@]",
                                      "{\"n\":@,}",
                                      "{\"n\":@ @}",
                                      "{\"nn\":@}",
                                      "{\"x\":@}",
                                      "{n:@}",
                                      "[{\"n\":@}]",
                                      "{\"a\":\"n\":@}",
                                      "{\"a\":\"\\\",\"n\":@}"};
    for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
        const char *text = i < COUNT(good) ? good[i] : bad[i - COUNT(good)];
        struct alipay_node node;
        if (alipay_node_find(text, strlen(text), "n", &node) != (i < COUNT(good)))
            fail_msg("%s", text);
        if (i < COUNT(good))
            assert_true(node.length == 1 && *node.bytes == '@');
    }
}

/* Its parameters, and whether this key signed them. `sign_type` is left out where the vector does so. */
static void params_check(const json_t *vector, const char *key_name, bool valid)
{
    struct alipay_param params[64];
    size_t count = 0;
    const char *name;
    json_t *value;
    bool with_type = json_is_true(json_object_get(vector, "sign_type_in_signed_content"));
    json_object_foreach(json_object_get(vector, "params"), name, value)
    {
        bool left_out = !with_type && strcmp(name, "sign_type") == 0;
        params[count++] = (struct alipay_param){name, left_out ? NULL : json_string_value(value)};
    }
    char *text = alipay_sign_text(params, count);
    assert_string_equal(text, text_of(vector, "signed_content"));
    const char *sign = text_of(vector, "sign") ? text_of(vector, "sign")
                                               : text_of(json_object_get(vector, "params"), "sign");
    EVP_PKEY *key = key_load(key_name);
    if (rsa_verify(key, text, strlen(text), sign, strlen(sign)) != valid)
        fail_msg("%s", text_of(vector, "name"));
    EVP_PKEY_free(key);
    free(text);
}

/* The first one is signed with SHA-1, which we never take. */
static void parameters_are_signed_sorted(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("param_sign_java.json", 3);
    json_array_foreach(vectors, i, vector)
        params_check(vector, text_of(vector, "cert"), strcmp(text_of(vector, "expect"), "valid") == 0);
    json_decref(vectors);
}

static void notifications_are_signed_the_same_way(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("notify.json", 3);
    json_array_foreach(vectors, i, vector)
        params_check(vector, text_of(vector, "public_key"), strcmp(text_of(vector, "expect"), "valid") == 0);
    json_decref(vectors);
}

static void answers_are_verified_as_received(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("response_sign.json", 4);
    json_array_foreach(vectors, i, vector)
    {
        const char *raw = text_of(vector, "raw");
        char fault[CODE_BYTES] = "";
        EVP_PKEY *key = key_load(text_of(vector, "public_key"));
        struct alipay alipay = {.keys = {{NULL, key, rsa_verifier(key)}}, .key_count = 1};
        struct response response = {.http_status = 200, .body = raw, .body_bytes = strlen(raw)};
        json_t *document = fixture_json(raw);
        json_object_set_new(document, "sign", json_string(text_of(vector, "sign"))); /* one has another */
        json_t *answer = alipay_verify(&alipay, document, &response, text_of(vector, "response_key"), fault);
        bool valid = strcmp(text_of(vector, "expect"), "valid") == 0;
        if ((answer != NULL) != valid)
            fail_msg("%s: %s", text_of(vector, "name"), fault);
        assert_string_equal(fault, valid ? "" : "signature_wrong");
        if (valid)
            assert_string_equal(text_of(answer, "file_id"), "CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr");
        json_decref(answer);
        json_decref(document);
        EVP_MD_CTX_free(alipay.keys[0].verifier);
        EVP_PKEY_free(key);
    }
    json_decref(vectors);
}

/* ---- keys and certificates ---- */

static char *serial_of(const char *text, bool is_root)
{
    char *serial = NULL;
    const char *why;
    X509 *certificate = NULL;
    if (is_root) {
        assert_int_equal(alipay_root_serial_write(&serial, text, &why), 0);
        return serial;
    }
    assert_int_equal(certificate_load(&certificate, text, &why), 0);
    assert_int_equal(alipay_serial_write(&serial, certificate, &why), 0);
    X509_free(certificate);
    return serial;
}

static void certificates_have_alipays_numbers(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load("cert_sn.json", 3);
    json_array_foreach(vectors, i, vector)
    {
        char *text = file_text(text_of(vector, "cert"));
        char *serial = serial_of(text, json_is_true(json_object_get(vector, "is_root")));
        assert_string_equal(serial, text_of(vector, "expect_sn"));
        const char *expected = text_of(vector, "expect_public_key_b64");
        EVP_PKEY *of_certificate = NULL;
        EVP_PKEY *of_base64 = NULL;
        const char *why;
        if (expected) {
            assert_int_equal(rsa_public_load(&of_certificate, text, &why), 0);
            assert_int_equal(rsa_public_load(&of_base64, expected, &why), 0);
            assert_int_equal(EVP_PKEY_eq(of_certificate, of_base64), 1);
        }
        EVP_PKEY_free(of_certificate);
        EVP_PKEY_free(of_base64);
        free(serial);
        free(text);
    }
    json_decref(vectors);
}

static void the_official_key_pair_fits(void **state)
{
    (void)state;
    EVP_PKEY *private = NULL;
    const char *why;
    char *text = file_text("keys/java-rsa2encryptor_private_key.pem");
    EVP_PKEY *public = key_load("keys/java-rsa2encryptor_public_key.pem");
    assert_int_equal(rsa_private_load(&private, text, &why), 0);
    char *signature = rsa_sign(private, "text", 4);
    assert_true(rsa_verify(public, "text", 4, signature, strlen(signature)));
    free(signature);
    EVP_PKEY_free(private);
    EVP_PKEY_free(public);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_found_as_they_stand),
        cmocka_unit_test(a_text_that_does_not_pair_has_no_node),
        cmocka_unit_test(parameters_are_signed_sorted),
        cmocka_unit_test(notifications_are_signed_the_same_way),
        cmocka_unit_test(answers_are_verified_as_received),
        cmocka_unit_test(certificates_have_alipays_numbers),
        cmocka_unit_test(the_official_key_pair_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
