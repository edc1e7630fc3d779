/* The end of a request. Called by whoever had it built, on any thread; leaves none of its bytes in freed
 * memory. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "makegood/channel.h"

static void wipe(char *bytes, size_t length)
{
    if (bytes)
        OPENSSL_cleanse(bytes, length);
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
    for (int i = 0; i < request->header_count; i++)
        wipe_text(request->headers[i]);
    wipe(request->body, request->body_bytes);
    OPENSSL_cleanse(request, sizeof(*request));
}
