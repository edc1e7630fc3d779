/* What an order number and a channel's name may look like. Pure; any thread. The same checks stand in sql/.
 */
#include "makegood/order.h"

#include <stddef.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_of_number(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '|' || c == '*' || c == '-';
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-';
}

static bool consists_of(const char *text, bool (*belongs)(char c), size_t longest)
{
    size_t length = 0;
    while (length <= longest && belongs(text[length]))
        length++;
    return length > 0 && length <= longest && text[length] == '\0';
}

bool order_number_is_valid(const char *text)
{
    return consists_of(text, is_of_number, NUMBER_BYTES - 1);
}

bool channel_name_is_valid(const char *text)
{
    return consists_of(text, is_of_name, CHANNEL_BYTES - 1);
}
