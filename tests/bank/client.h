/* The client of the bank's test: one question by libcurl, and everything that is told. */
#ifndef BANK_CLIENT_H
#define BANK_CLIENT_H

#include <curl/curl.h>
#include <stdio.h>
#include <sys/types.h>

struct told {
    CURLcode code;
    long status;
    double seconds;
    curl_off_t retry_after_s;
    size_t length;
    char body[16384];
    char headers[8192];
};

struct how {
    long timeout_ms;     /* of the whole question */
    const char *header;  /* one more, or NULL */
    const char *header2; /* and another */
    const char *post;    /* a body to be posted, or NULL: GET */
    const char *user;    /* NAME:PASSWORD, or NULL */
    const char *ca_file; /* or NULL: the system's */
};

/* On a connection of its own. how may be NULL. */
struct told get(const char *base, const char *path, const struct how *how);

/* Starts a program; what it says on the given descriptor can be read from *out. -1: it did not start. */
pid_t program_start(char *const *arguments, int descriptor, FILE **out);

#endif
