/* The body of a request: none, a JSON document whose strings are templates, or a form. Any thread. */
#ifndef MAKEGOOD_CHANNEL_BODY_H
#define MAKEGOOD_CHANNEL_BODY_H

#include "channel/http_channel.h"
#include "channel/template.h"

enum body_kind { BODY_NONE, BODY_JSON, BODY_FORM };

struct body {
    enum body_kind kind;
    struct template form;
    json_t *tree;
    struct template *strings; /* one per string value of the tree, in the order of walking */
    unsigned string_count;
};

/* Faults go to body and body_type. */
void body_compile(struct body *out, const struct http_channel_spec *spec, struct blame *blame);
void body_finish(struct body *body);

bool body_needs_data(const struct body *body);
const char *body_content_type(const struct body *body); /* NULL: none */

/* 0 and the text (NULL: no body), -EINVAL with a sentence, -ENOMEM. */
int body_build(const struct body *body, const struct template_values *values, char **out, const char **why);

#endif
