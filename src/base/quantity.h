/* Quantities of a configuration: the one strict way to read durations, sizes, integers, percentages and
 * booleans.
 *
 * No sign, no space, no leading zero, no fraction, nothing behind the unit, and nothing that overflows
 * int64_t. Any thread; pure. Whether a value is in range is the caller's question. */
#ifndef MAKEGOOD_BASE_QUANTITY_H
#define MAKEGOOD_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#define QUANTITY_TEXT_BYTES 32

bool quantity_parse_integer(const char *text, int64_t *out);
bool quantity_parse_duration(const char *text, int64_t *out_ms);     /* 250ms 5s 1m 2h 3d */
bool quantity_parse_size(const char *text, int64_t *out_bytes);      /* 100B 64KiB 1MiB 1GiB */
bool quantity_parse_percent(const char *text, int64_t *out_percent); /* 20% */
bool quantity_parse_boolean(const char *text, bool *out);            /* true yes false no */

/* The shortest text that parses to the same value; for values from 0. */
void quantity_format_duration(int64_t ms, char out[QUANTITY_TEXT_BYTES]);
void quantity_format_size(int64_t bytes, char out[QUANTITY_TEXT_BYTES]);

#endif
