/* What a reload refuses, and what it lets through. */
#include "fixture.h"

#include "daemon/config_differs.h"

/* Changes the sample by one replacement and compares; expected: the path that is told, or NULL. */
static void check_change(const struct fixture *fixture, const char *from, const char *to,
                         const char *expected)
{
    struct faults faults;
    char *text = sample_text(fixture);
    struct config *now = text_load(fixture, text);
    text = text_replace(text, from, to);
    struct config *next = text_load(fixture, text);
    faults_init(&faults);
    assert_int_equal(config_differs_fixed(now, next, &faults), expected ? -22 : 0);
    assert_int_equal(faults.count, expected ? 1 : 0);
    if (expected) {
        assert_string_equal(faults.items[0].path, expected);
        assert_non_null(strstr(faults.items[0].text, "restart"));
        assert_string_equal(faults.items[0].file, fixture->file);
    }
    faults_finish(&faults);
    config_drop(now);
    config_drop(next);
    free(text);
}

static void some_changes_need_a_restart(void **state)
{
    check_change(*state, "#instance:", "instance:", "instance");
    check_change(*state, "#listen:", "listen:", "listen");
    check_change(*state, "user=makegood", "user=other", "database.url");
    check_change(*state, "  migrate_url:", "  #migrate_url:", "database.migrate_url");
    check_change(*state, "#prepared: true", "prepared: false", "database.prepared");
    check_change(*state, "#connect_timeout: 5s", "connect_timeout: 6s", "database.connect_timeout");
    check_change(*state, "#call_timeout: 15s", "call_timeout: 16s", "database.call_timeout");
    check_change(*state, "in_flight: 2000", "in_flight: 2001", "engine.in_flight");
    check_change(*state, "workers: 2", "workers: 3", "engine.workers");
    check_change(*state, "table: public.orders", "table: public.order", "order_table.table");
    check_change(*state, "also: [shipped]", "also: [sent]", "order_table.paid");
    check_change(*state, "#created_at:", "created_at:", "order_table.created_at");
}

static void other_changes_do_not(void **state)
{
    check_change(*state, "database:", "database: ", NULL);
    check_change(*state, "#log_level: notice", "log_level: info", NULL);
    check_change(*state, "poll_interval: 1s", "poll_interval: 2s", NULL);
    check_change(*state, "batch_size: 500", "batch_size: 100", NULL);
    check_change(*state, "lease: 60s", "lease: 61s", NULL);
    check_change(*state, "#prepared: true", "prepared: true", NULL);
    check_change(*state, "name: stripe", "name: stripe2", NULL);
    check_change(*state, "rate: 20", "rate: 30", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_changes_need_a_restart),
        cmocka_unit_test(other_changes_do_not),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
