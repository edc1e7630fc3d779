/* What commands tell people: faults on stderr, one line each. */
#ifndef MAKEGOOD_SAY_H
#define MAKEGOOD_SAY_H

#include <stdio.h>

#include "makegood/fault.h"

/* "file:line: key.path: sentence", without what is not known. Control characters are escaped. */
void say_faults(FILE *out, const struct faults *faults);

/* "makegood: sentence" on stderr. */
__attribute__((format(printf, 1, 2))) void say_fault(const char *format, ...);

#endif
