/* Array literals: see pg_array.h. Every text is quoted, so that no word (NULL) and no character means more
 * than itself; inside the quotes only the quote and the backslash do. */
#include "io/pg_array.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256

static bool reserve(struct pg_array *array, size_t more)
{
    size_t needed = array->length + more;
    if (array->failed || needed <= array->capacity)
        return !array->failed;
    size_t capacity = array->capacity ? array->capacity : FIRST_BYTES;
    while (capacity < needed)
        capacity *= 2;
    char *bytes = realloc(array->bytes, capacity);
    array->failed = !bytes;
    if (!bytes)
        return false;
    array->bytes = bytes;
    array->capacity = capacity;
    return true;
}

static void append(struct pg_array *array, const char *bytes, size_t length)
{
    if (!reserve(array, length))
        return;
    memcpy(array->bytes + array->length, bytes, length);
    array->length += length;
}

static void separate(struct pg_array *array)
{
    if (array->length > 1)
        append(array, ",", 1);
}

void pg_array_start(struct pg_array *array)
{
    array->length = 0;
    array->failed = false;
    append(array, "{", 1);
}

void pg_array_text(struct pg_array *array, const char *text)
{
    if (!text) {
        pg_array_null(array);
        return;
    }
    separate(array);
    append(array, "\"", 1);
    while (*text) {
        size_t plain = strcspn(text, "\"\\");
        append(array, text, plain);
        text += plain;
        if (*text) {
            append(array, "\\", 1);
            append(array, text++, 1);
        }
    }
    append(array, "\"", 1);
}

void pg_array_number(struct pg_array *array, int64_t number)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%" PRId64, number);
    separate(array);
    append(array, text, (size_t)length);
}

void pg_array_truth(struct pg_array *array, bool truth)
{
    separate(array);
    append(array, truth ? "t" : "f", 1);
}

void pg_array_null(struct pg_array *array)
{
    separate(array);
    append(array, "NULL", 4);
}

const char *pg_array_end(struct pg_array *array)
{
    append(array, "}", 2); /* with its final NUL */
    return array->failed ? NULL : array->bytes;
}

void pg_array_finish(struct pg_array *array)
{
    free(array->bytes);
    *array = (struct pg_array){0};
}
