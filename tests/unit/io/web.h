/* A web server for the tests: libmicrohttpd, a thread per connection, behaviour by path; and a listener that
 * says one thing, whatever it is, to everybody. */
#ifndef TEST_IO_WEB_H
#define TEST_IO_WEB_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "place.h"

struct web {
    struct MHD_Daemon *daemon;
    unsigned port;
    atomic_int connections;
    atomic_int requests;
    atomic_bool closing;     /* the silent ones wake up */
    atomic_int tokens;       /* handed out: T1, T2, ... */
    atomic_int tokens_fail;  /* the next so many requests for a token get a 503 */
    atomic_int tokens_valid; /* tokens below this number are refused */
    pthread_mutex_t mutex;
    char seen[512]; /* of the last request: method, body's length, some headers; under the mutex */
    char *key, *certificate;
};

/* Drips a byte every 100 ms, for ever. */
static inline ssize_t web_drip(void *self, uint64_t position, char *bytes, size_t max)
{
    struct web *web = self;
    (void)position, (void)max;
    usleep(100000);
    bytes[0] = '.';
    return atomic_load(&web->closing) ? MHD_CONTENT_READER_END_OF_STREAM : 1;
}

/* Five bytes, then the connection ends. */
static inline ssize_t web_cut(void *self, uint64_t position, char *bytes, size_t max)
{
    (void)self, (void)max;
    memcpy(bytes, "{\"a\":", 5);
    return position == 0 ? 5 : MHD_CONTENT_READER_END_WITH_ERROR;
}

static inline ssize_t web_flood(void *self, uint64_t position, char *bytes, size_t max)
{
    (void)self, (void)position;
    memset(bytes, 'x', max);
    return (ssize_t)max;
}

static inline struct MHD_Response *web_text(const char *text)
{
    return MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *web_big_headers(void)
{
    struct MHD_Response *response = web_text("small");
    char value[4001];
    memset(value, 'h', 4000);
    value[4000] = '\0';
    for (int i = 0; i < 10; i++)
        MHD_add_response_header(response, "X-Big", value);
    return response;
}

/* "/retry/VALUE" */
static inline struct MHD_Response *web_retry(const char *value)
{
    struct MHD_Response *response = web_text("slow down");
    MHD_add_response_header(response, "Retry-After", value);
    return response;
}

static inline struct MHD_Response *web_with(const char *name, const char *value)
{
    struct MHD_Response *response = web_text("{\"status\":\"fine\"}");
    MHD_add_response_header(response, name, value);
    return response;
}

/* Slowly, so that questions come together behind it. */
static inline struct MHD_Response *web_token(struct web *web, unsigned *status)
{
    char text[32];
    usleep(50000);
    snprintf(text, sizeof(text), "T%d", atomic_fetch_add(&web->tokens, 1) + 1);
    if (atomic_fetch_sub(&web->tokens_fail, 1) > 0)
        *status = 503;
    return web_text(text);
}

static inline struct MHD_Response *web_guarded(struct web *web, const char *authorization, unsigned *status)
{
    int number = 0;
    bool granted =
        sscanf(authorization, "Bearer T%d", &number) == 1 && number >= atomic_load(&web->tokens_valid);
    *status = granted ? 200 : 401;
    return web_text(authorization);
}

/* A header twice, another one once. */
static inline struct MHD_Response *web_headers(void)
{
    struct MHD_Response *response = web_with("X-Once", "one");
    MHD_add_response_header(response, "X-Twice", "one");
    MHD_add_response_header(response, "X-Twice", "two");
    return response;
}

/* "/clock/SECONDS": as if our clock were that much ahead. */
static inline struct MHD_Response *web_clock(const char *ahead)
{
    char date[64];
    struct tm parts;
    time_t theirs = time(NULL) - (time_t)atoll(ahead);
    gmtime_r(&theirs, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return web_with("Date", date);
}

static inline struct MHD_Response *web_answer(struct web *web, const char *path, unsigned *status)
{
    char size[32];
    *status = 200;
    if (strcmp(path, "/silence") == 0)
        while (!atomic_load(&web->closing))
            usleep(20000);
    if (strcmp(path, "/drip") == 0)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, web_drip, web, NULL);
    if (strcmp(path, "/cut") == 0)
        return MHD_create_response_from_callback(100, 64, web_cut, NULL, NULL);
    if (strcmp(path, "/flood") == 0)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, web_flood, NULL, NULL);
    if (sscanf(path, "/size/%31s", size) == 1)
        return MHD_create_response_from_callback((uint64_t)atoll(size), 4096, web_flood, NULL, NULL);
    if (strcmp(path, "/headers") == 0)
        return web_big_headers();
    if (strcmp(path, "/some-headers") == 0)
        return web_headers();
    if (strcmp(path, "/token") == 0)
        return web_token(web, status);
    if (strncmp(path, "/clock/", 7) == 0)
        return web_clock(path + 7);
    if (strcmp(path, "/redirect") == 0) {
        *status = 302;
        return web_with("Location", "/fine");
    }
    if (strncmp(path, "/retry/", 7) == 0) {
        *status = 429;
        return web_retry(path + 7);
    }
    if (strcmp(path, "/gzip") == 0)
        return web_with("Content-Encoding", "gzip");
    if (strcmp(path, "/fine") == 0)
        return web_with("Content-Type", "application/json");
    *status = 404;
    return web_text("no such page");
}

static inline const char *web_header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value ? value : "-";
}

static inline void web_remember(struct web *web, struct MHD_Connection *connection, const char *method,
                                size_t body_bytes)
{
    pthread_mutex_lock(&web->mutex);
    snprintf(web->seen, sizeof(web->seen), "%s %zu agent=%s accept=%s expect=%s encoding=%s id=%s", method,
             body_bytes, web_header(connection, "User-Agent"), web_header(connection, "Accept"),
             web_header(connection, "Expect"), web_header(connection, "Accept-Encoding"),
             web_header(connection, "X-Request-Id"));
    pthread_mutex_unlock(&web->mutex);
}

static inline const char *web_seen(struct web *web)
{
    static char copy[sizeof(web->seen)];
    pthread_mutex_lock(&web->mutex);
    memcpy(copy, web->seen, sizeof(copy));
    pthread_mutex_unlock(&web->mutex);
    return copy;
}

static inline enum MHD_Result web_handle(void *self, struct MHD_Connection *connection, const char *url,
                                         const char *method, const char *version, const char *upload,
                                         size_t *upload_bytes, void **request)
{
    struct web *web = self;
    unsigned status;
    (void)version, (void)upload;
    if (!*request) {
        *request = calloc(1, sizeof(size_t));
        return MHD_YES;
    }
    size_t *body_bytes = *request;
    if (*upload_bytes) {
        *body_bytes += *upload_bytes;
        *upload_bytes = 0;
        return MHD_YES;
    }
    web_remember(web, connection, method, *body_bytes);
    atomic_fetch_add(&web->requests, 1);
    if (strcmp(url, "/guarded/slowly") == 0)
        usleep(300000);
    struct MHD_Response *response = strncmp(url, "/guarded", 8) == 0
                                        ? web_guarded(web, web_header(connection, "Authorization"), &status)
                                        : web_answer(web, url, &status);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static inline void web_request_over(void *self, struct MHD_Connection *connection, void **request,
                                    enum MHD_RequestTerminationCode how)
{
    (void)self, (void)connection, (void)how;
    free(*request);
    *request = NULL;
}

static inline void web_connection(void *self, struct MHD_Connection *connection, void **context,
                                  enum MHD_ConnectionNotificationCode what)
{
    struct web *web = self;
    (void)connection, (void)context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        atomic_fetch_add(&web->connections, 1);
}

static inline char *read_text(const char *path)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(path, "r");
    assert(file && fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

/* certificates: a folder made by scripts/lib.sh's make_certificates; NULL: plain. Listens on every address.
 */
static inline void web_open(struct web *web, const char *certificates)
{
    char path[128];
    memset(web, 0, sizeof(*web));
    pthread_mutex_init(&web->mutex, NULL);
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    struct MHD_OptionItem tls[3] = {{MHD_OPTION_END, 0, NULL}};
    if (certificates) {
        snprintf(path, sizeof(path), "%s/server.key", certificates);
        web->key = read_text(path);
        snprintf(path, sizeof(path), "%s/server.crt", certificates);
        web->certificate = read_text(path);
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, web->key};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, web->certificate};
        tls[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        flags |= MHD_USE_TLS;
    }
    web->daemon = MHD_start_daemon(flags, 0, NULL, NULL, web_handle, web, MHD_OPTION_NOTIFY_COMPLETED,
                                   web_request_over, NULL, MHD_OPTION_NOTIFY_CONNECTION, web_connection, web,
                                   MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)1 << 18, MHD_OPTION_ARRAY, tls,
                                   MHD_OPTION_END);
    assert(web->daemon);
    web->port = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static inline void web_close(struct web *web)
{
    atomic_store(&web->closing, true);
    MHD_stop_daemon(web->daemon);
    free(web->key);
    free(web->certificate);
}

/* Says `text` `times` over to everybody who sent something, then `last`, and hangs up. */
struct parrot {
    int fd;
    unsigned port;
    const char *text;
    int times;
    const char *last;
    pthread_t thread;
};

static inline void *parrot_run(void *self)
{
    struct parrot *parrot = self;
    char heard[4096];
    for (int fd; (fd = accept(parrot->fd, NULL, NULL)) >= 0; close(fd)) {
        if (recv(fd, heard, sizeof(heard), 0) <= 0)
            continue;
        bool listens = true;
        for (int i = 0; i < parrot->times && listens; i++)
            listens = send(fd, parrot->text, strlen(parrot->text), MSG_NOSIGNAL) > 0;
        if (listens)
            send(fd, parrot->last, strlen(parrot->last), MSG_NOSIGNAL);
    }
    return NULL;
}

static inline void parrot_open(struct parrot *parrot, const char *text, int times, const char *last)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    *parrot =
        (struct parrot){.fd = socket(AF_INET, SOCK_STREAM, 0), .text = text, .times = times, .last = last};
    assert(bind(parrot->fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(parrot->fd, 8) == 0);
    assert(getsockname(parrot->fd, (struct sockaddr *)&address, &length) == 0);
    parrot->port = ntohs(address.sin_port);
    assert(pthread_create(&parrot->thread, NULL, parrot_run, parrot) == 0);
}

static inline void parrot_close(struct parrot *parrot)
{
    shutdown(parrot->fd, SHUT_RDWR);
    pthread_join(parrot->thread, NULL);
    close(parrot->fd);
}

#endif
