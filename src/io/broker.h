/* The broker: delayed messages of RocketMQ as a source of lost orders (makegood/source.h). Receives what is due, lets the
 * store look at its orders, and hands on what is left to be asked. Settled, a message is acknowledged; what is put off has
 * its next message stored before that, and before the store settles it: whatever is lost on the way, the message comes
 * again, and is recognised. Loop's thread only; decides nothing. */
#ifndef MAKEGOOD_BROKER_H
#define MAKEGOOD_BROKER_H

#include "io/rocketmq.h"
#include "io/store.h"

struct broker;

/* What became of messages. X(NAME, text) */
#define MESSAGE_FATE_LIST(X)        \
    X(RECEIVED, "received")         \
    X(RECOGNISED, "recognised")     \
    X(SENT, "sent")                 \
    X(FORWARDED, "forwarded")       \
    X(ACKNOWLEDGED, "acknowledged") \
    X(MISREAD, "misread")

enum message_fate {
#define X(name, ...) MESSAGE_##name,
    MESSAGE_FATE_LIST(X)
#undef X
        MESSAGE_FATES
};
const char *message_fate_text(enum message_fate fate);

struct broker_view {
    bool up;
    uint64_t messages[MESSAGE_FATES]; /* since the start */
};

struct broker_options {
    struct rocketmq_options mq;
    int64_t max_delay_ms; /* longer delays go by hops */
    int in_flight;        /* messages that may be with the engine */
};

struct broker_events {
    const char *(*topic_of)(void *self, const char *channel); /* NULL: none of ours */
    void (*claimed)(void *self, const struct lost_order *orders, int count);
    void (*claim_failed)(void *self);
    void (*settle_failed)(void *self, struct batch *batch);
    void (*released)(void *self, struct batch *batch);
    void (*up)(void *self);
    void (*down)(void *self, const char *reason);
    void (*refused)(void *self, const char *what,
                    const char *reason); /* a call: topic, group, rights; told once */
    void (*misread)(void *self, const char *id, const char *why); /* a message: kept for a person */
};

int broker_create(struct broker **out, uv_loop_t *loop, struct store *store,
                  const struct broker_options *options, const struct broker_events *events, void *self);
/* Before the store goes. */
void broker_destroy(struct broker *broker);
/* Ends the claim that is under way, with what there is. */
void broker_stop(struct broker *broker);

void broker_claim(struct broker *broker, const struct claim_want *wants, int count);
/* Ends in the store's events, or in settle_failed. */
void broker_settle(struct broker *broker, struct batch *batch);
/* To be told of each batch of messages that the store has settled. */
void broker_settled(struct broker *broker, const struct batch *batch, const enum outcome *outcomes);
void broker_release(struct broker *broker, struct batch *batch);
/* One of a claim that the engine could not take: it goes with the next one. */
void broker_refuse(struct broker *broker, const struct lost_order *order);
void broker_look(const struct broker *broker, struct broker_view *out);

#endif
