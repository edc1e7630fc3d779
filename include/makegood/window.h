/* A maintenance window of a channel: times of the week, in a fixed offset from UTC, at which it is not asked. */
#ifndef MAKEGOOD_WINDOW_H
#define MAKEGOOD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    unsigned days; /* that it begins on, one bit each; bit 0 is Sunday */
    int from_minute;
    int to_minute;      /* not beyond; smaller than from_minute: of the next day */
    int offset_minutes; /* local time minus UTC */
};

/* "23:30-00:30", "Sun 02:00-04:30 +08:00", "Mon-Fri 22:00-23:00", "Sat,Sun 00:00-24:00"; UTC where no offset stands. */
bool window_parse(const char *text, struct window *out);
bool window_holds(const struct window *window, int64_t utc_s);

#endif
