/* What a reload can not apply. */
#ifndef MAKEGOOD_CONFIG_DIFFERS_H
#define MAKEGOOD_CONFIG_DIFFERS_H

#include "daemon/config.h"

/* 0: a reload can go from now to next; -EINVAL and a fault for each key that differs and needs a restart. */
int config_differs_fixed(const struct config *now, const struct config *next, struct faults *out);

#endif
