/* Typed values out of the tree of texts, by the key table: defaults, ranges, units, what is required. */
#ifndef MAKEGOOD_CONFIG_VALUES_H
#define MAKEGOOD_CONFIG_VALUES_H

#include "daemon/config_keys.h"
#include "daemon/config_shape.h"
#include "daemon/config_tree.h"

/* What is read, where faults are told, and the memory of the lists that the reading makes. */
struct config_reader {
    const char *file;
    const struct config_lines *lines;
    struct faults *faults;
    struct config_block *blocks;
    size_t settled; /* faults of earlier layers: their paths are not blamed again */
    int error;      /* 0, -EINVAL, -ENOMEM (stays) */
    bool sealed;    /* no secret is read, and no channel is made */
};

/* Fills *out; texts in it belong to the tree, lists to the reader. What is at fault is left at zero. */
void config_values_read(struct config_reader *reader, const struct config_slot *root,
                        struct config_draft *out);
void config_reader_finish(struct config_reader *reader);

/* A layer looks at all values once: shape, types, cross checks, channels. What an earlier layer blamed is not
 * blamed again by a later one. */
void config_layer_begin(struct config_reader *reader);
__attribute__((format(printf, 3, 4))) void config_blame(struct config_reader *reader, const char *path,
                                                        const char *format, ...);

/* One text of the given type into *out_number, or why not. The range is checked. */
bool config_number_parse(const struct config_key *key, const char *text, int64_t *out_number);
/* "from 1s to 1h" */
void config_range_format(const struct config_key *key, char *out, size_t bytes);

#endif
