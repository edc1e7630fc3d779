/* Inside the broker's source: what broker.c (receiving) and broker_settle.c (settling) share. Nobody else includes this. */
#ifndef MAKEGOOD_BROKER_INNER_H
#define MAKEGOOD_BROKER_INNER_H

#include "io/broker.h"
#include "io/letter.h"

/* A message that is with us: what it takes to write the next one, and to acknowledge this one. */
struct parcelled {
    char topic[128];
    char id[MESSAGE_ID_BYTES];
    char handle[HANDLE_BYTES];
    char chain[TOKEN_BYTES];
    int64_t due_us;
    struct step before;
    int64_t created_ms, expires_ms;
    int64_t next_us;  /* when the next one is due, once that was decided; 0: not yet */
    int64_t until_ms; /* by our clock, not ours any more after that */
    uint32_t turn;    /* of the place: old numbers find nothing */
    bool handed_on;   /* to the engine, which gives it back: the place is not free before that */
};

/* A batch whose next messages are on their way. */
struct dispatch {
    struct broker *broker;
    struct batch *batch; /* NULL: free */
    int left;
    bool failed;
    bool over; /* to be ended from the loop */
};

#define AGAIN_MS       10000 /* what is given back unasked comes again after so long */
#define DISPATCHES_MAX 8     /* the engine has fewer batches under way */

struct broker {
    uv_loop_t *loop;
    struct store *store;
    struct rocketmq *mq;
    struct broker_options options;
    struct broker_events events;
    void *self;
    uv_timer_t soon; /* what must not happen inside a call */
    struct dispatch dispatches[DISPATCHES_MAX];
    struct parcelled **places;
    int place_count;
    uint32_t turns;
    struct lost_order *ready; /* looked at, not claimed yet: at most as many as there are places */
    int ready_count;
    struct lost_order *handed_on; /* with the claim that is being answered */
    struct claim_want *wants;     /* of the claim under way */
    int want_count, want_room;
    bool claiming;
    bool failed;     /* something of the claim under way did */
    bool blind;      /* the database did not answer: it is asked again before anything is received */
    int receptions;  /* under way ... */
    bool *receiving; /* ... at most one of each topic */
    char refused[256];
    uint64_t messages[MESSAGE_FATES];
};

void broker_ring(struct broker *broker);
/* broker_parcel.c */
struct parcelled *parcelled_find(struct broker *broker, int64_t attempt_id);
struct parcelled *parcelled_same(const struct broker *broker, const struct letter *letter);
int64_t parcelled_make(struct broker *broker, const struct mq_message *message, const struct letter *letter);
void parcelled_stamp(struct broker *broker, struct parcelled *parcelled, const struct mq_message *message);
bool parcelled_is_over(const struct parcelled *parcelled);
void parcelled_free(struct broker *broker, int64_t attempt_id);
/* broker_settle.c */
void dispatches_end(struct broker *broker);
/* A refusal is told once. */
void broker_refused(struct broker *broker, const char *what, enum mq_result result, const char *reason);
/* Acknowledged, whatever comes of it: at worst it comes again. */
void broker_ack(struct broker *broker, const char *topic, const char *id, const char *handle);
/* The moment at which a message that is due then can be delivered, and the text of a new message's identifier. */
int64_t broker_deliver_ms(const struct broker *broker, int64_t due_us);
void broker_id(const char *chain, int64_t due_us, int64_t deliver_ms, char out[MESSAGE_ID_BYTES]);

#endif
