/* Tables for people, made of JSON rows, so that what a script reads is what a person sees. Any thread; pure but for the
 * stream. */
#ifndef MAKEGOOD_TABLE_H
#define MAKEGOOD_TABLE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define SPAN_BYTES 32

/* X(NAME, meaning) */
enum cell {
    CELL_TEXT,
    CELL_NUMBER, /* to the right */
    CELL_SPAN,   /* seconds, as 4m or 3d 2h */
    CELL_SHARE,  /* of one, as 2.5% */
};

struct table_column {
    const char *title;
    const char *key;
    enum cell cell;
};

/* Columns end with a row without a title. What a row lacks is "-"; each is tamed (mask.h). */
void table_print(FILE *out, const struct table_column *columns, const json_t *rows);

/* The two largest units: 45s, 4m 10s, 3h, 2d 5h. */
void span_format(int64_t seconds, char out[SPAN_BYTES]);

#endif
