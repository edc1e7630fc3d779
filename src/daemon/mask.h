/* What may be shown of a question and of its answer: no secret, and nothing that moves a terminal. Any thread.
 *
 * Masked are the values of Authorization and of every header, parameter and JSON member whose name speaks of a secret
 * (all but their first four characters, and the length is told), and whatever tells a secret of the channel. */
#ifndef MAKEGOOD_MASK_H
#define MAKEGOOD_MASK_H

#include <jansson.h>

#include "makegood/channel.h"

/* Does a header, parameter or member of this name hold a secret? */
bool mask_is_due(const char *name, size_t length);

/* Each: a new text without control characters (lines stay), or NULL without memory. */
char *mask_header(const struct channel *channel, const char *line);
char *mask_url(const struct channel *channel, const char *url);
/* JSON is laid out for reading. */
char *mask_body(const struct channel *channel, const char *body, size_t length);

/* The same body as a JSON value: its own when it is JSON, else a string; NULL without memory. */
json_t *mask_body_json(const struct channel *channel, const char *body, size_t length);

/* Control characters, broken UTF-8 and what reverses a line's direction become \xNN. NULL without memory. */
char *text_printable(const char *bytes, size_t length);
/* The same for one line: ends of lines and tabs become \xNN as well. */
char *text_tame(const char *text);

#endif
