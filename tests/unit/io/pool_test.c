/* Questions over plain loopback HTTP: what a good answer brings, and every way an answer can be bad. */
#include "desk.h"
#include "web.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <time.h>

static struct web web;
static struct desk desk;
static struct fake fake;

static int world_open(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody is there: must be ignored, throughout */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    web_open(&web, NULL);
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    web_close(&web);
    return 0;
}

static int desk_up(void **state)
{
    (void)state;
    desk_open(&desk, 1);
    fake_init(&fake, "http", "127.0.0.1", web.port);
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

static void test_a_good_answer(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_PAID);
    assert_true(evidence.authentic);
    assert_int_equal(evidence.http_status, 200);
    assert_in_range(evidence.latency_ms, 0, 2000);
    assert_string_equal(evidence.channel_number, "{\"status\":\"fine\"}");
    assert_string_equal(evidence.rule, "application/json");
    assert_int_equal(evidence.retry_after_ms, 0);
    assert_int_equal(strlen(evidence.request_id), 32);
    assert_int_equal(strspn(evidence.request_id, "0123456789abcdef"), 32);
    char expected[512];
    snprintf(expected, sizeof(expected), "GET http://127.0.0.1:%u", web.port);
    assert_string_equal(evidence.asked, expected);
    snprintf(expected, sizeof(expected),
             "GET 0 agent=makegood/test accept=application/json expect=- encoding=- id=%s",
             evidence.request_id);
    assert_string_equal(web_seen(&web), expected);
}

static void test_a_body_is_posted_and_forgotten(void **state)
{
    char *body = calloc(1, 100001);
    char expected[64];
    (void)state;
    memset(body, 'b', 100000);
    fake.method = "POST";
    fake.body = body;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    snprintf(expected, sizeof(expected), "POST 100000 agent=makegood/test");
    assert_memory_equal(web_seen(&web), expected, strlen(expected));
    assert_non_null(strstr(web_seen(&web), "expect=-"));
    fake.body = NULL;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    assert_memory_equal(web_seen(&web), "POST 0 ", 7);
    fake.method = "PUT";
    fake.body = "x";
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    assert_memory_equal(web_seen(&web), "PUT 1 ", 6);
    fake.method = "GET";
    fake.body = NULL;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    assert_memory_equal(web_seen(&web), "GET 0 ", 6);
    free(body);
}

static void test_a_connection_is_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
    assert_int_equal(atomic_load(&web.connections), 1);
    assert_int_equal(atomic_load(&web.requests), 20);
}

static void test_what_can_not_be_asked_is_not_asked(void **state)
{
    struct lost_order order = {.order_no = "unaskable"};
    (void)state;
    struct evidence evidence = ask_order(&desk, &fake, &order);
    assert_kind(evidence, EVIDENCE_UNASKABLE);
    assert_string_equal(evidence.code, "there is no number?to ask by");
    assert_int_equal(evidence.http_status, 0);
    assert_int_equal(atomic_load(&web.requests), 0);
}

static void test_silence_times_out(void **state)
{
    (void)state;
    fake.head.transport.timeout_ms = 300;
    struct evidence evidence = ask_path(&desk, &fake, "/silence");
    assert_kind(evidence, EVIDENCE_TIMEOUT);
    assert_in_range(evidence.latency_ms, 290, 2000);
    assert_false(evidence.authentic);
    assert_string_equal(evidence.code, "Timeout was reached");
}

static void test_a_slow_drip_times_out(void **state)
{
    (void)state;
    fake.head.transport.timeout_ms = 10000;
    fake.head.transport.low_speed_ms = 1000;
    fake.head.transport.low_speed_bytes = 1000;
    struct evidence evidence = ask_path(&desk, &fake, "/drip");
    assert_kind(evidence, EVIDENCE_TIMEOUT);
    assert_in_range(evidence.latency_ms, 900, 5000);
}

static void test_a_cut_body_is_no_answer(void **state)
{
    (void)state;
    assert_kind(ask_path(&desk, &fake, "/cut"), EVIDENCE_UNREACHABLE);
}

static void test_nobody_there(void **state)
{
    (void)state;
    fake_init(&fake, "http", "127.0.0.1", 1);
    struct evidence evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_UNREACHABLE);
    assert_int_equal(evidence.http_status, 0);
    fake_init(&fake, "http", "no-such-host.invalid", 80);
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNREACHABLE);
}

static void test_bodies_up_to_the_cap(void **state)
{
    char path[32];
    (void)state;
    fake.head.transport.body_max_bytes = 200000;
    snprintf(path, sizeof(path), "/size/%d", 200000);
    struct evidence evidence = ask_path(&desk, &fake, path);
    assert_kind(evidence, EVIDENCE_PAID);
    assert_int_equal(evidence.amount_minor, 200000);
    snprintf(path, sizeof(path), "/size/%d", 200001);
    assert_kind(ask_path(&desk, &fake, path), EVIDENCE_TOO_LARGE);
    assert_kind(ask_path(&desk, &fake, "/flood"), EVIDENCE_TOO_LARGE);
    evidence = ask_path(&desk, &fake, "/fine"); /* nothing of it is left */
    assert_int_equal(evidence.amount_minor, 17);
}

static void test_headers_are_capped(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/headers");
    assert_kind(evidence, EVIDENCE_TOO_LARGE);
    assert_string_equal(evidence.code, "headers beyond the cap");
}

static struct evidence ask_parrot(const char *text, int times, const char *last)
{
    struct parrot parrot;
    parrot_open(&parrot, text, times, last);
    fake_init(&fake, "http", "127.0.0.1", parrot.port);
    struct evidence evidence = ask_path(&desk, &fake, "/");
    parrot_close(&parrot);
    return evidence;
}

static void test_hostile_heads(void **state)
{
    (void)state;
    assert_kind(ask_parrot("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", 100000, ""), EVIDENCE_TOO_LARGE);
    assert_kind(ask_parrot("SSH-2.0-OpenSSH\r\n", 1, ""), EVIDENCE_GARBAGE);
    assert_kind(ask_parrot("", 0, ""), EVIDENCE_UNREACHABLE);
    assert_kind(ask_parrot("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", 1, ""),
                EVIDENCE_UNREACHABLE);
    assert_kind(ask_parrot("HTTP/1.1 200 OK\r\nX: ", 1, "cut in the head"), EVIDENCE_UNREACHABLE);
    assert_kind(
        ask_parrot("HTTP/1.1 100 Continue\r\n\r\n", 3, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        EVIDENCE_PAID);
}

/* One header line that never ends: libcurl itself gives up at 100 KiB. */
static void test_an_endless_header_line(void **state)
{
    static char line[1001];
    (void)state;
    memset(line, 'y', 1000);
    struct parrot parrot;
    parrot_open(&parrot, line, 1000, "");
    fake_init(&fake, "http", "127.0.0.1", parrot.port);
    struct evidence evidence = ask_path(&desk, &fake, "/");
    assert_int_equal(evidence_class(evidence.kind), EVIDENCE_FAULT);
    parrot_close(&parrot);
}

static void test_a_redirect_is_not_followed(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/redirect");
    assert_int_equal(evidence.http_status, 302);
    assert_int_equal(atomic_load(&web.requests), 1);
}

static void test_nothing_is_decoded(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/gzip");
    assert_kind(evidence, EVIDENCE_PAID);
    assert_string_equal(evidence.channel_number, "{\"status\":\"fine\"}");
}

static void test_retry_after(void **state)
{
    char path[128] = "/retry/";
    time_t then = time(NULL) + 90;
    struct tm tm;
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/retry/120");
    assert_int_equal(evidence.http_status, 429);
    assert_int_equal(evidence.retry_after_ms, 120000);
    strftime(path + 7, sizeof(path) - 7, "%a,%%20%d%%20%b%%20%Y%%20%H:%M:%S%%20GMT", gmtime_r(&then, &tm));
    assert_in_range(ask_path(&desk, &fake, path).retry_after_ms, 85000, 90000);
    assert_int_equal(ask_path(&desk, &fake, "/retry/Wed,%2021%20Oct%202015%2007:28:00%20GMT").retry_after_ms,
                     0);
    assert_int_equal(ask_path(&desk, &fake, "/retry/-5").retry_after_ms, 0);
    assert_int_equal(ask_path(&desk, &fake, "/retry/soon").retry_after_ms, 0);
    assert_int_equal(ask_path(&desk, &fake, "/retry/99999999999").retry_after_ms, (int64_t)INT32_MAX * 1000);
    assert_int_equal(ask_path(&desk, &fake, "/fine").retry_after_ms, 0); /* it does not stick */
}

static bool outer_address(char *out, size_t bytes)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *one = all; one && !found; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !(one->ifa_flags & IFF_LOOPBACK))
            found =
                inet_ntop(AF_INET, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, out, (socklen_t)bytes);
    freeifaddrs(all);
    return found;
}

static void test_plain_http_goes_to_loopback_only(void **state)
{
    char address[64];
    (void)state;
    fake.head.transport.allow_plain_http = false;
    struct evidence evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_UNTRUSTED);
    fake_init(&fake, "http", "127.0.0.1", web.port);
    pool_forget(desk.pool, &fake.head);
    fake.head.transport.proxy = fake.base;
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNTRUSTED);
    assert_int_equal(atomic_load(&web.requests), 0);
    if (!outer_address(address, sizeof(address))) {
        fprintf(stderr, "NOT TESTED: this machine has no address beside loopback\n");
        skip();
    }
    fake_init(&fake, "http", address, web.port);
    pool_forget(desk.pool, &fake.head);
    evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_UNTRUSTED);
    assert_string_equal(evidence.code, "plain http may only go to a loopback address");
    assert_int_equal(atomic_load(&web.requests), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, desk_up, desk_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_answer),
        TEST(test_a_body_is_posted_and_forgotten),
        TEST(test_a_connection_is_used_again),
        TEST(test_what_can_not_be_asked_is_not_asked),
        TEST(test_silence_times_out),
        TEST(test_a_slow_drip_times_out),
        TEST(test_a_cut_body_is_no_answer),
        TEST(test_nobody_there),
        TEST(test_bodies_up_to_the_cap),
        TEST(test_headers_are_capped),
        TEST(test_hostile_heads),
        TEST(test_an_endless_header_line),
        TEST(test_a_redirect_is_not_followed),
        TEST(test_nothing_is_decoded),
        TEST(test_retry_after),
        TEST(test_plain_http_goes_to_loopback_only),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
