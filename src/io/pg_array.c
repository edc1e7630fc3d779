/* Arrays in binary: see pg_array.h. The form is array_recv's and array_send's, in PostgreSQL's
 * src/backend/utils/adt/arrayfuncs.c; all numbers are 32 bits, big-endian:
 *
 *   dimensions, whether there are nulls, OID of the elements' type   all there is of an empty array
 *   number of elements, index of the first one
 *   length (-1: null) and bytes of each element, as its type's receive function reads them */
#include "io/pg_array.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <stdlib.h>

#include "io/uuid.h"

#define FIRST_BYTES  256
#define HEADER_BYTES 20
#define EMPTY_BYTES  12

/* Where `more` bytes may be written, behind what is there; NULL when there is no room. */
static char *extend(struct pg_array *array, size_t more)
{
    size_t needed = array->length + more;
    array->failed = array->failed || needed > INT_MAX;
    if (!array->failed && needed > array->capacity) {
        size_t capacity = array->capacity ? array->capacity : FIRST_BYTES;
        while (capacity < needed)
            capacity *= 2;
        char *bytes = realloc(array->bytes, capacity);
        array->failed = !bytes;
        array->bytes = bytes ? bytes : array->bytes;
        array->capacity = bytes ? capacity : array->capacity;
    }
    if (array->failed)
        return NULL;
    array->length = needed;
    return array->bytes + needed - more;
}

static void put(struct pg_array *array, const void *bytes, size_t length)
{
    uint32_t prefix = htobe32((uint32_t)length);
    char *at = extend(array, sizeof(prefix) + length);
    if (!at)
        return;
    memcpy(at, &prefix, sizeof(prefix));
    memcpy(at + sizeof(prefix), bytes, length);
    array->count++;
}

void pg_array_start(struct pg_array *array, enum pg_type type)
{
    array->length = 0;
    array->type = type;
    array->count = 0;
    array->has_null = false;
    array->failed = false;
    extend(array, HEADER_BYTES); /* to be written at the end */
}

void pg_array_text(struct pg_array *array, const char *text)
{
    assert(array->type == PG_TEXT);
    if (text)
        put(array, text, strlen(text));
    else
        pg_array_null(array);
}

void pg_array_number(struct pg_array *array, int64_t number)
{
    uint64_t wide = htobe64((uint64_t)number);
    uint32_t narrow = htobe32((uint32_t)number);
    assert(array->type == PG_INT8 || (array->type == PG_INT4 && number >= INT32_MIN && number <= INT32_MAX));
    if (array->type == PG_INT8)
        put(array, &wide, sizeof(wide));
    else
        put(array, &narrow, sizeof(narrow));
}

void pg_array_truth(struct pg_array *array, bool truth)
{
    char byte = truth;
    assert(array->type == PG_BOOL);
    put(array, &byte, 1);
}

void pg_array_uuid(struct pg_array *array, const char *canonical)
{
    unsigned char bytes[UUID_BYTES];
    bool parsed = uuid_parse(canonical, bytes);
    assert(parsed && array->type == PG_UUID);
    put(array, bytes, sizeof(bytes));
}

void pg_array_null(struct pg_array *array)
{
    char *at = extend(array, sizeof(uint32_t));
    if (!at)
        return;
    memset(at, 0xff, sizeof(uint32_t));
    array->has_null = true;
    array->count++;
}

bool pg_array_end(struct pg_array *array, struct pg_value *out)
{
    uint32_t first = 1;
    uint32_t header[] = {htobe32(array->count > 0), htobe32(array->has_null), htobe32(array->type),
                         htobe32(array->count), htobe32(first)};
    _Static_assert(sizeof(header) == HEADER_BYTES, "");
    if (array->failed)
        return false;
    memcpy(array->bytes, header, sizeof(header));
    *out = (struct pg_value){
        .bytes = array->bytes, .length = array->count > 0 ? (int)array->length : EMPTY_BYTES, .binary = true};
    return true;
}

void pg_array_finish(struct pg_array *array)
{
    free(array->bytes);
    *array = (struct pg_array){0};
}
