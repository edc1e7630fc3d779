/* Questions over plain loopback HTTP: the answer's headers, the channel's clock, closing, and a second host. */
#include "desk.h"
#include "web.h"

static struct web web;
static struct desk desk;
static struct fake fake;

static int world_open(void **state)
{
    (void)state;
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
    return 0;
}

static int desk_down(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

/* ---- headers and clocks ---- */

static void test_a_header_is_told_when_it_is_there_once(void **state)
{
    (void)state;
    assert_string_equal(ask_path(&desk, &fake, "/some-headers").code, "one/-");
    assert_string_equal(ask_path(&desk, &fake, "/fine").code, "-/-");
}

static void test_the_skew_is_ours_minus_theirs(void **state)
{
    (void)state;
    struct evidence evidence = ask_path(&desk, &fake, "/clock/400");
    assert_true(evidence.has_skew);
    assert_in_range(evidence.skew_ms, 399000, 402000);
    assert_kind(evidence, EVIDENCE_PAID); /* no signature window: only told */
    evidence = ask_path(&desk, &fake, "/clock/-400");
    assert_in_range(-evidence.skew_ms, 398000, 401000);
}

static void test_beyond_the_window_nothing_is_proven(void **state)
{
    (void)state;
    fake.head.skew_max_ms = 300000;
    static const char *const far[] = {"/clock/400", "/clock/-400"};
    for (int i = 0; i < 2; i++) {
        struct evidence evidence = ask_path(&desk, &fake, far[i]);
        assert_kind(evidence, EVIDENCE_UNAUTHENTIC);
        assert_string_equal(evidence.code, "our clock and the channel's differ too much; set ours right");
    }
    assert_kind(ask_path(&desk, &fake, "/clock/200"), EVIDENCE_PAID);
    assert_kind(ask_path(&desk, &fake, "/nowhere"), EVIDENCE_SERVER_ERROR); /* a fault stays what it is */
}

/* ---- closing ---- */

static void test_an_order_that_is_closing_is_asked_so(void **state)
{
    (void)state;
    struct lost_order order = order_for("/nowhere");
    order.phase = PHASE_CLOSING;
    fake.head.can_close = true;
    assert_kind(ask_order(&desk, &fake, &order), EVIDENCE_CLOSED);
    order.phase = PHASE_CHECK;
    assert_kind(ask_order(&desk, &fake, &order), EVIDENCE_SERVER_ERROR);
}

static void test_a_channel_that_can_not_close_is_not_asked(void **state)
{
    (void)state;
    struct lost_order order = order_for("/fine");
    order.phase = PHASE_CLOSING;
    struct evidence evidence = ask_order(&desk, &fake, &order);
    assert_kind(evidence, EVIDENCE_UNASKABLE);
    assert_string_equal(evidence.code, "the channel can not be asked to close");
}

/* ---- a second host ---- */

static char here[64];

/* The first host has nobody listening, the second is the web server. */
static void fake_two_hosts(unsigned first_port)
{
    snprintf(here, sizeof(here), "http://127.0.0.1:%u", web.port);
    snprintf(fake.base, sizeof(fake.base), "http://127.0.0.1:%u", first_port);
    fake.second = here;
}

static void test_a_dead_host_has_its_question_asked_of_the_second(void **state)
{
    (void)state;
    char asked[ASKED_BYTES];
    fake_two_hosts(1);
    for (int i = 0; i < 2; i++) { /* the first is tried each time */
        struct evidence evidence = ask_path(&desk, &fake, "/fine?secret=1");
        assert_kind(evidence, EVIDENCE_PAID);
        snprintf(asked, sizeof(asked), "GET %s/fine", here);
        assert_string_equal(evidence.asked, asked);
    }
}

static void test_a_name_that_does_not_resolve_too(void **state)
{
    (void)state;
    fake_two_hosts(1);
    snprintf(fake.base, sizeof(fake.base), "http://no-such-host.invalid");
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_PAID);
}

static void test_what_was_sent_is_not_sent_again(void **state)
{
    (void)state;
    fake_two_hosts(web.port);
    int before = atomic_load(&web.requests);
    assert_kind(ask_path(&desk, &fake, "/cut"), EVIDENCE_UNREACHABLE);
    assert_kind(ask_path(&desk, &fake, "/nowhere"), EVIDENCE_SERVER_ERROR);
    assert_int_equal(atomic_load(&web.requests), before + 2);
}

static void test_two_dead_hosts_are_unreachable(void **state)
{
    (void)state;
    fake_two_hosts(1);
    fake.second = "http://127.0.0.1:2";
    struct evidence evidence = ask_path(&desk, &fake, "/fine");
    assert_kind(evidence, EVIDENCE_UNREACHABLE);
    assert_string_equal(evidence.asked, "GET http://127.0.0.1:2/fine");
}

static void test_the_second_host_must_be_safe_as_well(void **state)
{
    (void)state;
    fake_two_hosts(1);
    snprintf(fake.base, sizeof(fake.base), "https://127.0.0.1:1");
    fake.head.transport.allow_plain_http = false;
    int before = atomic_load(&web.requests);
    assert_kind(ask_path(&desk, &fake, "/fine"), EVIDENCE_UNREACHABLE);
    assert_int_equal(atomic_load(&web.requests), before);
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, desk_up, desk_down)
    const struct CMUnitTest tests[] = {
        DESK(test_a_header_is_told_when_it_is_there_once),
        DESK(test_the_skew_is_ours_minus_theirs),
        DESK(test_beyond_the_window_nothing_is_proven),
        DESK(test_an_order_that_is_closing_is_asked_so),
        DESK(test_a_channel_that_can_not_close_is_not_asked),
        DESK(test_a_dead_host_has_its_question_asked_of_the_second),
        DESK(test_a_name_that_does_not_resolve_too),
        DESK(test_what_was_sent_is_not_sent_again),
        DESK(test_two_dead_hosts_are_unreachable),
        DESK(test_the_second_host_must_be_safe_as_well),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
