/* One virtual world: its events in the order of their time, and the turn of its wheel. One thread; virtual
 * milliseconds only. A world ends when the faults are over, the rest is resolved and every engine came to
 * rest. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define EVENTS_LIMIT  300000 /* far beyond any world: somebody runs hot */
#define STOP_LIMIT_MS 180000

/* ---- the heap ---- */

static bool event_precedes(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct world *world, const struct event *event)
{
    if (world->heap_count == world->heap_room) {
        world->heap_room = world->heap_room ? world->heap_room * 2 : 256;
        world->heap = realloc(world->heap, (size_t)world->heap_room * sizeof(*world->heap));
        assert(world->heap);
    }
    int place = world->heap_count++;
    while (place > 0 && event_precedes(event, &world->heap[(place - 1) / 2])) {
        world->heap[place] = world->heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    world->heap[place] = *event;
}

static struct event heap_pop(struct world *world)
{
    struct event first = world->heap[0];
    struct event moved = world->heap[--world->heap_count];
    int place = 0;
    for (;;) {
        int child = place * 2 + 1;
        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count && event_precedes(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!event_precedes(&world->heap[child], &moved))
            break;
        world->heap[place] = world->heap[child];
        place = child;
    }
    world->heap[place] = moved;
    return first;
}

void world_schedule(struct world *world, int64_t delay_ms, enum event_kind kind, int node, int subject,
                    int64_t extra)
{
    assert(delay_ms >= 0);
    struct event event = {
        .at = world->now + delay_ms,
        .order = world->scheduled++,
        .kind = kind,
        .node = node,
        .life = node >= 0 ? world->nodes[node].life : 0,
        .subject = subject,
        .extra = extra,
    };
    heap_push(world, &event);
}

/* ---- what happens ---- */

static void happen_calm(struct world *world)
{
    world->act = ACT_CALM;
    world->ledger.down = world->ledger.broken = false;
    mail_outage(world, false);
    for (int i = 0; i < world->plan.channels; i++)
        if (!world->plan.dead[i])
            world->bank.outage[i] = EVIDENCE_NONE;
    for (int i = 0; i < world->plan.nodes; i++) {
        world_schedule(world, 0, EVENT_CONFIGURE, i, 0, 0);
        world_schedule(world, 0, EVENT_STEER, i, 0, 0);
    }
    world_schedule(world, world->plan.liveness_ms, EVENT_DEADLINE, -1, 0, ACT_CALM);
}

static void happen_deadline(struct world *world, int64_t act)
{
    if (act == ACT_CALM && world->act == ACT_CALM)
        violate(world, INVARIANT_LIVENESS, "%d rows are still open, the first is attempt %d",
                world->witness.open_rows, world->witness.first_open);
    if (act == ACT_STOP && world->act == ACT_STOP)
        violate(world, INVARIANT_LIVENESS, "an engine did not come to rest after engine_stop");
}

static void happen_clock(struct world *world, int64_t step_ms)
{
    world->ledger.clock_step += step_ms;
    if (step_ms <
        0) /* a due time that the step moved away comes later by as much: the shop has to wait too */
        world->plan.liveness_ms -= step_ms;
}

static void happen_anywhere(struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TRACK:
        timeline_track(world, event->subject);
        break;
    case EVENT_CANARY:
        timeline_canary(world, event->subject);
        break;
    case EVENT_ARRIVE:
        call_arrive(world, &world->calls[event->subject]);
        break;
    case EVENT_CLOCK:
        happen_clock(world, event->extra);
        break;
    case EVENT_DATABASE_DOWN:
    case EVENT_DATABASE_UP:
        world->ledger.down = event->kind == EVENT_DATABASE_DOWN && world->act == ACT_FAULTS;
        break;
    case EVENT_SCHEMA_BROKEN:
    case EVENT_SCHEMA_MENDED:
        world->ledger.broken = event->kind == EVENT_SCHEMA_BROKEN && world->act == ACT_FAULTS;
        break;
    case EVENT_OUTAGE:
    case EVENT_OUTAGE_END:
        if (!world->plan.dead[event->subject])
            world->bank.outage[event->subject] = event->kind == EVENT_OUTAGE && world->act == ACT_FAULTS
                                                     ? (enum evidence_kind)event->extra
                                                     : EVIDENCE_NONE;
        break;
    case EVENT_MAIL_ARRIVE:
        mail_arrive(world, event->subject, event->extra);
        break;
    case EVENT_BROKER_DOWN:
    case EVENT_BROKER_UP:
        mail_outage(world, event->kind == EVENT_BROKER_DOWN && world->act == ACT_FAULTS);
        break;
    case EVENT_SHOP_BEGIN:
        shop_begin(world, event->subject, event->extra);
        break;
    case EVENT_SHOP_END:
        shop_end(world, event->subject, event->extra);
        break;
    case EVENT_CALM:
        happen_calm(world);
        break;
    default:
        happen_deadline(world, event->extra);
        break;
    }
}

/* A crash may come after any event of an engine. */
static void happen_to_crash(struct world *world, struct node *node)
{
    bool may = world->plan.faults & FAULT_CRASHES && world->act == ACT_FAULTS && node->engine;
    if (may && prng_between(&world->prng, 1, 300) == 1)
        node_crash(world, node);
}

static void happen_to_node(struct world *world, const struct event *event)
{
    struct node *node = &world->nodes[event->node];
    switch (event->kind) {
    case EVENT_START:
        node_start(world, node);
        break;
    case EVENT_CRASH:
        node_crash(world, node);
        break;
    case EVENT_STOP:
        node_stop(world, node);
        break;
    case EVENT_STALL:
        node->stalled_until = world->now + event->extra;
        break;
    case EVENT_CONFIGURE:
        node_configure(world, node, world->act != ACT_FAULTS);
        break;
    case EVENT_STEER:
        node_steer(world, node, world->act != ACT_FAULTS);
        break;
    case EVENT_ANSWER:
        node_answer(world, node, event->subject);
        break;
    case EVENT_REPLY:
        call_reply(world, &world->calls[event->subject]);
        break;
    case EVENT_MAIL_REPLY:
        mail_reply(world, event->subject);
        break;
    case EVENT_RING:
        post_ring(world, node, event->extra);
        break;
    default:
        node_wake(world, node);
        break;
    }
    happen_to_crash(world, node);
}

/* Events of a life that ended are dropped; what comes to a stalled engine waits for it. */
static bool event_is_for_now(struct world *world, const struct event *event)
{
    const struct node *node = &world->nodes[event->node];
    if (event->kind == EVENT_START)
        return true;
    bool fate = event->kind == EVENT_CRASH || event->kind == EVENT_STOP || event->kind == EVENT_STALL ||
                event->kind == EVENT_CONFIGURE || event->kind == EVENT_STEER; /* strikes whoever lives */
    bool meant = node->engine && (fate || event->life == node->life);
    if (event->kind == EVENT_WAKE)
        meant = meant && (uint64_t)event->extra == node->wake;
    if (event->kind == EVENT_REPLY && !meant)
        world->calls[event->subject].pending--;
    if (event->kind == EVENT_MAIL_REPLY && !meant)
        mail_dropped(world, event->subject);
    if (!meant || node->stalled_until <= world->now || event->kind == EVENT_CRASH)
        return meant;
    struct event later = *event;
    later.at = node->stalled_until;
    later.order = world->scheduled++;
    heap_push(world, &later);
    return false;
}

static void world_step(struct world *world)
{
    struct event event = heap_pop(world);
    world->now = event.at;
    world->events++;
    if (event.node >= 0 && !event_is_for_now(world, &event))
        return;
    if (event.kind != EVENT_WAKE || world->trace.print)
        trace_event(world, &event);
    if (event.node >= 0)
        happen_to_node(world, &event);
    else
        happen_anywhere(world, &event);
    witness_check(world);
}

/* ---- the end ---- */

static bool fleet_rests(const struct world *world)
{
    for (int i = 0; i < world->plan.nodes; i++)
        if (world->nodes[i].engine)
            return false;
    return true;
}

static void world_move_on(struct world *world)
{
    if (world->act == ACT_CALM && world->witness.open_rows == 0) {
        world->act = ACT_STOP;
        world->drained_ms = world->now - world->plan.faults_end_ms;
        world_schedule(world, STOP_LIMIT_MS, EVENT_DEADLINE, -1, 0, ACT_STOP);
        for (int i = 0; i < world->plan.nodes; i++)
            world_schedule(world, 0, EVENT_STOP, i, 0, 0);
    } else if (world->act == ACT_STOP && fleet_rests(world)) {
        world->act = ACT_OVER;
        witness_close(world);
    }
}

void world_run(struct world *world)
{
    while (world->heap_count > 0 && world->act != ACT_OVER && !world->witness.failed) {
        world_step(world);
        world_move_on(world);
        if (world->events > EVENTS_LIMIT)
            violate(world, INVARIANT_LIVENESS, "%d events and no end: somebody runs hot", EVENTS_LIMIT);
    }
    assert(world->witness.failed || world->act == ACT_OVER);
}

struct world *world_create(uint64_t seed, enum sabotage sabotage, bool print)
{
    struct world *world = calloc(1, sizeof(*world));
    assert(world);
    world->seed = seed;
    world->sabotage = sabotage;
    world->prng.state = seed * 0x2545f4914f6cdd1du + 1;
    world->trace.print = print;
    for (int i = 0; i < NODES_MAX; i++)
        world->nodes[i].index = i, world->nodes[i].world = world;
    witness_init(world);
    mailbox_enter(world);
    plan_make(world);
    timeline_make(world);
    return world;
}

void world_destroy(struct world *world)
{
    for (int i = 0; i < NODES_MAX; i++)
        node_end(world, &world->nodes[i]);
    mailbox_destroy(world->mailbox);
    free(world->ledger.audits);
    free(world->witness.grants);
    free(world->heap);
    free(world);
}
