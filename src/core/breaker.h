/* Circuit breaker with a half-open probe and a slow start. Pure.
 *
 *   closed --(failures in a row)--> open --(time)--> half-open: one probe --(no fault)--> closed, slow start
 *                                     ^                      |
 *                                     +------(fault)---------+  open for twice as long
 */
#ifndef MAKEGOOD_BREAKER_H
#define MAKEGOOD_BREAKER_H

#include "makegood/policy.h"

struct breaker {
    int failures; /* in a row */
    bool open;
    bool probing; /* half-open, the probe is under way */
    int64_t open_until_ms;
    int64_t open_ms; /* how long it was opened last */
    int allowed;     /* concurrency during the slow start; 0: the policy's */
};

/* How many questions may be under way at once; 0 while open. */
int breaker_allows(const struct breaker *breaker, const struct policy *policy, int64_t now_ms);
/* A question starts: during half-open it is the probe. */
void breaker_started(struct breaker *breaker, int64_t now_ms);
/* Something that is no fault came back. True when this closed the breaker. */
bool breaker_succeeded(struct breaker *breaker, const struct policy *policy);
/* A fault came back. True when this opened it. */
bool breaker_failed(struct breaker *breaker, const struct policy *policy, int64_t now_ms);
/* The probe never left (released, stopped): another may go. */
void breaker_probe_gone(struct breaker *breaker);
/* When to look again; INT64_MAX when nothing waits for time. */
int64_t breaker_next_ms(const struct breaker *breaker);

#endif
