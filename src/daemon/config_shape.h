/* The shape of a configuration file: libyaml's events against the key table, before libcyaml loads it. Finds
 * what libcyaml would stop at (or would not see), so that all of it is told at once and with its line. */
#ifndef MAKEGOOD_CONFIG_SHAPE_H
#define MAKEGOOD_CONFIG_SHAPE_H

#include <stddef.h>

#include "daemon/config_lines.h"
#include "makegood/fault.h"

/* 0: libcyaml can load it, though there may be faults already (unknown keys); -EINVAL, -ENOMEM. Finish out in
 * any case. */
int config_shape_read(struct config_lines *out, const char *file, const char *text, size_t bytes,
                      struct faults *faults);

#endif
