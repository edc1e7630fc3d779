/* Apache RocketMQ 5 through its proxy (gRPC): sends delayed messages, receives what is due, acknowledges. Facts and their
 * sources: doc/rocketmq.md. Owns one connection, settles it by telemetry, keeps it by heartbeats, and does so again
 * whenever the proxy forgot us. Loop's thread only; never blocks, never repeats a call. */
#ifndef MAKEGOOD_ROCKETMQ_H
#define MAKEGOOD_ROCKETMQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "makegood/enum.h"

#define RECEIVE_MAX      32 /* messages by one receive: the proxy gives no more */
#define MESSAGE_ID_BYTES 64
#define HANDLE_BYTES     1024

/* What came of a call. X(NAME, text, what to do) */
#define MQ_RESULT_LIST(X)                                                                                    \
    X(OK, "ok", "")                                                                                          \
    X(EXPIRED, "expired", "the message is no longer ours: it comes again, or was acknowledged already")      \
    X(BUSY, "busy", "the proxy refuses so many calls at once: repeat later")                                 \
    X(DENIED, "denied", "the proxy does not take the access key, or it has no right to this topic or group") \
    X(UNTRUSTED, "untrusted", "one side wants TLS, or another certificate than the other has")               \
    X(NO_TOPIC, "no_topic", "there is no such topic")                                                        \
    X(WRONG_TYPE, "wrong_type", "the topic is not one for delayed messages")                                 \
    X(NO_GROUP, "no_group", "there is no such consumer group")                                               \
    X(TOO_FAR, "too_far", "the broker keeps no message for that long")                                       \
    X(UNKNOWN, "unknown", "no answer: it may have been done, or not")                                        \
    X(REFUSED, "refused", "the proxy refuses it for another reason")

enum mq_result {
#define X(name, ...) MQ_##name,
    MQ_RESULT_LIST(X)
#undef X
        MQ_RESULTS
};
ENUM_DECLARE(mq_result)

struct rocketmq;

struct rocketmq_options {
    const char *endpoint;   /* HOST:PORT of the proxy's gRPC port */
    const char *ca_file;    /* NULL: no TLS */
    const char *access_key; /* with secret_key; or both NULL */
    const char *secret_key;
    const char *group;
    const char *const *topics; /* ended by NULL */
    const char *client_id;     /* unique among all that use the group */
    int64_t invisible_ms;      /* how long a received message is ours; at least 10 s */
    int64_t poll_ms;           /* how long a receive waits for messages; 5 to 20 s */
    int64_t timeout_ms;        /* of any other call */
};

struct rocketmq_events {
    void (*up)(void *self);
    /* One sentence, no secret; DENIED and UNTRUSTED name the configuration's keys. */
    void (*down)(void *self, enum mq_result result, const char *reason);
};

/* Texts are valid during the callback. */
struct mq_message {
    const char *topic;
    const char *id;
    const char *handle; /* for ack and change */
    const uint8_t *body;
    size_t length;
    int64_t born_ms;    /* since 1970; 0: not told */
    int64_t deliver_ms; /* since 1970, when it was to be delivered; 0: not told */
    int attempt;        /* deliveries, this one included */
};

/* Copied by the calls. */
struct mq_draft {
    const char *topic;
    const char *key; /* for people who search; or NULL */
    const char *id;  /* unique; the same for the repeat of a send */
    const uint8_t *body;
    size_t length;
    int64_t deliver_ms; /* since 1970 */
};

/* reason: a sentence where the result is not OK. */
typedef void (*mq_done)(void *self, enum mq_result result, const char *reason);
typedef void (*mq_received)(void *self, enum mq_result result, const char *reason,
                            const struct mq_message *messages, int count);

/* 0 or -ENOMEM. */
int rocketmq_create(struct rocketmq **out, uv_loop_t *loop, const struct rocketmq_options *options,
                    const struct rocketmq_events *events, void *self);
/* Answers all that is under way, as UNKNOWN; takes leave of the proxy, for a moment, while the loop runs on. Not from inside
 * a callback. */
void rocketmq_destroy(struct rocketmq *mq);
bool rocketmq_is_up(const struct rocketmq *mq);

/* Each answers by done, once, from the loop; without memory at once. Receives wait for poll_ms; an empty answer is OK. */
void rocketmq_receive(struct rocketmq *mq, const char *topic, int limit, mq_received done, void *self);
void rocketmq_send(struct rocketmq *mq, const struct mq_draft *draft, mq_done done, void *self);
void rocketmq_ack(struct rocketmq *mq, const char *topic, const char *id, const char *handle, mq_done done,
                  void *self);
/* The message comes again after so long, from now on; one more delivery is counted. */
void rocketmq_return(struct rocketmq *mq, const char *topic, const char *id, const char *handle,
                     int64_t after_ms, mq_done done, void *self);
/* Receives under way end at once, with nothing. */
void rocketmq_stop_receiving(struct rocketmq *mq);
/* Does the topic exist, and does it take delayed messages? */
void rocketmq_route(struct rocketmq *mq, const char *topic, mq_done done, void *self);

#endif
