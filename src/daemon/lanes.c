/* The daemons as the overview tells of them: see lanes.h. */
#include "daemon/lanes.h"

#include <string.h>

const char *member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_int_t member_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

struct lanes lanes_add_up(const json_t *overview, const char *channel)
{
    struct lanes sum = {0};
    size_t i;
    const json_t *instance;
    json_array_foreach(json_object_get(overview, "instances"), i, instance)
    {
        const json_t *lane = json_object_get(json_object_get(instance, "lanes"), channel);
        if (!is_true(instance, "lives") || !lane)
            continue;
        sum.rate += member_number(lane, "rate");
        sum.concurrency += member_number(lane, "concurrency");
        sum.breaker_open |= strcmp(member_text(lane, "breaker"), "open") == 0;
        sum.doubted |= is_true(lane, "doubted");
        sum.shadow |= is_true(lane, "shadow");
        sum.held = *member_text(lane, "held") ? member_text(lane, "held") : sum.held;
    }
    return sum;
}

size_t lanes_living(const json_t *overview)
{
    size_t count = 0;
    size_t i;
    const json_t *instance;
    json_array_foreach(json_object_get(overview, "instances"), i, instance) count +=
        is_true(instance, "lives");
    return count;
}
