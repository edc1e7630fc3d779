/* The web server over real sockets: what it serves, whom it refuses, and that nobody can hold it up. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/web.h"

#define GUESTS      32 /* as web.c lets in */
#define PATIENCE_MS 1500

static uv_loop_t loop;
static struct web *web;
static struct web_visit *waiting; /* for its answer */
static char place[128];
static char head[128]; /* Host */
static char folder[] = "/tmp/makegood-web-XXXXXX";

static void answer(struct web_visit *visit, unsigned status, const char *text)
{
    web_answer(visit, &(struct web_answer){status, "text/plain", text, strlen(text), status == 401});
}

/* Pages of the tests. */
static void on_visited(void *self, struct web_visit *visit)
{
    char text[512];
    assert_ptr_equal(self, &loop);
    if (strcmp(web_path(visit), "/later") == 0) {
        assert_null(waiting);
        waiting = visit;
    } else if (strcmp(web_path(visit), "/secret") == 0) {
        bool known = web_knows(visit, "open sesame");
        answer(visit, known ? 200 : 401, known ? "treasure" : "who is there?");
    } else {
        snprintf(text, sizeof(text), "path %s, accept %s, q %s", web_path(visit), web_header(visit, "Accept"),
                 web_argument(visit, "q"));
        answer(visit, 200, text);
    }
}

/* --- visitors ------------------------------------------------------------------------------------------------- */

static int visitor_connect(void)
{
    struct web_place where;
    char why[WEB_WHY_BYTES];
    assert_true(web_place_parse(place, &where, why));
    int fd = socket(where.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where.address, where.address_bytes), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void turn(int ms)
{
    for (int64_t end = (int64_t)(uv_hrtime() / 1000000) + ms; (int64_t)(uv_hrtime() / 1000000) < end;
         usleep(1000))
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* All that comes until the connection ends, "" when it was cut without a word; fails after ms. */
static const char *hear(int fd, int ms)
{
    static char text[65536];
    size_t length = 0;
    int64_t end_ms = (int64_t)(uv_hrtime() / 1000000) + ms;
    for (ssize_t got = -1; got != 0;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        got = recv(fd, text + length, sizeof(text) - 1 - length, MSG_DONTWAIT);
        length += got > 0 ? (size_t)got : 0;
        if (got < 0 && errno == ECONNRESET)
            break;
        if ((int64_t)(uv_hrtime() / 1000000) > end_ms)
            fail_msg("no end within %d ms of: %s", ms, text);
        usleep(got < 0 ? 500 : 0);
    }
    text[length] = '\0';
    close(fd);
    return text;
}

/* One whole visit; extra lines end in \r\n. */
static const char *visit(const char *method, const char *path, const char *extra)
{
    char request[1024];
    int fd = visitor_connect();
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, head, extra);
    say(fd, request);
    return hear(fd, 5000);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

/* --- up and down ---------------------------------------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void open_at(const char *where)
{
    char why[WEB_WHY_BYTES] = "";
    struct web_options options = {
        .listen = where, .patience_ms = PATIENCE_MS, .visited = on_visited, .self = &loop};
    snprintf(place, sizeof(place), "%s", where);
    uv_loop_init(&loop);
    if (web_create(&web, &loop, &options, why) < 0)
        fail_msg("%s", why);
}

static int open_tcp(void **state)
{
    (void)state;
    snprintf(head, sizeof(head), "127.0.0.1:%d", free_port());
    open_at(head);
    return 0;
}

static int open_unix(void **state)
{
    char where[128];
    (void)state;
    strcpy(head, "anything at all");
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(where, sizeof(where), "unix:%s/web.sock", folder);
    open_at(where);
    return 0;
}

static int shut(void **state)
{
    (void)state;
    web_destroy(web);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    rmdir(folder);
    return 0;
}

/* --- pages ---------------------------------------------------------------------------------------------------- */

static void a_page_is_served(void **state)
{
    (void)state;
    const char *got = visit("GET", "/some/page?q=a%20b", "Accept: text/thing\r\n");
    assert_has(got, "HTTP/1.1 200 OK\r\n");
    assert_has(got, "\r\n\r\npath /some/page, accept text/thing, q a b");
    assert_has(got, "\r\nConnection: close\r\n");
    assert_has(got, "\r\nCache-Control: no-store\r\n");
    assert_has(got, "\r\nContent-Security-Policy: default-src 'none'; ");
    assert_has(got, "\r\nX-Content-Type-Options: nosniff\r\n");
    assert_null(strstr(got, "Access-Control-Allow"));
}

static void head_has_no_body(void **state)
{
    (void)state;
    const char *got = visit("HEAD", "/", "");
    assert_has(got, "HTTP/1.1 200 OK\r\n");
    assert_has(got, "Content-Length: 19\r\n");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void an_answer_may_come_later(void **state)
{
    (void)state;
    char request[200];
    int fd = visitor_connect();
    snprintf(request, sizeof(request), "GET /later HTTP/1.1\r\nHost: %s\r\n\r\n", head);
    say(fd, request);
    turn(100);
    assert_non_null(waiting);
    assert_has(visit("GET", "/between", ""), "path /between"); /* others do not wait for it */
    answer(waiting, 200, "at last");
    waiting = NULL;
    assert_has(hear(fd, 1000), "\r\n\r\nat last");
}

/* Who waited in vain and went: his answer harms nobody. */
static void an_answer_for_nobody(void **state)
{
    (void)state;
    char request[200];
    int fd = visitor_connect();
    snprintf(request, sizeof(request), "GET /later HTTP/1.1\r\nHost: %s\r\n\r\n", head);
    say(fd, request);
    turn(50);
    close(fd);
    turn(50);
    assert_non_null(waiting);
    answer(waiting, 200, "at last");
    waiting = NULL;
    assert_has(visit("GET", "/after", ""), "path /after");
}

static void a_password_is_asked_for(void **state)
{
    (void)state;
    const char *got = visit("GET", "/secret", "");
    assert_has(got, "HTTP/1.1 401 ");
    assert_has(got, "WWW-Authenticate: Basic realm=\"makegood\"");
    /* any:open sesame */
    assert_has(visit("GET", "/secret", "Authorization: Basic YW55Om9wZW4gc2VzYW1l\r\n"), "treasure");
    static const char *const wrong[] = {"Basic YW55Om9wZW4gc2VzYW0=",     /* one letter short */
                                        "Basic YW55Om9wZW4gc2VzYW1lIQ==", /* one more */
                                        "Basic YW55Og==",                 /* none */
                                        "Basic YW55",
                                        "Basic ////",
                                        "Basic",
                                        "Bearer YW55Om9wZW4gc2VzYW1l"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[100];
        snprintf(line, sizeof(line), "Authorization: %s\r\n", wrong[i]);
        assert_has(visit("GET", "/secret", line), "HTTP/1.1 401 ");
    }
}

/* --- whom it refuses ------------------------------------------------------------------------------------------ */

static void other_methods_are_refused(void **state)
{
    static const char *const methods[] = {"POST",  "PUT",   "DELETE",  "OPTIONS",
                                          "TRACE", "PATCH", "CONNECT", "get"};
    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        const char *got = visit(methods[i], "/", "");
        assert_has(got, "HTTP/1.1 405 ");
        assert_has(got, "Allow: GET, HEAD\r\n");
    }
}

static void a_body_is_refused(void **state)
{
    (void)state;
    assert_null(strstr(visit("POST", "/", "Content-Length: 5\r\n\r\nhello"), "200 OK"));
    assert_null(strstr(visit("GET", "/", "Content-Length: 5\r\n\r\nhello"), "200 OK"));
    assert_has(visit("GET", "/", ""), "200 OK");
}

/* DNS rebinding: a page of another site whose name points here. */
static void foreign_hosts_are_refused(void **state)
{
    char mine[128], port[8];
    (void)state;
    strcpy(mine, head);
    snprintf(port, sizeof(port), "%s", strrchr(mine, ':') + 1);
    snprintf(head, sizeof(head), "LocalHost:%s", port);
    assert_has(visit("GET", "/", ""), "200 OK");
    static const char *const foreign[] = {"evil.example:%s",    "127.0.0.1",         "localhost",
                                          "127.0.0.1:1",        "127.0.0.1:%s.evil", "",
                                          "127.0.0.1:%s, evil", "[::1]:%s",          "localhost.:%s"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        const char *percent = strchr(foreign[i], '%');
        snprintf(head, sizeof(head), "%.*s%s%s", percent ? (int)(percent - foreign[i]) : 99, foreign[i],
                 percent ? port : "", percent ? percent + 2 : "");
        const char *got = visit("GET", "/", "");
        if (strstr(got, "200 OK") || !strstr(got, "HTTP/1.1 4"))
            fail_msg("Host \"%s\" got %s", head, got);
    }
    strcpy(head, mine);
    assert_has(visit("GET", "/", "Host: evil.example\r\n"), "HTTP/1.1 4"); /* twice */
}

static void garbage_is_cut(void **state)
{
    static const char *const garbage[] = {"\r\n\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                                          "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01"};
    (void)state;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        int fd = visitor_connect();
        say(fd, garbage[i]);
        assert_null(strstr(hear(fd, 5000), "200 OK"));
    }
    assert_has(visit("GET", "/", ""), "200 OK");
}

static void a_large_head_is_refused(void **state)
{
    char *request = calloc(1, 70000);
    (void)state;
    assert_non_null(request);
    int length = snprintf(request, 70000, "GET / HTTP/1.1\r\nHost: %s\r\nX-Large: ", head);
    memset(request + length, 'x', 60000);
    int fd = visitor_connect();
    (void)!send(fd, request, 64000, MSG_NOSIGNAL | MSG_DONTWAIT);
    assert_null(strstr(hear(fd, 5000), "200 OK"));
    assert_has(visit("GET", "/", ""), "200 OK");
    free(request);
}

/* --- who would hold it up ------------------------------------------------------------------------------------- */

/* One request per connection, even for who asks for more at once. */
static void no_connection_is_kept(void **state)
{
    char request[400];
    (void)state;
    snprintf(request, sizeof(request),
             "GET /one HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive\r\n\r\nGET /two HTTP/1.1\r\nHost: "
             "%s\r\n\r\n",
             head, head);
    int fd = visitor_connect();
    say(fd, request);
    const char *got = hear(fd, 1000);
    assert_has(got, "path /one");
    assert_null(strstr(got, "path /two"));
}

/* A byte now and then is progress, but not for ever. */
static void a_dripping_visitor_is_shown_out(void **state)
{
    (void)state;
    int fd = visitor_connect();
    int64_t begun_ms = (int64_t)(uv_hrtime() / 1000000);
    int64_t passed_ms = 0;
    char byte;
    for (bool open = true; open && passed_ms < 10000;
         passed_ms = (int64_t)(uv_hrtime() / 1000000) - begun_ms) {
        open = send(fd, "G", 1, MSG_NOSIGNAL) == 1;
        turn(100);
        open = open && recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    }
    assert_in_range(passed_ms, PATIENCE_MS - 200, PATIENCE_MS + 2000);
    close(fd);
}

/* All places taken, and a queue before the door: whoever comes then waits, but not for ever. */
static void a_crowd_is_shown_out(void **state)
{
    int fds[GUESTS + 20];
    char request[200];
    (void)state;
    for (int i = 0; i < GUESTS + 20; i++) {
        fds[i] = visitor_connect();
        turn(2);
    }
    int fd = visitor_connect();
    snprintf(request, sizeof(request), "GET /patient HTTP/1.1\r\nHost: %s\r\n\r\n", head);
    say(fd, request);
    assert_has(hear(fd, 3 * PATIENCE_MS + 3000), "path /patient");
    for (int i = 0; i < GUESTS + 20; i++)
        close(fds[i]);
}

/* --- places --------------------------------------------------------------------------------------------------- */

static void places_are_loopback_or_sockets(void **state)
{
    static const char *const good[] = {"127.0.0.1:9470", "127.8.9.1:1", "[::1]:65535",
                                       "unix:/run/makegood/web.sock"};
    static const char *const bad[] = {"",
                                      "9470",
                                      ":9470",
                                      "0.0.0.0:9470",
                                      "192.168.0.1:9470",
                                      "[::]:9470",
                                      "::1:9470",
                                      "localhost:9470",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:0",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:+80",
                                      "127.0.0.1: 80",
                                      "127.0.0.1:80x",
                                      "[::1%lo]:9470",
                                      "unix:",
                                      "unix:web.sock",
                                      "http://127.0.0.1:80",
                                      "127.1:80",
                                      "127.0.0.1:99999999999"};
    struct web_place where;
    char why[WEB_WHY_BYTES], longest[200];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!web_place_parse(good[i], &where, why))
            fail_msg("%s", why);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (web_place_parse(bad[i], &where, why))
            fail_msg("%s passes", bad[i]);
        assert_has(why, "write it as ");
    }
    snprintf(longest, sizeof(longest), "unix:/%0150d", 1);
    assert_false(web_place_parse(longest, &where, why));
}

static void a_taken_place_is_told(void **state)
{
    struct web *other = NULL;
    char why[WEB_WHY_BYTES] = "";
    struct web_options options = {.listen = place, .visited = on_visited};
    (void)state;
    assert_int_equal(web_create(&other, &loop, &options, why), -EADDRINUSE);
    assert_has(why, place);
    assert_has(why, "Address already in use");
    assert_has(visit("GET", "/still", ""), "path /still");
}

static void a_socket_is_for_the_group(void **state)
{
    struct stat status;
    (void)state;
    assert_int_equal(stat(place + strlen("unix:"), &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_has(visit("GET", "/by/socket", ""), "path /by/socket");
}

/* After a crash the file is still there, and nobody listens; another kind of file is not ours to remove. */
static void a_left_socket_is_replaced(void **state)
{
    const char *path = place + strlen("unix:");
    char where[160], why[WEB_WHY_BYTES] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct web *other = NULL;
    (void)state;
    snprintf(where, sizeof(where), "%s.left", place);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s.left", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    struct web_options options = {
        .listen = where, .patience_ms = PATIENCE_MS, .visited = on_visited, .self = &loop};
    assert_int_equal(web_create(&other, &loop, &options, why), 0);
    web_destroy(other);
    assert_int_not_equal(access(address.sun_path, F_OK), 0);
    fclose(fopen(address.sun_path, "w"));
    assert_int_equal(web_create(&other, &loop, &options, why), -EADDRINUSE);
    assert_int_equal(unlink(address.sun_path), 0);
}

int main(void)
{
#define TCP(name)   cmocka_unit_test_setup_teardown(name, open_tcp, shut)
#define FILE_(name) cmocka_unit_test_setup_teardown(name, open_unix, shut)
    const struct CMUnitTest tests[] = {
        TCP(a_page_is_served),
        TCP(head_has_no_body),
        TCP(an_answer_may_come_later),
        TCP(an_answer_for_nobody),
        TCP(a_password_is_asked_for),
        TCP(other_methods_are_refused),
        TCP(a_body_is_refused),
        TCP(foreign_hosts_are_refused),
        TCP(garbage_is_cut),
        TCP(a_large_head_is_refused),
        TCP(no_connection_is_kept),
        TCP(a_dripping_visitor_is_shown_out),
        TCP(a_crowd_is_shown_out),
        cmocka_unit_test(places_are_loopback_or_sockets),
        TCP(a_taken_place_is_told),
        FILE_(a_taken_place_is_told),
        FILE_(a_socket_is_for_the_group),
        FILE_(an_answer_may_come_later),
        FILE_(a_left_socket_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
