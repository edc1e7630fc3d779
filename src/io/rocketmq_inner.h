/* Inside the RocketMQ client: what rocketmq.c (the session) and rocketmq_call.c (messages) share. Nobody else includes
 * this. */
#ifndef MAKEGOOD_ROCKETMQ_INNER_H
#define MAKEGOOD_ROCKETMQ_INNER_H

#include "io/grpc.h"
#include "io/rocketmq.h"
#include <rocketmq.pb-c.h>

#pragma GCC diagnostic ignored "-Wcast-qual" /* protobuf-c's initialisers cast const away */

#define SIMPLE_CONSUMER 3
#define TYPE_DELAY      3
#define TOPICS_MAX      64

struct task;

struct rocketmq {
    struct rocketmq_options options; /* its texts: copies of our own */
    struct rocketmq_events events;
    void *self;
    struct grpc *grpc;
    bool secure;      /* TLS */
    uv_timer_t timer; /* not settled: the next telemetry; settled: the next heartbeat */
    bool settled;     /* the proxy knows our settings */
    bool leaving, gone;
    int failures; /* in a row */
    struct task *tasks;
    uv_timer_t soon;
    int handles;      /* of the two timers, not yet closed */
    char reason[256]; /* told last */
};

/* A call that somebody waits for. */
struct task {
    struct rocketmq *mq;
    struct grpc_call *call;
    mq_done done; /* one of these two */
    mq_received received;
    void *self;
    const char *excuse; /* static: it could not be sent, answered by `soon` */
    char topic[128];    /* of a receive */
    struct task *next;
    struct task **link;
};

/* rocketmq.c */
/* A message as a call, which opens the connection or needs one; false without memory. */
bool mq_call(struct rocketmq *mq, const char *path, const ProtobufCMessage *message, int64_t timeout_ms,
             bool opens, grpc_done done, void *self, struct grpc_call **out);
void mq_forgotten(struct rocketmq *mq, enum mq_result result, const char *reason);

/* rocketmq_result.c */
enum mq_result mq_status_result(int status);
void mq_distrust_say(const struct rocketmq *mq, const char *message, char text[256]);
/* What the call itself came to; MQ_OK: look at the status in its answer. Also hears whether the connection is gone. */
enum mq_result mq_transport_result(struct rocketmq *mq, const struct grpc_answer *answer);
/* Of a status in an answer; also hears whether the proxy forgot us. text: a sentence, made here. */
enum mq_result mq_result_of(struct rocketmq *mq, const Mq__Status *status, char text[256]);

/* rocketmq_call.c */
void mq_excuse(struct rocketmq *mq);

#endif
