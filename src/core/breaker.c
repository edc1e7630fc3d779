/* Circuit breaker. Pure; owned by a lane of the engine. */
#include "core/breaker.h"

int breaker_allows(const struct breaker *breaker, const struct policy *policy, int64_t now_ms)
{
    if (breaker->open)
        return !breaker->probing && now_ms >= breaker->open_until_ms ? 1 : 0;
    if (breaker->allowed > 0 && breaker->allowed < policy->concurrency)
        return breaker->allowed;
    return policy->concurrency;
}

void breaker_started(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->open && now_ms >= breaker->open_until_ms)
        breaker->probing = true;
}

bool breaker_succeeded(struct breaker *breaker, const struct policy *policy)
{
    bool was_open = breaker->open;
    breaker->failures = 0;
    if (was_open)
        *breaker = (struct breaker){.allowed = 1};
    else if (breaker->allowed > 0)
        breaker->allowed = breaker->allowed + 1 < policy->concurrency ? breaker->allowed + 1 : 0;
    return was_open;
}

/* Late faults of questions that left before the opening say nothing new: only the probe's fault prolongs it.
 */
bool breaker_failed(struct breaker *breaker, const struct policy *policy, int64_t now_ms)
{
    if (breaker->open && !breaker->probing)
        return false;
    breaker->failures++;
    if (!breaker->open && breaker->failures < policy->breaker_failures)
        return false;
    int64_t open_ms = breaker->open ? breaker->open_ms * 2 : policy->breaker_open_ms;
    breaker->open_ms = open_ms < policy->breaker_open_max_ms ? open_ms : policy->breaker_open_max_ms;
    breaker->open_until_ms = now_ms + breaker->open_ms;
    breaker->open = true;
    breaker->probing = false;
    return true;
}

void breaker_probe_gone(struct breaker *breaker)
{
    breaker->probing = false;
}

int64_t breaker_next_ms(const struct breaker *breaker)
{
    return breaker->open && !breaker->probing ? breaker->open_until_ms : INT64_MAX;
}
