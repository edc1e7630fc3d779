/* When to ask again. Pure; any thread; called by decide and the tests. */
#include "core/schedule.h"

#include <assert.h>

int64_t schedule_after_answer_ms(const struct policy *policy, int answers)
{
    assert(policy->schedule_length > 0 && answers >= 0);
    int last = policy->schedule_length - 1;
    return policy->schedule_ms[answers < last ? answers : last];
}

int64_t schedule_after_error_ms(const struct policy *policy, int errors)
{
    int64_t delay_ms = policy->error_first_ms;
    for (int i = 1; i < errors && delay_ms < policy->error_max_ms; i++)
        delay_ms *= 2;
    return delay_ms < policy->error_max_ms ? delay_ms : policy->error_max_ms;
}

int64_t schedule_spread_ms(int64_t delay_ms, int jitter_percent, uint32_t chance)
{
    int64_t range_ms = delay_ms * jitter_percent / 100;
    int64_t spread_ms =
        delay_ms - range_ms + (2 * range_ms * (int64_t)(chance >> 16) >> 16); /* fits for years */
    return spread_ms > 0 ? spread_ms : 1;
}

int64_t schedule_left_ms(const struct policy *policy, const struct lost_order *order, int64_t since_claim_ms)
{
    int64_t left_ms = order->left_ms == NO_END ? policy->horizon_ms - order->age_ms : order->left_ms;
    return left_ms - since_claim_ms;
}
