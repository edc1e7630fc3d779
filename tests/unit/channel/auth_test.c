/* Credentials. */
#include "channel/auth.h"

#include "fixture.h"

static void sign(const struct http_channel_spec *spec, const char *body, char **out)
{
    struct fixture_blame fixture;
    struct auth auth;
    const char *why;
    struct template_values values = {.order = &fixture_order,
                                     .moment = &fixture_moment,
                                     .method = "POST",
                                     .path = "/p",
                                     .query = "q=1",
                                     .body = body};
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    fixture_blame_init(&fixture);
    auth_compile(&auth, spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    assert_int_equal(auth_sign(&auth, sha256, &values, out, &why), 0);
    auth_finish(&auth);
    assert_null(auth.secret);
    EVP_MD_free(sha256);
}

static void check(const struct http_channel_spec *spec, const char *body, const char *expected)
{
    char *line;
    sign(spec, body, &line);
    if (expected)
        assert_string_equal(line, expected);
    else
        assert_null(line);
    free(line);
}

static void fixed_credentials(void **state)
{
    (void)state;
    check(&(struct http_channel_spec){0}, "", NULL);
    check(&(struct http_channel_spec){.auth = "none"}, "", NULL);
    check(&(struct http_channel_spec){.auth = "header", .auth_header = "X-Key", .secret = "s 1"}, "",
          "X-Key: s 1");
    check(&(struct http_channel_spec){.auth = "bearer", .secret = "sk_1"}, "", "Authorization: Bearer sk_1");
    /* RFC 7617, section 2 */
    check(&(struct http_channel_spec){.auth = "basic", .auth_user = "Aladdin", .secret = "open sesame"}, "",
          "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

/* RFC 4231, test case 2. */
static void hmac_of_the_rfc(void **state)
{
    (void)state;
    check(&(struct http_channel_spec){.auth = "hmac-sha256",
                                      .auth_header = "S",
                                      .auth_text = "what do ya want for nothing?",
                                      .secret = "Jefe"},
          "", "S: 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check(&(struct http_channel_spec){.auth = "hmac-sha256",
                                      .auth_header = "S",
                                      .auth_text = "what do ya want for nothing?",
                                      .auth_encoding = "base64",
                                      .auth_value = "t={timestamp},s={signature}",
                                      .secret = "Jefe"},
          "", "S: t=1700000000,s=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

/* printf 'POST /p?q=1 1700000000 {"a":1}' | openssl dgst -sha256 -hmac 'k e y' */
static void hmac_over_the_request(void **state)
{
    (void)state;
    check(&(struct http_channel_spec){.auth = "hmac-sha256",
                                      .auth_header = "S",
                                      .auth_text = "{method} {path}?{query} {timestamp} {body}",
                                      .secret = "k e y"},
          "{\"a\":1}", "S: 9876be6851e84615abc9bdb8421b043cd73310e36c386b3e6dd7015a80da08a4");
}

static void a_secret_is_recognised(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    struct auth auth;
    struct http_channel_spec spec = {.auth = "bearer", .secret = "sk_12345"};
    fixture_blame_init(&fixture);
    auth_compile(&auth, &spec, &fixture.blame);
    assert_true(auth_is_told_by(&auth, "key sk_123456 is invalid"));
    assert_false(auth_is_told_by(&auth, "key sk_1234 is invalid"));
    auth_finish(&auth);
    spec.secret = "key"; /* too short to be anything but chance */
    auth_compile(&auth, &spec, &fixture.blame);
    assert_false(auth_is_told_by(&auth, "key sk_123456 is invalid"));
    auth_finish(&auth);
    auth_compile(&auth, &(struct http_channel_spec){0}, &fixture.blame);
    assert_false(auth_is_told_by(&auth, "anything"));
    auth_finish(&auth);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void bad_credentials_are_told_without_the_secret(void **state)
{
    (void)state;
    static const struct {
        struct http_channel_spec spec;
        const char *key;
        const char *words;
    } rows[] = {
        {{.auth = "oauth", .secret = "topsecret"}, "auth.type", "hmac-sha256"},
        {{.auth = "none", .secret = "topsecret"}, "auth.type", "does not use it"},
        {{.auth = "bearer"}, "secret_file", "needs a secret"},
        {{.auth = "bearer", .secret = ""}, "secret_file", "needs a secret"},
        {{.auth = "bearer", .secret = "topsecret\n"}, "secret_file", "one line"},
        {{.auth = "bearer", .secret = "topsecret\r\nX: y"}, "secret_file", "one line"},
        {{.auth = "header", .auth_header = "X", .secret = "topsecret\xc3\xa9"}, "secret_file", "ASCII"},
        {{.auth = "header", .secret = "topsecret"}, "auth.header", "name of the header"},
        {{.auth = "header", .auth_header = "host", .secret = "topsecret"}, "auth.header", "own to set"},
        {{.auth = "basic", .secret = "topsecret"}, "auth.user", "needs auth.user"},
        {{.auth = "basic", .auth_user = "a:b", .secret = "topsecret"}, "auth.user", "without"},
        {{.auth = "basic", .auth_user = "a", .secret = "topsecret\t"}, "secret_file", "control"},
        {{.auth = "hmac-sha256", .auth_header = "X", .secret = "topsecret"}, "auth.text", "what is signed"},
        {{.auth = "hmac-sha256", .auth_header = "X", .auth_text = "{secret}", .secret = "topsecret"},
         "auth.text",
         "{secret}"},
        {{.auth = "hmac-sha256",
          .auth_header = "X",
          .auth_text = "x",
          .auth_value = "x",
          .secret = "topsecret"},
         "auth.value",
         "{signature}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct auth auth;
        fixture_blame_init(&fixture);
        auth_compile(&auth, &rows[i].spec, &fixture.blame);
        auth_finish(&auth);
        for (size_t j = 0; j < fixture.faults.count; j++)
            assert_null(strstr(fixture.faults.items[j].text, "topsecret"));
        fixture_blame_check(&fixture, rows[i].key, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_credentials),
        cmocka_unit_test(hmac_of_the_rfc),
        cmocka_unit_test(hmac_over_the_request),
        cmocka_unit_test(a_secret_is_recognised),
        cmocka_unit_test(bad_credentials_are_told_without_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
