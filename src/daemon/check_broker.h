/* Is the broker fit for the channels whose orders come as messages? Reachable, the group there, each topic there and for
 * delayed messages; every fault with the command that mends it. Asks, and changes nothing. */
#ifndef MAKEGOOD_CHECK_BROKER_H
#define MAKEGOOD_CHECK_BROKER_H

#include "daemon/config.h"

/* Nothing is asked where no channel draws from a topic. */
void broker_check(const struct config *config, struct faults *faults);

#endif
