/* Secrets come from files of their own, never from the configuration. */
#ifndef MAKEGOOD_CONFIG_SECRET_H
#define MAKEGOOD_CONFIG_SECRET_H

#include <stddef.h>

#define SECRET_BYTES (64 * 1024)

/* Whether others may read the file: not where it holds a secret; a certificate may lie open. */
enum secrecy { SECRECY_GUARDED, SECRECY_OPEN };

/* The text in the file that `name` says (relative: in $CREDENTIALS_DIRECTORY), to be wiped by secret_drop.
 * Or NULL and one sentence in why ("" when memory is out). */
char *secret_read(const char *name, enum secrecy secrecy, char *why, size_t why_bytes);
void secret_drop(char *secret); /* NULL is fine */

#endif
