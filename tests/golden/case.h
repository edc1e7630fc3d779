/* A golden case: a folder of files, no code. tests/golden/README.md says what they hold.
 *
 * A file that the folder lacks is taken from the nearest folder above it, so a provider's cases share one
 * channel.json and one order.json. */
#ifndef MAKEGOOD_TESTS_CASE_H
#define MAKEGOOD_TESTS_CASE_H

#include <jansson.h>

#include "spec_file.h"

struct golden {
    char *folder;
    json_t *expect;
    struct spec_file spec;
    struct channel *channel; /* NULL: refused */
    struct faults faults;
    struct lost_order order;
    struct moment moment;
    char *bytes; /* of the file `response`; NULL: there is none */
    struct response response;
};

void golden_load(struct golden *golden, const char *folder);
void golden_finish(struct golden *golden);

/* Calls visit for every folder below root that holds expect.json, in the order of names. */
void golden_walk(const char *root, void (*visit)(void *self, const char *folder), void *self);

#endif
