/* The engines' operations, and their database calls on the way: each arrives at the ledger and is answered
 * after a while, or is cut before, between or after. One thread; operations are called by the engines, the
 * rest by events. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define ATTEMPT_BASE 1000 /* attempt_id of row 0 */

static uint32_t token_of(const char *text)
{
    return (uint32_t)strtoul(text + 24, NULL, 16);
}

/* ---- sending ---- */

enum call_fault call_meets(struct world *world)
{
    if (world->act != ACT_FAULTS || !(world->plan.faults & FAULT_CUTS) || !prng_chance(&world->prng, 15))
        return CALL_CLEAN;
    return (enum call_fault)prng_between(&world->prng, CALL_ANSWER_LOST, CALL_ZOMBIE);
}

int64_t call_delay(struct world *world)
{
    bool slow = world->act == ACT_FAULTS && world->plan.faults & FAULT_SLOW_DATABASE;
    return slow && prng_chance(&world->prng, 20) ? prng_between(&world->prng, 20, 5000)
                                                 : prng_between(&world->prng, 0, 8);
}

struct call *call_create(struct node *node, enum call_kind kind, struct batch *batch)
{
    struct world *world = node->world;
    int place = 0;
    while (world->calls[place].pending > 0)
        place++;
    assert(place < CALLS_MAX);
    struct call *call = &world->calls[place];
    call->pending = 2;
    call->kind = kind;
    call->fault = call_meets(world);
    call->node = node->index;
    call->life = node->life;
    call->batch = batch;
    call->failed = false;
    call->want_count = call->count = 0;
    call->told = NULL;
    call->kept = NULL;
    return call;
}

void call_send(struct node *node, struct call *call)
{
    struct world *world = node->world;
    int place = (int)(call - world->calls);
    int64_t there_ms = call_delay(world);
    int64_t back_ms = there_ms + call_delay(world);
    if (call->fault == CALL_ZOMBIE) /* the line is cut first, and the database carries it out all the same */
        there_ms = back_ms + prng_between(&world->prng, 1, 15000);
    world_schedule(world, there_ms, EVENT_ARRIVE, -1, place, 0);
    world_schedule(world, back_ms, EVENT_REPLY, node->index, place, 0);
}

static void operation_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct node *node = self;
    bounds_claim(node->world, node, SOURCE_TABLE, wants, count);
    struct call *call = call_create(node, CALL_CLAIM, NULL);
    call->lease_ms = lease_ms;
    int total = 0;
    for (int i = 0; i < count; i++) {
        call->want_channel[i] = channel_index(wants[i].channel);
        call->want_limit[i] = wants[i].limit;
        total += wants[i].limit;
    }
    call->want_count = count;
    node->claiming[SOURCE_TABLE] = true;
    node->seen.claims++;
    trace_add(node->world, TRACE_CLAIM, node->index, count, total, call - node->world->calls);
    call_send(node, call);
}

/* Under which claim, or by which delivery, the engine has it. */
static int grant_of(const struct node *node, const struct job *job)
{
    int grant = job->source == SOURCE_BROKER
                    ? witness_find_parcel(node->world, node, job->order.attempt_id)
                    : witness_find(node->world, (int)job->order.attempt_id - ATTEMPT_BASE,
                                   token_of(job->order.token));
    assert(grant >= 0);
    return grant;
}

static void operation_ask(void *self, struct job *job)
{
    struct node *node = self;
    struct world *world = node->world;
    assert(job->slot < (uint32_t)node->config.in_flight && job->state == JOB_ASKING);
    struct slot *slot = &node->slots[job->slot];
    assert(!slot->asking);
    slot->grant = grant_of(node, job);
    int attempt = world->witness.grants[slot->grant].attempt;
    slot->job = job;
    slot->asking = true;
    slot->closing = job->order.phase == PHASE_CLOSING;
    int channel = world->ledger.rows[attempt].channel;
    int64_t delay_ms = bank_ask(world, node, slot, attempt);
    trace_add(world, TRACE_ASK, node->index, attempt, world->witness.grants[slot->grant].token, slot->fault);
    bounds_ask(world, node, slot, channel);
    if (world->sabotage == SABOTAGE_ASK_TWICE)
        bounds_ask(world, node, slot, channel);
    world_schedule(world, delay_ms, EVENT_ANSWER, node->index, (int)job->slot, 0);
}

/* Everything is copied: the engine may be dead before it arrives. */
static void row_say(struct settle_row *said, const struct grant *grant, const struct job *job,
                    enum sabotage sabotage)
{
    assert(job->state == JOB_SETTLING);
    said->attempt = grant->attempt;
    said->token = grant->token;
    said->chain = grant->chain;
    said->phase_before = job->order.phase;
    memcpy(said->request_id, job->evidence.request_id, sizeof(said->request_id));
    said->order_amount_minor = job->order.amount_minor;
    said->claimed_us = job->order.claimed_us;
    said->verdict = job->verdict;
    said->evidence = job->evidence.kind;
    said->amount_minor = job->evidence.amount_minor;
    memcpy(said->currency, job->evidence.currency, sizeof(said->currency));
    said->authentic = job->evidence.authentic;
    said->last = job->last;
    said->poison = job->poison;
    if (sabotage == SABOTAGE_COUNT_FAULTS && evidence_class(job->evidence.kind) == EVIDENCE_FAULT)
        said->verdict.answers++;
}

void batch_send(struct node *node, enum call_kind kind, struct batch *batch)
{
    struct world *world = node->world;
    if (batch->count > node->batch_most || batch->count < 1)
        violate(world, INVARIANT_BOUNDS, "node %d sends a batch of %d, the batch size is %d", node->index,
                batch->count, node->batch_most);
    struct call *call = call_create(node, kind, batch);
    assert(batch->count <= SLOTS_MAX);
    for (int i = 0; i < batch->count; i++) {
        struct settle_row *said = &call->rows[call->count++];
        row_say(said, &world->witness.grants[grant_of(node, batch->jobs[i])], batch->jobs[i],
                world->sabotage);
        trace_add(world, TRACE_SETTLE, node->index, said->attempt, said->verdict.kind, said->verdict.reason);
    }
    call_send(node, call);
}

static void operation_settle(void *self, struct batch *batch)
{
    struct node *node = self;
    node->seen.settles++;
    batch_send(node, CALL_SETTLE, batch);
}

static void operation_release(void *self, struct batch *batch)
{
    batch_send(self, CALL_RELEASE, batch);
}

static void operation_note(void *self, const struct note *note)
{
    struct node *node = self;
    bounds_note(node->world, node, note);
}

const struct engine_world fleet_operations = {
    .sources = {[SOURCE_TABLE] = {operation_claim, operation_settle, operation_release, NULL},
                [SOURCE_BROKER] = {post_claim, post_settle, post_release, post_refuse}},
    .ask = operation_ask,
    .note = operation_note};

/* ---- arriving ---- */

static void call_fail(struct call *call, enum failure failure, const char *sqlstate)
{
    call->failed = true;
    call->failure = failure;
    call->sqlstate = sqlstate;
}

void call_arrive(struct world *world, struct call *call)
{
    call->pending--;
    if (call->fault == CALL_ABORTED)
        return;
    if (world->ledger.down)
        call_fail(call, FAILURE_LATER, "57P01");
    else if (world->ledger.broken)
        call_fail(call, FAILURE_SCHEMA, "42883");
    else if (call->kind == CALL_CLAIM)
        ledger_claim(world, call);
    else if (call->kind == CALL_RELEASE)
        ledger_release(world, call);
    else if (call->kind == CALL_LOOK)
        ledger_look(world, call);
    else if (call->kind == CALL_KEEP)
        ledger_keep(world, call);
    else if (!ledger_settle(world, call))
        call_fail(call, FAILURE_ROW, "22P05");
}

/* ---- answering ---- */

static void order_fill(const struct world *world, const struct grant *grant, struct lost_order *out)
{
    const struct row *row = &world->ledger.rows[grant->attempt];
    *out = (struct lost_order){.attempt_id = grant->attempt + ATTEMPT_BASE, .claimed_us = grant->claimed_us};
    snprintf(out->token, sizeof(out->token), "00000000-0000-4000-8000-%012x", grant->token);
    snprintf(out->order_no, sizeof(out->order_no), "O%d", row->order);
    snprintf(out->number, sizeof(out->number), "N%d", grant->attempt);
    memcpy(out->channel, world->plan.policies[row->channel].channel, sizeof(out->channel));
    memcpy(out->currency, currencies[row->currency], sizeof(out->currency));
    out->amount_minor = row->amount_minor;
    out->age_ms = grant->age_ms;
    out->left_ms = grant->left_ms;
    out->phase = grant->phase;
    out->answers = grant->answers;
    out->errors = grant->errors;
    out->unknowns = grant->unknowns;
    out->claims = grant->claims;
}

/* Rows that are due and were not given are held by somebody. */
static void claim_tell(struct world *world, struct node *node, const struct call *call)
{
    for (int i = 0; i < call->want_count && world->sabotage != SABOTAGE_DEAF_WAKE; i++)
        if (call->next_ms[i] != NO_END)
            engine_due(node->engine, channel_names[call->want_channel[i]],
                       call->next_ms[i] > 0 ? call->next_ms[i] : 100, node_clock(world, node));
    engine_sleeps(node->engine, true);
}

static void claim_reply(struct world *world, struct node *node, struct call *call)
{
    static struct lost_order orders[BATCH_MAX];
    int64_t clock = node_clock(world, node);
    node->claiming[SOURCE_TABLE] = false;
    if (call->failed) {
        trace_add(world, TRACE_FAILURE, node->index, call - world->calls, call->kind, call->failure);
        engine_claim_failed(node->engine, SOURCE_TABLE, call->failure, call->sqlstate, clock);
        return;
    }
    for (int i = 0; i < call->count; i++)
        order_fill(world, &world->witness.grants[call->grants[i]], &orders[i]);
    engine_claimed(node->engine, SOURCE_TABLE, orders, call->count, clock);
    if (world->plan.precise)
        claim_tell(world, node, call);
}

/* The witness counts what the engine is about to be told. */
static void settle_count(struct world *world, struct node *node, const struct call *call)
{
    for (int i = 0; i < call->count; i++) {
        enum outcome outcome = call->rulings[i].outcome;
        const struct verdict *verdict = &call->rows[i].verdict;
        node->seen.outcomes[outcome]++;
        if (outcome == OUTCOME_CONFLICT)
            node->seen.parked[call->rulings[i].reason]++;
        if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_ALREADY)
            continue;
        const struct grant *grant =
            &world->witness.grants[witness_find(world, call->rows[i].attempt, call->rows[i].token)];
        if (verdict->kind == VERDICT_CLOSED && grant->phase == PHASE_TAIL)
            continue; /* the order was closed, and counted, before */
        node->seen.verdicts[verdict->kind]++;
        if (verdict->kind == VERDICT_PARK)
            node->seen.parked[verdict->reason]++;
    }
}

static void settle_reply(struct world *world, struct node *node, struct call *call)
{
    enum outcome outcomes[SLOTS_MAX];
    enum park_reason reasons[SLOTS_MAX];
    int64_t clock = node_clock(world, node);
    if (call->failed) {
        trace_add(world, TRACE_FAILURE, node->index, call - world->calls, call->kind, call->failure);
        node->seen.settle_failures[call->failure]++;
        engine_settle_failed(node->engine, call->batch, call->failure, call->sqlstate, clock);
        return;
    }
    witness_settled(world, node, call);
    settle_count(world, node, call);
    for (int i = 0; i < call->count; i++) {
        outcomes[i] = call->rulings[i].outcome;
        reasons[i] = call->rulings[i].reason;
        if (world->sabotage == SABOTAGE_TELL_OTHERWISE && outcomes[i] == OUTCOME_APPLIED)
            outcomes[i] = OUTCOME_FENCED;
    }
    if (call->batch->source == SOURCE_BROKER)
        broker_settled(node->broker, call->batch, outcomes);
    engine_settled(node->engine, call->batch, outcomes, reasons, clock);
}

/* Once: it may arrive after its answer. */
static void look_reply(struct node *node, struct call *call)
{
    store_looked told = call->told;
    call->told = NULL;
    node->blind = call->failed;
    told(call->self, call->failed ? NULL : call->looked, call->count);
}

static void keep_reply(struct call *call)
{
    void (*kept)(void *, bool) = call->kept;
    call->kept = NULL;
    kept(call->self, !call->failed);
}

void call_reply(struct world *world, struct call *call)
{
    struct node *node = &world->nodes[call->node];
    call->pending--;
    if (call->fault != CALL_CLEAN)
        call_fail(call, FAILURE_UNKNOWN, "08006");
    if (world->sabotage == SABOTAGE_SWALLOW_SETTLE && call->kind == CALL_SETTLE &&
        prng_chance(&world->prng, 5))
        return;
    if (call->kind == CALL_CLAIM)
        claim_reply(world, node, call);
    else if (call->kind == CALL_SETTLE)
        settle_reply(world, node, call);
    else if (call->kind == CALL_LOOK)
        look_reply(node, call);
    else if (call->kind == CALL_KEEP)
        keep_reply(call);
    else
        engine_released(node->engine, call->batch, node_clock(world, node));
    node_advance(world, node);
}
