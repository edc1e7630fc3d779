/* The order table's section as the JSON object of install_mapping (doc/sql-contract.md). */
#ifndef MAKEGOOD_CONFIG_MAPPING_H
#define MAKEGOOD_CONFIG_MAPPING_H

#include <stdbool.h>

#include "daemon/config_values.h"

/* The object as text, allocated; NULL when memory is out. Every key of the table is there, null where the
 * file does not say. Faults in how the keys fit together are blamed. */
char *config_mapping_make(struct config_reader *reader, const struct config_slot *root);

/* Whether the mapping, as text, has something for this key. */
bool config_mapping_has(const char *mapping, const char *key);

#endif
