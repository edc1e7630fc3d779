/* decide: order + evidence + policy -> verdict. Pure and total; a table read top to bottom, first match wins.
 */
#ifndef MAKEGOOD_DECIDE_H
#define MAKEGOOD_DECIDE_H

#include "makegood/evidence.h"
#include "makegood/policy.h"
#include "makegood/verdict.h"

/* What is true beside the order and the answer, at the moment of deciding. */
struct situation {
    int64_t since_claim_ms;  /* the answer came so long after the claim */
    bool credentials_proven; /* the channel found something lately (correctness 25) */
    uint32_t chance;         /* any number: drives the jitter */
};

/* The channel may be asked to close this attempt: where its end was given, or the policy says so (correctness 23). */
bool decide_may_close(const struct policy *policy, const struct lost_order *order);

struct verdict decide(const struct lost_order *order, const struct evidence *evidence,
                      const struct policy *policy, const struct situation *situation);

/* The table for the documentation and the tests: false when the index is past the last row. */
struct decide_row_view {
    enum evidence_kind evidence;
    const char *condition; /* "always" for the last row of a kind */
    enum verdict_kind verdict;
    enum park_reason reason;
    const char *rule;
};
bool decide_row(int index, struct decide_row_view *out);

#endif
