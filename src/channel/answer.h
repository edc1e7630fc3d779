/* What an answer says: whose it is, its money, its status. Compiled once; immutable and usable from any
 * thread. */
#ifndef MAKEGOOD_CHANNEL_ANSWER_H
#define MAKEGOOD_CHANNEL_ANSWER_H

#include "channel/amount.h"
#include "makegood/channel.h"

struct answer {
    struct pointer number;
    struct pointer order_no;
    struct pointer merchant_at;
    struct pointer status;
    struct pointer code;
    struct pointer channel_number;
    struct pointer currency;
    struct amount amount;
    struct amount refunded;
    struct money_form form;
    char *merchant;
};

enum naming { NAMING_NONE, NAMING_OURS, NAMING_OTHER }; /* the stronger word comes later */

/* Faults go to answer.KEY and merchant. */
void answer_compile(struct answer *out, const struct http_channel_spec *spec, struct blame *blame);
void answer_finish(struct answer *answer);

/* Ours: a configured number is there and equal, and none is there and different. */
enum naming answer_naming(const struct answer *answer, const struct lost_order *order, const json_t *root);
/* A merchant is named, and it is not ours. */
bool answer_merchant_differs(const struct answer *answer, const json_t *root);
bool answer_has_status(const struct answer *answer, const json_t *root);
/* The status, else the error code, as text; NULL when neither is there as one. */
const char *answer_code(const struct answer *answer, const json_t *root, char scratch[JSON_NUMBER_BYTES]);
/* The channel's own number, of what was paid where answer.amount tells it, when it is one that we could keep;
 * else NULL. */
const char *answer_channel_number(const struct answer *answer, const json_t *root,
                                  char scratch[JSON_NUMBER_BYTES]);
/* Fills currency, amount and the refunded amount of *out; false, and nothing filled, when currency or amount
 * can not be read. */
bool answer_money(const struct answer *answer, const json_t *root, struct evidence *out);

#endif
