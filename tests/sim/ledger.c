/* The ledger: a model of the database as doc/sql-contract.md and the fine print of claiming and settling say.
 * Each call happens at one instant: claim, settle and release are transactions. One thread; called when a
 * call arrives. */
#include <assert.h>
#include <stdlib.h>

#include "sim.h"

int64_t ledger_clock(const struct world *world)
{
    return world->now + world->ledger.clock_step;
}

/* ---- claim ---- */

static int oldest_due(const struct world *world, int channel)
{
    const struct ledger *ledger = &world->ledger;
    int64_t clock = ledger_clock(world);
    int oldest = -1;
    for (int i = 0; i < ledger->row_count; i++) {
        const struct row *row = &ledger->rows[i];
        if (row->state != ROW_LIVE || row->channel != channel || row->locked || row->due_at > clock)
            continue;
        if (world->sabotage == SABOTAGE_FORGET_DUE && row->retried)
            continue;
        if (oldest < 0 || row->due_at < ledger->rows[oldest].due_at)
            oldest = i;
    }
    return oldest;
}

/* The sabotage of one queue for all channels: nobody passes an older row, whoever may be asked. */
static bool head_of_line_blocks(const struct world *world, const struct call *call, int attempt)
{
    bool wanted[CHANNELS_MAX] = {false};
    if (world->sabotage != SABOTAGE_HEAD_OF_LINE || !world->plan.starvation)
        return false;
    for (int i = 0; i < call->want_count; i++)
        wanted[call->want_channel[i]] = true;
    for (int i = 0; i < world->plan.channels; i++) {
        int oldest = wanted[i] ? -1 : oldest_due(world, i);
        if (oldest >= 0 && world->ledger.rows[oldest].due_at < world->ledger.rows[attempt].due_at)
            return true;
    }
    return false;
}

/* What claim_due() announces. */
static void sleep_announce(struct world *world, struct call *call)
{
    struct ledger *ledger = &world->ledger;
    for (int want = 0; want < call->want_count; want++) {
        int64_t due_at = NO_END;
        for (int i = 0; i < ledger->row_count; i++) {
            const struct row *row = &ledger->rows[i];
            if (row->state == ROW_LIVE && row->channel == call->want_channel[want] && row->due_at < due_at)
                due_at = row->due_at;
        }
        call->next_ms[want] = due_at == NO_END ? NO_END : due_at - ledger_clock(world);
        ledger->sleep_until[call->want_channel[want]] = call->next_ms[want] <= 50 ? 0 : due_at;
    }
}

bool ledger_wakes(const struct world *world, const struct row *row)
{
    return row->due_at < world->ledger.sleep_until[row->channel];
}

int ledger_claim(struct world *world, struct call *call)
{
    struct ledger *ledger = &world->ledger;
    uint32_t token = ++ledger->last_token;
    for (int want = 0; want < call->want_count; want++) {
        for (int left = call->want_limit[want]; left > 0; left--) {
            int attempt = oldest_due(world, call->want_channel[want]);
            if (attempt < 0 || head_of_line_blocks(world, call, attempt))
                break;
            struct row *row = &ledger->rows[attempt];
            int64_t was_due_at = row->due_at;
            row->due_at = ledger_clock(world) + call->lease_ms;
            row->token = token;
            row->claims++;
            witness_granted(world, call, row, attempt);
            trace_add(world, TRACE_GRANT, call->node, attempt, token, row->claims);
            assert(was_due_at <= ledger_clock(world));
        }
    }
    sleep_announce(world, call);
    return call->count;
}

/* ---- the audit ---- */

static const struct audit_row *audit_find(const struct ledger *ledger, const struct settle_row *said)
{
    for (int i = ledger->rows[said->attempt].last_audit; i >= 0; i = ledger->audits[i].previous) {
        const struct audit_row *audit = &ledger->audits[i];
        if (audit->token == said->token && audit->claimed_us == said->claimed_us)
            return audit;
    }
    return NULL;
}

int ledger_audits_of(const struct world *world, int attempt, uint32_t token)
{
    const struct ledger *ledger = &world->ledger;
    int count = 0;
    for (int i = ledger->rows[attempt].last_audit; i >= 0; i = ledger->audits[i].previous)
        count += ledger->audits[i].token == token;
    return count;
}

static void audit_add(struct ledger *ledger, const struct settle_row *said, struct ruling ruling)
{
    if (ledger->audit_count == ledger->audit_room) {
        ledger->audit_room = ledger->audit_room ? ledger->audit_room * 2 : 256;
        ledger->audits = realloc(ledger->audits, (size_t)ledger->audit_room * sizeof(*ledger->audits));
        assert(ledger->audits);
    }
    struct row *row = &ledger->rows[said->attempt];
    ledger->audits[ledger->audit_count] = (struct audit_row){
        .attempt = said->attempt,
        .token = said->token,
        .chain = said->chain,
        .claimed_us = said->claimed_us,
        .evidence = said->evidence,
        .outcome = ruling.outcome,
        .reason = ruling.reason,
        .goes_on = verdict_puts_off(said->verdict.kind) || said->verdict.kind == VERDICT_CLOSED,
        .previous = row->last_audit,
    };
    memcpy(ledger->audits[ledger->audit_count].request_id, said->request_id, sizeof(said->request_id));
    row->last_audit = ledger->audit_count++;
}

static void audit(struct world *world, const struct settle_row *said, struct ruling ruling)
{
    if (world->sabotage == SABOTAGE_DROP_AUDIT && prng_chance(&world->prng, 10))
        return;
    if (world->sabotage == SABOTAGE_FORGET_AUDIT && audit_find(&world->ledger, said))
        return;
    audit_add(&world->ledger, said, ruling);
    if (world->sabotage == SABOTAGE_DOUBLE_AUDIT && prng_chance(&world->prng, 10))
        audit_add(&world->ledger, said, ruling);
}

/* ---- verdicts ---- */

static struct ruling ruled(enum outcome outcome)
{
    return (struct ruling){outcome, PARK_NOTHING};
}

static void row_end(struct world *world, const struct settle_row *said, enum ending ending)
{
    world->ledger.rows[said->attempt].state = ROW_GONE;
    witness_ended(world, said->attempt, said->token, ending);
}

static void row_park(struct row *row, enum park_reason reason)
{
    row->state = ROW_PARKED;
    row->unread = false;
    row->reason = reason;
    row->token = 0;
}

static struct ruling conflict(struct row *row, enum park_reason reason)
{
    row_park(row, reason);
    return (struct ruling){OUTCOME_CONFLICT, reason};
}

static void order_write(struct world *world, const struct settle_row *said, enum status status)
{
    int number = world->ledger.rows[said->attempt].order;
    world->ledger.orders[number].status = status;
    trace_add(world, TRACE_WRITE, -1, number, status, said->attempt);
    witness_wrote(world, number, said->attempt, status);
}

/* PARK_NOTHING when the order table has this order, with the money of the row and of the answer. */
static enum park_reason order_contradicts(const struct world *world, const struct settle_row *said)
{
    const struct row *row = &world->ledger.rows[said->attempt];
    const struct shop_order *order = &world->ledger.orders[row->order];
    if (!order->exists)
        return PARK_MISSING;
    if (world->sabotage == SABOTAGE_SKIP_ORDER_CHECK)
        return PARK_NOTHING;
    if (order->currency != row->currency)
        return PARK_CURRENCY_MISMATCH;
    return order->amount_minor != row->amount_minor || said->amount_minor != order->amount_minor
               ? PARK_AMOUNT_MISMATCH
               : PARK_NOTHING;
}

static struct ruling settle_paid(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    enum park_reason contradiction = order_contradicts(world, said);
    if (contradiction != PARK_NOTHING)
        return conflict(row, contradiction);
    bool was_paid = order->status == STATUS_PAID || order->status == STATUS_SHIPPED;
    if (was_paid && world->sabotage != SABOTAGE_PAY_PAID) {
        if (order->paid_by != said->attempt)
            return conflict(row, PARK_PAID_TWICE);
        row_end(world, said, ENDING_PAID);
        return ruled(OUTCOME_ALREADY);
    }
    bool late = row->phase == PHASE_TAIL && said->verdict.late;
    if (order->status == STATUS_CLOSED && !late && world->sabotage != SABOTAGE_PAY_CLOSED)
        return conflict(row, PARK_LATE_PAYMENT);
    if (order->status == STATUS_CLOSED)
        witness_reopens(world, said->attempt, said->token, said->verdict.late);
    if (order->status == STATUS_REFUNDED)
        return conflict(row, PARK_STATUS_UNEXPECTED);
    order->paid_by = said->attempt;
    if (world->sabotage != SABOTAGE_DROP_ROW)
        order_write(world, said, STATUS_PAID);
    row_end(world, said, ENDING_PAID);
    return ruled(OUTCOME_APPLIED);
}

static struct ruling settle_refunded(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    enum park_reason contradiction = order_contradicts(world, said);
    if (contradiction != PARK_NOTHING)
        return conflict(row, contradiction);
    if (order->paid_by >= 0 && order->paid_by != said->attempt)
        return conflict(row, PARK_PAID_TWICE);
    if (order->status != STATUS_UNPAID && order->status != STATUS_PAID)
        return conflict(row, PARK_STATUS_UNEXPECTED);
    order_write(world, said, STATUS_REFUNDED);
    row_end(world, said, ENDING_REFUNDED);
    return ruled(OUTCOME_APPLIED);
}

static bool other_attempt_lives(const struct ledger *ledger, int attempt)
{
    for (int i = 0; i < ledger->row_count; i++) {
        const struct row *row = &ledger->rows[i];
        bool here = (row->state == ROW_LIVE && row->phase != PHASE_TAIL) || row->state == ROW_PARKED;
        if (i != attempt && here && row->order == ledger->rows[attempt].order)
            return true;
    }
    return false;
}

static struct ruling settle_retry(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    row->due_at = ledger_clock(world) + said->verdict.due_in_ms;
    row->phase = said->verdict.phase;
    row->answers = said->verdict.answers;
    row->errors = said->verdict.errors;
    row->unknowns = said->verdict.unknowns;
    row->claims = 0;
    row->token = world->sabotage == SABOTAGE_FORGET_AUDIT ? said->token : 0;
    row->retried = true;
    return ruled(OUTCOME_APPLIED);
}

/* The row stays as tail where the verdict says so, and goes at the end of it. */
static struct ruling settle_closed(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    if (row->phase == PHASE_TAIL) { /* the order was closed before */
        row->state = ROW_GONE;
        return ruled(OUTCOME_APPLIED);
    }
    if (!order->exists)
        return conflict(row, PARK_MISSING);
    bool closes = order->status == STATUS_UNPAID && !other_attempt_lives(&world->ledger, said->attempt);
    if (closes && world->sabotage != SABOTAGE_DROP_CLOSE)
        order_write(world, said, STATUS_CLOSED);
    row_end(world, said, said->evidence == EVIDENCE_NOT_FOUND ? ENDING_NOT_FOUND : ENDING_CLOSED);
    if (said->verdict.phase == PHASE_TAIL) {
        row->state = ROW_LIVE;
        settle_retry(world, said);
    }
    return ruled(OUTCOME_APPLIED);
}

static struct ruling settle_park(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    row->answers = said->verdict.answers;
    row_park(row, said->verdict.reason);
    return ruled(OUTCOME_APPLIED);
}

/* ---- settle ---- */

struct ruling settle_fresh(struct world *world, const struct settle_row *said)
{
    static struct ruling (*const verdicts[VERDICT_KINDS])(struct world *, const struct settle_row *) = {
        [VERDICT_PAID] = settle_paid,     [VERDICT_REFUNDED] = settle_refunded,
        [VERDICT_CLOSED] = settle_closed, [VERDICT_RETRY] = settle_retry,
        [VERDICT_CLOSE] = settle_retry,   [VERDICT_PARK] = settle_park,
    };
    struct row *row = &world->ledger.rows[said->attempt];
    bool ours = row->state == ROW_LIVE && row->token == said->token;
    if (world->sabotage == SABOTAGE_IGNORE_TOKEN)
        ours = row->state == ROW_LIVE;
    if (!ours)
        return ruled(OUTCOME_FENCED);
    bool contended =
        world->act == ACT_FAULTS && world->plan.faults & FAULT_BUSY && prng_chance(&world->prng, 15);
    if (row->locked || world->ledger.orders[row->order].locked_by > 0 || contended)
        return ruled(OUTCOME_BUSY);
    witness_applied(world, said->attempt, said->token);
    return verdicts[said->verdict.kind](world, said);
}

/* What saboteurs do with a settle that was recorded already. */
static bool repeat_is_sabotaged(struct world *world, const struct settle_row *said)
{
    bool paid = said->verdict.kind == VERDICT_PAID &&
                said->attempt == world->ledger.orders[world->ledger.rows[said->attempt].order].paid_by;
    if (world->sabotage == SABOTAGE_REPEAT_APPLIES && paid)
        order_write(world, said, STATUS_PAID);
    return world->sabotage == SABOTAGE_FORGET_AUDIT;
}

static struct ruling settle_one(struct world *world, const struct settle_row *said)
{
    const struct audit_row *known = audit_find(&world->ledger, said);
    if (known && !repeat_is_sabotaged(world, said))
        return (struct ruling){known->outcome, known->reason};
    struct ruling ruling = said->chain ? settle_message(world, said) : settle_fresh(world, said);
    if (ruling.outcome != OUTCOME_BUSY || said->last)
        audit(world, said, ruling);
    return ruling;
}

bool ledger_settle(struct world *world, struct call *call)
{
    for (int i = 0; i < call->count; i++)
        if (world->ledger.rows[call->rows[i].attempt].poisoned && !call->rows[i].poison)
            return false;
    for (int i = 0; i < call->count; i++) {
        call->rulings[i] = settle_one(world, &call->rows[i]);
        trace_add(world, TRACE_RULING, call->rows[i].token, call->rows[i].attempt, call->rulings[i].outcome,
                  call->rulings[i].reason);
    }
    return true;
}

void ledger_release(struct world *world, const struct call *call)
{
    for (int i = 0; i < call->count; i++) {
        struct row *row = &world->ledger.rows[call->rows[i].attempt];
        if (row->state != ROW_LIVE || row->token != call->rows[i].token)
            continue;
        row->due_at = ledger_clock(world);
        row->claims--;
        row->token = 0;
        trace_add(world, TRACE_RELEASE, call->node, call->rows[i].attempt, call->rows[i].token, row->due_at);
    }
}
