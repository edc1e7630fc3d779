/* Rules: from an HTTP status and an answer to what it proves; ordered, the first that holds wins.
 * Compiled once; immutable and usable from any thread afterwards. */
#ifndef MAKEGOOD_CHANNEL_RULES_H
#define MAKEGOOD_CHANNEL_RULES_H

#include "channel/http_channel.h"
#include "channel/pointer.h"

enum match { MATCH_ANY, MATCH_ALL, MATCH_NONE };

struct condition {
    struct pointer over;
    struct pointer at;
    struct texts is; /* empty: there, and not null */
    enum match match;
};

struct status_range {
    int least;
    int most;
};

struct rule {
    char name[RULE_BYTES];
    enum evidence_kind kind;
    struct status_range *http; /* none: any that fits the kind */
    unsigned http_count;
    struct condition *when; /* all must hold */
    unsigned when_count;
};

struct rules {
    struct rule *items;
    unsigned count;
};

/* Faults go to rules and rules[N].KEY. */
void rules_compile(struct rules *out, const struct http_channel_spec *spec, struct blame *blame);
/* The same for answers to closing, which settle nothing: they need no proof. */
void rules_compile_closing(struct rules *out, const struct http_channel_spec *spec, struct blame *blame);
void rules_finish(struct rules *rules);

/* The first rule that holds, or NULL. answer is NULL when the body could not be read: no condition holds
 * then. */
const struct rule *rules_find(const struct rules *rules, int http_status, const json_t *answer);

/* What a status means by itself, whatever the body says; EVIDENCE_NONE: nothing. */
enum evidence_kind kind_of_status(int http_status);

/* Kinds that end or keep an order (the others are faults of the channel). */
bool kind_is_answer(enum evidence_kind kind);
/* Kinds that prove a payment and need its amount. */
bool kind_is_payment(enum evidence_kind kind);

#endif
