/* Five providers for a stage: one bank plays them all, with real signatures; the daemon's channels are the configuration
 * that ships. Beside stage.h, for the suites that need them; the same rules. */
#ifndef TESTS_END_PROVIDERS_H
#define TESTS_END_PROVIDERS_H

#include "stage.h"

#define PROVIDERS 5
extern const char *const providers[PROVIDERS]; /* names of the channels */

/* Before stage_prepare: the bank gets keys of all providers. */
void providers_open(const struct shop *shop);
/* Like stage_order_at, by a number that all providers take. Orders are numbered from 1, by themselves. */
int providers_order(const char *channel, const char *script, const char *expires_in);
/* What the configuration says about the channels, for settings.more; timeout (NULL: 5s) and `more` go to each of them. After
 * stage_prepare. The caller frees it. */
char *providers_lines(const char *timeout, const char *more);
/* Starts daemon 0 with them. */
void providers_start(const char *more);

#endif
