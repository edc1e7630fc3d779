/* See check_broker.h. Runs a loop of its own for some seconds; called by `makegood check`. */
#include "daemon/check_broker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/rocketmq.h"

#define PATIENCE_MS 8000
#define CALL_MS     5000

struct trial_session {
    const struct config *config;
    struct faults *faults;
    uv_loop_t loop;
    uv_timer_t bound;
    struct rocketmq *mq;
    const char **topics;
    int asked, answered;
    enum mq_result result; /* of what was said last */
    char reason[256];
};

__attribute__((format(printf, 3, 4))) static void blame(struct trial_session *session, const char *path,
                                                        const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    faults_add(session->faults, session->config->file, 0, path, "%s", sentence);
}

static void session_end(struct trial_session *session)
{
    uv_stop(&session->loop);
}

/* --- topics --------------------------------------------------------------------------------------------- */

struct topic_trial {
    struct trial_session *session;
    const char *topic;
};

static void topic_judge(struct trial_session *session, const char *topic, enum mq_result result,
                        const char *reason)
{
    if (result == MQ_NO_TOPIC || result == MQ_WRONG_TYPE)
        blame(session, "channels[].topic",
              "%s is no topic for delayed messages; run mqadmin updateTopic -n NAMESERVER:9876 -c CLUSTER -t "
              "%s -r 8 -w 8 "
              "-a +message.type=DELAY",
              topic, topic);
    else if (result == MQ_DENIED)
        blame(session, "rocketmq.access_key", "the topic %s: %s; grant it that, and the group", topic,
              reason);
    else if (result != MQ_OK)
        blame(session, "channels[].topic", "whether the topic %s is there could not be asked: %s", topic,
              reason);
}

static void on_route(void *self, enum mq_result result, const char *reason)
{
    struct topic_trial trial = *(struct topic_trial *)self;
    free(self);
    topic_judge(trial.session, trial.topic, result, reason);
    if (++trial.session->answered == trial.session->asked)
        session_end(trial.session);
}

/* --- the session ---------------------------------------------------------------------------------------- */

static void on_up(void *self)
{
    struct trial_session *session = self;
    if (session->asked > 0)
        return;
    while (session->topics[session->asked])
        session->asked++;
    for (int i = 0; i < session->asked; i++) {
        struct topic_trial *trial = calloc(1, sizeof(*trial));
        if (!trial) {
            session_end(session);
            return;
        }
        *trial = (struct topic_trial){session, session->topics[i]};
        rocketmq_route(session->mq, trial->topic, on_route, trial);
    }
}

/* Waiting changes nothing. */
static bool is_final(enum mq_result result)
{
    return result == MQ_DENIED || result == MQ_UNTRUSTED;
}

/* A group that is not there is refused at once, an address where nobody answers as well: what was said last is told. */
static void on_down(void *self, enum mq_result result, const char *reason)
{
    struct trial_session *session = self;
    session->result = result;
    if (is_final(result))
        session_end(session);
    snprintf(session->reason, sizeof(session->reason), "%s", reason);
}

static void on_bound(uv_timer_t *bound)
{
    session_end(bound->data);
}

static void session_judge(struct trial_session *session)
{
    if (session->asked > 0)
        return;
    if (is_final(session->result)) {
        blame(session, session->result == MQ_DENIED ? "rocketmq.access_key" : "rocketmq.ca_file", "%s",
              session->reason);
        return;
    }
    blame(session, "rocketmq.endpoint",
          "there is no session with the proxy (%s); see whether it runs there, and whether the group is "
          "known to it: run "
          "mqadmin updateSubGroup -n NAMESERVER:9876 -c CLUSTER -g %s -r 1000000",
          session->reason[0] ? session->reason : "it does not answer", session->config->rocketmq.group);
}

static bool session_open(struct trial_session *session)
{
    static const struct rocketmq_events events = {on_up, on_down};
    const struct rocketmq_config *rocketmq = &session->config->rocketmq;
    char id[64];
    snprintf(id, sizeof(id), "makegood-check-%ld", (long)getpid());
    struct rocketmq_options options = {.endpoint = rocketmq->endpoint,
                                       .ca_file = rocketmq->ca_file,
                                       .access_key = rocketmq->access_key,
                                       .secret_key = rocketmq->secret_key,
                                       .group = rocketmq->group,
                                       .topics = session->topics,
                                       .client_id = id,
                                       .invisible_ms = session->config->engine.lease_ms,
                                       .poll_ms = CALL_MS,
                                       .timeout_ms = CALL_MS};
    return rocketmq_create(&session->mq, &session->loop, &options, &events, session) == 0;
}

static void session_run(struct trial_session *session)
{
    uv_loop_init(&session->loop);
    uv_timer_init(&session->loop, &session->bound);
    session->bound.data = session;
    if (session_open(session)) {
        uv_timer_start(&session->bound, on_bound, PATIENCE_MS, 0);
        uv_run(&session->loop, UV_RUN_DEFAULT);
        session_judge(session);
        rocketmq_destroy(session->mq);
    }
    uv_close((uv_handle_t *)&session->bound, NULL);
    while (uv_run(&session->loop, UV_RUN_DEFAULT))
        continue;
    uv_loop_close(&session->loop);
}

void broker_check(const struct config *config, struct faults *faults)
{
    struct trial_session session = {.config = config, .faults = faults, .topics = config_topics(config)};
    if (session.topics && session.topics[0])
        session_run(&session);
    free(session.topics);
}
