/* Clocks. Any thread. */
#ifndef MAKEGOOD_CLOCK_H
#define MAKEGOOD_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* since 1970: what other machines understand; it may be set back */
int64_t clock_ms(void);      /* since some moment: for durations */

#endif
