/* Strict reading of JSON and of its scalar values. Called by everything on this floor that reads an answer,
 * on worker threads. Never trusts a byte, never recurses on the input before its depth is known. */
#include "channel/json.h"

#include <stdio.h>
#include <string.h>

/* jansson's own bound is 2048 levels and can not be set, so the brackets outside strings are counted first.
 */
static bool depth_is_bounded(const char *bytes, size_t length)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX)
            return false;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

json_t *json_load_strict(const char *bytes, size_t length, size_t max_bytes)
{
    if (!length || length > max_bytes || memchr(bytes, '\0', length) || !depth_is_bounded(bytes, length))
        return NULL;
    json_error_t error;
    return json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
}

bool json_is_there(const json_t *value)
{
    return value && !json_is_null(value);
}

const char *json_value_text(const json_t *value, char scratch[JSON_NUMBER_BYTES])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (!json_is_integer(value))
        return NULL;
    snprintf(scratch, JSON_NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return scratch;
}

bool json_value_is(const json_t *value, const char *text)
{
    if (json_is_null(value))
        return strcmp(text, "null") == 0;
    char scratch[JSON_NUMBER_BYTES];
    const char *found = json_value_text(value, scratch);
    return found && strcmp(found, text) == 0;
}
