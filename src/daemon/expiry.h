/* Certificates that end: warned about from 30 days before, at the start, after a reload and once a day; by `check` as
 * well. */
#ifndef MAKEGOOD_EXPIRY_H
#define MAKEGOOD_EXPIRY_H

#include <stdbool.h>

#include "daemon/config.h"

/* The first of the channel's certificates ends soon, or did; whole days left, negative when it is past. */
bool expiry_is_near(const struct channel *channel, int64_t now_s, int *out_days);
void expiry_log(const struct config *config);

#endif
