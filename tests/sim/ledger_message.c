/* The ledger's part about messages, as sql/017_message.sql says: what a message is known for, and how it is settled as a row
 * that is there for a moment. One thread; called when a call arrives. */
#include <string.h>

#include "sim.h"

/* What was fenced, or busy to the end, was not settled. */
static const struct audit_row *step_find(const struct world *world, int attempt, uint32_t chain,
                                         int64_t claimed_us)
{
    const struct ledger *ledger = &world->ledger;
    for (int i = ledger->rows[attempt].last_audit; i >= 0; i = ledger->audits[i].previous) {
        const struct audit_row *audit = &ledger->audits[i];
        if (audit->chain == chain && audit->claimed_us == claimed_us && audit->outcome != OUTCOME_FENCED &&
            audit->outcome != OUTCOME_BUSY)
            return world->sabotage == SABOTAGE_FORGET_CHAIN ? NULL : audit;
    }
    return NULL;
}

/* Where the shop tells attempts apart, an order that is paid may have been paid by another one. */
static bool order_is_over(const struct shop_order *order, bool named)
{
    bool paid = order->status == STATUS_PAID || order->status == STATUS_SHIPPED;
    return order->exists && (order->status == STATUS_REFUNDED || (paid && !named));
}

/* A message counts once the step that wrote it is recorded, and if it was that one. */
static enum message_look look_at(const struct world *world, const struct glance *glance, bool over)
{
    const struct step *before = &glance->before;
    if (over || step_find(world, glance->attempt, glance->chain, glance->claimed_us))
        return LOOK_DONE;
    if (before->due_us == 0 || world->sabotage == SABOTAGE_FORGET_CHAIN)
        return LOOK_ASK;
    const struct audit_row *audit = step_find(world, glance->attempt, glance->chain, before->due_us);
    if (!audit)
        return LOOK_WAIT;
    return audit->goes_on && strcmp(audit->request_id, before->request_id) == 0 ? LOOK_ASK : LOOK_DONE;
}

/* A person has it; what could not be read says nothing about the attempt that it names. */
static bool row_is_parked(const struct row *row)
{
    return row->state == ROW_PARKED && !row->unread;
}

void ledger_look(struct world *world, struct call *call)
{
    for (int i = 0; i < call->count; i++) {
        const struct glance *glance = &call->glances[i];
        const struct shop_order *order = &world->ledger.orders[world->ledger.rows[glance->attempt].order];
        struct looked *looked = &call->looked[i];
        bool over = order_is_over(order, glance->named);
        *looked = (struct looked){.known = order->exists, .amount_minor = order->amount_minor};
        looked->look = look_at(world, glance, over || row_is_parked(&world->ledger.rows[glance->attempt]));
        for (int letter = 0; letter < CURRENCY_BYTES; letter++)
            looked->currency[letter] = currencies[order->currency][letter];
        if (over && world->witness.ending[glance->attempt] == ENDING_NONE)
            witness_ended(world, glance->attempt, 0, ENDING_RESOLVED);
    }
}

/* A message that could not be read: a person has its order now. */
void ledger_keep(struct world *world, const struct call *call)
{
    struct row *rows = world->ledger.rows;
    const struct row *meant = &rows[call->glances[0].attempt];
    for (int i = 0; i < world->ledger.row_count; i++)
        if (rows[i].order == meant->order && rows[i].channel == meant->channel &&
            (rows[i].state == ROW_MAIL || rows[i].state == ROW_GONE)) {
            rows[i].state = ROW_PARKED;
            rows[i].unread = true;
        }
}

/* What is not over stays what it was, or is a tail; a message tells of it from now on, if nothing else does. */
static void row_leave(struct row *row, const struct row *before)
{
    int last_audit = row->last_audit;
    bool lives = row->state == ROW_LIVE;
    enum phase phase = lives && row->phase == PHASE_TAIL ? PHASE_TAIL : before->phase;
    if ((lives && before->state == ROW_LIVE) || before->state == ROW_PARKED)
        *row = *before;
    else if (lives)
        row->state = ROW_MAIL;
    row->phase = phase;
    row->amount_minor = before->amount_minor;
    row->last_audit = last_audit;
}

struct ruling settle_message(struct world *world, const struct settle_row *said)
{
    struct row *row = &world->ledger.rows[said->attempt];
    struct row before = *row;
    bool taken = row->state == ROW_LIVE && row->token != 0 && row->due_at > ledger_clock(world);
    if (taken || row_is_parked(row) || step_find(world, said->attempt, said->chain, said->claimed_us))
        return (struct ruling){OUTCOME_FENCED, PARK_NOTHING};
    row->state = ROW_LIVE;
    row->phase = said->phase_before;
    row->token = said->token;
    row->amount_minor = said->order_amount_minor;
    struct ruling ruling = settle_fresh(world, said);
    row_leave(row, &before);
    return ruling;
}
