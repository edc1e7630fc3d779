/* The daemon's second source: orders that come as messages of RocketMQ (io/broker.h). Loop's thread only; decides nothing. */
#include <stdlib.h>

#include "daemon/daemon.h"
#include "io/log.h"

#define LONG_POLL_MS 5000 /* the least that the proxy takes: a claim ends soon when the daemon stops */
#define CALL_MS      5000

/* --- what the engine wishes ---------------------------------------------------------------------------------- */

void daemon_post_claim(void *self, const struct claim_want *wants, int count, int64_t lease_ms)
{
    struct daemon *daemon = self;
    (void)lease_ms; /* the broker was told when the daemon began */
    broker_claim(daemon->broker, wants, count);
}

void daemon_post_settle(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    broker_settle(daemon->broker, batch);
}

void daemon_post_release(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    broker_release(daemon->broker, batch);
}

void daemon_post_refuse(void *self, const struct lost_order *order)
{
    struct daemon *daemon = self;
    broker_refuse(daemon->broker, order);
}

/* --- what happened ------------------------------------------------------------------------------------------- */

static const char *topic_of(void *self, const char *channel)
{
    return config_topic(((struct daemon *)self)->config, channel);
}

static void on_claimed(void *self, const struct lost_order *orders, int count)
{
    struct daemon *daemon = self;
    engine_claimed(daemon->engine, SOURCE_BROKER, orders, count, daemon_now_ms());
}

static void on_claim_failed(void *self)
{
    struct daemon *daemon = self;
    engine_claim_failed(daemon->engine, SOURCE_BROKER, FAILURE_LATER, "", daemon_now_ms());
}

static void on_settle_failed(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    engine_settle_failed(daemon->engine, batch, FAILURE_LATER, "", daemon_now_ms());
}

static void on_released(void *self, struct batch *batch)
{
    struct daemon *daemon = self;
    engine_released(daemon->engine, batch, daemon_now_ms());
}

static void on_up(void *self)
{
    (void)self;
    log_event(LOG_NOTED, "broker_up", NULL);
}

static void on_down(void *self, const char *reason)
{
    (void)self;
    log_event(LOG_WARNED, "broker_down", "detail", reason, NULL);
}

static void on_refused(void *self, const char *what, const char *reason)
{
    (void)self;
    log_event(LOG_FAILED, "broker_refused", "call", what, "detail", reason, "mend",
              "run `makegood check`, which says what mqadmin must do", NULL);
}

static void on_misread(void *self, const char *id, const char *why)
{
    (void)self;
    log_event(LOG_FAILED, "message_misread", "message_id", id, "detail", why, NULL);
}

static const struct broker_events events = {.topic_of = topic_of,
                                            .claimed = on_claimed,
                                            .claim_failed = on_claim_failed,
                                            .settle_failed = on_settle_failed,
                                            .released = on_released,
                                            .up = on_up,
                                            .down = on_down,
                                            .refused = on_refused,
                                            .misread = on_misread};

/* Only where some channel draws from a topic. */
int daemon_post_create(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const struct rocketmq_config *rocketmq = &config->rocketmq;
    daemon->topics = config_topics(config);
    if (!daemon->topics || !daemon->topics[0])
        return daemon->topics ? 0 : -1;
    struct broker_options options = {.mq = {.endpoint = rocketmq->endpoint,
                                            .ca_file = rocketmq->ca_file,
                                            .access_key = rocketmq->access_key,
                                            .secret_key = rocketmq->secret_key,
                                            .group = rocketmq->group,
                                            .topics = daemon->topics,
                                            .client_id = config->instance,
                                            .invisible_ms = config->engine.lease_ms,
                                            .poll_ms = LONG_POLL_MS,
                                            .timeout_ms = CALL_MS},
                                     .max_delay_ms = rocketmq->max_delay_ms,
                                     .in_flight = config->engine.in_flight};
    return broker_create(&daemon->broker, &daemon->loop, daemon->store, &options, &events, daemon);
}
