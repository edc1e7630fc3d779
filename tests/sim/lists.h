/* The simulator's lists: what must hold, what is broken on purpose to prove that it is watched, what may
 * happen, and what is traced. Enums and their texts are born from them. */
#ifndef LISTS_H
#define LISTS_H

#include "makegood/enum.h"

/* ---- invariants and their sabotaged twins ---- */

/* X(NAME, text, sentence) */
#define INVARIANT_LIST(X)                                                                                   \
    X(LOST, "lost", "an unresolved order has a lost row or a parked row, or its attempts ended by proof")   \
    X(PROOF, "proof", "paid, refunded and closed are written only with the channel's proof")                \
    X(TWICE, "twice", "an order is paid once, and a claim is applied once")                                 \
    X(CLOSING, "closing",                                                                                   \
      "the channel is asked to close only what may be closed, and its answer settles nothing")              \
    X(LATE, "late", "only the tail under the policy that accepts it turns closed into paid")                \
    X(FENCE, "fence", "only the newest claim of a row may change it")                                       \
    X(BURN, "burn", "only authentic answers use up an attempt")                                             \
    X(BOUNDS, "bounds", "slots, concurrency and batches stay within what was configured")                   \
    X(STEERED, "steered", "a channel that is held back is not asked, and no instance exceeds its share")    \
    X(PACE, "pace", "token bucket and Retry-After are obeyed")                                              \
    X(BREAKER, "breaker", "an open breaker lets single probes through, a halted channel is not asked")      \
    X(ALONE, "alone", "a row that may be killing us is asked alone")                                        \
    X(AUDIT, "audit", "every settled query leaves exactly one audit row")                                   \
    X(LIVENESS, "liveness", "once the faults stop, everything is resolved or parked within a bounded time") \
    X(STARVATION, "starvation", "a dead channel does not delay the orders of another")                      \
    X(COUNTERS, "counters", "the engine's counters add up")

enum invariant {
#define X(name, ...) INVARIANT_##name,
    INVARIANT_LIST(X)
#undef X
        INVARIANTS
};
ENUM_DECLARE(invariant)

/* X(NAME, invariant that must catch it, what is broken on purpose) */
#define SABOTAGE_LIST(X)                                                                                 \
    X(DROP_ROW, LOST, "the ledger removes the row and forgets the order")                                \
    X(ACK_FIRST, LOST, "a message is gone once it was handed out")                                       \
    X(DROP_NEXT, LOST, "the broker confirms messages that it does not keep")                             \
    X(DROP_CLOSE, LOST, "the ledger drops the last row of an attempt that is over and leaves the order") \
    X(REPAIR_AMOUNT, PROOF, "a mismatched amount is repaired into a matching one")                       \
    X(TRUST_FORGED, PROOF, "a forged answer passes for an authentic one")                                \
    X(SKIP_ORDER_CHECK, PROOF, "the ledger does not compare with the order row")                         \
    X(HASTY_NOT_FOUND, PROOF, "not found ends an order without its grace")                               \
    X(REPEAT_APPLIES, TWICE, "the repeat of an unknown commit is applied again")                         \
    X(FORGET_AUDIT, TWICE, "the ledger forgets what it recorded, and lets the token live on")            \
    X(FORGET_CHAIN, TWICE, "the ledger forgets which messages it has settled")                           \
    X(PAY_PAID, TWICE, "the ledger pays an order that is paid already")                                  \
    X(CLOSE_ANYTHING, CLOSING, "the engine is told that every channel closes everything")                \
    X(BELIEVE_CLOSING, CLOSING, "what closing answers passes for the answer to a query")                 \
    X(PAY_CLOSED, LATE, "the ledger pays a closed order, whatever its row says")                         \
    X(IGNORE_TOKEN, FENCE, "the ledger ignores the token")                                               \
    X(COUNT_FAULTS, BURN, "a fault counts as an answer")                                                 \
    X(ASK_TWICE, BOUNDS, "every question is sent twice")                                                 \
    X(LIE_CONCURRENCY, BOUNDS, "the engine is told a higher concurrency")                                \
    X(LIE_BATCH, BOUNDS, "the engine is told a larger batch")                                            \
    X(DEAF_HOLD, STEERED, "the engine is not told that a channel is held back")                          \
    X(DEAF_SHARE, STEERED, "the engine is not told of the other instances")                              \
    X(LIE_RATE, PACE, "the engine is told a higher rate")                                                \
    X(HIDE_RETRY_AFTER, PACE, "the engine is not told of Retry-After")                                   \
    X(DEAF_BREAKER, BREAKER, "the engine is told a breaker that never opens")                            \
    X(LIE_CRASH_LIMIT, ALONE, "the engine is told a crash limit out of reach")                           \
    X(DROP_AUDIT, AUDIT, "now and then the audit row is not written")                                    \
    X(DOUBLE_AUDIT, AUDIT, "now and then the audit row is written twice")                                \
    X(SWALLOW_SETTLE, LIVENESS, "an answer of the database to a settle never arrives")                   \
    X(KEEP_INVISIBLE, LIVENESS, "a message that was not acknowledged never comes again")                 \
    X(FORGET_DUE, LIVENESS, "the ledger never hands out a row that was retried")                         \
    X(HEAD_OF_LINE, STARVATION, "a claim hands out nothing past an older row of any channel")            \
    X(DEAF_WAKE, STARVATION, "the engine sleeps, and is not told when orders are due")                   \
    X(TELL_OTHERWISE, COUNTERS, "the engine is told another outcome than the ledger recorded")

enum sabotage {
    SABOTAGE_NONE,
#define X(name, ...) SABOTAGE_##name,
    SABOTAGE_LIST(X)
#undef X
        SABOTAGES
};

/* ---- events and their trace ---- */

/* X(NAME, text): what may happen */
#define EVENT_LIST(X)                 \
    X(TRACK, "track")                 \
    X(WAKE, "wake")                   \
    X(ANSWER, "answer")               \
    X(ARRIVE, "arrive")               \
    X(REPLY, "reply")                 \
    X(START, "start")                 \
    X(CRASH, "crash")                 \
    X(STOP, "stop")                   \
    X(STALL, "stall")                 \
    X(CONFIGURE, "configure")         \
    X(STEER, "steer")                 \
    X(CLOCK, "clock")                 \
    X(DATABASE_DOWN, "database_down") \
    X(DATABASE_UP, "database_up")     \
    X(SCHEMA_BROKEN, "schema_broken") \
    X(SCHEMA_MENDED, "schema_mended") \
    X(OUTAGE, "outage")               \
    X(OUTAGE_END, "outage_end")       \
    X(SHOP_BEGIN, "shop_begin")       \
    X(SHOP_END, "shop_end")           \
    X(CANARY, "canary")               \
    X(CALM, "calm")                   \
    X(DEADLINE, "deadline")           \
    X(MAIL_ARRIVE, "mail_arrive")     \
    X(MAIL_REPLY, "mail_reply")       \
    X(RING, "ring")                   \
    X(BROKER_DOWN, "broker_down")     \
    X(BROKER_UP, "broker_up")

enum event_kind {
#define X(name, ...) EVENT_##name,
    EVENT_LIST(X)
#undef X
        EVENTS
};

/* X(NAME, text, label and reading of a, label and reading of b): lines of the trace that are no events */
#define TRACE_LIST(X)                                                           \
    X(CLAIM, "claims", "rows", NUMBER, "call", NUMBER)                          \
    X(GRANT, "is granted", "token", NUMBER, "claims", NUMBER)                   \
    X(ASK, "asks", "token", NUMBER, "meets", EVIDENCE)                          \
    X(EVIDENCE, "hears", "evidence", EVIDENCE, "amount", NUMBER)                \
    X(SETTLE, "settles", "verdict", VERDICT, "reason", REASON)                  \
    X(RULING, "is ruled", "outcome", OUTCOME, "reason", REASON)                 \
    X(WRITE, "order is written", "status", NUMBER, "by attempt", NUMBER)        \
    X(RELEASE, "is released", "token", NUMBER, "due", NUMBER)                   \
    X(FAILURE, "call fails", "kind", NUMBER, "failure", FAILURE)                \
    X(NOTE, "notes", "note", NOTE, "duration", NUMBER)                          \
    X(SHOP, "shop acts on order", "deed", NUMBER, "status", NUMBER)             \
    X(MAILED, "message is stored", "message", NUMBER, "delay", NUMBER)          \
    X(HANDED, "message is handed out", "message", NUMBER, "deliveries", NUMBER) \
    X(ACKED, "message is acknowledged", "message", NUMBER, "was there", NUMBER)

enum trace_kind {
#define X(name, ...) TRACE_##name,
    TRACE_LIST(X)
#undef X
        TRACES
};

#endif
