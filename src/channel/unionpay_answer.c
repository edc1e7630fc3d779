/* What UnionPay's answers mean: whether one is UnionPay's, whether it is about our attempt, and the mapping of its two codes,
 * top to bottom, first match wins. Called by the workers; total. What does not verify is evidence of nothing. */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/chain.h"
#include "channel/reading.h"
#include "channel/rsa.h"
#include "channel/rules.h"
#include "channel/unionpay_inner.h"

/* ---- the mapping ---- */

/* respCode is the query's own, origRespCode the payment's. NULL: any, or none; "*": any code of two characters. */
struct row {
    const char *code;
    const char *origin;
    enum evidence_kind kind;
};

/* A6 is a success with a defect. 42 was debited, but after the time for it: a person decides. Any other origRespCode is a
 * failed try, after which the buyer can try again until the time to pay is over. */
static const struct row rows[] = {
    {"00", "00", EVIDENCE_PAID},          {"00", "A6", EVIDENCE_PAID},
    {"00", "03", EVIDENCE_PENDING},       {"00", "04", EVIDENCE_PENDING},
    {"00", "05", EVIDENCE_PENDING},       {"00", "42", EVIDENCE_UNKNOWN_STATE},
    {"00", "*", EVIDENCE_CLOSED},         {"42", NULL, EVIDENCE_UNKNOWN_STATE},
    {"34", NULL, EVIDENCE_NOT_FOUND},     {"37", NULL, EVIDENCE_RATE_LIMITED},
    {"02", NULL, EVIDENCE_SERVER_ERROR}, /* closed for now */
    {"03", NULL, EVIDENCE_SERVER_ERROR}, /* timeout */
    {"04", NULL, EVIDENCE_SERVER_ERROR}, /* unclear */
    {"05", NULL, EVIDENCE_SERVER_ERROR}, /* accepted, no result yet */
    {"06", NULL, EVIDENCE_SERVER_ERROR}, /* busy */
    {"10", NULL, EVIDENCE_UNAUTHORIZED}, /* format */
    {"11", NULL, EVIDENCE_UNAUTHORIZED}, /* our signature */
    {"13", NULL, EVIDENCE_UNAUTHORIZED}, /* an element is missing */
    {"31", NULL, EVIDENCE_UNAUTHORIZED}, /* the merchant's state */
    {"32", NULL, EVIDENCE_UNAUTHORIZED}, /* no permission */
    {NULL, NULL, EVIDENCE_UNKNOWN_STATE},
};

static bool code_matches(const char *wanted, struct span code)
{
    return !wanted || span_is(code, wanted) || (strcmp(wanted, "*") == 0 && code.length == 2);
}

static const struct row *row_find(const struct fields *fields)
{
    struct span code = fields_value(fields, "respCode");
    struct span origin = fields_value(fields, "origRespCode");
    const struct row *row = rows;
    while (!code_matches(row->code, code) || !code_matches(row->origin, origin))
        row++; /* the last one matches */
    return row;
}

/* ---- whose it is ---- */

#define TEXT_MAX 64

/* A short value as text, "" where there is none or it is long. */
static const char *value_text(const struct fields *fields, const char *name, char out[TEXT_MAX + 1])
{
    struct span value = fields_value(fields, name);
    size_t length = value.length <= TEXT_MAX ? value.length : 0;
    memcpy(out, value.bytes, length);
    out[length] = '\0';
    return out;
}

/* The certificate comes with the answer: it counts by its chain and by whom it names. */
static const char *signer_fault(const struct unionpay *unionpay, X509 *certificate, int64_t unix_ms)
{
    if (!certificate_chains(certificate, unionpay->roots, unix_ms / 1000))
        return "certificate_untrusted";
    return certificate_names(certificate, unionpay->signer) ? NULL : "certificate_not_of_signer";
}

/* With the key out of the very certificate that was judged: a text may hold more than one. */
static const char *signature_fault(const struct fields *fields, X509 *certificate)
{
    char digest[DIGEST_BYTES];
    const char *why;
    EVP_PKEY *key = NULL;
    struct span signature = fields_value(fields, "signature");
    bool verifies = span_is(fields_value(fields, "signMethod"), "01") && fields_digest(fields, digest) &&
                    certificate_key(&key, certificate, &why) == 0 &&
                    rsa_verify(key, digest, strlen(digest), signature.bytes, signature.length);
    EVP_PKEY_free(key);
    return verifies ? NULL : "signature_wrong";
}

/* What keeps the answer from being UnionPay's; NULL: nothing. */
static const char *authenticity_fault(const struct unionpay *unionpay, const struct fields *fields,
                                      int64_t unix_ms)
{
    struct span value = fields_value(fields, "signPubKeyCert");
    if (!fields_value(fields, "signature").length)
        return "signature_missing";
    if (!value.length)
        return "certificate_missing";
    const char *why;
    X509 *certificate = NULL;
    char *text = strndup(value.bytes, value.length);
    const char *fault = "certificate_unreadable";
    if (text && certificate_load(&certificate, text, &why) == 0) {
        fault = signer_fault(unionpay, certificate, unix_ms);
        fault = fault ? fault : signature_fault(fields, certificate);
    }
    X509_free(certificate);
    free(text);
    return fault;
}

/* merId, orderId and txnTime together name a payment. None of them may be missing. */
static enum evidence_kind naming_fault(const struct unionpay *unionpay, const struct lost_order *order,
                                       const struct fields *fields, struct evidence *out)
{
    char txn_time[TXN_TIME_BYTES];
    const char *why;
    if (unionpay_txn_time(order, txn_time, &why) != 0)
        return EVIDENCE_UNMATCHED; /* such an attempt is never asked about */
    const char *const ours[][2] = {
        {"merId", unionpay->merchant}, {"orderId", order->number}, {"txnTime", txn_time}};
    enum evidence_kind fault = EVIDENCE_NONE;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        struct span value = fields_value(fields, ours[i][0]);
        if (!value.length)
            return EVIDENCE_UNMATCHED;
        if (span_is(value, ours[i][1]))
            continue;
        fault = EVIDENCE_OTHER_ORDER;
        if (i == 0)
            out->merchant_differs = true;
    }
    return fault;
}

/* ---- what it proves ---- */

/* Fen, as digits, and the yuan by its number. */
static bool money_read(const struct fields *fields, struct evidence *out)
{
    char text[TEXT_MAX + 1];
    if (!span_is(fields_value(fields, "currencyCode"), "156") ||
        !money_parse_minor(value_text(fields, "txnAmt", text), &out->amount_minor))
        return false;
    snprintf(out->currency, sizeof(out->currency), "CNY");
    out->has_amount = true;
    return true;
}

/* yyyyMMddHHmmss in Beijing; a time that can not be read never passes. */
static bool beijing_time_has_passed(const char *text, int64_t unix_ms)
{
    char generalized[32];
    if (strlen(text) != TXN_TIME_BYTES - 1)
        return false;
    snprintf(generalized, sizeof(generalized), "%.14s+0800", text);
    ASN1_GENERALIZEDTIME *time = ASN1_TIME_new();
    bool passed = time && ASN1_GENERALIZEDTIME_set_string(time, generalized) == 1 &&
                  ASN1_TIME_cmp_time_t(time, unix_ms / 1000) == -1;
    ASN1_GENERALIZEDTIME_free(time);
    ERR_clear_error();
    return passed;
}

/* Until then a buyer whose try failed can try again. */
static bool time_to_pay_is_over(const struct fields *fields, const struct lost_order *order, int64_t unix_ms)
{
    char text[TEXT_MAX + 1];
    if (fields_value(fields, "payTimeout").length)
        return beijing_time_has_passed(value_text(fields, "payTimeout", text), unix_ms);
    return order->left_ms <= 0;
}

/* "00/04": both codes. */
static void codes_write(const struct fields *fields, const char *fault, struct evidence *out)
{
    char code[TEXT_MAX + 1];
    char origin[TEXT_MAX + 1];
    char text[3 * TEXT_MAX];
    value_text(fields, "respCode", code);
    value_text(fields, "origRespCode", origin);
    snprintf(text, sizeof(text), "%s%s%s%s%s", fault ? fault : "", fault && *code ? " " : "", code,
             *origin ? "/" : "", origin);
    reading_code(out, text);
}

static enum evidence_kind authentic_conclude(const struct unionpay *unionpay, const struct lost_order *order,
                                             const struct moment *moment, const struct fields *fields,
                                             struct evidence *out)
{
    char number[TEXT_MAX + 1];
    const struct row *row = row_find(fields);
    snprintf(out->rule, sizeof(out->rule), "%s/%s", row->code ? row->code : "*",
             row->origin ? row->origin : "*");
    if (!kind_is_answer(row->kind))
        return row->kind;
    enum evidence_kind fault = naming_fault(unionpay, order, fields, out);
    if (fault != EVIDENCE_NONE)
        return fault;
    reading_number(out, value_text(fields, "queryId", number));
    if (kind_is_payment(row->kind) && !money_read(fields, out))
        return EVIDENCE_UNKNOWN_STATE;
    if (row->kind == EVIDENCE_CLOSED && !time_to_pay_is_over(fields, order, moment->unix_ms))
        return EVIDENCE_PENDING;
    return row->kind;
}

static enum evidence_kind answer_conclude(const struct unionpay *unionpay, const struct lost_order *order,
                                          const struct moment *moment, const struct response *response,
                                          struct evidence *out)
{
    struct fields fields;
    enum evidence_kind by_status = kind_of_status(response->http_status);
    if (by_status != EVIDENCE_NONE)
        return by_status;
    if (!fields_read(&fields, response->body, response->body_bytes))
        return EVIDENCE_GARBAGE;
    if (response->http_status != 200)
        return EVIDENCE_UNMATCHED;
    const char *fault = authenticity_fault(unionpay, &fields, moment->unix_ms);
    codes_write(&fields, fault, out);
    out->authentic = !fault;
    return fault ? EVIDENCE_UNAUTHENTIC : authentic_conclude(unionpay, order, moment, &fields, out);
}

void unionpay_interpret(const struct channel *channel, const struct lost_order *order,
                        const struct moment *moment, const struct response *response, struct evidence *out)
{
    const struct unionpay *unionpay = (const struct unionpay *)channel;
    reading_begin(out, response);
    if (!response->trusted)
        out->kind = EVIDENCE_UNTRUSTED;
    else if (response->body_bytes > (size_t)unionpay->head.transport.body_max_bytes)
        out->kind = EVIDENCE_TOO_LARGE;
    else
        out->kind = answer_conclude(unionpay, order, moment, response, out);
}
