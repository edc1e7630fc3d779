/* What reading an answer, and writing a request, have in common between the channels that are written in C. Any thread. */
#ifndef MAKEGOOD_CHANNEL_READING_H
#define MAKEGOOD_CHANNEL_READING_H

#include <openssl/evp.h>

#include "makegood/channel.h"

/* Clears the fields that are the channel's to fill (the kind is garbage then) and writes the body's digest. */
void reading_begin(struct evidence *out, const struct response *response);
/* The same by a digest that was fetched before: finding it costs as much as using it. */
void reading_begin_by(const EVP_MD *sha256, struct evidence *out, const struct response *response);
/* Printable ASCII, cut. */
void reading_code(struct evidence *out, const char *text);
/* The channel's own number of the payment, where it is one that we could keep. */
void reading_number(struct evidence *out, const char *text);

/* Writes `asked` from method and URL; not the query, which may hold more than the audit should. */
void request_ask(struct request *out);

#endif
