/* Messages that are with us, by place: what it takes to write the next one and to acknowledge this one. Part of the broker's
 * source (broker_inner.h). */
#include <stdlib.h>
#include <string.h>

#include "io/broker_inner.h"
#include "io/clock.h"

struct parcelled *parcelled_find(struct broker *broker, int64_t attempt_id)
{
    int place = (int)(attempt_id & 0xffffff);
    struct parcelled *found = place < broker->place_count ? broker->places[place] : NULL;
    return found && found->turn == (uint32_t)(attempt_id >> 24) ? found : NULL;
}

void parcelled_free(struct broker *broker, int64_t attempt_id)
{
    struct parcelled *found = parcelled_find(broker, attempt_id);
    if (found)
        broker->places[attempt_id & 0xffffff] = NULL;
    free(found);
}

bool parcelled_is_over(const struct parcelled *message)
{
    return !message || (!message->handed_on && message->until_ms <= clock_ms());
}

/* The same letter, which came before and is still with us. */
struct parcelled *parcelled_same(const struct broker *broker, const struct letter *letter)
{
    for (int i = 0; i < broker->place_count; i++) {
        struct parcelled *other = broker->places[i];
        if (!parcelled_is_over(other) && other->due_us == letter->order.claimed_us &&
            strcmp(other->chain, letter->order.token) == 0 &&
            strcmp(other->before.request_id, letter->before.request_id) == 0)
            return other;
    }
    return NULL;
}

/* From now on it is acknowledged as what came last. */
void parcelled_stamp(struct broker *broker, struct parcelled *parcelled, const struct mq_message *message)
{
    parcelled->until_ms = clock_ms() + broker->options.mq.invisible_ms;
    snprintf(parcelled->topic, sizeof(parcelled->topic), "%s", message->topic);
    snprintf(parcelled->id, sizeof(parcelled->id), "%s", message->id);
    snprintf(parcelled->handle, sizeof(parcelled->handle), "%s", message->handle);
}

/* A place whose message is no longer ours is free as well. Negative: there is none. */
int64_t parcelled_make(struct broker *broker, const struct mq_message *message, const struct letter *letter)
{
    int place = 0;
    while (place < broker->place_count && !parcelled_is_over(broker->places[place]))
        place++;
    struct parcelled *made = place < broker->place_count ? calloc(1, sizeof(*made)) : NULL;
    if (!made)
        return -1;
    free(broker->places[place]);
    broker->places[place] = made;
    *made = (struct parcelled){.due_us = letter->order.claimed_us,
                               .before = letter->before,
                               .created_ms = letter->created_ms,
                               .expires_ms = letter->expires_ms,
                               .turn = ++broker->turns};
    parcelled_stamp(broker, made, message);
    memcpy(made->chain, letter->order.token, sizeof(made->chain));
    return (int64_t)made->turn << 24 | place;
}
