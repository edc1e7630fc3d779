/* The shop's own transactions: a notification that did arrive, an order closed or shipped by hand, and locks
 * that are held for a while for nothing. One thread; called by their events. */
#include "sim.h"

/* The deed is drawn with the event: 0 to 9. */
static bool deed_resolves(int64_t deed)
{
    return deed <= 4;
}
static bool deed_closes(int64_t deed)
{
    return deed == 5 || deed == 6;
}
static bool deed_ships(int64_t deed)
{
    return deed == 7;
}

void shop_begin(struct world *world, int attempt, int64_t deed)
{
    struct row *row = &world->ledger.rows[attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    if (row->state == ROW_NONE || !order->exists || order->locked_by > 0)
        return;
    order->locked_by++;
    row->locked = deed_resolves(deed);
    world_schedule(world, prng_between(&world->prng, 5, 3000), EVENT_SHOP_END, -1, attempt, deed);
}

/* The shop has the channel's notification in hand, and settles what it is about. */
static void shop_resolve(struct world *world, int attempt)
{
    struct row *row = &world->ledger.rows[attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    const struct payment *payment = &world->bank.payments[attempt];
    bool fits = payment->amount_minor == order->amount_minor && payment->currency == order->currency;
    if (!bank_paid(world, attempt) || !fits || order->status != STATUS_UNPAID)
        return;
    order->status = STATUS_PAID;
    order->paid_by = attempt;
    witness_wrote(world, row->order, attempt, STATUS_PAID);
    if (row->state == ROW_LIVE || row->state == ROW_PARKED)
        witness_ended(world, attempt, 0, ENDING_RESOLVED);
    row->state = ROW_GONE;
}

void shop_end(struct world *world, int attempt, int64_t deed)
{
    struct row *row = &world->ledger.rows[attempt];
    struct shop_order *order = &world->ledger.orders[row->order];
    order->locked_by--;
    row->locked = false;
    if (deed_resolves(deed))
        shop_resolve(world, attempt);
    else if (deed_closes(deed) && order->status == STATUS_UNPAID)
        order->status = STATUS_CLOSED;
    else if (deed_ships(deed) && order->status == STATUS_PAID)
        order->status = STATUS_SHIPPED;
    trace_add(world, TRACE_SHOP, -1, row->order, deed, order->status);
}
