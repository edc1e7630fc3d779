/* An answer that is kept beyond its transfer: copied from the wire by `query`, read from a file by `replay`. Owned by
 * one thread at a time; any thread. */
#ifndef MAKEGOOD_KEPT_H
#define MAKEGOOD_KEPT_H

#include "makegood/channel.h"

#define KEPT_HEADERS_MAX 32

struct kept_answer {
    bool whole; /* otherwise the transfer failed, and at most its status is known */
    int http_status;
    char *headers[KEPT_HEADERS_MAX]; /* "Name: value"; from the wire: those that matter */
    int header_count;
    char *body; /* never NULL when whole; a NUL follows it */
    size_t body_bytes;
    int64_t retry_after_ms;
};

/* 0 or -ENOMEM; kept_finish is due either way. */
int kept_copy(struct kept_answer *out, const struct response *response);
int kept_header_add(struct kept_answer *kept, const char *line, size_t length);
void kept_finish(struct kept_answer *kept);

/* The same answer for `interpret`, valid as long as the kept one. */
struct response kept_response(const struct kept_answer *kept, bool trusted);

/* A question, copied; 0 or -ENOMEM. request_finish ends it, also after -ENOMEM. */
int request_copy(struct request *out, const struct request *from);

#endif
