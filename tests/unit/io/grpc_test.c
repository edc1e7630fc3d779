/* gRPC calls to a real HTTP/2 server, nginx, which sends what files hold: whole answers, cut ones and nonsense. And to
 * those that refuse or never answer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "io/grpc.h"
#include "place.h"

#define AT_ONCE    300 /* more than libcurl puts on a connection by itself */
#define ANSWER     "\0\0\0\0\5hello"
#define TIMEOUT_MS 2000

static struct place place;
static pid_t server;
static int port;
static uv_loop_t loop;

struct heard {
    bool done;
    int calls;
    int status;
    char text[256];
    int count;
    char last[16]; /* message */
};

/* --- the server ----------------------------------------------------------------------------------------- */

static int socket_bound(struct sockaddr_in *where)
{
    socklen_t bytes = sizeof(*where);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *where = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)where, sizeof(*where)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)where, &bytes), 0);
    return fd;
}

static int port_free(void)
{
    struct sockaddr_in where;
    close(socket_bound(&where));
    return ntohs(where.sin_port);
}

static void body_put(const char *name, const char *bytes, size_t length)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", place.folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

#define BODY(name_, bytes_) body_put(name_, bytes_, sizeof(bytes_) - 1)

static void bodies_put(void)
{
    BODY("fine", ANSWER);
    BODY("two", ANSWER "\0\0\0\0\0");
    BODY("nothing", "");
    BODY("cut-head", "\0\0\0");
    BODY("cut", "\0\0\0\0\6hello");
    BODY("cut-second", ANSWER "\0\0\0\0\6hello");
    BODY("huge", "\0\377\377\377\377hello");
    BODY("packed", "\1\0\0\0\5hello");
}

/* A proxy before a file server: nginx answers a question from a file before it has read it, which libcurl does not take for
 * an answer. */
static void config_write(void)
{
    const char *folder = place.folder;
    char path[128];
    snprintf(path, sizeof(path), "%s/nginx.conf", folder);
    write_file(
        path,
        "daemon off; worker_processes 1; pid %s/pid; error_log %s/error.log;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; default_type application/grpc; client_body_temp_path %s/body;\n"
        "proxy_temp_path %s/proxy; fastcgi_temp_path %s/fcgi; uwsgi_temp_path %s/uwsgi;\n"
        "scgi_temp_path %s/scgi;\n"
        "server { listen 127.0.0.1:%d http2; keepalive_requests 500; http2_max_concurrent_streams 1000;\n"
        "location = /open { add_header grpc-status 0; return 200; }\n"
        "location / { proxy_method GET; proxy_pass http://unix:%s/files; } }\n"
        "server { listen unix:%s/files; root %s;\n"
        "location / { add_header grpc-status 0; }\n"
        "location /no-status { alias %s/fine; }\n"
        "location /word { add_header grpc-status fine always; return 200; }\n"
        "location /seventeen { add_header grpc-status 17 always; return 200; }\n"
        "location /twice { add_header grpc-status 0; add_header grpc-status 7; return 200; }\n"
        "location /denied { add_header grpc-status 7 always;\n"
        "  add_header grpc-message 'go%%20away%%0d%%0aevent=paid %%e6%%8e%%89' always; return 200; }\n"
        "location /busy { return 503; }\n"
        "} }\n",
        folder, folder, folder, folder, folder, folder, folder, port, folder, folder, folder, folder);
}

static bool server_answers(void)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0;
    close(fd);
    return answers;
}

static void server_start(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/nginx.conf", place.folder);
    server = program_start(false, (const char *const[]){"/usr/sbin/nginx", "-e", "stderr", "-c", path, NULL});
    for (int i = 0; i < 500 && !server_answers(); i++)
        usleep(10000);
    assert_true(server_answers());
}

/* nginx ends its worker. */
static void server_stop(void)
{
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}

static int world_open(void **state)
{
    (void)state;
    place_enter(&place);
    port = port_free();
    bodies_put();
    config_write();
    server_start();
    return uv_loop_init(&loop);
}

static int world_close(void **state)
{
    (void)state;
    server_stop();
    place_leave(&place);
    return uv_loop_close(&loop) < 0;
}

/* --- calls ---------------------------------------------------------------------------------------------- */

static void on_done(void *self, const struct grpc_answer *answer)
{
    struct heard *heard = self;
    heard->done = true;
    heard->calls++;
    heard->status = answer->status;
    heard->count = answer->count;
    snprintf(heard->text, sizeof(heard->text), "%s", answer->message);
    if (answer->count > 0)
        snprintf(heard->last, sizeof(heard->last), "%.*s", (int)answer->messages[answer->count - 1].length,
                 (const char *)answer->messages[answer->count - 1].bytes);
}

static struct grpc_call *begin_as(struct grpc *grpc, const char *path, bool opens, struct heard *heard)
{
    static const char *const headers[] = {"x-mq-client-id: test", NULL};
    struct grpc_request request = {.path = path,
                                   .bytes = (const uint8_t *)"question",
                                   .length = 8,
                                   .headers = headers,
                                   .timeout_ms = opens ? 100 : TIMEOUT_MS,
                                   .opens = opens};
    *heard = (struct heard){.done = false};
    struct grpc_call *call = grpc_call(grpc, &request, on_done, heard);
    assert_non_null(call);
    assert_false(heard->done);
    return call;
}

static struct grpc_call *begin(struct grpc *grpc, const char *path, struct heard *heard)
{
    return begin_as(grpc, path, false, heard);
}

static struct heard finish(struct heard *heard)
{
    while (!heard->done)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(heard->calls, 1);
    return *heard;
}

/* With a connection to the port. nginx does not wait for the rest of what opens it, so that its answer may be lost. */
static struct grpc *client_of(int of_port)
{
    char endpoint[64];
    struct grpc *grpc = NULL;
    struct heard heard;
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", of_port);
    assert_int_equal(grpc_create(&grpc, &loop, endpoint, NULL), 0);
    begin_as(grpc, "/open", true, &heard);
    finish(&heard);
    return grpc;
}

static struct heard ask(struct grpc *grpc, const char *path)
{
    struct heard heard;
    begin(grpc, path, &heard);
    return finish(&heard);
}

static void client_end(struct grpc *grpc)
{
    grpc_destroy(grpc);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
}

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* --- tests ---------------------------------------------------------------------------------------------- */

static void test_whole_answers_are_read(void **state)
{
    struct grpc *grpc = client_of(port);
    (void)state;
    struct heard heard = ask(grpc, "/fine");
    assert_int_equal(heard.status, GRPC_OK);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.last, "hello");
    heard = ask(grpc, "/two");
    assert_int_equal(heard.count, 2);
    assert_string_equal(heard.last, "");
    heard = ask(grpc, "/no-status"); /* libcurl lost it */
    assert_int_equal(heard.status, GRPC_OK);
    assert_int_equal(heard.count, 1);
    heard = ask(grpc, "/nothing");
    assert_int_equal(heard.status, GRPC_OK);
    assert_int_equal(heard.count, 0);
    client_end(grpc);
}

static void test_what_is_no_grpc_is_unavailable(void **state)
{
    static const char *const paths[] = {"/cut-head", "/cut",       "/cut-second", "/huge", "/packed",
                                        "/word",     "/seventeen", "/twice",      "/busy"};
    struct grpc *grpc = client_of(port);
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct heard heard = ask(grpc, paths[i]);
        if (heard.status != GRPC_UNAVAILABLE || !heard.text[0])
            fail_msg("%s: %d %s", paths[i], heard.status, heard.text);
    }
    client_end(grpc);
}

static void test_an_error_alone_has_its_words_cleaned(void **state)
{
    struct grpc *grpc = client_of(port);
    (void)state;
    struct heard heard = ask(grpc, "/denied");
    assert_int_equal(heard.status, 7);
    assert_non_null(strstr(heard.text, "go away"));
    assert_null(strpbrk(heard.text, "\r\n"));
    assert_int_equal(heard.count, 0);
    client_end(grpc);
}

static void test_many_at_once_are_all_answered(void **state)
{
    static struct heard heard[AT_ONCE];
    struct grpc *grpc = client_of(port);
    (void)state;
    for (int i = 0; i < AT_ONCE; i++)
        begin(grpc, "/fine", &heard[i]);
    for (int i = 0; i < AT_ONCE; i++) {
        finish(&heard[i]);
        if (heard[i].status != GRPC_OK || heard[i].count != 1)
            fail_msg("call %d: %d %s", i, heard[i].status, heard[i].text);
    }
    client_end(grpc);
}

/* nginx ends a connection after 500 questions. */
static void test_a_connection_that_is_gone_is_told_and_made_anew(void **state)
{
    struct grpc *grpc = client_of(port);
    struct heard heard = {.status = GRPC_OK};
    (void)state;
    for (int i = 0; i < 600 && heard.status == GRPC_OK; i++)
        heard = ask(grpc, "/fine");
    assert_int_equal(heard.status, GRPC_UNAVAILABLE);
    begin_as(grpc, "/open", true, &heard);
    finish(&heard);
    assert_int_equal(ask(grpc, "/fine").status, GRPC_OK);
    client_end(grpc);
}

static void test_silence_ends_at_the_deadline(void **state)
{
    struct sockaddr_in where;
    int fd = socket_bound(&where);
    char endpoint[64];
    struct grpc *grpc = NULL;
    struct heard heard;
    int64_t start_ms = now_ms();
    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", ntohs(where.sin_port));
    assert_int_equal(grpc_create(&grpc, &loop, endpoint, NULL), 0);
    begin_as(grpc, "/open", true, &heard);
    finish(&heard);
    assert_int_equal(heard.status, GRPC_DEADLINE);
    assert_in_range(now_ms() - start_ms, 100, 3000);
    client_end(grpc);
    close(fd);
}

static void test_who_cancels_hears_of_it_once(void **state)
{
    struct grpc *grpc = client_of(port);
    struct heard first;
    struct heard second;
    (void)state;
    grpc_cancel(begin(grpc, "/fine", &first));
    assert_false(first.done);
    finish(&first);
    assert_int_equal(first.status, GRPC_CANCELLED);
    begin(grpc, "/fine", &second);
    client_end(grpc);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.status, GRPC_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers_are_read),
        cmocka_unit_test(test_what_is_no_grpc_is_unavailable),
        cmocka_unit_test(test_an_error_alone_has_its_words_cleaned),
        cmocka_unit_test(test_many_at_once_are_all_answered),
        cmocka_unit_test(test_a_connection_that_is_gone_is_told_and_made_anew),
        cmocka_unit_test(test_silence_ends_at_the_deadline),
        cmocka_unit_test(test_who_cancels_hears_of_it_once),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
