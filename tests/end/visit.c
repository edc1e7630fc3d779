/* Visits to a daemon's web server: see visit.h. */
#include "visit.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

static char by_socket[160];

int visit_port(void)
{
    static int port;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (port)
        return port;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    port = ntohs(address.sin_port);
    return port;
}

void visit_by(const char *socket)
{
    snprintf(by_socket, sizeof(by_socket), "%s", socket ? socket : "");
}

struct page {
    char *text;
    size_t length;
};

static size_t on_page(char *bytes, size_t size, size_t count, void *self)
{
    struct page *page = self;
    page->text = realloc(page->text, page->length + size * count + 1);
    assert_non_null(page->text);
    memcpy(page->text + page->length, bytes, size * count);
    page->length += size * count;
    page->text[page->length] = '\0';
    return size * count;
}

char *visit_status(const char *path, const char *header, long *status)
{
    char url[300];
    struct page page = {strdup(""), 0};
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", visit_port(), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_page);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
    if (*by_socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, by_socket);
    *status = 0;
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return page.text;
}

char *visit(const char *path, const char *header, long status)
{
    long got;
    char *text = visit_status(path, header, &got);
    if (got != status)
        fail_msg("%s answered %ld, not %ld: %s", path, got, status, text);
    return text;
}
