/* What the suites with daemons, a broker and a shop that sends messages share: the stage of the end suites, a topic for each
 * test, and the shop's client. One thread; asserts by cmocka. */
#ifndef TESTS_BROKER_SCENE_H
#define TESTS_BROKER_SCENE_H

#include "broker.h"
#include "end/stage.h"

extern bool there; /* the broker */
extern struct client shop;
extern struct client_options shop_options; /* beside topics and group */
extern char top[768];                      /* the configuration's section rocketmq, and where it listens */
extern char topic[8];                      /* of each test its own: what one leaves behind is no other's */
extern char by_message[128];               /* lines of the channel that draws from it */
extern struct settings scene_settings;     /* of all daemons; top and more are filled in */

#define NEEDS_BROKER \
    (void)state;     \
    if (!there)      \
    skip()

/* Of the whole program, with topics for so many tests; more: further lines of the section rocketmq. */
void scene_setup(void **state, const char *options, int tests, const char *more);
int scene_teardown(void **state);
/* Of each test; its topic's number, from 1. */
void scene_topic(void **state, int number);
int scene_close(void **state);

/* So many daemons with these lines in channel main, and the shop. The daemons' consumers must be there before the first
 * message: a new group begins at the end. */
void scene_begin(int daemons, const char *channel);
void scene_daemon(int which, const char *channel);
/* As a shop would, after the channel took the payment. */
void order_send(int n, const char *channel, int64_t after_ms);
/* All that was sent is paid, nothing waits, and the audit knows of one payment for each. */
void all_paid(int count, int64_t deadline_ms);
/* What a command says with this section of the configuration; its exit code. */
int scene_command(const char *words, const char *section, char out[2048]);

#endif
