/* When to ask again. Pure; any thread; called by decide and the tests. */
#include "core/schedule.h"

#include <assert.h>
#include <string.h>

static bool plan_fits(const struct schedule_plan *plan, const struct lost_order *order, int64_t age_ms)
{
    bool of_method = !*plan->method || strcmp(plan->method, order->method) == 0;
    return of_method && (plan->until_ms == 0 || age_ms < plan->until_ms);
}

const struct schedule *schedule_of(const struct policy *policy, const struct lost_order *order,
                                   int64_t since_claim_ms)
{
    for (int i = 0; i < policy->plan_count; i++)
        if (plan_fits(&policy->plans[i], order, order->age_ms + since_claim_ms))
            return &policy->plans[i].schedule;
    return &policy->schedule;
}

int64_t schedule_after_answer_ms(const struct schedule *schedule, int answers)
{
    assert(schedule->length > 0 && answers >= 0);
    int last = schedule->length - 1;
    return schedule->delays_ms[answers < last ? answers : last];
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
