/* The store that sleeps and is woken: what claims tell of the next row, and what the database announces. */
#include "store_bench.h"

/* Only where the session is ours can be listened. */
static void test_sleeping_and_waking(void **state)
{
    bool prepared = *state == NULL;
    sql("SELECT makegood.announce('{bank}', '{0}')");
    sql("INSERT INTO makegood.lost_order (order_no, channel, amount_minor, currency, due_at) VALUES ('W1', "
        "'bank', 1, "
        "'CNY', clock_timestamp() + interval '50 s')");
    assert_int_equal(claim(), 0);
    assert_int_equal(bench.sleeps, prepared);
    assert_string_equal(bench.next_channel, prepared ? "bank" : "");
    if (!prepared)
        return;
    assert_in_range(bench.next_ms, 45000, 50000);
    track("W2", "'pi_2'");
    loop_until(&bench.loop, &bench.dues, 1);
    assert_string_equal(bench.due_channel, "bank");
    assert_int_equal(claim(), 1);
    sql("SELECT makegood.halt('n', false), makegood.lift('n', false)");
    loop_until(&bench.loop, &bench.steers, 1);
}

/* One is due and was not given: somebody holds it, and it is looked at again soon. */
static void test_what_is_held_is_looked_at_soon(void **state)
{
    (void)state;
    static struct line holder;
    track("W3", "'pi_3'");
    line_open(&holder, place.conninfo, false);
    struct pg_statement begin = {"begin", "BEGIN", 0};
    struct pg_statement lock = {"lock", "SELECT FROM makegood.lost_order FOR UPDATE", 0};
    ask(&holder, &begin, NULL);
    ask(&holder, &lock, NULL);
    assert_int_equal(claim(), 0);
    assert_in_range(bench.next_ms, 1, 1000);
    line_close(&holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sleeping_and_waking, store_up, store_down),
        cmocka_unit_test_prestate_setup_teardown(test_sleeping_and_waking, store_up, store_down, &bench),
        cmocka_unit_test_setup_teardown(test_what_is_held_is_looked_at_soon, store_up, store_down),
    };
    return cmocka_run_group_tests_name("store that sleeps", tests, world_open, world_close);
}
