/* UnionPay's queryTrans.do: a signed form is asked, a signed form that is not percent-encoded is answered. The signature is
 * over the hex of a SHA-256; the answer carries the certificate that it is verified with. There is no close. */
#include <ctype.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/payer.h"
#include "bank/provider.h"
#include "bank/seal.h"

/* origRespCode: what became of the payment. */
static const char *const states[WORDS] = {
    [WORD_PAID] = "00",     [WORD_CLOSED] = "01",  [WORD_REFUNDED] = "00", [WORD_REFUND_PART] = "00",
    [WORD_DISPUTED] = "00", [WORD_PENDING] = "05", [WORD_UNPAID] = "04",   [WORD_UNKNOWN_STATE] = "42",
};

/* respCode: what became of the query. */
static const char *const codes[WORDS] = {
    [WORD_NOT_FOUND] = "34",
    [WORD_SERVER_ERROR] = "06",
    [WORD_UNAUTHORIZED] = "11",
    [WORD_RATE_LIMITED] = "37",
};

/* ---- the answer ---- */

static char *certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long length = bio && PEM_write_bio_X509(bio, certificate) == 1 ? BIO_get_mem_data(bio, &bytes) : 0;
    char *text = length > 0 ? strndup(bytes, (size_t)length) : NULL;
    BIO_free(bio);
    return text;
}

static void form_seal(EVP_PKEY *key, struct form *form, bool wrong, char out[SEAL_BYTES])
{
    static const char *const without[] = {"signature", NULL};
    char digest[DIGEST_BYTES];
    size_t bytes = 0;
    char *text = form_join(form, without, false, &bytes);
    out[0] = '\0';
    if (!text)
        return;
    sha256_hex(text, bytes - wrong, digest);
    seal_make(key, digest, DIGEST_BYTES - 1, out);
    free(text);
}

static void pair_add(struct form *form, const char *name, char *value)
{
    form->pairs[form->count++] = (struct pair){(char *)(uintptr_t)name, value};
}

/* A merchant's certificate has the same root, but it is not UnionPay's. */
static void form_say(const struct question *question, enum word forgery, struct form *form,
                     struct answer *out)
{
    const struct identity *signer =
        &question->keys->of[forgery == WORD_UNKNOWN_SIGNER ? IDENTITY_UNIONPAY_MERCHANT : IDENTITY_UNIONPAY];
    bool wrong = forgery == WORD_BAD_SIGNATURE || forgery == WORD_STALE_SIGNATURE;
    static const char *const without[] = {NULL};
    char seal[SEAL_BYTES];
    size_t bytes = 0;
    char *certificate = certificate_text(signer->certificate);
    if (certificate && forgery != WORD_NO_SIGNATURE) {
        pair_add(form, "signPubKeyCert", certificate);
        form_seal(signer->key, form, wrong, seal);
        pair_add(form, "signature", seal);
    }
    char *text = form_join(form, without, false, &bytes);
    answer_print(out, 200, "text/html;charset=UTF-8", "%s", text ? text : "");
    free(text);
    free(certificate);
}

static void result_say(const struct question *question, enum word forgery, const char *code,
                       struct form *form, struct answer *out)
{
    static char version[] = "5.1.0", encoding[] = "UTF-8", method[] = "01", zero[] = "00", biz[] = "000000",
                access[] = "0", message[] = "of " PAYER_NAME;
    pair_add(form, "version", version);
    pair_add(form, "encoding", encoding);
    pair_add(form, "signMethod", method);
    pair_add(form, "txnType", zero);
    pair_add(form, "txnSubType", zero);
    pair_add(form, "bizType", biz);
    pair_add(form, "accessType", access);
    pair_add(form, "merId", (char *)(uintptr_t)question->merchant);
    pair_add(form, "txnTime", (char *)(uintptr_t)question->txn_time);
    pair_add(form, "respCode", (char *)(uintptr_t)code);
    pair_add(form, "respMsg", message);
    form_say(question, forgery, form, out);
}

static void tell(const struct question *question, const struct report *report, struct answer *out)
{
    static char yuan[] = "156", dollar[] = "840", card[] = PAYER_CARD;
    struct form form = {.count = 0};
    char number[65], amount[24], query[72], limit[32];
    snprintf(number, sizeof(number), "%.*s", report->number_length, report->number);
    pair_add(&form, "orderId", number);
    if (codes[report->word]) {
        result_say(question, report->forgery, codes[report->word], &form, out);
        return;
    }
    snprintf(amount, sizeof(amount), "%" PRId64, report->amount_minor);
    snprintf(query, sizeof(query), "2026%s", number);
    /* A failed try is final when the time to pay is over. */
    struct tm end = beijing_time(time(NULL) + (report->word == WORD_CLOSED ? -60 : 1800));
    strftime(limit, sizeof(limit), "%Y%m%d%H%M%S", &end);
    pair_add(&form, "accNo", card);
    pair_add(&form, "txnAmt", amount);
    pair_add(&form, "currencyCode", strcmp(report->currency, "cny") == 0 ? yuan : dollar);
    pair_add(&form, "queryId", query);
    pair_add(&form, "payTimeout", limit);
    pair_add(&form, "origRespCode", (char *)(uintptr_t)states[report->word]);
    result_say(question, report->forgery, "00", &form, out);
}

/* ---- the question ---- */

static bool is_signed(const struct question *question, struct form *form)
{
    static const char *const without[] = {"signature", NULL};
    const struct identity *merchant = &question->keys->of[IDENTITY_UNIONPAY_MERCHANT];
    const char *id = form_value(form, "certId");
    const char *seal = form_value(form, "signature");
    char digest[DIGEST_BYTES];
    size_t bytes = 0;
    char *text = form_join(form, without, false, &bytes);
    bool holds = text && id && seal && strcmp(id, merchant->decimal) == 0;
    if (holds) {
        sha256_hex(text, bytes, digest);
        holds = seal_holds(merchant->key, digest, DIGEST_BYTES - 1, seal);
    }
    free(text);
    return holds;
}

static bool field_copy(const struct form *form, const char *name, char *out, size_t bytes)
{
    const char *value = form_value(form, name);
    return value && word_copy(value, strlen(value), out, bytes);
}

static bool question_read(struct question *question, struct answer *out)
{
    struct form form = {.count = 0};
    const char *fault = NULL;
    struct form refusal = {.count = 0};
    if (!question->body || !form_read(&form, question->body))
        fault = "10";
    else if (!field_copy(&form, "merId", question->merchant, sizeof(question->merchant)) ||
             !field_copy(&form, "orderId", question->number, sizeof(question->number)) ||
             !field_copy(&form, "txnTime", question->txn_time, sizeof(question->txn_time)))
        fault = "13";
    else if (!is_signed(question, &form))
        fault = "11";
    if (fault)
        result_say(question, WORD_PAID, fault, &refusal, out);
    return !fault;
}

static void unknown(const struct question *question, struct answer *out)
{
    const struct report absent = {.word = WORD_NOT_FOUND,
                                  .forgery = WORD_PAID,
                                  .number = question->number,
                                  .number_length = (int)strlen(question->number),
                                  .currency = "cny"};
    tell(question, &absent, out);
}

const struct provider unionpay = {.path = "/gateway/api/queryTrans.do",
                                  .needs_keys = true,
                                  .read = question_read,
                                  .tell = tell,
                                  .unknown = unknown};
