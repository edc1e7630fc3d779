/* UUIDs from text: see uuid.h. */
#include "io/uuid.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A text that is too short fails at its NUL, which is neither a digit nor a dash. */
bool uuid_parse(const char *text, unsigned char out[UUID_BYTES])
{
    for (int i = 0; i < UUID_BYTES; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        int high = digit_of(text[0]);
        int low = high < 0 ? -1 : digit_of(text[1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    return *text == '\0';
}
