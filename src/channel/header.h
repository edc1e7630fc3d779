/* The configured headers of a request: literal names, template values. Any thread. */
#ifndef MAKEGOOD_CHANNEL_HEADER_H
#define MAKEGOOD_CHANNEL_HEADER_H

#include "channel/http_channel.h"
#include "channel/template.h"

struct header {
    char *name;
    struct template value;
};

struct headers {
    struct header *items;
    unsigned count;
};

/* Faults go to headers[N].name and headers[N].value. */
void headers_compile(struct headers *out, const struct http_channel_spec *spec, struct blame *blame);
void headers_finish(struct headers *headers);

/* Is the name configured? Names are compared without case. */
bool headers_have(const struct headers *headers, const char *name);

/* RFC 9110: may this text be a header's name? */
bool header_name_is_token(const char *name);
/* Is it one that the transport sets? */
bool header_name_is_ours(const char *name);
/* Printable ASCII, neither empty nor with spaces at its ends. */
bool header_value_is_clean(const char *value);

/* Adds "Name: value" to the request; 0 or -ENOMEM. */
int header_line_add(const char *name, const char *value, struct request *request);
/* The same for a configured header; 0, -EINVAL with a sentence, -ENOMEM. */
int header_add(const struct header *header, const struct template_values *values, struct request *request,
               const char **why);

#endif
