/* Whole numbers from text, strictly: an optional minus, digits, nothing else. Pure; any thread. */
#ifndef MAKEGOOD_NUMBER_H
#define MAKEGOOD_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* False when text is not a number from least to most; *out is then left alone. */
bool number_parse(const char *text, int64_t least, int64_t most, int64_t *out);

#endif
