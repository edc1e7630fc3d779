/* Blame: what is wrong with a channel's specification, and where; kept while http_channel_create compiles it.
 *
 * Every compiling function of this floor takes the key it works on (as "rules[2].when[0].at", relative to the
 * channel) and blames it. Compiling goes on after a fault, so that all faults are told at once. Any thread;
 * never prints. */
#ifndef MAKEGOOD_CHANNEL_BLAME_H
#define MAKEGOOD_CHANNEL_BLAME_H

#include <stdbool.h>
#include <stddef.h>

#include "makegood/fault.h"

#define KEY_BYTES 128

struct blame {
    struct faults *faults;
    const char *prefix; /* of the key paths, as "channels[0]"; NULL or "": none */
    int error;          /* 0, -EINVAL or -ENOMEM; the latter stays */
};

__attribute__((format(printf, 3, 4))) void blame_key(struct blame *blame, const char *key, const char *format,
                                                     ...);
void blame_memory(struct blame *blame);
/* What a loader of keys said: its -EINVAL and sentence are the key's fault, all else is memory. Whether there was none. */
bool blame_load(int error, const char *key, const char *why, struct blame *blame);

/* malloc's relatives that blame; NULL only when memory is out (or, for the copy, when the text is NULL). */
char *blame_copy(struct blame *blame, const char *text);
void *blame_array(struct blame *blame, size_t count, size_t size);

/* A list of texts, copied. */
struct texts {
    char **items;
    unsigned count;
};
void texts_copy(struct texts *out, const char *const *items, unsigned count, struct blame *blame);
void texts_finish(struct texts *texts);

#endif
