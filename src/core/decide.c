/* decide: one table, read top to bottom, first match wins. Pure; any thread.
 *
 * Every evidence kind ends in an unconditional row, so the function is total; tests/unit/core proves it and
 * prints the table as doc/decide.md. The rows say what; when to ask again is arithmetic (schedule.c). */
#include "makegood/decide.h"

#include <assert.h>
#include <string.h>

#include "core/schedule.h"

#define CLOSES_MOST \
    5 /* answered requests to close; what is pending after so many is nothing that we can close */

struct facts {
    const struct lost_order *order;
    const struct evidence *evidence;
    const struct policy *policy;
    const struct situation *situation;
    int64_t left_ms; /* until the end of the attempt's life */
};

/* --- conditions: sentences that are true or not --------------------------------------------------------- */

static bool always(const struct facts *f)
{
    return f != NULL;
}

static bool merchant_differs(const struct facts *f)
{
    return f->evidence->merchant_differs;
}

static bool currency_differs(const struct facts *f)
{
    return !f->evidence->has_amount || strcmp(f->evidence->currency, f->order->currency) != 0;
}

static bool amount_differs(const struct facts *f)
{
    return !f->evidence->has_amount || f->evidence->amount_minor != f->order->amount_minor;
}

static bool flag_is_not_accepted(const struct facts *f)
{
    return !f->policy->accept_flagged;
}

static bool whole_amount_is_not_returned(const struct facts *f)
{
    return !f->evidence->has_refunded || f->evidence->refunded_minor != f->order->amount_minor;
}

static bool life_is_over(const struct facts *f)
{
    return f->left_ms <= 0;
}

static bool grace_is_over(const struct facts *f)
{
    return f->left_ms + f->policy->not_found_grace_ms <= 0;
}

static bool grace_is_over_and_credentials_are_proven(const struct facts *f)
{
    return grace_is_over(f) && f->situation->credentials_proven;
}

static bool attempts_are_used_up(const struct facts *f)
{
    return f->policy->attempt_limit > 0 && f->order->answers + 1 >= f->policy->attempt_limit;
}

static bool is_closing(const struct facts *f)
{
    return f->order->phase == PHASE_CLOSING;
}

static bool is_in_tail(const struct facts *f)
{
    return f->order->phase == PHASE_TAIL;
}

static bool tail_goes_on(const struct facts *f)
{
    return is_in_tail(f) && f->order->answers + 1 < f->policy->tail.length;
}

static bool life_is_over_and_the_channel_closes(const struct facts *f)
{
    return life_is_over(f) && decide_may_close(f->policy, f->order);
}

static bool closing_was_in_vain(const struct facts *f)
{
    return f->order->phase == PHASE_CHECK && f->order->answers >= CLOSES_MOST;
}

static bool unknown_too_often(const struct facts *f)
{
    return f->order->unknowns + 1 >= f->policy->unknown_limit;
}

/* --- delays --------------------------------------------------------------------------------------------- */

static int64_t sooner(int64_t delay_ms, int64_t other_ms)
{
    return other_ms > 0 && other_ms < delay_ms ? other_ms : delay_ms;
}

static int64_t spread(const struct facts *f, int64_t delay_ms)
{
    return schedule_spread_ms(delay_ms, f->policy->jitter_percent, f->situation->chance);
}

static int64_t after_answer(const struct facts *f)
{
    return spread(f, schedule_after_answer_ms(schedule_of(f->policy, f->order, f->situation->since_claim_ms),
                                              f->order->answers + 1));
}

/* The next question comes at the end of life at the latest: only an answer received after it ends the order.
 */
static int64_t by_schedule(const struct facts *f)
{
    return sooner(after_answer(f), f->left_ms);
}

static int64_t by_schedule_and_grace(const struct facts *f)
{
    return sooner(after_answer(f), f->left_ms + f->policy->not_found_grace_ms);
}

static int64_t by_probe(const struct facts *f)
{
    return spread(f, f->policy->probe_ms);
}

static int64_t at_once(const struct facts *f)
{
    (void)f;
    return 1;
}

/* Again after a while, when the first request did not do it. */
static int64_t by_closing(const struct facts *f)
{
    return f->order->phase == PHASE_CHECK ? by_probe(f) : at_once(f);
}

/* The list counts from the closing on; what is left of it after this answer. 0: nothing. */
static int64_t by_tail(const struct facts *f)
{
    const struct policy *policy = f->policy;
    int next = is_in_tail(f) ? f->order->answers + 1 : 0;
    if (next >= policy->tail.length)
        return 0;
    return spread(f, policy->tail.delays_ms[next] - (next > 0 ? policy->tail.delays_ms[next - 1] : 0));
}

static int64_t by_error(const struct facts *f)
{
    return spread(f, schedule_after_error_ms(f->policy, f->order->errors + 1));
}

static int64_t by_retry_after(const struct facts *f)
{
    int64_t asked_ms = f->evidence->retry_after_ms;
    int64_t capped_ms = asked_ms < f->policy->retry_after_max_ms ? asked_ms : f->policy->retry_after_max_ms;
    int64_t backoff_ms = by_error(f);
    return capped_ms > backoff_ms ? capped_ms : backoff_ms;
}

/* --- the table ------------------------------------------------------------------------------------------ */

struct row {
    enum evidence_kind evidence;
    bool (*holds)(const struct facts *facts);
    const char *condition;
    enum verdict_kind verdict;
    enum park_reason reason;
    const char *rule;
    int64_t (*delay)(const struct facts *facts);
};

#define WHEN(condition)     condition, #condition
#define PARKS(reason)       VERDICT_PARK, PARK_##reason
#define ENDS(verdict)       VERDICT_##verdict, PARK_NOTHING
#define RETRIES             VERDICT_RETRY, PARK_NOTHING
#define FAULT_RETRIES(kind) EVIDENCE_##kind, WHEN(always), RETRIES

/* What closing answers settles nothing: whatever came of it, a query follows (correctness 23). */
#define CLOSING_ANSWER(kind, text) {EVIDENCE_##kind, WHEN(is_closing), RETRIES, "close_says_" text, at_once},
#define CLOSING_FAULT(kind, text)  {EVIDENCE_##kind, WHEN(is_closing), RETRIES, "close_" text, by_retry_after},
#define CLOSING_LOCAL(kind, text)
#define CLOSING(kind, text, class, meaning) CLOSING_##class(kind, text)

static const struct row rows[] = {
    EVIDENCE_KIND_LIST(CLOSING)

        {EVIDENCE_NONE, WHEN(always), PARKS(CRASHES), "crashes", by_error},

    {EVIDENCE_UNASKABLE, WHEN(is_closing), PARKS(UNCLOSABLE), "close_unaskable", by_error},
    {EVIDENCE_UNASKABLE, WHEN(life_is_over), PARKS(UNASKABLE), "unaskable_to_the_end", by_error},
    {EVIDENCE_UNASKABLE, WHEN(always), RETRIES, "unaskable", by_error},

    {EVIDENCE_PAID, WHEN(merchant_differs), PARKS(MERCHANT_MISMATCH), "paid_other_merchant", by_error},
    {EVIDENCE_PAID, WHEN(currency_differs), PARKS(CURRENCY_MISMATCH), "paid_other_currency", by_error},
    {EVIDENCE_PAID, WHEN(amount_differs), PARKS(AMOUNT_MISMATCH), "paid_other_amount", by_error},
    {EVIDENCE_PAID, WHEN(always), ENDS(PAID), "paid", by_error},

    {EVIDENCE_PAID_FLAGGED, WHEN(merchant_differs), PARKS(MERCHANT_MISMATCH), "flagged_other_merchant",
     by_error},
    {EVIDENCE_PAID_FLAGGED, WHEN(currency_differs), PARKS(CURRENCY_MISMATCH), "flagged_other_currency",
     by_error},
    {EVIDENCE_PAID_FLAGGED, WHEN(amount_differs), PARKS(AMOUNT_MISMATCH), "flagged_other_amount", by_error},
    {EVIDENCE_PAID_FLAGGED, WHEN(flag_is_not_accepted), PARKS(FLAGGED), "flagged", by_error},
    {EVIDENCE_PAID_FLAGGED, WHEN(always), ENDS(PAID), "flagged_accepted", by_error},

    {EVIDENCE_REFUNDED, WHEN(merchant_differs), PARKS(MERCHANT_MISMATCH), "refunded_other_merchant",
     by_error},
    {EVIDENCE_REFUNDED, WHEN(currency_differs), PARKS(CURRENCY_MISMATCH), "refunded_other_currency",
     by_error},
    {EVIDENCE_REFUNDED, WHEN(amount_differs), PARKS(AMOUNT_MISMATCH), "refunded_other_amount", by_error},
    {EVIDENCE_REFUNDED, WHEN(whole_amount_is_not_returned), PARKS(REFUND_SEEN), "refunded_in_part", by_error},
    {EVIDENCE_REFUNDED, WHEN(always), ENDS(REFUNDED), "refunded", by_error},

    {EVIDENCE_CLOSED, WHEN(merchant_differs), PARKS(MERCHANT_MISMATCH), "closed_other_merchant", by_error},
    {EVIDENCE_CLOSED, WHEN(tail_goes_on), RETRIES, "closed_in_tail", by_tail},
    {EVIDENCE_CLOSED, WHEN(always), ENDS(CLOSED), "closed", by_tail},

    {EVIDENCE_PENDING, WHEN(tail_goes_on), RETRIES, "pending_in_tail", by_tail},
    {EVIDENCE_PENDING, WHEN(is_in_tail), PARKS(UNCLOSABLE), "pending_after_tail", by_error},
    {EVIDENCE_PENDING, WHEN(closing_was_in_vain), PARKS(UNCLOSABLE), "close_in_vain", by_error},
    {EVIDENCE_PENDING, WHEN(life_is_over_and_the_channel_closes), VERDICT_CLOSE, PARK_NOTHING,
     "pending_is_closed", by_closing},
    {EVIDENCE_PENDING, WHEN(life_is_over), PARKS(UNCLOSABLE), "pending_to_the_end", by_error},
    {EVIDENCE_PENDING, WHEN(attempts_are_used_up), PARKS(ATTEMPT_LIMIT), "pending_too_often", by_error},
    {EVIDENCE_PENDING, WHEN(always), RETRIES, "pending", by_schedule},

    {EVIDENCE_NOT_FOUND, WHEN(tail_goes_on), RETRIES, "not_found_in_tail", by_tail},
    {EVIDENCE_NOT_FOUND, WHEN(is_in_tail), ENDS(CLOSED), "not_found_after_tail", by_tail},
    {EVIDENCE_NOT_FOUND, WHEN(grace_is_over_and_credentials_are_proven), ENDS(CLOSED), "not_found_final",
     by_tail},
    {EVIDENCE_NOT_FOUND, WHEN(grace_is_over), RETRIES, "not_found_unproven", by_probe},
    {EVIDENCE_NOT_FOUND, WHEN(attempts_are_used_up), PARKS(ATTEMPT_LIMIT), "not_found_too_often", by_error},
    {EVIDENCE_NOT_FOUND, WHEN(always), RETRIES, "not_found", by_schedule_and_grace},

    {EVIDENCE_UNKNOWN_STATE, WHEN(unknown_too_often), PARKS(UNKNOWN_STATE), "unknown_state_again", by_error},
    {EVIDENCE_UNKNOWN_STATE, WHEN(always), RETRIES, "unknown_state", after_answer},

    {FAULT_RETRIES(TIMEOUT), "timeout", by_error},
    {FAULT_RETRIES(UNREACHABLE), "unreachable", by_error},
    {FAULT_RETRIES(UNTRUSTED), "untrusted", by_error},
    {FAULT_RETRIES(RATE_LIMITED), "rate_limited", by_retry_after},
    {FAULT_RETRIES(UNAUTHORIZED), "unauthorized", by_error},
    {FAULT_RETRIES(SERVER_ERROR), "server_error", by_error},
    {FAULT_RETRIES(UNAUTHENTIC), "unauthentic", by_error},
    {FAULT_RETRIES(OTHER_ORDER), "other_order", by_error},
    {FAULT_RETRIES(UNMATCHED), "unmatched", by_error},
    {FAULT_RETRIES(GARBAGE), "garbage", by_error},
    {FAULT_RETRIES(TOO_LARGE), "too_large", by_error},
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* Law 1: what is not authentic is no answer, whatever it says. */
static enum evidence_kind evidence_as_read(const struct evidence *evidence)
{
    bool answers = evidence_class(evidence->kind) == EVIDENCE_ANSWER;
    return answers && !evidence->authentic ? EVIDENCE_UNAUTHENTIC : evidence->kind;
}

/* Where a row that stays goes on. What was checked too early (its end was put off meanwhile) is open again. */
static enum phase phase_after(const struct facts *f, enum verdict_kind verdict)
{
    enum phase phase = f->order->phase;
    if (verdict == VERDICT_CLOSE)
        return PHASE_CLOSING;
    if (verdict == VERDICT_CLOSED)
        return f->policy->tail.length > 0 ? PHASE_TAIL : phase;
    if (verdict == VERDICT_RETRY && phase == PHASE_CLOSING)
        return PHASE_CHECK;
    return verdict == VERDICT_RETRY && phase == PHASE_CHECK && !life_is_over(f) ? PHASE_OPEN : phase;
}

/* Only an answer uses up an attempt (law 5). They are counted anew while the channel closes, where the requests to
 * close count and not the checks between them, and in the tail. */
static void verdict_count(struct verdict *verdict, const struct lost_order *order, enum evidence_kind kind)
{
    bool answered = evidence_class(kind) == EVIDENCE_ANSWER;
    bool closing_goes_on = order->phase != PHASE_OPEN && verdict->phase != PHASE_TAIL;
    bool anew = verdict->phase != order->phase && !closing_goes_on;
    bool counts = answered && order->phase != PHASE_CHECK;
    verdict->answers = anew ? 0 : order->answers + counts;
    verdict->errors = answered ? 0 : order->errors + 1;
    if (kind == EVIDENCE_UNKNOWN_STATE)
        verdict->unknowns = order->unknowns + 1;
    else
        verdict->unknowns = answered ? 0 : order->unknowns;
}

bool decide_may_close(const struct policy *policy, const struct lost_order *order)
{
    return policy->can_close && !policy->shadow && (policy->closes || order->left_ms != NO_END);
}

struct verdict decide(const struct lost_order *order, const struct evidence *evidence,
                      const struct policy *policy, const struct situation *situation)
{
    int64_t left_ms = schedule_left_ms(policy, order, situation->since_claim_ms);
    struct facts facts = {order, evidence, policy, situation, left_ms};
    enum evidence_kind kind = evidence_as_read(evidence);
    const struct row *row = rows;
    while (row->evidence != kind || !row->holds(&facts)) {
        row++;
        assert(row < rows + ROWS);
    }
    struct verdict verdict = {.kind = row->verdict, .reason = row->reason, .rule = row->rule};
    verdict.due_in_ms = row->delay(&facts);
    verdict.phase = phase_after(&facts, row->verdict);
    verdict.late = row->verdict == VERDICT_PAID && is_in_tail(&facts) && policy->accept_late;
    verdict_count(&verdict, order, kind);
    return verdict;
}

bool decide_row(int index, struct decide_row_view *out)
{
    if (index < 0 || index >= ROWS)
        return false;
    const struct row *row = &rows[index];
    *out = (struct decide_row_view){row->evidence, row->condition, row->verdict, row->reason, row->rule};
    return true;
}
