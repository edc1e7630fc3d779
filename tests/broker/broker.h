/* What the suites on a real RocketMQ share: the broker in a folder of its own (scripts/rocketmq), a client on a loop, and
 * what it was told. One thread. */
#ifndef TESTS_BROKER_H
#define TESTS_BROKER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "io/rocketmq.h"

extern char broker_folder[64];
extern char broker_endpoint[64];

/* The variable that names a folder where one runs already, and stays; default: MAKEGOOD_BROKER. */
extern const char *broker_kept;

/* False: it can not be had here, and why was told loudly. */
bool broker_start(const char *options);
void broker_stop(void);
/* scripts/rocketmq VERB FOLDER MORE; the output of the last line. */
void broker_do(const char *verb, const char *more);

#define TAKEN_MAX 64

struct taken {
    char id[MESSAGE_ID_BYTES], handle[HANDLE_BYTES], body[256];
    int64_t deliver_ms, came_ms;
    int attempt;
};

struct client {
    uv_loop_t loop;
    struct rocketmq *mq;
    int ups, downs;
    enum mq_result down_result;
    char reason[256];
    /* of the last call */
    int answers;
    enum mq_result result;
    char said[256];
    struct taken taken[TAKEN_MAX];
    int count; /* received since client_forget() */
};

/* user: NULL: "tester", where there is a secret. */
struct client_options {
    const char *topics[4], *group, *user, *secret, *ca_file;
};
void client_open(struct client *client, const struct client_options *options);
void client_close(struct client *client);
/* Until the condition holds; fails after so long. */
#define client_wait(client, ms, condition)                                                                  \
    do {                                                                                                    \
        int64_t until_ms = wall_ms() + (ms);                                                                \
        while (!(condition)) {                                                                              \
            if (wall_ms() > until_ms)                                                                       \
                fail_msg("within %d ms this did not become true: %s; last said: %s", (int)(ms), #condition, \
                         (client)->said);                                                                   \
            client_turn(client);                                                                            \
        }                                                                                                   \
    } while (0)
void client_turn(struct client *client);
int64_t wall_ms(void);

/* Each waits for its answer. */
enum mq_result client_send(struct client *client, const char *topic, const char *id, const char *body,
                           int64_t after_ms);
enum mq_result client_ack(struct client *client, const char *topic, const struct taken *taken);
enum mq_result client_return(struct client *client, const char *topic, const struct taken *taken,
                             int64_t after_ms);
enum mq_result client_route(struct client *client, const char *topic);
/* Receives until so many have come in all, for at most so long. */
void client_receive(struct client *client, const char *topic, int count, int64_t ms);

#endif
