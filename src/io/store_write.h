/* The arrays that travel to the database: a settle's and a release's, from a batch. Pure but for the buffers;
 * called by store.c on the loop's thread. */
#ifndef MAKEGOOD_STORE_WRITE_H
#define MAKEGOOD_STORE_WRITE_H

#include "io/pg_array.h"
#include "makegood/engine.h"

#define SETTLE_ARRAYS  29
#define RELEASE_ARRAYS 2
#define MESSAGE_ARRAYS (SETTLE_ARRAYS - 1 + 7)
#define ARRAYS_MAX     MESSAGE_ARRAYS

/* Values, valid until the arrays are used again. False when memory ran out. */
bool settle_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out);
/* Of messages: no row's number, but what a row would know. */
bool messages_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out);
bool release_write(struct pg_array *arrays, const struct batch *batch, struct pg_value *out);

#endif
