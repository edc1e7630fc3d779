/* Enums that are born from one list together with their text.
 *
 * A list is an X-macro whose entries begin X(NAME, "text", ...). The text is the one word used in C, SQL,
 * configuration, metrics, logs and documents, so these can not drift. Every enum has two functions:
 * NAME_text() (total: asserts on a value outside the list) and NAME_parse() (false on an unknown text). */
#ifndef MAKEGOOD_ENUM_H
#define MAKEGOOD_ENUM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef NDEBUG
#error "makegood keeps its asserts in every build: take -DNDEBUG away (CMAKE_BUILD_TYPE=Release has none)"
#endif

#define ENUM_DECLARE(name)                    \
    const char *name##_text(enum name value); \
    bool name##_parse(const char *text, enum name *out);

#endif
