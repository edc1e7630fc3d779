/* Templates: texts with {placeholders}, compiled once and expanded per request with the escaping of their
 * place.
 *
 * Only checked values get in: numbers of the order-number charset, amounts, and members of channel_data
 * without control characters. Nothing expands to an empty text, save what is signed. Immutable after
 * compiling; any thread. */
#ifndef MAKEGOOD_CHANNEL_TEMPLATE_H
#define MAKEGOOD_CHANNEL_TEMPLATE_H

#include "channel/amount.h"
#include "channel/draft.h"
#include "makegood/channel.h"

/* Which placeholders a template may name, beside those of the order. */
enum template_scope { SCOPE_ORDER = 1, SCOPE_SIGNED = 2, SCOPE_SIGNATURE = 4 };

enum template_place {
    PLACE_URL,    /* percent-encoded */
    PLACE_FORM,   /* percent-encoded */
    PLACE_JSON,   /* as it is: jansson escapes when it dumps */
    PLACE_HEADER, /* as it is: only the order-number charset */
    PLACE_SIGNED  /* as it is */
};

/* What placeholders stand for. */
struct template_values {
    const struct lost_order *order;
    const struct moment *moment;
    const struct money_form *form;
    const json_t *data; /* channel_data as an object, or NULL */
    const char *method; /* the rest: while signing */
    const char *path;
    const char *query;
    const char *body;
    const char *signature;
};

struct placeholder; /* a row of the table in template.c */

struct template_part {
    const struct placeholder *placeholder; /* NULL: the text is literal */
    char *text;                            /* literal, or KEY of {data.KEY} */
    char *why;                             /* {data.KEY}: the sentence when the order lacks it */
};

struct template
{
    struct template_part *parts;
    unsigned count;
    bool needs_data;
};

/* scope: SCOPE_ bits. Faults go to key. The template can be finished whatever came of it. */
void template_compile(struct template *out, const char *text, unsigned scope, const char *key,
                      struct blame *blame);
void template_finish(struct template *template);

/* 0; -EINVAL when this order can not fill it, with a sentence that lives as long as the template; -ENOMEM is
 * seen when the draft is taken. */
int template_expand(const struct template *template, const struct template_values *values,
                    enum template_place place, struct draft *out, const char **why);

#endif
