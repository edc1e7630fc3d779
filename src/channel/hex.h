/* Bytes as hexadecimal text, in small letters. Any thread. */
#ifndef MAKEGOOD_CHANNEL_HEX_H
#define MAKEGOOD_CHANNEL_HEX_H

#include <stddef.h>

/* out has room for 2 * count + 1 characters. */
void hex_write(const unsigned char *bytes, size_t count, char *out);

#endif
