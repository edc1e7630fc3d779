/* The log: what a line looks like, whatever the values are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/log.h"

static int pipe_ends[2];
static int saved;
static char line[20000];

/* Stderr into a pipe that keeps every write apart from the next one. */
static int capture(void **state)
{
    (void)state;
    assert_int_equal(pipe2(pipe_ends, O_DIRECT | O_NONBLOCK), 0);
    saved = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    log_start(LOG_TOLD, false);
    return 0;
}

static int let_go(void **state)
{
    (void)state;
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* What one write(2) wrote; "" when there was none. */
static const char *written(void)
{
    ssize_t length = read(pipe_ends[0], line, sizeof(line) - 1);
    line[length > 0 ? length : 0] = '\0';
    return line;
}

static void check_value(const char *value, const char *expected)
{
    char whole[256];
    log_event(LOG_TOLD, "e", "v", value, NULL);
    snprintf(whole, sizeof(whole), "event=e v=%s\n", expected);
    assert_string_equal(written(), whole);
    assert_string_equal(written(), "");
}

static void test_one_event_is_one_line_and_one_write(void **state)
{
    (void)state;
    log_event(LOG_TOLD, "order_settled", "order_no", "A17", "channel", "stripe", "verdict", "paid", NULL);
    assert_string_equal(written(), "event=order_settled order_no=A17 channel=stripe verdict=paid\n");
    assert_string_equal(written(), "");
    log_event(LOG_TOLD, "bare", NULL);
    assert_string_equal(written(), "event=bare\n");
}

static void test_null_values_are_left_out(void **state)
{
    const char *absent = NULL;
    (void)state;
    log_event(LOG_TOLD, "e", "a", absent, "b", "2", "c", absent, NULL);
    assert_string_equal(written(), "event=e b=2\n");
}

static void test_values_are_quoted_where_needed(void **state)
{
    (void)state;
    check_value("A|b*-_./:", "A|b*-_./:");
    check_value("", "\"\"");
    check_value("two words", "\"two words\"");
    check_value("a=b", "\"a=b\"");
    check_value("say \"x\"", "\"say \\\"x\\\"\"");
    check_value("back\\slash", "\"back\\\\slash\"");
}

static void test_no_character_can_forge_a_line_or_a_terminal(void **state)
{
    (void)state;
    check_value("a\nevent=paid", "\"a\\nevent=paid\"");
    check_value("\r\t", "\"\\r\\t\"");
    check_value("\x1b[2J\x01\x7f", "\"\\x1b[2J\\x01\\x7f\"");
    check_value("\xc2\x9b"
                "2J",
                "\"\\xc2\\x9b2J\""); /* C1: a terminal's CSI */
}

static void test_text_stays_readable_and_is_always_utf8(void **state)
{
    (void)state;
    check_value("掉单", "\"掉单\"");
    check_value("é€😀", "\"é€😀\"");
    check_value("\xff", "\"\\xff\"");
    check_value("\xe6\x8e", "\"\\xe6\\x8e\"");                   /* cut in the middle */
    check_value("\xc0\xaf", "\"\\xc0\\xaf\"");                   /* overlong */
    check_value("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");          /* a surrogate */
    check_value("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""); /* past the last one */
}

static void test_priorities(void **state)
{
    (void)state;
    log_event(LOG_TRACED, "quiet", NULL);
    assert_string_equal(written(), "");
    log_start(LOG_WARNED, true);
    assert_int_equal(log_level(), LOG_WARNED);
    log_event(LOG_NOTED, "quiet", NULL);
    assert_string_equal(written(), "");
    log_event(LOG_WARNED, "loud", NULL);
    assert_string_equal(written(), "<4>event=loud\n");
    log_event(LOG_ALERTED, "louder", NULL);
    assert_string_equal(written(), "<1>event=louder\n");
}

/* Of a pipe in packet mode one read takes at most a page: the line is taken from a file. */
static void test_a_line_without_end_is_cut_and_says_so(void **state)
{
    static char endless[100000];
    FILE *file = tmpfile();
    (void)state;
    memset(endless, '\n', sizeof(endless) - 1);
    dup2(fileno(file), STDERR_FILENO);
    log_event(LOG_TOLD, "e", "v", endless, "after", "x", NULL);
    dup2(pipe_ends[1], STDERR_FILENO);
    rewind(file);
    size_t length = fread(line, 1, sizeof(line) - 1, file);
    line[length] = '\0';
    fclose(file);
    assert_in_range(length, 8000, 8192);
    assert_string_equal(line + length - 10, " cut=true\n");
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    assert_null(strstr(line, "after"));
}

static void *log_often(void *self)
{
    for (int i = 0; i < 100; i++)
        log_event(LOG_TOLD, "thread", "name", self, "text", "some words that take a while", NULL);
    return NULL;
}

static void test_threads_do_not_mix_their_lines(void **state)
{
    pthread_t threads[4];
    static char names[4][2] = {"a", "b", "c", "d"};
    FILE *file = tmpfile();
    (void)state;
    dup2(fileno(file), STDERR_FILENO);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, log_often, names[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    dup2(pipe_ends[1], STDERR_FILENO);
    rewind(file);
    int count = 0;
    char name;
    char rest[8];
    while (fgets(line, sizeof(line), file)) {
        assert_int_equal(sscanf(line, "event=thread name=%c text=\"some words that take a %7s", &name, rest),
                         2);
        assert_string_equal(rest, "while\"");
        count++;
    }
    fclose(file);
    assert_int_equal(count, 400);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, capture, let_go)
    const struct CMUnitTest tests[] = {
        TEST(test_one_event_is_one_line_and_one_write),
        TEST(test_null_values_are_left_out),
        TEST(test_values_are_quoted_where_needed),
        TEST(test_no_character_can_forge_a_line_or_a_terminal),
        TEST(test_text_stays_readable_and_is_always_utf8),
        TEST(test_priorities),
        TEST(test_a_line_without_end_is_cut_and_says_so),
        TEST(test_threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
