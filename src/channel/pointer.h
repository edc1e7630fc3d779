/* Pointers into an answer: RFC 6901, and "*" for every element of an array where the key allows it.
 * Compiled once; immutable and usable from any thread afterwards. */
#ifndef MAKEGOOD_CHANNEL_POINTER_H
#define MAKEGOOD_CHANNEL_POINTER_H

#include <jansson.h>
#include <stdbool.h>

#include "channel/blame.h"

struct pointer_segment {
    char *name;   /* unescaped */
    size_t index; /* when is_index: what it means to an array */
    bool is_index;
    bool is_star;
};

struct pointer {
    struct pointer_segment *segments;
    unsigned count; /* 0: the whole document, or the element itself */
};

/* NULL and "" are the whole. Faults go to key. The pointer can be finished whatever came of it. */
void pointer_compile(struct pointer *out, const char *text, bool stars, const char *key, struct blame *blame);
void pointer_finish(struct pointer *pointer);

/* Does it lead anywhere else than to the whole? */
bool pointer_is_given(const struct pointer *pointer);

/* The value, or NULL when it is not there. Not for pointers with stars. */
const json_t *pointer_find(const struct pointer *pointer, const json_t *root);

/* How many elements the stars lead to, whether or not they hold the value; 0 without stars. */
size_t pointer_elements(const struct pointer *pointer, const json_t *root);

/* Visits every value that is there, in order, until a visit answers false. */
typedef bool (*pointer_visit)(void *self, const json_t *value);
bool pointer_each(const struct pointer *pointer, const json_t *root, pointer_visit visit, void *self);

#endif
