/* gRPC over libcurl's HTTP/2: calls of one server, on the uv loop. A call that opens the connection and waits for the
 * server's first word; and calls over it, whose answer is one message or several. Bytes in, bytes out: what they mean is the caller's. Loop's
 * thread only; never blocks, never repeats a call.
 *
 * Frames and statuses as in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
#ifndef MAKEGOOD_GRPC_H
#define MAKEGOOD_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct grpc;
struct grpc_call;

/* What came of a call (gRPC's statuses, those that matter). */
enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_DEADLINE = 4,
    GRPC_UNAVAILABLE = 14, /* no answer, or a broken one: whether it was carried out is not known */
    GRPC_UNAUTHENTICATED = 16,
    GRPC_STATUS_MAX = 16,
    GRPC_UNTRUSTED = 17 /* none of gRPC's: one side wants TLS, or another certificate than the other has */
};

struct grpc_bytes {
    const uint8_t *bytes;
    size_t length;
};

/* Valid during the callback. */
struct grpc_answer {
    int status;          /* enum grpc_status, or another of gRPC's numbers */
    const char *message; /* a sentence where the status is not OK */
    const struct grpc_bytes *messages;
    int count;
};

struct grpc_request {
    const char *path;     /* static: "/package.Service/Method" */
    const uint8_t *bytes; /* the message; copied */
    size_t length;
    const char *const *headers; /* "name: value", ended by NULL; copied */
    int64_t timeout_ms;
    /* Opens a new connection, and its side of it ends when the first message has come, not before. Other calls need a
     * connection that is there. */
    bool opens;
};

typedef void (*grpc_done)(void *self, const struct grpc_answer *answer);

/* endpoint: HOST:PORT. ca_file: whose certificates are trusted; NULL: no TLS. 0 or -ENOMEM. */
int grpc_create(struct grpc **out, uv_loop_t *loop, const char *endpoint, const char *ca_file);
/* Calls under way end as GRPC_CANCELLED before this returns; freed after the loop let go. */
void grpc_destroy(struct grpc *grpc);

/* done is called exactly once, from the loop, never from inside. NULL without memory: then it is not called. */
struct grpc_call *grpc_call(struct grpc *grpc, const struct grpc_request *request, grpc_done done,
                            void *self);
/* Ends as GRPC_CANCELLED, from the loop. */
void grpc_cancel(struct grpc_call *call);
/* All of them, before this returns. */
void grpc_cancel_all(struct grpc *grpc);

#endif
