/* Whether an answer is UnionPay's: its signature, its certificate's chain at the given time, and whom that names. */
#include "unionpay_fixture.h"

static void fault_is(const struct channel *channel, int64_t unix_ms, const char *body, const char *code)
{
    struct evidence evidence = {.kind = EVIDENCE_NONE};
    struct moment moment = fixture_moment;
    moment.unix_ms = unix_ms;
    struct response response = {
        .http_status = 200, .body = body, .body_bytes = strlen(body), .trusted = true};
    channel->kind->interpret(channel, &unionpay_order, &moment, &response, &evidence);
    assert_string_equal(evidence.code, code);
    assert_int_equal(evidence.kind, strcmp(code, "00/00") == 0 ? EVIDENCE_PAID : EVIDENCE_UNAUTHENTIC);
    assert_int_equal(evidence.authentic, evidence.kind == EVIDENCE_PAID);
    if (evidence.kind == EVIDENCE_UNAUTHENTIC) {
        assert_false(evidence.has_amount);
        assert_string_equal(evidence.channel_number, "");
    }
}

static void now_fault_is(const char *body, const char *code)
{
    struct channel *channel = standard_channel();
    fault_is(channel, fixture_moment.unix_ms, body, code);
    channel->kind->destroy(channel);
}

/* An answer of whoever, with whatever certificate. */
static void answer_by(char out[ANSWER_BYTES], const char *certificate, EVP_PKEY *key)
{
    struct answer_fields fields = answer_base(certificate);
    answer_sign(&fields, key);
    answer_end(&fields, out);
}

static void a_changed_byte_is_seen(void **state)
{
    (void)state;
    static const char *const parts[] = {"txnAmt=1234", "orderId=ORDER0001", "respCode=00", "accNo=6",
                                        "shop=7",      "signature="};
    char answer[ANSWER_BYTES];
    for (size_t i = 0; i < COUNT(parts); i++) {
        answer_make(answer, NULL, NULL, NULL);
        char *at = strstr(answer, parts[i]);
        assert_non_null(at);
        at += strcspn(at, "=") + 1;
        *at = (char)(*at == 'A' ? 'B' : 'A');
        struct evidence evidence;
        struct channel *channel = standard_channel();
        evidence = unionpay_read(channel, &unionpay_order, 200, answer);
        assert_int_equal(evidence.kind, EVIDENCE_UNAUTHENTIC);
        assert_non_null(strstr(evidence.code, "signature_wrong"));
        channel->kind->destroy(channel);
    }
}

static void what_is_added_or_missing_is_seen(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    answer_make(answer, NULL, NULL, NULL);
    strcat(answer, "&payTimeout=20200101000000");
    now_fault_is(answer, "signature_wrong 00/00");
    answer_make(answer, NULL, NULL, NULL);
    *strstr(answer, "&signature=") = '\0';
    now_fault_is(answer, "signature_missing 00/00");
    answer_make(answer, "signPubKeyCert", NULL, NULL);
    now_fault_is(answer, "certificate_missing 00/00");
    answer_make(answer, "signPubKeyCert=none", NULL, NULL);
    now_fault_is(answer, "certificate_unreadable 00/00");
    answer_make(answer, "signMethod=11", NULL, NULL);
    now_fault_is(answer, "signature_wrong 00/00");
    answer_make(answer, "signMethod", NULL, NULL);
    now_fault_is(answer, "signature_wrong 00/00");
    now_fault_is("respCode=11&respMsg=Verify signature fail", "signature_missing 11");
}

static void the_certificate_chains_to_our_root(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    X509 *foreign = certificate_issue(cast.unionpay.key, SIGNER_CN, &cast.foreign, false, TO);
    X509 *own = certificate_issue(cast.unionpay.key, SIGNER_CN, NULL, false, TO);
    X509 *by_merchant = certificate_issue(cast.unionpay.key, SIGNER_CN, &cast.merchant, false, TO);
    X509 *const wrong[] = {foreign, own, by_merchant};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char *pem = certificate_pem(wrong[i]);
        answer_by(answer, pem, cast.unionpay.key);
        now_fault_is(answer, "certificate_untrusted 00/00");
        free(pem);
        X509_free(wrong[i]);
    }
}

static void the_chain_is_good_at_that_moment_only(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    struct channel *channel = standard_channel();
    X509 *ended = certificate_issue(cast.unionpay.key, SIGNER_CN, &cast.middle, false, 1700000000);
    char *pem = certificate_pem(ended);
    answer_by(answer, pem, cast.unionpay.key);
    fault_is(channel, 1700000001000, answer, "certificate_untrusted 00/00");
    fault_is(channel, 1699999999000, answer, "00/00");
    answer_make(answer, NULL, NULL, NULL);
    fault_is(channel, (FROM - 1) * 1000LL, answer, "certificate_untrusted 00/00");
    fault_is(channel, (FROM + 1) * 1000LL, answer, "00/00");
    fault_is(channel, (TO + 1) * 1000LL, answer, "certificate_untrusted 00/00"); /* as is the middle */
    free(pem);
    X509_free(ended);
    channel->kind->destroy(channel);
}

/* Merchants have certificates under the same root. */
static void the_certificate_names_unionpay(void **state)
{
    (void)state;
    static const char *const wrong[] = {"041@1@" SIGNER "上海分公司@1", "041@1@某" SIGNER "@1", "041@1@x@1",
                                        "041@1@00040000:SIGN@1"};
    static const char *const right[] = {SIGNER, "1@" SIGNER, SIGNER "@1", SIGNER "x@" SIGNER};
    char answer[ANSWER_BYTES];
    answer_by(answer, cast.merchant.pem, cast.merchant.key);
    now_fault_is(answer, "certificate_not_of_signer 00/00");
    for (size_t i = 0; i < COUNT(wrong) + COUNT(right); i++) {
        bool names = i >= COUNT(wrong);
        X509 *certificate = certificate_issue(cast.unionpay.key, names ? right[i - COUNT(wrong)] : wrong[i],
                                              &cast.middle, false, TO);
        char *pem = certificate_pem(certificate);
        answer_by(answer, pem, cast.unionpay.key);
        now_fault_is(answer, names ? "00/00" : "certificate_not_of_signer 00/00");
        free(pem);
        X509_free(certificate);
    }
}

static void the_signer_can_be_configured(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    struct unionpay_spec spec = unionpay_spec();
    spec.signer = "00040000:SIGN";
    struct channel *channel = unionpay_channel(&spec);
    answer_make(answer, NULL, NULL, NULL);
    fault_is(channel, fixture_moment.unix_ms, answer, "certificate_not_of_signer 00/00");
    X509 *certificate =
        certificate_issue(cast.unionpay.key, "041@Z12@00040000:SIGN@00000001", &cast.middle, false, TO);
    char *pem = certificate_pem(certificate);
    answer_by(answer, pem, cast.unionpay.key);
    fault_is(channel, fixture_moment.unix_ms, answer, "00/00");
    free(pem);
    X509_free(certificate);
    channel->kind->destroy(channel);
}

/* Two common names, of which one would do; a name that ends early for whoever reads it as C text. */
static void an_ambiguous_name_is_none(void **state)
{
    (void)state;
    static const char names[][64] = {"evil", SIGNER "\0@evil"};
    char answer[ANSWER_BYTES];
    for (int i = 0; i < 2; i++) {
        X509 *certificate = certificate_issue(cast.unionpay.key, SIGNER, &cast.middle, false, TO);
        X509_NAME *subject = X509_get_subject_name(certificate);
        if (i)
            X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                   (const unsigned char *)names[i], i ? (int)sizeof(SIGNER "@evil") : 4, -1,
                                   0);
        assert_true(X509_sign(certificate, cast.middle.key, EVP_sha256()) > 0);
        char *pem = certificate_pem(certificate);
        answer_by(answer, pem, cast.unionpay.key);
        now_fault_is(answer, "certificate_not_of_signer 00/00");
        free(pem);
        X509_free(certificate);
    }
}

/* The key is taken out of the certificate that was judged, whatever else the text holds. */
static void a_second_key_in_the_text_is_not_used(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, cast.foreign.key);
    char *key = bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    int length = i2d_X509(cast.unionpay.certificate, &der);
    PEM_write_bio(bio, PEM_STRING_X509_OLD, "", der, length);
    char *certificate = bio_text(bio);
    char *both = text_join(key, certificate);
    answer_by(answer, both, cast.foreign.key);
    now_fault_is(answer, "signature_wrong 00/00");
    answer_by(answer, both, cast.unionpay.key);
    now_fault_is(answer, "00/00");
    free(both);
    free(certificate);
    free(key);
    OPENSSL_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_byte_is_seen),
        cmocka_unit_test(what_is_added_or_missing_is_seen),
        cmocka_unit_test(the_certificate_chains_to_our_root),
        cmocka_unit_test(the_chain_is_good_at_that_moment_only),
        cmocka_unit_test(the_certificate_names_unionpay),
        cmocka_unit_test(the_signer_can_be_configured),
        cmocka_unit_test(an_ambiguous_name_is_none),
        cmocka_unit_test(a_second_key_in_the_text_is_not_used),
    };
    return cmocka_run_group_tests(tests, cast_make, cast_drop);
}
