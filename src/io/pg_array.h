/* PostgreSQL array literals, as text: {1,NULL,"a \"b\""}. A growable buffer that is reused from one call to
 * the next. Knows nothing of connections; one owner, any thread.
 *
 *   pg_array_start(a); pg_array_text(a, "x"); pg_array_number(a, 7); text = pg_array_end(a); */
#ifndef MAKEGOOD_PG_ARRAY_H
#define MAKEGOOD_PG_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_array {
    char *bytes;
    size_t length;
    size_t capacity;
    bool failed; /* out of memory since the start */
};

void pg_array_start(struct pg_array *array);
void pg_array_text(struct pg_array *array, const char *text); /* NULL: an SQL null */
void pg_array_number(struct pg_array *array, int64_t number);
void pg_array_truth(struct pg_array *array, bool truth);
void pg_array_null(struct pg_array *array);
/* The literal, valid until the next start; NULL when memory ran out. */
const char *pg_array_end(struct pg_array *array);
void pg_array_finish(struct pg_array *array);

#endif
