/* When to ask again: arithmetic on durations. Pure. */
#ifndef MAKEGOOD_SCHEDULE_H
#define MAKEGOOD_SCHEDULE_H

#include "makegood/policy.h"

/* Which schedule an attempt follows now: by its payment method and its age. */
const struct schedule *schedule_of(const struct policy *policy, const struct lost_order *order,
                                   int64_t since_claim_ms);

/* Delay after the n-th answer (0: after tracking). The last entry repeats. Without jitter. */
int64_t schedule_after_answer_ms(const struct schedule *schedule, int answers);

/* Delay after the n-th error in a row (1 the first): doubles up to the cap. Without jitter. */
int64_t schedule_after_error_ms(const struct policy *policy, int errors);

/* Spreads a delay by up to +- jitter_percent; chance is any number. At least 1. */
int64_t schedule_spread_ms(int64_t delay_ms, int jitter_percent, uint32_t chance);

/* Until the end of the attempt's life: by its expiry, or by the channel's horizon. Negative: past. */
int64_t schedule_left_ms(const struct policy *policy, const struct lost_order *order, int64_t since_claim_ms);

#endif
