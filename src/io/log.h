/* The log: one event, one line, on stderr, with journald's "<N>" priority when the parent is journald.
 *
 *   <6>event=order_settled order_no=A17 channel=stripe verdict=paid
 *
 * Names of events and fields are stable. Values are quoted where needed and control characters escaped. No
 * secret is ever handed to it. Any thread; a line is one write(2). */
#ifndef MAKEGOOD_LOG_H
#define MAKEGOOD_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_priority {
    LOG_ALERTED = 1,
    LOG_FAILED = 3,
    LOG_WARNED = 4,
    LOG_NOTED = 5,
    LOG_TOLD = 6,
    LOG_TRACED = 7
};

/* least: the least urgent priority that is written; journal: prefix lines with "<N>". */
void log_start(enum log_priority least, bool journal);
enum log_priority log_level(void);

/* Key, value pairs, ended by NULL: log_event(LOG_TOLD, "started", "version", VERSION, NULL). NULL values are
 * left out.
 */
__attribute__((sentinel)) void log_event(enum log_priority priority, const char *event, ...);

#endif
