/* Inside gRPC: what grpc.c (calls) and grpc_loop.c (libcurl's multi on the uv loop) share. Nobody else includes this. */
#ifndef MAKEGOOD_GRPC_INNER_H
#define MAKEGOOD_GRPC_INNER_H

#include <curl/curl.h>
#include <stdio.h>

#include "io/grpc.h"

struct grpc {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer; /* libcurl's */
    uv_timer_t bell;  /* calls are over */
    int handles;      /* of these two, not yet closed */
    char *endpoint;
    char *ca_file; /* NULL: no TLS */
    struct grpc_call *calls;
};

struct grpc_call {
    struct grpc *grpc;
    grpc_done done;
    void *self;
    CURL *easy;
    struct curl_slist *headers;
    uint8_t *frame;
    size_t frame_bytes, frame_sent;
    uint8_t *answer;
    size_t answer_bytes;
    bool opens;
    bool paused;
    bool cancelled;
    bool over; /* ends from the loop */
    char error[CURL_ERROR_SIZE];
    struct grpc_call *next;
    struct grpc_call **link;
};

#define ENDED_BY_US CURLE_AGAIN

/* grpc.c */
/* result: libcurl's, or ENDED_BY_US. */
void grpc_call_end(struct grpc_call *call, CURLcode result);

/* grpc_loop.c */
/* Calls that are over end after so long, from the loop; sooner with others. */
void grpc_ring(struct grpc *grpc, uint64_t after_ms);

#endif
