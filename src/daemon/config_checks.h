/* What must hold between the keys of a configuration, beyond each key's own range. */
#ifndef MAKEGOOD_CONFIG_CHECKS_H
#define MAKEGOOD_CONFIG_CHECKS_H

#include "daemon/config_values.h"

void config_checks_run(struct config_reader *reader, const struct config_draft *draft);

#endif
