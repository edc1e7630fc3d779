/* Making the UnionPay channel: what is taken out of the files, and one clear fault for each thing that is wrong. */
#include "channel/chain.h"
#include "channel/rsa.h"
#include "unionpay_fixture.h"

static void the_head_is_filled(void **state)
{
    (void)state;
    struct channel *channel = standard_channel();
    assert_string_equal(channel->name, "up");
    assert_string_equal(channel->kind->name, "unionpay");
    assert_false(channel->needs_grant);
    assert_false(channel->can_close);
    assert_null(channel->kind->build_close);
    assert_int_equal(channel->skew_max_ms, 0);
    assert_int_equal(channel->credential_end, TO - 86400); /* the merchant's is the first to end */
    channel->kind->destroy(channel);
}

static void a_root_that_ends_first_is_told(void **state)
{
    (void)state;
    struct unionpay_spec spec = unionpay_spec();
    X509 *root = certificate_issue(cast.foreign.key, "Short Root", NULL, true, 1700000000);
    char *pem = certificate_pem(root);
    char *roots = text_join(cast.roots, pem);
    spec.root_certificates = roots;
    struct channel *channel = unionpay_channel(&spec);
    assert_int_equal(channel->credential_end, 1700000000);
    channel->kind->destroy(channel);
    free(roots);
    free(pem);
    X509_free(root);
}

static void fault_is(const struct unionpay_spec *spec, const char *key, const char *words)
{
    struct channel *channel = NULL;
    struct fixture_blame fixture;
    fixture_blame_init(&fixture);
    fixture.blame.error = unionpay_create(&channel, spec, "channels[0]", &fixture.faults);
    assert_null(channel);
    fixture_blame_check(&fixture, key, words);
}

static void what_is_written_wrong_is_told(void **state)
{
    (void)state;
    struct unionpay_spec spec = unionpay_spec();
    spec.name = "Up";
    fault_is(&spec, "channels[0].name", "small letters");
    spec = unionpay_spec();
    spec.transport.body_max_bytes = 0;
    fault_is(&spec, "channels[0].body_max", "at least one byte");
    static const char *const urls[] = {"https://a.example/{number}", "https://a.example/q?a=b"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        spec = unionpay_spec();
        spec.url = urls[i];
        fault_is(&spec, "channels[0].url", "no placeholder and no query");
    }
    spec.url = "http://127.0.0.1:1/q";
    fault_is(&spec, "channels[0].url", "allow_plain_http");
    spec = unionpay_spec();
    spec.signer = "";
    fault_is(&spec, "channels[0].signer", "nobody is named");
    static const char *const merchants[] = {NULL, "", "77729005811004", "7772900581100481",
                                            "77729005811004-"};
    for (size_t i = 0; i < COUNT(merchants); i++) {
        spec = unionpay_spec();
        spec.merchant = merchants[i];
        fault_is(&spec, "channels[0].merchant", "15 letters and digits");
    }
}

static void what_is_no_credential_is_told(void **state)
{
    (void)state;
    struct unionpay_spec spec = unionpay_spec();
    spec.private_key = NULL;
    fault_is(&spec, "channels[0].private_key_file", "is missing");
    spec.private_key = cast.merchant.pem;
    fault_is(&spec, "channels[0].private_key_file", "no private key");
    spec = unionpay_spec();
    spec.certificate = NULL;
    fault_is(&spec, "channels[0].certificate_file", "is missing");
    spec.certificate = cast.merchant_key;
    fault_is(&spec, "channels[0].certificate_file", "no certificate");
    spec.certificate = cast.unionpay.pem;
    fault_is(&spec, "channels[0].private_key_file", "does not belong");
    spec = unionpay_spec();
    spec.root_certificates = NULL;
    fault_is(&spec, "channels[0].root_certificates_file", "is missing");
    static const char *const none[] = {"", "nonsense"};
    for (size_t i = 0; i < COUNT(none); i++) {
        spec.root_certificates = none[i];
        fault_is(&spec, "channels[0].root_certificates_file", "no root");
    }
    spec.root_certificates = cast.middle.pem;
    fault_is(&spec, "channels[0].root_certificates_file", "no root");
}

/* A part of a chain is no root, even when it is among the roots. */
static void the_middle_alone_vouches_for_nobody(void **state)
{
    (void)state;
    X509_STORE *roots = NULL;
    const char *why;
    int64_t end = 0;
    char *text = text_join(cast.middle.pem, cast.foreign.pem);
    assert_int_equal(roots_load(&roots, text, &end, &why), 0);
    assert_int_equal(end, TO);
    assert_false(certificate_chains(cast.unionpay.certificate, roots, FROM + 1));
    X509_STORE_free(roots);
    free(text);
}

static void a_serial_is_written_in_both_ways(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0x01};
    X509 *certificate = X509_dup(cast.merchant.certificate);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    char *hex = certificate_serial(certificate);
    char *decimal = certificate_serial_decimal(certificate);
    assert_string_equal(hex, "FEDCBA987654321001");
    assert_string_equal(decimal, "4701378187390224568321"); /* 0xfedcba9876543210 * 256 + 1 */
    free(hex);
    free(decimal);
    BN_free(number);
    X509_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_filled),
        cmocka_unit_test(a_root_that_ends_first_is_told),
        cmocka_unit_test(what_is_written_wrong_is_told),
        cmocka_unit_test(what_is_no_credential_is_told),
        cmocka_unit_test(the_middle_alone_vouches_for_nobody),
        cmocka_unit_test(a_serial_is_written_in_both_ways),
    };
    return cmocka_run_group_tests(tests, cast_make, cast_drop);
}
