/* Questions over TLS: whom we trust, HTTP/2 where it is offered (nginx), a proxy that the configuration
 * names, many questions on several workers, a channel that goes away, and an end with questions under way. */
#include "desk.h"
#include "web.h"

#define MANY 2000

static struct place place;
static struct web web;
static struct desk desk;
static struct fake fake;
static char ca_file[128], other_ca_file[128];
static pid_t nginx;
static unsigned nginx_port;

static void make_certificates(const char *name)
{
    assert_int_equal(run("bash -c '. scripts/lib.sh && make_certificates %s/%s'", place.folder, name), 0);
}

static unsigned free_port(void)
{
    struct parrot parrot;
    parrot_open(&parrot, "", 0, "");
    parrot_close(&parrot);
    return parrot.port;
}

static bool answers(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

/* TLS with HTTP/2; says which protocol and which connection a question came by. */
static void nginx_start(void)
{
    char path[128];
    if (access("/usr/sbin/nginx", X_OK) != 0)
        return;
    nginx_port = free_port();
    snprintf(path, sizeof(path), "%s/nginx.conf", place.folder);
    write_file(
        path,
        "daemon off; master_process off; pid %s/nginx.pid; error_log %s/nginx.log;\nevents {}\nhttp {\n"
        "access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
        "fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
        "server { listen 127.0.0.1:%u ssl http2; ssl_certificate %s/good/server.crt;\n"
        "ssl_certificate_key %s/good/server.key;\n"
        "location / { return 200 \"$server_protocol $connection\"; } } }\n",
        place.folder, place.folder, place.folder, place.folder, place.folder, place.folder, place.folder,
        nginx_port, place.folder, place.folder);
    const char *const arguments[] = {"/usr/sbin/nginx", "-c", path, "-p", place.folder, NULL};
    nginx = program_start(false, arguments);
    for (int i = 0; i < 100 && !answers(nginx_port); i++)
        usleep(50000);
}

static int world_open(void **state)
{
    (void)state;
    place_enter(&place);
    make_certificates("good");
    make_certificates("other");
    snprintf(ca_file, sizeof(ca_file), "%s/good/ca.crt", place.folder);
    snprintf(other_ca_file, sizeof(other_ca_file), "%s/other/ca.crt", place.folder);
    char certificates[96];
    snprintf(certificates, sizeof(certificates), "%s/good", place.folder);
    web_open(&web, certificates);
    nginx_start();
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    if (nginx > 0)
        program_stop(nginx);
    web_close(&web);
    place_leave(&place);
    return 0;
}

static int desk_up(void **state)
{
    (void)state;
    desk_open(&desk, 2);
    fake_init(&fake, "https", "127.0.0.1", web.port);
    fake.head.transport.ca_file = ca_file;
    atomic_store(&web.connections, 0);
    atomic_store(&web.requests, 0);
    return 0;
}

static int desk_down(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

static void test_the_right_authority_is_trusted(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_PAID);
    assert_true(evidence.authentic);
}

static void test_another_authority_is_not(void **state)
{
    (void)state;
    fake.head.transport.ca_file = other_ca_file;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
    assert_int_equal(atomic_load(&web.requests), 0);
}

static void test_the_systems_authorities_do_not_know_it(void **state)
{
    (void)state;
    fake.head.transport.ca_file = NULL;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
}

/* Somebody else answers there: not a host that can not be reached. */
static void test_an_untrusted_first_host_is_no_reason_for_the_second(void **state)
{
    (void)state;
    char here[64];
    snprintf(here, sizeof(here), "https://127.0.0.1:%u", web.port);
    snprintf(fake.base, sizeof(fake.base), "https://127.0.0.2:%u", web.port);
    fake.second = here;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
    assert_int_equal(atomic_load(&web.requests), 0);
}

static void test_a_first_host_that_hangs_up_during_tls_is(void **state)
{
    (void)state;
    char here[64];
    struct parrot parrot;
    parrot_open(&parrot, "", 0, "");
    snprintf(here, sizeof(here), "https://127.0.0.1:%u", web.port);
    snprintf(fake.base, sizeof(fake.base), "https://127.0.0.1:%u", parrot.port);
    fake.second = here;
    fake.method = "POST";
    fake.body = "asked=once";
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    assert_int_equal(atomic_load(&web.requests), 1);
    parrot_close(&parrot);
}

static void test_a_ca_file_that_is_not_there(void **state)
{
    char missing[] = "/nowhere/ca.crt";
    (void)state;
    fake.head.transport.ca_file = missing;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
}

static void test_another_host_is_not_trusted(void **state)
{
    (void)state;
    fake_init(&fake, "https", "127.0.0.2", web.port); /* the same server; its certificate names 127.0.0.1 */
    fake.head.transport.ca_file = ca_file;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
    assert_int_equal(atomic_load(&web.requests), 0);
}

static void test_a_server_without_tls(void **state)
{
    struct parrot parrot;
    (void)state;
    parrot_open(&parrot, "no TLS here\n", 1, "");
    fake_init(&fake, "https", "127.0.0.1", parrot.port);
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNREACHABLE);
    parrot_close(&parrot);
}

static void need_nginx(void)
{
    if (nginx > 0)
        return;
    fprintf(stderr, "NOT TESTED: there is no /usr/sbin/nginx; install the package nginx-light\n");
    skip();
}

static void test_http2_where_it_is_offered(void **state)
{
    enum { TOGETHER = 30 };
    struct evidence evidence[TOGETHER];
    struct question questions[TOGETHER];
    struct lost_order order = order_for("/");
    (void)state;
    need_nginx();
    desk_close(&desk);
    desk_open(&desk, 1);
    fake_init(&fake, "https", "127.0.0.1", nginx_port);
    fake.head.transport.ca_file = ca_file;
    for (int i = 0; i < TOGETHER; i++) {
        questions[i] = (struct question){.channel = &fake.head, .order = &order, .evidence = &evidence[i]};
        pool_ask(desk.pool, &questions[i]);
    }
    pool_flush(desk.pool);
    loop_until(&desk.loop, &desk.answers, TOGETHER);
    for (int i = 0; i < TOGETHER; i++) { /* all on one connection */
        assert_kind(evidence[i], EVIDENCE_PAID);
        assert_string_equal(evidence[i].channel_number, evidence[0].channel_number);
    }
    assert_memory_equal(evidence[0].channel_number, "HTTP/2.0 ", 9);
}

/* The proxy of the configuration is used: nobody is there, so nothing arrives. */
static void test_a_configured_proxy_is_used(void **state)
{
    char proxy[] = "http://127.0.0.1:1";
    (void)state;
    fake.head.transport.proxy = proxy;
    setenv("no_proxy", "*", 1);
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNREACHABLE);
    unsetenv("no_proxy");
    assert_int_equal(atomic_load(&web.requests), 0);
}

/* Two channels, two workers; one of them goes away in the middle and another one takes its place. */
static void test_many_questions(void **state)
{
    static struct evidence evidence[MANY];
    static struct question questions[MANY];
    struct lost_order order = order_for("/fine");
    struct fake second = fake;
    (void)state;
    fake_init(&second, "https", "localhost", web.port);
    second.head.transport.ca_file = ca_file;
    int asked = 0;
    while (asked < MANY) {
        for (int i = 0; i < 32 && asked < MANY; i++, asked++) {
            const struct fake *one = asked % 2 ? &fake : &second;
            questions[asked] =
                (struct question){.channel = &one->head, .order = &order, .evidence = &evidence[asked]};
            pool_ask(desk.pool, &questions[asked]);
        }
        pool_flush(desk.pool);
        loop_until(&desk.loop, &desk.answers, asked - 16);
        if (asked % 640 == 0) {
            loop_until(&desk.loop, &desk.answers, asked);
            pool_forget(desk.pool, &second.head);
        }
    }
    loop_until(&desk.loop, &desk.answers, MANY);
    for (int i = 0; i < MANY; i++)
        assert_kind(evidence[i], EVIDENCE_PAID);
    assert_in_range(atomic_load(&web.connections), 1, 130); /* kept alive, also when handles are forgotten */
}

static void test_the_end_does_not_wait_for_a_dead_peer(void **state)
{
    struct evidence evidence[8];
    struct question questions[8];
    struct lost_order order = order_for("/silence"), unresolvable = order_for("/");
    struct fake nowhere;
    (void)state;
    fake_init(&nowhere, "https", "no-such-host.invalid", 443);
    fake.head.transport.timeout_ms = 60000;
    for (int i = 0; i < 8; i++) {
        questions[i] = (struct question){.channel = i % 2 ? &fake.head : &nowhere.head,
                                         .order = i % 2 ? &order : &unresolvable,
                                         .evidence = &evidence[i]};
        pool_ask(desk.pool, &questions[i]);
    }
    pool_flush(desk.pool);
    for (int i = 0; i < 10; i++) {
        uv_run(&desk.loop, UV_RUN_NOWAIT);
        usleep(20000);
    }
    uint64_t start = uv_hrtime();
    desk_close(&desk);
    assert_in_range((uv_hrtime() - start) / 1000000, 0, 1500);
    desk_open(&desk, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, desk_up, desk_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_right_authority_is_trusted),
        TEST(test_another_authority_is_not),
        TEST(test_the_systems_authorities_do_not_know_it),
        TEST(test_an_untrusted_first_host_is_no_reason_for_the_second),
        TEST(test_a_first_host_that_hangs_up_during_tls_is),
        TEST(test_a_ca_file_that_is_not_there),
        TEST(test_another_host_is_not_trusted),
        TEST(test_a_server_without_tls),
        TEST(test_http2_where_it_is_offered),
        TEST(test_a_configured_proxy_is_used),
        TEST(test_many_questions),
        TEST(test_the_end_does_not_wait_for_a_dead_peer),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
