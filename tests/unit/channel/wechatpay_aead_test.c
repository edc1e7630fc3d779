/* AEAD_AES_256_GCM, as WeChat Pay's notifications carry it. makegood polls and decrypts none: this shows, with OpenSSL
 * alone, that the official vectors in tests/vectors/wechatpay are whole, for whoever comes to need them. */
#include "fixture.h"

#include <openssl/evp.h>

#define FOLDER    "tests/vectors/wechatpay/"
#define TAG_BYTES 16

static json_t *vectors_load(const char *path)
{
    json_t *vectors = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!vectors)
        fail_msg("%s can not be read", path);
    return vectors;
}

static const char *text_of(const json_t *vector, const char *name)
{
    return json_string_value(json_object_get(vector, name));
}

/* The length of the plain text, -1 when it does not decrypt. */
static int gcm_open(const EVP_CIPHER *cipher, const char *key, const char *nonce, const char *aad,
                    unsigned char *box, int length, unsigned char *out)
{
    int written = 0, rest = 0, ignored;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool opens =
        EVP_DecryptInit_ex(context, cipher, NULL, (const unsigned char *)key, (const unsigned char *)nonce) &&
        EVP_DecryptUpdate(context, NULL, &ignored, (const unsigned char *)aad, (int)strlen(aad)) &&
        EVP_DecryptUpdate(context, out, &written, box, length - TAG_BYTES) &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, box + length - TAG_BYTES) &&
        EVP_DecryptFinal_ex(context, out + written, &rest);
    EVP_CIPHER_CTX_free(context);
    return opens ? written + rest : -1;
}

/* To be freed; NULL when it does not decrypt. The vectors of wechatpay-go have keys of 16 bytes. */
static char *resource_open(const char *key, const char *nonce, const char *aad, const char *ciphertext)
{
    const EVP_CIPHER *cipher = strlen(key) == 32   ? EVP_aes_256_gcm()
                               : strlen(key) == 16 ? EVP_aes_128_gcm()
                                                   : NULL;
    size_t length = strlen(ciphertext);
    unsigned char *box = malloc(length + 1);
    unsigned char *out = malloc(length + 1);
    int bytes = EVP_DecodeBlock(box, (const unsigned char *)ciphertext, (int)length);
    for (size_t i = length; bytes > 0 && i > 0 && ciphertext[i - 1] == '='; i--)
        bytes--;
    int written = -1;
    if (cipher && bytes >= TAG_BYTES && strlen(nonce) == 12)
        written = gcm_open(cipher, key, nonce, aad, box, bytes, out);
    free(box);
    if (written >= 0)
        out[written] = '\0';
    else
        free(out);
    return written >= 0 ? (char *)out : NULL;
}

static void aead_vectors(void **state)
{
    (void)state;
    size_t i;
    const json_t *vector;
    json_t *vectors = vectors_load(FOLDER "aead.json");
    assert_int_equal(json_array_size(vectors), 10);
    json_array_foreach(vectors, i, vector)
    {
        char *plain = resource_open(text_of(vector, "key"), text_of(vector, "nonce"), text_of(vector, "aad"),
                                    text_of(vector, "ciphertext"));
        if (!plain != (strcmp(text_of(vector, "expect"), "fail") == 0))
            fail_msg("%s: expected %s", text_of(vector, "name"), text_of(vector, "expect"));
        if (text_of(vector, "plaintext"))
            assert_string_equal(plain, text_of(vector, "plaintext"));
        else if (plain)
            assert_non_null(strstr(plain, "-----BEGIN CERTIFICATE-----"));
        free(plain);
    }
    json_decref(vectors);
}

static void resource_check(const json_t *notification, const json_t *vector)
{
    const json_t *resource = json_object_get(notification, "resource");
    char *plain = resource_open(text_of(vector, "apiv3_key"), text_of(resource, "nonce"),
                                text_of(resource, "associated_data"), text_of(resource, "ciphertext"));
    assert_non_null(plain);
    assert_string_equal(plain, text_of(vector, "plaintext"));
    free(plain);
}

/* wechatpay-java's sample carries the same resource. */
static void notification_vectors(void **state)
{
    (void)state;
    json_t *vector = vectors_load(FOLDER "notify_go.json");
    json_t *body = fixture_json(text_of(vector, "body"));
    json_t *sample = vectors_load(FOLDER "java-notification-sample.json");
    resource_check(body, vector);
    resource_check(sample, vector);
    json_decref(sample);
    json_decref(body);
    json_decref(vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aead_vectors),
        cmocka_unit_test(notification_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
