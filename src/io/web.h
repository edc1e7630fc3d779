/* A small web server for people and scrapers on the same machine: libmicrohttpd, driven by its epoll descriptor from
 * the uv loop. GET and HEAD only, on a loopback address or a Unix socket; requests, connections and their time are
 * bounded. Loop's thread only; knows no page: who made it answers each visit, at once or later. */
#ifndef MAKEGOOD_WEB_H
#define MAKEGOOD_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#define WEB_WHY_BYTES 256

/* Where it listens. */
struct web_place {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    char hosts[2][80]; /* what a visitor's Host header may say; "" for a Unix socket: anything */
};
/* 127.0.0.1:9470, [::1]:9470 or unix:/run/makegood/web.sock. False, and one sentence with its mend. */
bool web_place_parse(const char *text, struct web_place *out, char why[WEB_WHY_BYTES]);

struct web;
struct web_visit;

struct web_options {
    const char *listen;
    int64_t patience_ms; /* a connection's whole life */
    /* Answers by web_answer, now or later. */
    void (*visited)(void *self, struct web_visit *visit);
    void *self;
};

/* 0, or a negative errno and one sentence. */
int web_create(struct web **out, uv_loop_t *loop, const struct web_options *options, char why[WEB_WHY_BYTES]);
/* Every visit must have been answered. Frees after the loop let go. */
void web_destroy(struct web *web);

/* Of a visit that is not answered yet. Texts are "" when absent. */
const char *web_path(const struct web_visit *visit);
const char *web_header(const struct web_visit *visit, const char *name);
const char *web_argument(const struct web_visit *visit, const char *name);
bool web_is_by_socket(const struct web_visit *visit);
/* HTTP Basic, with any user's name; compares in constant time. */
bool web_knows(const struct web_visit *visit, const char *password);

struct web_answer {
    unsigned status;
    const char *type;
    const char *body; /* copied */
    size_t bytes;
    bool challenge; /* asks for a password */
};
/* Exactly once per visit; the visit is gone then. */
void web_answer(struct web_visit *visit, const struct web_answer *answer);

#endif
