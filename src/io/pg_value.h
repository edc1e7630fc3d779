/* A parameter of a call to PostgreSQL: its bytes and how they are to be read. Its maker owns the bytes; {0} is
 * an SQL null. */
#ifndef MAKEGOOD_PG_VALUE_H
#define MAKEGOOD_PG_VALUE_H

#include <stdbool.h>
#include <string.h>

struct pg_value {
    const char *bytes; /* as text with its final NUL; NULL: an SQL null */
    int length;        /* without that NUL */
    bool binary;       /* in the type's binary form, else as text */
};

/* NULL: an SQL null. */
static inline struct pg_value pg_text(const char *text)
{
    return (struct pg_value){.bytes = text, .length = text ? (int)strlen(text) : 0};
}

#endif
