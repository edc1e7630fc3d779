/* Makes one channel of its draft: reads the files that hold its keys, and hands their texts to the channel's own
 * constructor. */
#ifndef MAKEGOOD_CONFIG_CHANNEL_H
#define MAKEGOOD_CONFIG_CHANNEL_H

#include "daemon/config_values.h"

/* Faults are told with their paths below prefix ("channels[2]"). NULL when there are any, and
 * where no secrets may be read. Completes the draft's policy:
 * whether the channel can close. */
struct channel *config_channel_make(struct config_reader *reader, struct channel_draft *draft,
                                    const char *prefix);

#endif
