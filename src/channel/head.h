/* The head that every channel has: its name and how its requests are carried. Compiled by the thread that loads the
 * configuration; immutable afterwards. */
#ifndef MAKEGOOD_CHANNEL_HEAD_H
#define MAKEGOOD_CHANNEL_HEAD_H

#include "channel/blame.h"
#include "makegood/channel.h"

/* Faults go to name and body_max. The transport is copied. */
void head_compile(struct channel *head, const char *name, const struct transport *transport,
                  struct blame *blame);
/* One of its certificates ends then; the first end is kept. 0 and less is none. */
void head_ends(struct channel *head, int64_t end);
void head_finish(struct channel *head);

#endif
