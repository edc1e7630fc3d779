/* The bank: what each payment truly is, and what a question about it meets. Gives evidence as an interpreter
 * would: nothing here knows policies or verdicts. One thread; called by the fleet. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

bool bank_paid(const struct world *world, int attempt)
{
    static const bool paid[FATES] = {
        [FATE_PAID] = true,          [FATE_PENDING_THEN_PAID] = true, [FATE_HIDDEN_THEN_PAID] = true,
        [FATE_FLAGGED] = true,       [FATE_WRONG_AMOUNT] = true,      [FATE_WRONG_CURRENCY] = true,
        [FATE_REFUNDED_PART] = true, [FATE_NO_AMOUNT] = true,
    };
    const struct payment *payment = &world->bank.payments[attempt];
    if (payment->closed)
        return payment->paid_late;
    return paid[payment->fate] && payment->pending_left == 0;
}

bool bank_refunded(const struct world *world, int attempt)
{
    return world->bank.payments[attempt].fate == FATE_REFUNDED;
}

/* Now and then the payer is faster. */
static void payment_close(struct world *world, struct payment *payment)
{
    bool pending = payment->fate == FATE_PENDING || payment->fate == FATE_LATE || payment->pending_left > 0;
    if (!pending || payment->closed || payment->hidden_left > 0)
        return;
    payment->pending_left = 0;
    if (prng_chance(&world->prng, 25))
        payment->fate = FATE_PAID;
    else
        payment->closed = true;
}

/* ---- what a question meets ---- */

static enum evidence_kind any_fault(struct world *world)
{
    return (enum evidence_kind)prng_between(&world->prng, EVIDENCE_TIMEOUT, EVIDENCE_TOO_LARGE);
}

static enum evidence_kind question_meets(struct world *world, int attempt)
{
    struct payment *payment = &world->bank.payments[attempt];
    if (payment->fate == FATE_UNASKABLE)
        return EVIDENCE_UNASKABLE;
    enum evidence_kind outage = world->bank.outage[world->ledger.rows[attempt].channel];
    if (outage != EVIDENCE_NONE)
        return outage;
    if (payment->fate == FATE_SICK)
        return EVIDENCE_GARBAGE;
    if (payment->faults_left > 0) {
        payment->faults_left--;
        return payment->fate == FATE_FORGED ? EVIDENCE_PAID : any_fault(world);
    }
    bool noise = world->act == ACT_FAULTS && world->plan.faults & FAULT_NOISE;
    return noise && prng_chance(&world->prng, 12) ? any_fault(world) : EVIDENCE_NONE;
}

/* What comes back after how long. The truth is looked up when the answer arrives. */
int64_t bank_ask(struct world *world, struct node *node, struct slot *slot, int attempt)
{
    int64_t timeout_ms = node->policies[world->ledger.rows[attempt].channel].timeout_ms;
    slot->fault = question_meets(world, attempt);
    if (slot->closing && slot->fault == EVIDENCE_TIMEOUT && prng_chance(&world->prng, 50))
        payment_close(world, &world->bank.payments[attempt]); /* it did, and we do not hear of it */
    if (slot->fault == EVIDENCE_TIMEOUT)
        return timeout_ms;
    if (slot->fault == EVIDENCE_UNASKABLE)
        return 0;
    int64_t slowest_ms = timeout_ms < 300 ? timeout_ms : 300;
    if (world->plan.faults & FAULT_NOISE && prng_chance(&world->prng, 5))
        slowest_ms = timeout_ms;
    return prng_between(&world->prng, 10, slowest_ms);
}

/* ---- evidence ---- */

static void say_money(struct evidence *out, int64_t amount_minor, int currency)
{
    out->has_amount = true;
    out->amount_minor = amount_minor;
    memcpy(out->currency, currencies[currency], CURRENCY_BYTES);
}

static void say_fault(struct world *world, const struct slot *slot, int attempt, struct evidence *out)
{
    const struct row *row = &world->ledger.rows[attempt];
    out->kind = slot->fault;
    if (slot->fault == EVIDENCE_RATE_LIMITED ||
        (slot->fault == EVIDENCE_SERVER_ERROR && prng_chance(&world->prng, 20)))
        out->retry_after_ms = prng_between(&world->prng, 0, 30000);
    if (slot->fault == EVIDENCE_PAID) { /* forged */
        say_money(out, row->amount_minor, row->currency);
        out->authentic = world->sabotage == SABOTAGE_TRUST_FORGED;
    }
}

/* A late payment happens before a question that will be heard: what a fenced worker hears, nobody promised to act on. */
static bool tail_hears(const struct world *world, const struct slot *slot, int attempt)
{
    const struct row *row = &world->ledger.rows[attempt];
    const struct grant *grant = &world->witness.grants[slot->grant];
    if (grant->chain)
        return grant->phase == PHASE_TAIL && !witness_rivals(world, grant);
    return row->state == ROW_LIVE && row->phase == PHASE_TAIL &&
           row->token == world->witness.grants[slot->grant].token;
}

static enum evidence_kind truth_of(struct payment *payment, bool tail)
{
    static const enum evidence_kind truths[FATES] = {
        [FATE_PAID] = EVIDENCE_PAID,
        [FATE_PENDING_THEN_PAID] = EVIDENCE_PAID,
        [FATE_HIDDEN_THEN_PAID] = EVIDENCE_PAID,
        [FATE_CLOSED] = EVIDENCE_CLOSED,
        [FATE_PENDING_THEN_CLOSED] = EVIDENCE_CLOSED,
        [FATE_REFUNDED] = EVIDENCE_REFUNDED,
        [FATE_REFUNDED_PART] = EVIDENCE_REFUNDED,
        [FATE_FLAGGED] = EVIDENCE_PAID_FLAGGED,
        [FATE_NEVER_FOUND] = EVIDENCE_NOT_FOUND,
        [FATE_PENDING] = EVIDENCE_PENDING,
        [FATE_WRONG_AMOUNT] = EVIDENCE_PAID,
        [FATE_WRONG_CURRENCY] = EVIDENCE_PAID,
        [FATE_WRONG_MERCHANT] = EVIDENCE_PAID,
        [FATE_NO_AMOUNT] = EVIDENCE_PAID,
        [FATE_STRANGE] = EVIDENCE_UNKNOWN_STATE,
        [FATE_FORGED] = EVIDENCE_NOT_FOUND,
        [FATE_STUBBORN] = EVIDENCE_PENDING,
        [FATE_LATE] = EVIDENCE_PENDING,
    };
    if (payment->hidden_left > 0) {
        payment->hidden_left--;
        return EVIDENCE_NOT_FOUND;
    }
    if (payment->pending_left > 0) {
        payment->pending_left--;
        return EVIDENCE_PENDING;
    }
    if (!payment->closed)
        return truths[payment->fate];
    if (payment->fate == FATE_LATE && tail && payment->late_left-- <= 0)
        payment->paid_late = true;
    return payment->paid_late ? EVIDENCE_PAID : EVIDENCE_CLOSED;
}

/* ---- closing ---- */

/* What the channel answers to being asked to close: some accept what they do not know, or can not close. */
static void say_closing(struct world *world, int attempt, struct evidence *out)
{
    struct payment *payment = &world->bank.payments[attempt];
    payment_close(world, payment);
    bool unknown =
        payment->hidden_left > 0 || payment->fate == FATE_NEVER_FOUND || payment->fate == FATE_FORGED;
    out->authentic = true;
    out->kind = EVIDENCE_CLOSED;
    if (unknown && prng_chance(&world->prng, 50))
        out->kind = EVIDENCE_NOT_FOUND;
    if (bank_paid(world, attempt) || bank_refunded(world, attempt))
        out->kind = EVIDENCE_PAID;
}

static void say_truth(struct world *world, const struct slot *slot, int attempt, struct evidence *out)
{
    struct payment *payment = &world->bank.payments[attempt];
    const struct row *row = &world->ledger.rows[attempt];
    out->kind = truth_of(payment, tail_hears(world, slot, attempt));
    out->authentic = true;
    out->merchant_differs = payment->fate == FATE_WRONG_MERCHANT;
    bool names_money =
        out->kind == EVIDENCE_PAID || out->kind == EVIDENCE_PAID_FLAGGED || out->kind == EVIDENCE_REFUNDED;
    if (!names_money || payment->fate == FATE_NO_AMOUNT)
        return;
    say_money(out, payment->amount_minor, payment->currency);
    if (world->sabotage == SABOTAGE_REPAIR_AMOUNT)
        say_money(out, row->amount_minor, row->currency);
    out->has_refunded = out->kind == EVIDENCE_REFUNDED;
    out->refunded_minor = payment->fate == FATE_REFUNDED ? payment->amount_minor : payment->amount_minor / 2;
}

void bank_answer(struct world *world, const struct slot *slot, int attempt, struct evidence *out)
{
    *out = (struct evidence){.http_status = 200};
    if (slot->fault != EVIDENCE_UNASKABLE)
        snprintf(out->request_id, sizeof(out->request_id), "%d", slot->grant);
    if (slot->fault == EVIDENCE_NONE && slot->closing)
        say_closing(world, attempt, out);
    else if (slot->fault == EVIDENCE_NONE)
        say_truth(world, slot, attempt, out);
    else
        say_fault(world, slot, attempt, out);
    if (out->kind == EVIDENCE_PAID)
        snprintf(out->channel_number, sizeof(out->channel_number), "C%d", attempt);
}
