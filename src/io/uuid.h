/* UUIDs from text, strictly as PostgreSQL writes them: "01234567-89ab-cdef-0123-456789abcdef". Pure; any
 * thread. */
#ifndef MAKEGOOD_UUID_H
#define MAKEGOOD_UUID_H

#include <stdbool.h>

#define UUID_BYTES 16

/* False when text is no such UUID; out is then undefined. */
bool uuid_parse(const char *text, unsigned char out[UUID_BYTES]);

#endif
