/* The client of the bank's test: see client.h. Called by the test's only thread; judges nothing. */
#include "client.h"

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t body_take(char *bytes, size_t size, size_t count, void *self)
{
    struct told *told = self;
    size_t length = size * count;
    if (told->length + length >= sizeof told->body)
        return 0; /* enough: ends the transfer with CURLE_WRITE_ERROR */
    memcpy(told->body + told->length, bytes, length);
    told->length += length;
    told->body[told->length] = '\0';
    return length;
}

static size_t header_take(char *bytes, size_t size, size_t count, void *self)
{
    struct told *told = self;
    size_t length = strlen(told->headers);
    if (length + size * count < sizeof told->headers) {
        memcpy(told->headers + length, bytes, size * count);
        told->headers[length + size * count] = '\0';
    }
    return size * count;
}

static void manner_set(CURL *curl, const struct how *how, struct curl_slist **headers)
{
    if (how->header)
        *headers = curl_slist_append(*headers, how->header);
    if (how->header2)
        *headers = curl_slist_append(*headers, how->header2);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    if (how->post)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, how->post);
    if (how->user)
        curl_easy_setopt(curl, CURLOPT_USERPWD, how->user);
    if (how->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, how->ca_file);
}

struct told get(const char *base, const char *path, const struct how *how)
{
    static const struct how usual = {.timeout_ms = 5000};
    struct told told = {0};
    char url[4096];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    how = how ? how : &usual;
    snprintf(url, sizeof url, "%s%s", base, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, how->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &told);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &told);
    manner_set(curl, how, &headers);
    told.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &told.status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &told.seconds);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &told.retry_after_s);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return told;
}

pid_t program_start(char *const *arguments, int descriptor, FILE **out)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid = -1;
    *out = NULL;
    if (pipe(ends) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], descriptor);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *out = fdopen(ends[0], "r");
    return pid;
}
