/* A growing text. Called by the templates and by whoever writes a request; knows nothing of escaping. */
#include "channel/draft.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool draft_fits(struct draft *draft, size_t length)
{
    if (draft->failed || length >= SIZE_MAX / 4 - draft->length)
        draft->failed = true;
    if (draft->failed || draft->length + length < draft->capacity)
        return !draft->failed;
    size_t capacity = 2 * (draft->length + length) + 64;
    char *bytes = realloc(draft->bytes, capacity);
    if (!bytes) {
        draft->failed = true;
        return false;
    }
    draft->bytes = bytes;
    draft->capacity = capacity;
    return true;
}

void draft_reserve(struct draft *draft, size_t length)
{
    draft_fits(draft, length);
}

void draft_add(struct draft *draft, const char *bytes, size_t length)
{
    if (!draft_fits(draft, length))
        return;
    if (length)
        memcpy(draft->bytes + draft->length, bytes, length);
    draft->length += length;
    draft->bytes[draft->length] = '\0';
}

void draft_say(struct draft *draft, const char *text)
{
    draft_add(draft, text, strlen(text));
}

char *draft_take(struct draft *draft)
{
    draft_add(draft, "", 0);
    char *bytes = draft->failed ? NULL : draft->bytes;
    if (!bytes)
        free(draft->bytes);
    *draft = (struct draft){0};
    return bytes;
}

void draft_drop(struct draft *draft)
{
    free(draft->bytes);
    *draft = (struct draft){0};
}
