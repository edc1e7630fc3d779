/* The witness: checks what was asked, proved, written and audited against the bank's truth. It keeps its own
 * records, so that a broken ledger or engine can not vouch for itself. One thread; told of everything by the
 * other parts and called after every event. Never changes the world but for its verdict on it. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const char *const invariant_texts[] = {
#define X(name, text, sentence) text,
    INVARIANT_LIST(X)
#undef X
};

const char *invariant_text(enum invariant value)
{
    return invariant_texts[value];
}

bool invariant_parse(const char *text, enum invariant *out)
{
    for (int i = 0; i < (int)INVARIANTS; i++)
        if (strcmp(invariant_texts[i], text) == 0) {
            *out = (enum invariant)i;
            return true;
        }
    return false;
}

/* The first violation counts: what follows may be its consequence. */
void violate(struct world *world, enum invariant invariant, const char *format, ...)
{
    struct witness *witness = &world->witness;
    if (witness->failed)
        return;
    witness->failed = true;
    witness->invariant = invariant;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(witness->text, sizeof(witness->text), format, arguments);
    va_end(arguments);
}

void witness_init(struct world *world)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        world->witness.last_grant[i] = -1;
}

int witness_find(const struct world *world, int attempt, uint32_t token)
{
    int grant = world->witness.last_grant[attempt];
    while (grant >= 0 && world->witness.grants[grant].token != token)
        grant = world->witness.grants[grant].previous;
    return grant;
}

int witness_find_parcel(const struct world *world, const struct node *node, int64_t parcel)
{
    const struct witness *witness = &world->witness;
    for (int i = witness->grant_count - 1; i >= 0; i--)
        if (witness->grants[i].parcel == parcel && witness->grants[i].node == node->index &&
            witness->grants[i].life == node->life)
            return i;
    return -1;
}

/* ---- what it is told ---- */

static struct grant *grant_add(struct witness *witness, int attempt)
{
    if (witness->grant_count == witness->grant_room) {
        witness->grant_room = witness->grant_room ? witness->grant_room * 2 : 256;
        witness->grants = realloc(witness->grants, (size_t)witness->grant_room * sizeof(*witness->grants));
        assert(witness->grants);
    }
    struct grant *grant = &witness->grants[witness->grant_count];
    *grant = (struct grant){.attempt = attempt, .previous = witness->last_grant[attempt]};
    witness->last_grant[attempt] = witness->grant_count++;
    return grant;
}

void witness_granted(struct world *world, struct call *call, const struct row *row, int attempt)
{
    struct grant *grant = grant_add(&world->witness, attempt);
    int64_t clock = ledger_clock(world);
    grant->token = row->token;
    grant->claimed_us = clock * 1000;
    grant->left_ms = row->expires_at == NO_END ? NO_END : row->expires_at - clock;
    grant->age_ms = clock - row->created_at;
    grant->claimed_at = world->now;
    grant->node = call->node;
    grant->life = call->life;
    grant->phase = row->phase;
    grant->claims = row->claims;
    grant->answers = row->answers;
    grant->errors = row->errors;
    grant->unknowns = row->unknowns;
    grant->crashed = world->nodes[call->node].life != call->life;
    call->grants[call->count++] = world->witness.last_grant[attempt];
}

/* A message came to an engine. What it says of times is not believed. */
void witness_delivered(struct world *world, struct node *node, const struct lost_order *order)
{
    struct witness *witness = &world->witness;
    int attempt = attempt_of(order);
    const struct row *row = &world->ledger.rows[attempt];
    struct grant *grant = grant_add(witness, attempt);
    int64_t clock = ledger_clock(world);
    grant->token = 0x80000000u | (uint32_t)(witness->grant_count - 1);
    grant->chain = chain_of(order->token);
    grant->parcel = order->attempt_id;
    grant->claimed_us = order->claimed_us;
    grant->left_ms = row->expires_at == NO_END ? NO_END : row->expires_at - clock;
    grant->age_ms = clock - row->created_at;
    if (world->plan.faults & FAULT_CLOCK) { /* which may have been set since it was received */
        grant->left_ms = order->left_ms;
        grant->age_ms = order->age_ms;
    }
    grant->claimed_at = world->now;
    grant->node = node->index;
    grant->life = node->life;
    grant->phase = order->phase;
    grant->claims = order->claims;
    grant->answers = order->answers;
    trace_add(world, TRACE_GRANT, node->index, attempt, grant->token, grant->claims);
    if (order->answers > witness->answers_given[attempt])
        violate(world, INVARIANT_BURN, "a message says %d answers of attempt %d, which got %d",
                order->answers, attempt, witness->answers_given[attempt]);
}

/* Not found is final past the end of life and its grace, on a channel where something was found lately. */
static bool not_found_is_final(const struct world *world, const struct node *node, const struct grant *grant)
{
    int channel = world->ledger.rows[grant->attempt].channel;
    const struct policy *policy = &node->policies[channel];
    const struct watch *watch = &node->watches[channel];
    int64_t left_ms = grant->left_ms == NO_END ? policy->horizon_ms - grant->age_ms : grant->left_ms;
    int64_t passed_ms = world->now - grant->claimed_at;
    bool proven = watch->found_at >= 0 && world->now - watch->found_at <= policy->found_lately_ms;
    return left_ms - passed_ms + policy->not_found_grace_ms <= 0 && proven;
}

void witness_answered(struct world *world, struct node *node, struct slot *slot,
                      const struct evidence *evidence)
{
    struct witness *witness = &world->witness;
    struct grant *grant = &witness->grants[slot->grant];
    grant->answered = true;
    grant->evidence = evidence->kind;
    if (!evidence->authentic)
        return;
    witness->answers_given[grant->attempt]++;
    if (evidence->kind == EVIDENCE_NOT_FOUND)
        grant->final_not_found = not_found_is_final(world, node, grant);
}

/* The same message was delivered to somebody else, who was answered already. */
bool witness_rivals(const struct world *world, const struct grant *grant)
{
    const struct grant *grants = world->witness.grants;
    for (int i = world->witness.last_grant[grant->attempt]; i >= 0; i = grants[i].previous)
        if (&grants[i] != grant && grants[i].chain == grant->chain &&
            grants[i].claimed_us == grant->claimed_us && grants[i].answered)
            return true;
    return false;
}

/* Of a message: it, or what the broker delivered of it before. */
static bool message_was_applied(const struct world *world, const struct grant *grant)
{
    const struct grant *grants = world->witness.grants;
    for (int i = world->witness.last_grant[grant->attempt]; i >= 0; i = grants[i].previous)
        if (grants[i].chain == grant->chain && grants[i].claimed_us == grant->claimed_us && grants[i].applied)
            return true;
    return false;
}

static int newest_claim(const struct world *world, int attempt)
{
    int grant = world->witness.last_grant[attempt];
    while (grant >= 0 && world->witness.grants[grant].chain)
        grant = world->witness.grants[grant].previous;
    return grant;
}

void witness_applied(struct world *world, int attempt, uint32_t token)
{
    int found = witness_find(world, attempt, token);
    struct grant *grant = found >= 0 ? &world->witness.grants[found] : NULL;
    if (grant && grant->chain && message_was_applied(world, grant))
        violate(world, INVARIANT_TWICE, "one message about attempt %d was settled twice", attempt);
    else if (grant && grant->chain)
        grant->applied = true;
    else if (!grant || found != newest_claim(world, attempt))
        violate(world, INVARIANT_FENCE,
                "attempt %d was changed under token %u, which is not of its newest claim", attempt, token);
    else if (grant->applied)
        violate(world, INVARIANT_TWICE, "attempt %d was settled twice under token %u", attempt, token);
    else
        grant->applied = true;
}

static bool money_fits(const struct world *world, int order, int attempt)
{
    const struct shop_order *shop = &world->ledger.orders[order];
    const struct payment *payment = &world->bank.payments[attempt];
    return world->ledger.rows[attempt].order == order && payment->amount_minor == shop->amount_minor &&
           payment->currency == shop->currency;
}

static void closed_has_proof(struct world *world, int attempt, uint32_t token)
{
    const struct grant *grant = &world->witness.grants[witness_find(world, attempt, token)];
    enum fate fate = world->bank.payments[attempt].fate;
    bool closed_there =
        fate == FATE_CLOSED || fate == FATE_PENDING_THEN_CLOSED || world->bank.payments[attempt].closed;
    bool proven =
        grant->answered && ((grant->evidence == EVIDENCE_CLOSED && closed_there) || grant->final_not_found);
    if (!proven)
        violate(world, INVARIANT_PROOF, "attempt %d was closed without proof: the answer was %s", attempt,
                evidence_kind_text(grant->evidence));
}

/* A closed order becomes paid. */
void witness_reopens(struct world *world, int attempt, uint32_t token, bool late)
{
    const struct grant *grant = &world->witness.grants[witness_find(world, attempt, token)];
    if (!late || grant->phase != PHASE_TAIL)
        violate(world, INVARIANT_LATE, "attempt %d makes a closed order paid, in phase %s", attempt,
                phase_text(grant->phase));
}

void witness_wrote(struct world *world, int order, int attempt, enum status status)
{
    if (status == STATUS_PAID && ++world->witness.paid_writes[order] > 1)
        violate(world, INVARIANT_TWICE, "order %d was written paid twice", order);
    if (status == STATUS_PAID && !(bank_paid(world, attempt) && money_fits(world, order, attempt)))
        violate(world, INVARIANT_PROOF, "order %d was written paid, attempt %d was not paid so", order,
                attempt);
    if (status == STATUS_REFUNDED && !(bank_refunded(world, attempt) && money_fits(world, order, attempt)))
        violate(world, INVARIANT_PROOF, "order %d was written refunded, attempt %d was not", order, attempt);
}

void witness_ended(struct world *world, int attempt, uint32_t token, enum ending ending)
{
    int grant = token ? witness_find(world, attempt, token) : -1;
    world->witness.ending[attempt] = ending;
    if (grant >= 0 && world->witness.grants[grant].closing)
        violate(world, INVARIANT_CLOSING, "attempt %d ended by what closing answered", attempt);
    if (ending == ENDING_CLOSED || ending == ENDING_NOT_FOUND)
        closed_has_proof(world, attempt, token);
}

/* An engine was told the outcomes of its batch: by now each is in the audit, once. */
void witness_settled(struct world *world, struct node *node, const struct call *call)
{
    for (int i = 0; i < call->count; i++) {
        const struct settle_row *said = &call->rows[i];
        if (call->rulings[i].outcome == OUTCOME_BUSY && !said->last)
            continue;
        int audits = ledger_audits_of(world, said->attempt, said->token);
        if (audits != 1)
            violate(world, INVARIANT_AUDIT,
                    "node %d settled attempt %d, token %u, and there are %d audit rows", node->index,
                    said->attempt, said->token, audits);
    }
}

void witness_crashed(struct world *world, const struct node *node)
{
    struct witness *witness = &world->witness;
    for (int i = 0; i < witness->grant_count; i++)
        if (witness->grants[i].node == node->index && witness->grants[i].life == node->life)
            witness->grants[i].crashed = true;
}

/* ---- after every event ---- */

/* Somebody will still ask about the order, or a person will. */
static bool keeps_order(const struct world *world, int attempt)
{
    const struct row *row = &world->ledger.rows[attempt];
    return (row->state == ROW_LIVE && row->phase != PHASE_TAIL) || row->state == ROW_PARKED ||
           mail_open_letters(world, attempt) > 0;
}

/* A payer's money never goes out of sight. */
static void check_money(struct world *world, int attempt)
{
    const struct row *row = &world->ledger.rows[attempt];
    const struct witness *witness = &world->witness;
    bool gone = row->state == ROW_GONE || row->state == ROW_MAIL;
    if (!gone || mail_letters(world, attempt) > 0 || !bank_paid(world, attempt))
        return;
    enum ending ending = witness->ending[attempt];
    enum status status = world->ledger.orders[row->order].status;
    bool settled = (ending == ENDING_PAID || ending == ENDING_RESOLVED) && status != STATUS_UNPAID;
    if (!settled && ending != ENDING_NOT_FOUND)
        violate(world, INVARIANT_LOST, "attempt %d was paid, its row is gone, and its order is not paid",
                attempt);
}

static bool channel_is_halted(const struct world *world, int channel)
{
    bool halted = false;
    for (int i = 0; i < world->plan.nodes; i++) {
        if (world->nodes[i].engine && !world->nodes[i].watches[channel].halted)
            return false;
        halted = halted || world->nodes[i].engine;
    }
    return halted;
}

/* Nobody can end these: the channel is dead, or says nothing that would be proof. */
static bool row_may_stay(const struct world *world, int attempt)
{
    const struct row *row = &world->ledger.rows[attempt];
    const struct payment *payment = &world->bank.payments[attempt];
    return payment->canary || payment->fate == FATE_SICK || world->plan.dead[row->channel] ||
           world->plan.quiet[row->channel] || channel_is_halted(world, row->channel);
}

static void check_starvation(struct world *world, int attempt)
{
    const struct row *row = &world->ledger.rows[attempt];
    if (world->plan.dead[row->channel] || world->now - row->due_at <= world->plan.starvation_ms)
        return;
    violate(world, INVARIANT_STARVATION, "attempt %d of a healthy channel is due since %lld ms and not asked",
            attempt, (long long)(world->now - row->due_at));
}

static void check_rows(struct world *world, bool here[ORDERS_MAX], bool tracked[ORDERS_MAX])
{
    struct witness *witness = &world->witness;
    witness->open_rows = 0;
    for (int i = 0; i < world->ledger.row_count; i++) {
        const struct row *row = &world->ledger.rows[i];
        here[row->order] = here[row->order] || keeps_order(world, i);
        tracked[row->order] = tracked[row->order] || row->state != ROW_NONE;
        check_money(world, i);
        bool waits = row->state == ROW_LIVE || mail_letters(world, i) > 0;
        if (row->state == ROW_NONE || (row->state == ROW_GONE && !waits))
            continue;
        if (row->answers > witness->answers_given[i])
            violate(world, INVARIANT_BURN, "attempt %d has %d answers used up, and got %d", i, row->answers,
                    witness->answers_given[i]);
        if (!waits)
            continue;
        if (world->plan.starvation && row->state == ROW_LIVE)
            check_starvation(world, i);
        if (row_may_stay(world, i))
            continue;
        witness->first_open = witness->open_rows++ == 0 ? i : witness->first_open;
    }
}

void witness_check(struct world *world)
{
    bool here[ORDERS_MAX];
    bool tracked[ORDERS_MAX];
    size_t orders = (size_t)world->ledger.order_count;
    memset(here, 0, orders);
    memset(tracked, 0, orders);
    check_rows(world, here, tracked);
    for (size_t i = 0; i < orders; i++) {
        const struct shop_order *order = &world->ledger.orders[i];
        if (tracked[i] && order->exists && order->status == STATUS_UNPAID && !here[i])
            violate(world, INVARIANT_LOST, "order %zu is unpaid, and nobody will ask about it any more", i);
    }
}

/* At the end every query that was made left its audit row, unless its engine crashed. */
void witness_close(struct world *world)
{
    const struct witness *witness = &world->witness;
    for (int i = 0; i < witness->grant_count; i++) {
        const struct grant *grant = &witness->grants[i];
        int audits = ledger_audits_of(world, grant->attempt, grant->token);
        if (audits > 1 || (audits == 0 && grant->asked > 0 && !grant->crashed))
            violate(world, INVARIANT_AUDIT,
                    "attempt %d was asked about under token %u, and there are %d audit rows", grant->attempt,
                    grant->token, audits);
    }
}
