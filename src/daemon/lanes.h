/* What makegood.overview() tells of the daemons, read: which live, and how the living ones ask a channel. Pure; any
 * thread; called by status and explain. */
#ifndef MAKEGOOD_LANES_H
#define MAKEGOOD_LANES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Of one channel, added up over the living instances. */
struct lanes {
    json_int_t rate;
    json_int_t concurrency; /* 0: no living instance asks it, now */
    bool breaker_open;
    bool doubted;
    bool shadow;      /* at least one only looks */
    const char *held; /* paused, halted, maintenance; NULL: not held back. Lives as long as the overview */
};

struct lanes lanes_add_up(const json_t *overview, const char *channel);
size_t lanes_living(const json_t *overview);

/* Members of an object; "" and 0 where they are lacking or of another type. */
const char *member_text(const json_t *object, const char *key);
json_int_t member_number(const json_t *object, const char *key);

#endif
