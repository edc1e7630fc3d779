/* What an order number and a channel's name may look like. Pure; any thread. The same checks stand in sql/.
 */
#include "makegood/order.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static bool consists_of(const char *text, const char *charset, size_t longest)
{
    size_t length = strspn(text, charset);
    return length > 0 && length <= longest && text[length] == '\0';
}

bool order_number_is_valid(const char *text)
{
    return consists_of(text, LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_|*-", NUMBER_BYTES - 1);
}

bool channel_name_is_valid(const char *text)
{
    return consists_of(text, LETTERS "0123456789_-", CHANNEL_BYTES - 1);
}
