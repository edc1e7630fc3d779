/* PostgreSQL arrays of one dimension as parameters, in binary: no quoting here, no parsing there. A growable
 * buffer that is reused from one call to the next. Knows nothing of connections; one owner, any thread.
 *
 *   pg_array_start(a, PG_TEXT); pg_array_text(a, "x"); pg_array_null(a); good = pg_array_end(a, &value); */
#ifndef MAKEGOOD_PG_ARRAY_H
#define MAKEGOOD_PG_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "io/pg_value.h"

/* Types of elements by their OIDs, which never change (PostgreSQL's src/include/catalog/pg_type.dat). The
 * server takes an array only where it expects elements of just that type (SQLSTATE 42804 otherwise). */
enum pg_type { PG_BOOL = 16, PG_INT8 = 20, PG_INT4 = 23, PG_TEXT = 25, PG_UUID = 2950 };

struct pg_array {
    char *bytes;
    size_t length;
    size_t capacity;
    enum pg_type type;
    uint32_t count;
    bool has_null;
    bool failed; /* out of memory since the start */
};

void pg_array_start(struct pg_array *array, enum pg_type type);
void pg_array_text(struct pg_array *array, const char *text);      /* NULL: an SQL null */
void pg_array_number(struct pg_array *array, int64_t number);      /* PG_INT8, or PG_INT4 within its range */
void pg_array_truth(struct pg_array *array, bool truth);           /* PG_BOOL */
void pg_array_uuid(struct pg_array *array, const char *canonical); /* as uuid_parse takes it */
void pg_array_null(struct pg_array *array);
/* The value is valid until the next start. False when memory ran out. */
bool pg_array_end(struct pg_array *array, struct pg_value *out);
void pg_array_finish(struct pg_array *array);

#endif
