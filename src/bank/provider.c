/* What the providers share: see provider.h. */
#include "bank/provider.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool word_copy(const char *text, size_t length, char *out, size_t bytes)
{
    out[0] = '\0';
    if (!text || length == 0 || length >= bytes)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-|*", text[i]))
            return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

const char *question_header(const struct question *question, const char *name)
{
    const char *value = MHD_lookup_connection_value(question->connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

struct tm beijing_time(time_t time)
{
    struct tm parts;
    time += 8 * 3600;
    gmtime_r(&time, &parts);
    return parts;
}

void yuan_write(int64_t amount_minor, char out[32])
{
    snprintf(out, 32, "%" PRId64 ".%02d", amount_minor / 100, (int)(amount_minor % 100));
}
