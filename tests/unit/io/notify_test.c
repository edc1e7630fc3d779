/* What systemd hears, over a socket with a path and over an abstract one. And strict numbers, which the
 * watchdog's settings are read with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/notify.h"
#include "io/number.h"

static int listener = -1;
static char path[64];

static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static int by_path(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/makegood-notify-%d", getpid());
    unlink(path);
    listen_at(path);
    return 0;
}

static int by_abstract_name(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof(name), "@makegood-notify-%d", getpid());
    listen_at(name);
    return 0;
}

static int close_listener(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

static const char *heard(void)
{
    static char text[1024];
    ssize_t length = recv(listener, text, sizeof(text) - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

static void test_messages(void **state)
{
    int64_t microseconds = 0;
    (void)state;
    notify_ready();
    assert_string_equal(heard(), "READY=1\n");
    notify_watchdog();
    assert_string_equal(heard(), "WATCHDOG=1\n");
    notify_stopping(2500);
    assert_string_equal(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=3500000\n");
    notify_status("waiting 3\nREADY=1");
    assert_string_equal(heard(), "STATUS=waiting 3 READY=1");
    notify_reloading();
    assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64 "\n", &microseconds), 1);
    assert_true(microseconds > 0);
    assert_string_equal(heard(), "");
}

static void test_nobody_listens(void **state)
{
    static char endless[2000];
    (void)state;
    memset(endless, 'x', sizeof(endless) - 1);
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    notify_ready();
    setenv("NOTIFY_SOCKET", "neither", 1);
    notify_ready();
    setenv("NOTIFY_SOCKET", endless, 1);
    notify_status(endless);
    unsetenv("NOTIFY_SOCKET");
}

static int64_t interval(const char *microseconds, const char *pid)
{
    microseconds ? setenv("WATCHDOG_USEC", microseconds, 1) : unsetenv("WATCHDOG_USEC");
    pid ? setenv("WATCHDOG_PID", pid, 1) : unsetenv("WATCHDOG_PID");
    int64_t found_ms = notify_watchdog_interval_ms();
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return found_ms;
}

static void test_the_watchdogs_interval(void **state)
{
    char ours[16];
    (void)state;
    snprintf(ours, sizeof(ours), "%d", getpid());
    assert_int_equal(interval(NULL, NULL), 0);
    assert_int_equal(interval("30000000", NULL), 30000);
    assert_int_equal(interval("30000000", ours), 30000);
    assert_int_equal(interval("30000000", "1"), 0);
    assert_int_equal(interval("30000000", "junk"), 0);
    assert_int_equal(interval("soon", ours), 0);
}

static void test_numbers_are_read_strictly(void **state)
{
    static const char *const bad[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1", "1e3", "9223372036854775808", "-9223372036854775809"};
    int64_t number = 42;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(number_parse(bad[i], INT64_MIN, INT64_MAX, &number));
    assert_false(number_parse("6", 7, 9, &number));
    assert_false(number_parse("10", 7, 9, &number));
    assert_int_equal(number, 42);
    assert_true(number_parse("-9223372036854775808", INT64_MIN, INT64_MAX, &number) && number == INT64_MIN);
    assert_true(number_parse("9223372036854775807", INT64_MIN, INT64_MAX, &number) && number == INT64_MAX);
    assert_true(number_parse("007", 7, 9, &number) && number == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages, by_path, close_listener),
        {"messages to an abstract socket", test_messages, by_abstract_name, close_listener, NULL},
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_the_watchdogs_interval),
        cmocka_unit_test(test_numbers_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
