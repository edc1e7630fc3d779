/* The client of the bank's test: see client.h. Called by the test's only thread; judges nothing. */
#include "client.h"

#include <stdio.h>
#include <string.h>

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

struct told get(const char *base, const char *path, const struct how *how)
{
    static const struct how usual = {.timeout_ms = 5000};
    struct told told = {0};
    char url[256];
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
    if (how->header)
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers = curl_slist_append(NULL, how->header));
    if (how->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, how->ca_file);
    told.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &told.status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &told.seconds);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &told.retry_after_s);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return told;
}
