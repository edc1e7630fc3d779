/* Verdicts: what we do about a lost order, and why. */
#ifndef MAKEGOOD_VERDICT_H
#define MAKEGOOD_VERDICT_H

#include "makegood/enum.h"
#include "makegood/evidence.h"

/* X(NAME, text, meaning) */
#define VERDICT_KIND_LIST(X)                                                                                \
    X(PAID, "paid", "the order becomes paid, the row goes")                                                 \
    X(REFUNDED, "refunded", "the order becomes refunded, the row goes")                                     \
    X(CLOSED, "closed", "the attempt is over; the order closes unless another attempt lives; the row goes") \
    X(RETRY, "retry", "asked again later")                                                                  \
    X(CLOSE, "close", "the channel is asked to close it: that is the next question")                        \
    X(PARK, "park", "a person decides: the row moves to parked_order with its reason")

enum verdict_kind {
#define X(name, ...) VERDICT_##name,
    VERDICT_KIND_LIST(X)
#undef X
        VERDICT_KINDS
};
ENUM_DECLARE(verdict_kind)

/* X(NAME, text, doubt, sentence). "doubt" (1) are the reasons that say our reading of the channel may be
 * wrong: too large a share of them among recent answers halts the channel (correctness 20). The reasons after
 * POISON are found by the database while settling or tracking. */
#define PARK_REASON_LIST(X)                                                                            \
    X(NOTHING, "", 0, "not parked")                                                                    \
    X(AMOUNT_MISMATCH, "amount_mismatch", 1, "the channel's amount, the row's and the order's differ") \
    X(CURRENCY_MISMATCH, "currency_mismatch", 1, "the currencies differ")                              \
    X(MERCHANT_MISMATCH, "merchant_mismatch", 1, "the answer names another merchant or app")           \
    X(REFUND_SEEN, "refund_seen", 1, "money was returned, but not provably all of it")                 \
    X(FLAGGED, "flagged", 1, "paid, with a refund or dispute flag that the policy does not accept")    \
    X(UNKNOWN_STATE, "unknown_state", 1, "the channel keeps answering a status outside the list")      \
    X(ATTEMPT_LIMIT, "attempt_limit", 0, "the attempt limit is used up")                               \
    X(UNCLOSABLE, "unclosable", 0, "still pending at the end of its life, and nothing can close it")   \
    X(UNASKABLE, "unaskable", 0, "at the end of its life there is still no number to ask by")          \
    X(CRASHES, "crashes", 0, "claimed again and again without a settlement: it may be what kills us")  \
    X(POISON, "poison", 0, "the database refuses to settle this row")                                  \
    X(MISSING, "missing", 0, "the shop's order table has no such order")                               \
    X(PAID_TWICE, "paid_twice", 0, "the order is paid already, by another payment")                    \
    X(LATE_PAYMENT, "late_payment", 0, "the order is closed here, and paid at the channel")            \
    X(STATUS_UNEXPECTED, "status_unexpected", 0, "the order's status may not be left for this one")    \
    X(UNTRACKABLE, "untrackable", 0, "the trigger could not track this order")                         \
    X(OPERATOR, "operator", 0, "an operator took it out of the cycle")

enum park_reason {
#define X(name, ...) PARK_##name,
    PARK_REASON_LIST(X)
#undef X
        PARK_REASONS
};
ENUM_DECLARE(park_reason)

bool park_reason_is_doubt(enum park_reason reason);
const char *park_reason_sentence(enum park_reason reason);

/* The row stays where it is and is asked again; nothing happens to the order. */
bool verdict_puts_off(enum verdict_kind kind);
/* The order ends by it: paid, refunded or closed. */
bool verdict_ends(enum verdict_kind kind);

struct verdict {
    enum verdict_kind kind;
    enum park_reason reason; /* PARK_NOTHING unless parked */
    const char *rule;        /* name of the deciding row in core/decide.c; static */
    int64_t due_in_ms;       /* of a row that stays: when to ask again */
    enum phase phase;        /* of a row that stays; closed, the order's row stays when it enters the tail */
    bool late;               /* paid: may also leave a closed order, for the policy accepts late payments */
    int answers;             /* the counters that the row shall have from now on */
    int errors;
    int unknowns;
    enum verdict_kind meant; /* held back: what it would have been, ... */
    const char *meant_rule;  /* ... and by which rule; NULL: not held back */
};

/* An order in this phase is asked about again: it is put off, or is closed and enters its tail. */
bool verdict_goes_on(const struct verdict *verdict, enum phase phase);

/* What the database did with a verdict. X(NAME, text, meaning) */
#define OUTCOME_LIST(X)                                                                                \
    X(APPLIED, "applied", "done as the verdict said")                                                  \
    X(ALREADY, "already", "the order was in that state by the same payment: the row is removed")       \
    X(FENCED, "fenced", "the claim was no longer ours: nothing but the audit row was written")         \
    X(BUSY, "busy", "somebody holds a lock on the row or the order: repeat soon under the same token") \
    X(CONFLICT, "conflict", "the order table says otherwise: parked with a reason of its own")

enum outcome {
#define X(name, ...) OUTCOME_##name,
    OUTCOME_LIST(X)
#undef X
        OUTCOMES
};
ENUM_DECLARE(outcome)

#endif
