/* Why an order is not resolved and what comes next: every sentence, from rows as SQL gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/explain.h"
#include "daemon/lanes.h"

#define ALIVE "{\"instances\": [{\"lives\": true, \"lanes\": {\"main\": {\"rate\": 5, \"concurrency\": 2"
#define WORKS ALIVE ", \"breaker\": \"closed\", \"doubted\": false}}}]}"

static const struct policy policy = {.channel = "main",
                                     .schedule = {{1000, 60000, 3600000}, 3},
                                     .error_first_ms = 5000,
                                     .error_max_ms = 60000,
                                     .not_found_grace_ms = 600000,
                                     .horizon_ms = 86400000,
                                     .unknown_limit = 3,
                                     .concurrency = 8,
                                     .rate_per_second = 50};

static char told[8192];

/* One sentence a line. Values of patch stand in the row's place; null takes one away. */
static const char *tell(const char *patch, const struct policy *of, const char *overview_text)
{
    json_t *attempt = json_pack(
        "{sI ss ss ss ss ss ss ss sI si si sI sb}", "attempt_id", (json_int_t)7, "order_no", "A1", "channel",
        "main", "number", "pi_1", "amount", "12.34", "currency", "CNY", "state", "waiting", "phase", "open",
        "age_s", (json_int_t)7200, "answers", 1, "errors", 0, "due_in_s", (json_int_t)250, "known", 1);
    json_t *change = json_loads(patch, 0, NULL);
    json_t *overview = json_loads(overview_text, 0, NULL);
    assert_non_null(attempt);
    assert_non_null(change);
    assert_non_null(overview);
    json_object_update(attempt, change);
    json_t *sentences = explain_attempt(attempt, of, overview);
    size_t i;
    json_t *sentence;
    size_t used = 0;
    told[0] = '\0';
    json_array_foreach(sentences, i, sentence)
    {
        assert_true(json_is_string(sentence));
        used += (size_t)snprintf(told + used, sizeof(told) - used, "%s\n", json_string_value(sentence));
        assert_true(used < sizeof(told));
    }
    json_decref(sentences);
    json_decref(overview);
    json_decref(change);
    json_decref(attempt);
    return told;
}

static void assert_tells(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("does not say \"%s\":\n%s", part, text);
}

static void assert_silent(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("says \"%s\":\n%s", part, text);
}

static void a_waiting_order_is_told_whole(void **state)
{
    (void)state;
    assert_string_equal(
        tell("{\"last\": {\"logged_at\": \"2026-11-23T08:00:00.123+00:00\", \"evidence\": \"pending\","
             " \"code\": \"USERPAYING\", \"authentic\": true, \"verdict\": \"retry\","
             " \"rule\": \"pending\"}}",
             &policy, WORKS),
        "Attempt 7, 12.34 CNY, number pi_1, tracked 2h ago.\n"
        "Last heard at 2026-11-23T08:00:00: pending (USERPAYING); decided retry by the rule pending.\n"
        "It is asked about in 4m 10s.\n"
        "1 answer so far; the schedule waits 1h after the next one.\n"
        "Its life ends in 22h, by the channel's horizon: then it is parked as unclosable if it is "
        "still pending.\n"
        "If the channel does not know it 10m after that, it is closed here.\n"
        "The channel's limits: 50 questions a second and 8 at once, shared by the living daemons; "
        "after 3 unknown states in a row an order is parked.\n");
}

static void what_was_heard_is_told_with_its_doubts(void **state)
{
    (void)state;
    assert_tells(tell("{}", &policy, WORKS), "It was never asked about.\n");
    assert_tells(tell("{\"last\": {\"logged_at\": \"2026-11-23T08:00:00\", \"evidence\": \"paid\", "
                      "\"authentic\": false,"
                      " \"verdict\": \"retry\", \"rule\": \"unauthentic\", \"detail\": \"no signature\"}}",
                      &policy, WORKS),
                 "paid, not authentic; decided retry by the rule unauthentic, no signature.\n");
}

static void when_it_is_asked_is_told(void **state)
{
    (void)state;
    assert_tells(tell("{\"due_in_s\": -65}", &policy, WORKS),
                 "It is due since 1m 5s, and asked about as soon as a daemon has room.\n");
    assert_tells(tell("{\"state\": \"asked\", \"claimed_by\": \"shop1\", \"due_in_s\": 20}", &policy, WORKS),
                 "shop1 is asking about it right now; if it dies, another one does in 20s.\n");
}

static void what_holds_it_back_is_told_with_its_mend(void **state)
{
    static const char halted[] = "{\"halted\": {\"by\": \"alice\", \"note\": \"fire\"}}";
    static const char paused[] = "{\"paused\": {\"by\": \"bob\", \"note\": \"bank\", \"until\": null}}";
    static const char until[] = "{\"due_in_s\": -5, \"paused\": {\"by\": \"bob\", \"note\": \"bank\","
                                " \"until\": \"2026-11-23T10:00:00.5+00:00\"}}";
    (void)state;
    tell(halted, &policy, WORKS);
    assert_tells(told, "Everything is halted by alice: fire. makegood lift ends that.\n");
    assert_tells(told, "It is asked about in 4m 10s, once that is over.\n");
    assert_tells(tell(paused, &policy, WORKS),
                 "Its channel is paused by bob: bank. makegood resume ends that.\n");
    tell(until, &policy, WORKS);
    assert_tells(told, "Its channel is paused by bob until 2026-11-23T10:00:00: bank.");
    assert_tells(told, "It is due since 5s, and asked about once that is over.\n");
    tell("{\"known\": false}", NULL, WORKS);
    assert_tells(told, "No daemon has ever announced this channel: nobody asks it.");
    assert_silent(told, "living daemon");
    assert_tells(tell("{}", NULL, WORKS), "This configuration does not have the channel");
}

static void what_the_daemons_say_is_told(void **state)
{
    static const struct {
        const char *overview, *sentence;
    } cases[] = {
        {"{\"instances\": []}", "No daemon lives: nobody asks. Start one, as systemctl start makegood.\n"},
        {"{\"instances\": [{\"lives\": false, \"lanes\": {\"main\": {\"concurrency\": 2}}}]}",
         "No daemon lives"},
        {"{\"instances\": [{\"lives\": true, \"lanes\": {\"other\": {\"concurrency\": 2}}}]}",
         "No living daemon has this channel: nobody asks it.\n"},
        {ALIVE ", \"breaker\": \"open\"}}}]}", "The channel does not answer: its breaker is open"},
        {ALIVE ", \"doubted\": true}}}]}", "makegood list --parked --channel main shows them"},
        {ALIVE ", \"held\": \"maintenance\"}}}]}", "The channel is in maintenance, by a window"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tell("{}", &policy, cases[i].overview);
        assert_tells(told, cases[i].sentence);
        assert_tells(told, "once that is over");
    }
    tell("{\"paused\": {\"by\": \"bob\", \"note\": \"bank\"}}", &policy, ALIVE ", \"held\": \"paused\"}}}]}");
    assert_silent(told, "maintenance");
    assert_silent(told, "No living daemon");
}

static void a_parked_order_waits_for_a_person(void **state)
{
    (void)state;
    tell("{\"state\": \"parked\", \"reason\": \"amount_mismatch\", \"detail\": \"12.35\","
         " \"parked_at\": \"2026-11-23T08:00:00+00:00\"}",
         &policy, "{\"instances\": []}");
    assert_tells(told,
                 "It is parked since 2026-11-23T08:00:00 as amount_mismatch: the channel's amount, the row's "
                 "and the order's differ.\n12.35.\n");
    assert_tells(told, "makegood retry A1 asks again, makegood resolve A1 ends it by hand.\n");
    assert_silent(told, "It is asked about");
    assert_silent(told, "No daemon lives");
    assert_tells(tell("{\"state\": \"parked\", \"reason\": \"of_tomorrow\"}", NULL, WORKS),
                 "as of_tomorrow: a reason that this program does not know.\n");
}

static void limits_follow_the_policy(void **state)
{
    struct policy other = policy;
    (void)state;
    other.attempt_limit = 20;
    other.can_close = true;
    other.shadow = true;
    other.window_count = 1;
    tell("{\"errors\": 3, \"answers\": 0}", &other, WORKS);
    assert_tells(
        told, "3 questions in a row failed (no answer of the channel's); such a one is repeated after 20s");
    assert_tells(told, "0 answers so far; the schedule waits 1m after the next one.\n");
    assert_tells(told, "After 20 answers it is parked as attempt_limit.\n");
    assert_tells(told, "The channel is in shadow mode");
    assert_tells(told, "The channel has maintenance windows");
    assert_tells(tell("{\"errors\": 1}", &policy, WORKS), "1 question in a row failed");
    other.shadow = false;
    assert_tells(tell("{\"left_s\": 90}", &other, WORKS),
                 "Its life ends in 1m 30s, by its expires_at: then the channel is asked to close it.\n");
    assert_tells(tell("{\"left_s\": -90}", &other, WORKS),
                 "Its life ended 1m 30s ago, by its expires_at: the channel is asked to close it.\n");
    assert_tells(tell("{}", &other, WORKS), "by the channel's horizon: then it is parked as unclosable");
}

static void a_plan_for_the_method_is_followed(void **state)
{
    struct policy other = policy;
    (void)state;
    other.plan_count = 1;
    other.plans[0] = (struct schedule_plan){.method = "card", .schedule = {{2000}, 1}};
    assert_tells(tell("{\"method\": \"card\"}", &other, WORKS), "the schedule waits 2s after the next one");
    assert_tells(tell("{\"method\": \"qr\"}", &other, WORKS), "the schedule waits 1h after the next one");
}

/* After its life an attempt follows no schedule; saying so would mislead. */
static void the_end_of_life_is_told(void **state)
{
    struct policy other = policy;
    (void)state;
    other.tail = (struct schedule){{1000, 2000, 3000}, 3};
    tell("{\"phase\": \"closing\"}", &other, WORKS);
    assert_tells(told, "the next question asks the channel to close it.\n");
    assert_silent(told, "the schedule waits");
    assert_tells(tell("{\"phase\": \"check\"}", &other, WORKS),
                 "the next question asks what became of that.\n");
    tell("{\"phase\": \"tail\", \"state\": \"tail\", \"answers\": 1}", &other, WORKS);
    assert_tells(
        told, "it is asked about 2 times more, because a late payment may show up. One that does is parked "
              "as late_payment.\n");
    assert_silent(told, "Its life end");
    other.accept_late = true;
    assert_tells(tell("{\"phase\": \"tail\", \"answers\": 2}", &other, WORKS),
                 "1 time more, because a late payment may show up. One that does is accepted.\n");
}

static void lanes_of_the_living_add_up(void **state)
{
    json_t *overview =
        json_loads("{\"instances\": [" //
                   "{\"lives\": true, \"lanes\": {\"main\": {\"rate\": 5, \"concurrency\": 2}}},"
                   "{\"lives\": true, \"lanes\": {\"main\": {\"rate\": 4, \"concurrency\": 1,"
                   " \"breaker\": \"open\", \"held\": \"paused\"}}},"
                   "{\"lives\": false, \"lanes\": {\"main\": {\"rate\": 9, \"doubted\": true}}}]}",
                   0, NULL);
    (void)state;
    struct lanes lanes = lanes_add_up(overview, "main");
    assert_int_equal(lanes_living(overview), 2);
    assert_int_equal(lanes.rate, 9);
    assert_int_equal(lanes.concurrency, 3);
    assert_true(lanes.breaker_open);
    assert_false(lanes.doubted);
    assert_string_equal(lanes.held, "paused");
    assert_int_equal(lanes_add_up(overview, "other").concurrency, 0);
    json_decref(overview);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_order_is_told_whole),
        cmocka_unit_test(what_was_heard_is_told_with_its_doubts),
        cmocka_unit_test(when_it_is_asked_is_told),
        cmocka_unit_test(what_holds_it_back_is_told_with_its_mend),
        cmocka_unit_test(what_the_daemons_say_is_told),
        cmocka_unit_test(a_parked_order_waits_for_a_person),
        cmocka_unit_test(limits_follow_the_policy),
        cmocka_unit_test(a_plan_for_the_method_is_followed),
        cmocka_unit_test(the_end_of_life_is_told),
        cmocka_unit_test(lanes_of_the_living_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
