/* The end of a request: built by a channel, ended by whoever carried it, so it lives below both. Any thread; leaves
 * none of its bytes in freed memory. */
#include <stdlib.h>
#include <string.h>

#include "makegood/channel.h"

static void wipe(char *bytes, size_t length)
{
    if (bytes)
        explicit_bzero(bytes, length);
    free(bytes);
}

static void wipe_text(char *text)
{
    wipe(text, text ? strlen(text) : 0);
}

void request_finish(struct request *request)
{
    wipe_text(request->method);
    wipe_text(request->url);
    wipe_text(request->second_url);
    for (int i = 0; i < request->header_count; i++)
        wipe_text(request->headers[i]);
    wipe(request->body, request->body_bytes);
    explicit_bzero(request, sizeof(*request));
}
