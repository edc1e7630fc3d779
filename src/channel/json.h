/* JSON from outside, read strictly: capped in size and depth, an object or an array at the top, no duplicate
 * member, no NUL, valid UTF-8. jansson does the parsing. Any thread. */
#ifndef MAKEGOOD_CHANNEL_JSON_H
#define MAKEGOOD_CHANNEL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 16

/* A new reference, or NULL for anything else. */
json_t *json_load_strict(const char *bytes, size_t length, size_t max_bytes);

/* There, and not null. */
bool json_is_there(const json_t *value);

/* Strings as they are, integers in decimal, true, false, null. Reals, objects and arrays are no text. */
bool json_value_is(const json_t *value, const char *text);

#define JSON_NUMBER_BYTES 24
/* The same text; scratch may be used for it. NULL when it is no text (null is none here). */
const char *json_value_text(const json_t *value, char scratch[JSON_NUMBER_BYTES]);

#endif
