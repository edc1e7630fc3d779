/* Draft: a text that grows while a request is written. Memory failure sticks and is seen when the text is
 * taken. Any thread. Growing leaves copies behind: whoever writes a secret reserves the room for it, and wipes. */
#ifndef MAKEGOOD_CHANNEL_DRAFT_H
#define MAKEGOOD_CHANNEL_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

struct draft {
    char *bytes;
    size_t length;
    size_t capacity;
    bool failed;
};

/* Room beforehand, so that a text of this length is never moved. */
void draft_reserve(struct draft *draft, size_t length);
void draft_add(struct draft *draft, const char *bytes, size_t length);
void draft_say(struct draft *draft, const char *text);
/* The NUL-terminated text, now the caller's; NULL when memory was out. The draft is empty again. */
char *draft_take(struct draft *draft);
void draft_drop(struct draft *draft);

#endif
