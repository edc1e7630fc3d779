/* Receiving: see broker.h. One receive per topic at a time, while a claim wants orders of it; what comes is read, looked
 * up in the database, and handed on with the claim that is under way or the next one. */
#include "io/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/broker_inner.h"
#include "io/clock.h"

#define WAITS_MOST 5    /* deliveries of a message that is waited for */
#define EARLY_MS   1500 /* due so much later than it came: it is on its way by hops */

/* --- small services ------------------------------------------------------------------------------------- */

void broker_refused(struct broker *broker, const char *what, enum mq_result result, const char *reason)
{
    bool temporary = result == MQ_OK || result == MQ_UNKNOWN || result == MQ_BUSY || result == MQ_EXPIRED;
    if (temporary || strncmp(broker->refused, reason, sizeof(broker->refused) - 1) == 0)
        return;
    snprintf(broker->refused, sizeof(broker->refused), "%s", reason);
    broker->events.refused(broker->self, what, reason);
}

static void on_acknowledged(void *self, enum mq_result result, const char *reason)
{
    struct broker *broker = self;
    broker->messages[MESSAGE_ACKNOWLEDGED] += result == MQ_OK;
    broker_refused(broker, "acknowledge", result, reason);
}

static void on_returned(void *self, enum mq_result result, const char *reason)
{
    broker_refused(self, "return", result, reason);
}

const char *message_fate_text(enum message_fate fate)
{
    static const char *const texts[] = {
#define X(name, text) text,
        MESSAGE_FATE_LIST(X)
#undef X
    };
    return texts[fate];
}

void broker_look(const struct broker *broker, struct broker_view *out)
{
    out->up = rocketmq_is_up(broker->mq);
    memcpy(out->messages, broker->messages, sizeof(out->messages));
}

void broker_ack(struct broker *broker, const char *topic, const char *id, const char *handle)
{
    rocketmq_ack(broker->mq, topic, id, handle, on_acknowledged, broker);
}

int64_t broker_deliver_ms(const struct broker *broker, int64_t due_us)
{
    int64_t due_ms = (due_us + 999) / 1000;
    int64_t most_ms = clock_wall_ms() + broker->options.max_delay_ms;
    return due_ms < most_ms ? due_ms : most_ms;
}

void broker_id(const char *chain, int64_t due_us, int64_t deliver_ms, char out[MESSAGE_ID_BYTES])
{
    snprintf(out, MESSAGE_ID_BYTES, "%.8s%.4s-%llx-%llx", chain, chain + 9, (long long)due_us,
             (long long)deliver_ms);
}

/* --- the claim ------------------------------------------------------------------------------------------ */

/* One order less is wanted of its channel. */
static bool want_take(struct broker *broker, const char *channel)
{
    for (int i = 0; i < broker->want_count; i++)
        if (broker->wants[i].limit > 0 && strcmp(broker->wants[i].channel, channel) == 0)
            return broker->wants[i].limit-- > 0;
    return false;
}

/* The claim's orders, out of those that are ready. The others wait for the next one, as long as they are ours. */
static int ready_hand_on(struct broker *broker)
{
    int handed_on = 0, left = 0;
    for (int i = 0; i < broker->ready_count; i++) {
        const struct lost_order *order = &broker->ready[i];
        struct parcelled *message = parcelled_find(broker, order->attempt_id);
        if (parcelled_is_over(message))
            continue;
        if (want_take(broker, order->channel)) {
            message->handed_on = true;
            broker->handed_on[handed_on++] = *order;
        } else {
            memmove(&broker->ready[left++], order, sizeof(*order));
        }
    }
    broker->ready_count = left;
    return handed_on;
}

/* Those that are not ours any more make room. */
static void ready_add(struct broker *broker, const struct lost_order *order)
{
    int left = 0;
    for (int i = 0; broker->ready_count == broker->place_count && i < broker->ready_count; i++)
        if (!parcelled_is_over(parcelled_find(broker, broker->ready[i].attempt_id)))
            memmove(&broker->ready[left++], &broker->ready[i], sizeof(*order));
    broker->ready_count = broker->ready_count == broker->place_count ? left : broker->ready_count;
    broker->ready[broker->ready_count++] = *order;
}

static void claim_answer(struct broker *broker)
{
    int count = broker->claiming ? ready_hand_on(broker) : 0;
    if (!broker->claiming || (count == 0 && broker->receptions > 0))
        return;
    broker->claiming = false;
    if (count == 0 && broker->failed)
        broker->events.claim_failed(broker->self);
    else
        broker->events.claimed(broker->self, broker->handed_on, count);
}

/* --- a reception ---------------------------------------------------------------------------------------- */

/* What one receive brought, until the database has told of it. */
struct reception {
    struct broker *broker;
    int topic; /* its place in the options */
    struct lost_order orders[RECEIVE_MAX];
    struct step before[RECEIVE_MAX];
    int count;
};

static void reception_end(struct reception *reception)
{
    struct broker *broker = reception->broker;
    broker->receiving[reception->topic] = false;
    free(reception);
    broker->receptions--;
    claim_answer(broker);
}

/* The step that wrote it ought to be recorded by now: it was lost, and this message may be all that is left. It is asked
 * about like a first one. */
static bool waited_enough(struct lost_order *order)
{
    if (order->claims <= WAITS_MOST)
        return false;
    order->phase = PHASE_OPEN;
    order->claims = 1;
    return true;
}

/* An order that the shop does not know is asked about by the message's word; settling parks it. */
static void order_hand_on(struct broker *broker, struct lost_order *order, const struct looked *looked)
{
    const struct parcelled *message = parcelled_find(broker, order->attempt_id);
    if (parcelled_is_over(message))
        return;
    bool done = looked->look == LOOK_DONE;
    bool early = looked->look == LOOK_WAIT && !waited_enough(order);
    broker->messages[MESSAGE_RECOGNISED] += done;
    if (done)
        broker_ack(broker, message->topic, message->id, message->handle);
    if (early)
        rocketmq_return(broker->mq, message->topic, message->id, message->handle, AGAIN_MS, on_returned,
                        broker);
    if (done || early) {
        parcelled_free(broker, order->attempt_id);
        return;
    }
    if (looked->known) {
        order->amount_minor = looked->amount_minor;
        memcpy(order->currency, looked->currency, sizeof(order->currency));
    }
    ready_add(broker, order);
}

/* For the next claim, as long as it is ours. */
void broker_refuse(struct broker *broker, const struct lost_order *order)
{
    struct parcelled *message = parcelled_find(broker, order->attempt_id);
    message->handed_on = false;
    ready_add(broker, order);
}

/* Without an answer they come again when their time with us is over. */
static void on_looked(void *self, const struct looked *looked, int count)
{
    struct reception *reception = self;
    struct broker *broker = reception->broker;
    broker->blind = !looked;
    broker->failed = broker->failed || !looked;
    for (int i = 0; i < count; i++) {
        if (looked)
            order_hand_on(broker, &reception->orders[i], &looked[i]);
        else
            parcelled_free(broker, reception->orders[i].attempt_id);
    }
    reception_end(reception);
}

/* What can not be understood, and the moment when somebody else keeps it. */
struct riddle {
    struct broker *broker;
    char topic[128], id[MESSAGE_ID_BYTES], handle[HANDLE_BYTES];
};

static void on_kept(void *self, bool kept)
{
    struct riddle *riddle = self;
    if (kept)
        broker_ack(riddle->broker, riddle->topic, riddle->id, riddle->handle);
    free(riddle);
}

static void message_keep(struct broker *broker, const struct mq_message *message, const struct letter *letter,
                         const char *why)
{
    char sentence[LETTER_WHY_BYTES + 192];
    struct riddle *riddle = calloc(1, sizeof(*riddle));
    broker->messages[MESSAGE_MISREAD]++;
    broker->events.misread(broker->self, message->id, why);
    if (!riddle)
        return;
    riddle->broker = broker;
    snprintf(riddle->topic, sizeof(riddle->topic), "%s", message->topic);
    snprintf(riddle->id, sizeof(riddle->id), "%s", message->id);
    snprintf(riddle->handle, sizeof(riddle->handle), "%s", message->handle);
    snprintf(sentence, sizeof(sentence), "the message %.60s of topic %.60s: %s", message->id, message->topic,
             why);
    store_message_unread(broker->store, letter->order.order_no, letter->order.channel, sentence, on_kept,
                         riddle);
}

/* --- hops ----------------------------------------------------------------------------------------------- */

static void on_hopped(void *self, enum mq_result result, const char *reason)
{
    struct riddle *hop = self;
    hop->broker->messages[MESSAGE_FORWARDED] += result == MQ_OK;
    if (result == MQ_OK)
        broker_ack(hop->broker, hop->topic, hop->id, hop->handle);
    broker_refused(hop->broker, "send", result, reason);
    free(hop);
}

/* Its time is farther away than the broker keeps messages: it goes on as it came. */
static void message_forward(struct broker *broker, const struct mq_message *message,
                            const struct letter *letter)
{
    const struct lost_order *order = &letter->order;
    char body[LETTER_BYTES], id[MESSAGE_ID_BYTES];
    struct riddle *hop = calloc(1, sizeof(*hop));
    struct letter again = *letter;
    again.order.claims--;
    size_t length = letter_write(&again, body);
    if (!hop || length == 0) {
        free(hop);
        return;
    }
    hop->broker = broker;
    snprintf(hop->topic, sizeof(hop->topic), "%s", message->topic);
    snprintf(hop->id, sizeof(hop->id), "%s", message->id);
    snprintf(hop->handle, sizeof(hop->handle), "%s", message->handle);
    int64_t deliver_ms = broker_deliver_ms(broker, order->claimed_us);
    broker_id(order->token, order->claimed_us, deliver_ms, id);
    struct mq_draft draft = {message->topic, order->order_no, id, (const uint8_t *)body, length, deliver_ms};
    rocketmq_send(broker->mq, &draft, on_hopped, hop);
}

/* --- receiving ------------------------------------------------------------------------------------------ */

static void message_take(struct reception *reception, const struct mq_message *message)
{
    struct broker *broker = reception->broker;
    struct parcelled *same;
    struct letter letter;
    char why[LETTER_WHY_BYTES];
    int64_t now_ms = clock_wall_ms();
    struct postmark postmark = {message->id, message->born_ms, message->deliver_ms, now_ms, message->attempt};
    bool good = letter_read(message->body, message->length, &postmark, &letter, why);
    if (good && !broker->events.topic_of(broker->self, letter.order.channel)) {
        good = false;
        snprintf(why, sizeof(why),
                 "no channel of the configuration that draws from a topic has the name %.40s",
                 letter.order.channel);
    }
    if (!good) {
        message_keep(broker, message, &letter, why);
    } else if (letter.order.claimed_us / 1000 > now_ms + EARLY_MS) {
        message_forward(broker, message, &letter);
    } else if ((same = parcelled_same(broker, &letter))) {
        parcelled_stamp(broker, same, message);
    } else {
        letter.order.attempt_id = parcelled_make(broker, message, &letter);
        if (letter.order.attempt_id < 0)
            return;
        reception->before[reception->count] = letter.before;
        reception->orders[reception->count++] = letter.order;
    }
}

static void on_received(void *self, enum mq_result result, const char *reason,
                        const struct mq_message *messages, int count)
{
    struct reception *reception = self;
    struct broker *broker = reception->broker;
    broker->failed = broker->failed || result != MQ_OK;
    broker_refused(broker, "receive", result, reason);
    broker->messages[MESSAGE_RECEIVED] += (uint64_t)count;
    for (int i = 0; i < count; i++)
        message_take(reception, &messages[i]);
    if (reception->count > 0)
        store_look(broker->store, reception->orders, reception->before, reception->count, on_looked,
                   reception);
    else
        reception_end(reception);
}

static void topic_receive(struct broker *broker, int topic, int limit)
{
    struct reception *reception = calloc(1, sizeof(*reception));
    if (!reception) {
        broker->failed = true;
        return;
    }
    reception->broker = broker;
    reception->topic = topic;
    broker->receiving[topic] = true;
    broker->receptions++;
    rocketmq_receive(broker->mq, broker->options.mq.topics[topic], limit, on_received, reception);
}

/* Orders wanted of this topic, by all its channels. */
static int topic_wants(struct broker *broker, const char *topic)
{
    int sum = 0;
    for (int i = 0; i < broker->want_count; i++) {
        const char *other = broker->events.topic_of(broker->self, broker->wants[i].channel);
        sum += other && strcmp(other, topic) == 0 ? broker->wants[i].limit : 0;
    }
    return sum;
}

/* A topic's reception that still waits since an earlier claim serves this one. */
static void topics_receive(struct broker *broker)
{
    const char *const *topics = broker->options.mq.topics;
    for (int i = 0; topics[i] && !broker->failed; i++) {
        int limit = broker->receiving[i] ? 0 : topic_wants(broker, topics[i]);
        if (limit > 0)
            topic_receive(broker, i, limit);
    }
}

static void on_tried(void *self, const struct looked *looked, int count)
{
    struct broker *broker = self;
    (void)count;
    broker->blind = !looked;
    broker->failed = broker->failed || !looked;
    if (broker->claiming && !broker->blind)
        topics_receive(broker);
    broker->receptions--;
    claim_answer(broker);
}

/* Each delivery counts, and a few of them park an order: while the database does not answer, nothing is received. */
static void database_try(struct broker *broker)
{
    broker->receptions++;
    store_look(broker->store, NULL, NULL, 0, on_tried, broker);
}

static void on_soon(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    if (broker->claiming && broker->blind && broker->receptions == 0)
        database_try(broker);
    claim_answer(broker);
    dispatches_end(broker);
}

void broker_ring(struct broker *broker)
{
    uv_timer_start(&broker->soon, on_soon, 1, 0);
}

static bool wants_keep(struct broker *broker, const struct claim_want *wants, int count)
{
    if (count > broker->want_room) {
        struct claim_want *room = realloc(broker->wants, (size_t)count * sizeof(*room));
        broker->want_count = 0;
        if (!room)
            return false;
        broker->wants = room;
        broker->want_room = count;
    }
    memcpy(broker->wants, wants, (size_t)count * sizeof(*wants));
    broker->want_count = count;
    return true;
}

void broker_claim(struct broker *broker, const struct claim_want *wants, int count)
{
    broker->claiming = true;
    broker->failed = !wants_keep(broker, wants, count) || !rocketmq_is_up(broker->mq);
    if (!broker->blind)
        topics_receive(broker);
    if (broker->ready_count > 0 || broker->receptions == 0)
        broker_ring(broker);
}

void broker_stop(struct broker *broker)
{
    rocketmq_stop_receiving(broker->mq);
}

/* --- creation and destruction --------------------------------------------------------------------------- */

static void on_up(void *self)
{
    struct broker *broker = self;
    broker->refused[0] = '\0';
    broker->events.up(broker->self);
}

static void on_down(void *self, enum mq_result result, const char *reason)
{
    struct broker *broker = self;
    (void)result; /* named in the reason */
    broker->events.down(broker->self, reason);
}

static void broker_free(struct broker *broker)
{
    for (int i = 0; broker->places && i < broker->place_count; i++)
        free(broker->places[i]);
    free(broker->places);
    free(broker->receiving);
    free(broker->ready);
    free(broker->handed_on);
    free(broker->wants);
    free(broker);
}

static size_t topics_count(const char *const *topics)
{
    size_t count = 0;
    while (topics[count])
        count++;
    return count;
}

int broker_create(struct broker **out, uv_loop_t *loop, struct store *store,
                  const struct broker_options *options, const struct broker_events *events, void *self)
{
    static const struct rocketmq_events mq_events = {on_up, on_down};
    struct broker *broker = calloc(1, sizeof(*broker));
    if (!broker)
        return -ENOMEM;
    *broker =
        (struct broker){.loop = loop, .store = store, .options = *options, .events = *events, .self = self};
    broker->place_count = options->in_flight * 2; /* those that are being looked up as well */
    broker->places = calloc((size_t)broker->place_count, sizeof(struct parcelled *));
    broker->receiving = calloc(topics_count(options->mq.topics), sizeof(bool));
    broker->ready = calloc((size_t)broker->place_count, sizeof(struct lost_order));
    broker->handed_on = calloc((size_t)broker->place_count, sizeof(struct lost_order));
    if (!broker->places || !broker->receiving || !broker->ready || !broker->handed_on ||
        rocketmq_create(&broker->mq, loop, &options->mq, &mq_events, broker) < 0) {
        broker_free(broker);
        return -ENOMEM;
    }
    broker->soon.data = broker;
    uv_timer_init(loop, &broker->soon);
    *out = broker;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    broker_free(handle->data);
}

void broker_destroy(struct broker *broker)
{
    broker->claiming = false;
    rocketmq_destroy(broker->mq); /* answers what is under way */
    uv_close((uv_handle_t *)&broker->soon, on_closed);
}
