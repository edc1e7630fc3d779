/* The web server: see web.h. Owns the listening socket, libmicrohttpd's daemon and the list of connections. */
#include "io/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define REQUEST_BYTES   8192 /* of a request's head */
#define SWEEP_MS        500
#define SOCKET_MODE     0660

struct guest {
    struct MHD_Connection *connection; /* NULL: free */
    uint64_t leaves_ms;
};

struct web {
    struct web_options options;
    struct web_place place;
    struct MHD_Daemon *server;
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t wake;
    int handles; /* that the loop still holds */
    bool closing;
    struct guest guests[CONNECTIONS_MAX];
};

/* One request. */
struct web_visit {
    struct web *web;
    struct MHD_Connection *connection;
    const char *path;              /* libmicrohttpd's */
    struct MHD_Response *response; /* the answer, until it is on its way */
    unsigned status;
    bool told;      /* to who answers */
    bool suspended; /* until the answer is there */
};

/* --- answers ------------------------------------------------------------------------------------------------- */

static void response_head(struct MHD_Response *response, const char *type)
{
    static const char *const heads[][2] = {
        {"Cache-Control", "no-store"},
        {"Connection", "close"}, /* one request per connection: its life is bounded */
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
         "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };
    MHD_add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        MHD_add_response_header(response, heads[i][0], heads[i][1]);
}

static struct MHD_Response *response_make(const struct web_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->bytes, (void *)(uintptr_t)answer->body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    response_head(response, answer->type);
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (answer->challenge)
        MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"makegood\", charset=\"UTF-8\"");
    return response;
}

void web_answer(struct web_visit *visit, const struct web_answer *answer)
{
    visit->status = answer->status;
    visit->response = response_make(answer);
    if (visit->suspended)
        MHD_resume_connection(visit->connection);
    visit->suspended = false;
}

static void refuse(struct web_visit *visit, unsigned status, const char *sentence)
{
    web_answer(visit,
               &(struct web_answer){status, "text/plain; charset=utf-8", sentence, strlen(sentence), false});
}

/* --- requests ------------------------------------------------------------------------------------------------ */

const char *web_path(const struct web_visit *visit)
{
    return visit->path;
}

static const char *value_of(const struct web_visit *visit, enum MHD_ValueKind kind, const char *name)
{
    const char *value = MHD_lookup_connection_value(visit->connection, kind, name);
    return value ? value : "";
}

const char *web_header(const struct web_visit *visit, const char *name)
{
    return value_of(visit, MHD_HEADER_KIND, name);
}

const char *web_argument(const struct web_visit *visit, const char *name)
{
    return value_of(visit, MHD_GET_ARGUMENT_KIND, name);
}

bool web_is_by_socket(const struct web_visit *visit)
{
    return visit->web->place.address.ss_family == AF_UNIX;
}

/* Padded to one length, so that the comparison tells nothing of it. */
static bool passwords_equal(const char *one, const char *other)
{
    enum { BYTES = 1024 };
    char padded[2][BYTES] = {{0}, {0}};
    size_t length = strlen(one), length_too = strlen(other);
    if (length >= BYTES || length_too >= BYTES)
        return false;
    memcpy(padded[0], one, length);
    memcpy(padded[1], other, length_too);
    bool equal = CRYPTO_memcmp(padded[0], padded[1], BYTES) == 0;
    OPENSSL_cleanse(padded, sizeof(padded));
    return equal;
}

static void secret_free(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    MHD_free(text);
}

bool web_knows(const struct web_visit *visit, const char *password)
{
    char *told = NULL;
    char *user = MHD_basic_auth_get_username_password(visit->connection, &told);
    bool equal = told && *password && passwords_equal(told, password);
    secret_free(user);
    secret_free(told);
    return equal;
}

struct host_seen {
    int count;
    const char *value;
};

static enum MHD_Result on_header(void *self, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct host_seen *seen = self;
    (void)kind;
    if (strcasecmp(name, "Host") == 0) {
        seen->count++;
        seen->value = value;
    }
    return MHD_YES;
}

/* A name that somebody made to point at us (DNS rebinding) is none of ours; no browser comes by a Unix socket. */
static bool host_is_ours(const struct web_visit *visit)
{
    const struct web_place *place = &visit->web->place;
    struct host_seen seen = {0};
    if (web_is_by_socket(visit))
        return true;
    MHD_get_connection_values(visit->connection, MHD_HEADER_KIND, on_header, &seen);
    return seen.count == 1 && seen.value &&
           (strcasecmp(seen.value, place->hosts[0]) == 0 || strcasecmp(seen.value, place->hosts[1]) == 0);
}

static void visit_tell(struct web_visit *visit, const char *method)
{
    const struct web_options *options = &visit->web->options;
    visit->told = true;
    if (!host_is_ours(visit))
        refuse(visit, MHD_HTTP_MISDIRECTED_REQUEST,
               "The Host of this request is none that listens here; use the address of the configuration.\n");
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        refuse(visit, MHD_HTTP_METHOD_NOT_ALLOWED, "Here is only to look: GET and HEAD.\n");
    else if (visit->web->closing)
        refuse(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "The daemon ends.\n");
    else
        options->visited(options->self, visit);
}

static struct web_visit *visit_make(struct web *web, struct MHD_Connection *connection)
{
    struct web_visit *visit = calloc(1, sizeof(*visit));
    if (visit)
        *visit = (struct web_visit){.web = web, .connection = connection};
    return visit;
}

/* Once when the head is there, once when the (empty) body is, and once more after a suspension. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **slot)
{
    struct web_visit *visit = *slot;
    (void)version;
    (void)upload;
    if (!visit) {
        *slot = visit_make(self, connection);
        return *slot ? MHD_YES : MHD_NO;
    }
    if (*upload_bytes > 0)
        return MHD_NO; /* nobody sends us anything */
    visit->path = path;
    if (!visit->told) {
        visit_tell(visit, method);
        if (!visit->response) {
            visit->suspended = true;
            MHD_suspend_connection(connection);
            return MHD_YES;
        }
    }
    if (!visit->response)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(connection, visit->status, visit->response);
    MHD_destroy_response(visit->response);
    visit->response = NULL;
    return queued;
}

static void on_completed(void *self, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    struct web_visit *visit = *slot;
    (void)self;
    (void)connection;
    (void)how;
    if (visit && visit->response)
        MHD_destroy_response(visit->response);
    free(visit);
    *slot = NULL;
}

/* --- connections --------------------------------------------------------------------------------------------- */

static void on_connection(void *self, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web *web = self;
    (void)slot;
    bool comes = code == MHD_CONNECTION_NOTIFY_STARTED;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct guest *guest = &web->guests[i];
        if (guest->connection != (comes ? NULL : connection))
            continue;
        guest->connection = comes ? connection : NULL;
        guest->leaves_ms = uv_now(web->loop) + (uint64_t)web->options.patience_ms;
        return;
    }
}

/* Who takes longer than anybody needs is shown out: a connection that drips would hold its place for ever. */
static bool guests_sweep(struct web *web)
{
    bool some = false;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        const struct guest *guest = &web->guests[i];
        if (!guest->connection)
            continue;
        some = true;
        if (uv_now(web->loop) >= guest->leaves_ms)
            shutdown(
                MHD_get_connection_info(guest->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                SHUT_RDWR);
    }
    return some;
}

/* --- the loop ------------------------------------------------------------------------------------------------ */

static void on_wake(uv_timer_t *timer);

static void web_turn(struct web *web)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool some = guests_sweep(web);
    MHD_run(web->server);
    bool waits = MHD_get_timeout(web->server, &wait_ms) == MHD_YES;
    if (!waits || wait_ms > SWEEP_MS)
        wait_ms = SWEEP_MS;
    if (waits || some)
        uv_timer_start(&web->wake, on_wake, wait_ms, 0);
    else
        uv_timer_stop(&web->wake);
}

static void on_wake(uv_timer_t *timer)
{
    web_turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    web_turn(poll->data);
}

/* --- listening ----------------------------------------------------------------------------------------------- */

/* Somebody listens: left alone. Nobody: what a life before left behind. */
static void socket_clear(const struct sockaddr_un *address)
{
    struct stat status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (lstat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

static int bind_to(int fd, const struct web_place *place)
{
    const struct sockaddr_un *file = (const struct sockaddr_un *)&place->address;
    bool is_file = place->address.ss_family == AF_UNIX;
    if (is_file)
        socket_clear(file);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if ((is_file && fchmod(fd, 0600) < 0) ||
        bind(fd, (const struct sockaddr *)&place->address, place->address_bytes) < 0)
        return -errno;
    if ((is_file && chmod(file->sun_path, SOCKET_MODE) < 0) || listen(fd, CONNECTIONS_MAX) < 0)
        return -errno;
    return 0;
}

static int listen_at(const struct web_place *place, int *out)
{
    *out = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = *out < 0 ? -errno : bind_to(*out, place);
    if (result < 0 && *out >= 0)
        close(*out);
    return result;
}

/* --- creation and destruction -------------------------------------------------------------------------------- */

static int server_start(struct web *web, int fd)
{
    web->server = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, web, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        web, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web, MHD_OPTION_END);
    if (web->server)
        return 0;
    close(fd);
    return -ENOMEM;
}

static void loop_watch(struct web *web, uv_loop_t *loop)
{
    uv_poll_init(loop, &web->poll, MHD_get_daemon_info(web->server, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_timer_init(loop, &web->wake);
    web->poll.data = web->wake.data = web;
    web->handles = 2;
    uv_poll_start(&web->poll, UV_READABLE, on_poll);
}

int web_create(struct web **out, uv_loop_t *loop, const struct web_options *options, char why[WEB_WHY_BYTES])
{
    struct web *web = calloc(1, sizeof(*web));
    int fd;
    if (!web) {
        snprintf(why, WEB_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    web->options = *options;
    web->loop = loop;
    int result = web_place_parse(options->listen, &web->place, why) ? listen_at(&web->place, &fd) : -EINVAL;
    if (result == 0)
        result = server_start(web, fd);
    if (result < 0) {
        if (result != -EINVAL)
            snprintf(why, WEB_WHY_BYTES,
                     "nothing can listen at %.110s: %s; give it another address or free this one",
                     options->listen, strerror(-result));
        free(web);
        return result;
    }
    loop_watch(web, loop);
    *out = web;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct web *web = handle->data;
    if (--web->handles == 0)
        free(web);
}

void web_destroy(struct web *web)
{
    web->closing = true;
    uv_poll_stop(&web->poll);
    uv_close((uv_handle_t *)&web->poll, on_closed);
    uv_close((uv_handle_t *)&web->wake, on_closed);
    MHD_run(web->server); /* what was answered last, and what was resumed */
    MHD_stop_daemon(web->server);
    if (web->place.address.ss_family == AF_UNIX)
        unlink(((struct sockaddr_un *)&web->place.address)->sun_path);
}
