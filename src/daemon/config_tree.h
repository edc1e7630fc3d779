/* The tree of texts that libcyaml makes of a file, by schemas that are made from the key table.
 *
 * A mapping is an array of slots, one for each of its rows in the table's order. A text's slot holds the
 * text, a mapping's its slots, a list's the elements and their number: texts, or mappings one behind the
 * other. */
#ifndef MAKEGOOD_CONFIG_TREE_H
#define MAKEGOOD_CONFIG_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/config_keys.h"
#include "makegood/fault.h"

struct config_slot {
    void *value; /* NULL: the key is not there */
    uint32_t count;
};

struct config_tree;

/* 0, -EINVAL and a fault, or -ENOMEM. */
int config_tree_load(struct config_tree **out, const char *file, const char *text, size_t bytes,
                     struct faults *faults);
void config_tree_drop(struct config_tree *tree); /* NULL is fine */

const struct config_slot *config_tree_root(const struct config_tree *tree);

/* Element `place` of a list of mappings. */
const struct config_slot *config_slot_element(const struct config_key *list, const struct config_slot *slot,
                                              size_t place);

/* The slot of a child in its mapping. */
const struct config_slot *config_slot_child(const struct config_key *parent,
                                            const struct config_slot *mapping, const char *name);

#endif
