/* Evidence: what the outside world's answer, or its silence, proves about a lost order. Always a value (idea
 * 1).
 *
 * Kinds fall in three classes (correctness: "what counts as what"):
 *   answer  authentic, and about this order: uses up the schedule and the attempt limit
 *   fault   the channel or the way to it is at fault: own backoff, moves the breaker, never ends an order
 *   local   nobody was asked: own backoff, blames no channel */
#ifndef MAKEGOOD_EVIDENCE_H
#define MAKEGOOD_EVIDENCE_H

#include "makegood/enum.h"
#include "makegood/money.h"
#include "makegood/order.h"

enum evidence_class { EVIDENCE_ANSWER, EVIDENCE_FAULT, EVIDENCE_LOCAL };

/* X(NAME, text, class, meaning) */
#define EVIDENCE_KIND_LIST(X)                                                                              \
    X(NONE, "none", LOCAL, "the channel was not asked")                                                    \
    X(UNASKABLE, "unaskable", LOCAL,                                                                       \
      "no question could be built: the attempt lacks what the template needs")                             \
    X(PAID, "paid", ANSWER, "the channel says: paid")                                                      \
    X(PAID_FLAGGED, "paid_flagged", ANSWER, "paid, with a refund or a dispute flag beside it")             \
    X(REFUNDED, "refunded", ANSWER, "paid, and money was returned")                                        \
    X(CLOSED, "closed", ANSWER, "closed or failed at the channel: not paid and never will be")             \
    X(PENDING, "pending", ANSWER, "known to the channel, not paid yet")                                    \
    X(NOT_FOUND, "not_found", ANSWER, "the channel knows no such payment (yet)")                           \
    X(UNKNOWN_STATE, "unknown_state", ANSWER, "about our number, with a status or shape outside the list") \
    X(TIMEOUT, "timeout", FAULT, "no complete answer in time")                                             \
    X(UNREACHABLE, "unreachable", FAULT, "name, connection or transfer failed")                            \
    X(UNTRUSTED, "untrusted", FAULT, "TLS did not verify")                                                 \
    X(RATE_LIMITED, "rate_limited", FAULT, "asked too often")                                              \
    X(UNAUTHORIZED, "unauthorized", FAULT, "credentials or configuration of the account refused")          \
    X(SERVER_ERROR, "server_error", FAULT, "the channel failed inside")                                    \
    X(UNAUTHENTIC, "unauthentic", FAULT, "the signature is absent, wrong or stale")                        \
    X(OTHER_ORDER, "other_order", FAULT, "an answer about another number")                                 \
    X(UNMATCHED, "unmatched", FAULT, "no rule matched, and our number is not named")                       \
    X(GARBAGE, "garbage", FAULT, "not parsable under the caps")                                            \
    X(TOO_LARGE, "too_large", FAULT, "body or headers beyond the cap")

enum evidence_kind {
#define X(name, ...) EVIDENCE_##name,
    EVIDENCE_KIND_LIST(X)
#undef X
        EVIDENCE_KINDS
};
ENUM_DECLARE(evidence_kind)

enum evidence_class evidence_class(enum evidence_kind kind);

#define DIGEST_BYTES     65  /* SHA-256 of the body in hex */
#define CODE_BYTES       65  /* the channel's own status or error code, cut to 64 bytes of printable ASCII */
#define RULE_BYTES       49  /* name of the configured rule that matched */
#define ASKED_BYTES      257 /* "GET https://host/path", no secrets, cut */
#define REQUEST_ID_BYTES 65  /* our X-Request-Id, which the audit keeps */

struct evidence {
    enum evidence_kind kind;
    bool authentic;        /* verified TLS, and the signature where the channel signs */
    bool merchant_differs; /* the answer names a merchant or app, and it is not ours */
    bool has_amount;       /* amount_minor and currency were in the answer */
    bool has_refunded;     /* refunded_minor was in the answer */
    int64_t amount_minor;
    int64_t refunded_minor;
    char currency[CURRENCY_BYTES];     /* upper case */
    char channel_number[NUMBER_BYTES]; /* the channel's own number of the payment, may be "" */
    char code[CODE_BYTES];
    char rule[RULE_BYTES];
    char asked[ASKED_BYTES];
    char request_id[REQUEST_ID_BYTES];
    char body_digest[DIGEST_BYTES]; /* "" when there was no body */
    int http_status;                /* 0 when there was no answer */
    int latency_ms;
    int64_t retry_after_ms; /* what the channel asked for, 0 when it did not */
    bool has_skew;          /* the answer had a Date */
    int64_t skew_ms;        /* our clock minus the channel's, to the second */
};

#endif
