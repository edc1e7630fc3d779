/* What a shop pastes into its configuration to rehearse with this bank. */
#ifndef BANK_PASTE_H
#define BANK_PASTE_H

#include "bank/keys.h"

/* The channels: section on stdout: the built-in types, by the bank's port and the key files in the folder. */
void paste_print(const struct keys *keys, const char *folder, int port);

#endif
