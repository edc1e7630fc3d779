/* Upgrades: the previous release's daemon (scripts/previous-release builds it) on the new schema, the new daemon on the
 * previous schema, and a migration while both of them work. The databases begin with the previous schema. */
#include "stage.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const previous_program = PREVIOUS_PROGRAM;
static const char *const new_program = MAKEGOOD_PROGRAM;

static int world_open_previous(void **state)
{
    if (access(previous_program, X_OK) != 0)
        return 0; /* every test skips itself */
    makegood_program = previous_program;
    return world_open(state);
}

static int world_close_previous(void **state)
{
    return makegood_program == previous_program || *world_folder ? world_close(state) : 0;
}

static int teardown(void **state)
{
    return *world_folder ? stage_teardown(state) : 0;
}

static void scene(int orders)
{
    if (!*world_folder) {
        print_message("SKIPPED: %s is not there; scripts/previous-release builds it\n", previous_program);
        skip();
    }
    stage_open(&orders_shop);
    stage_orders(1, orders - 20, "paid");
    stage_orders(orders - 19, 10, "pending*2 closed");
    stage_orders(orders - 9, 10, "wrong_amount");
    stage_prepare();
}

static void migrate(void)
{
    static char err[OUTPUT_BYTES];
    char path[160];
    config_path(2, path);
    config_write(path, &(struct settings){0}, "migrator");
    if (run((const char *const[]){new_program, "migrate", "-c", path, NULL}, NULL, err) != 0)
        fail_msg("makegood migrate: %s", err);
}

static void daemon_start_as(const char *program, int which)
{
    makegood_program = program;
    daemon_start(which, &(struct settings){.rate = "150", .burst = "1"});
}

static void all_ends(int orders)
{
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    ledger_check();
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'paid'"),
                     orders - 20);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 10);
}

static void test_previous_daemon_on_the_new_schema(void **state)
{
    (void)state;
    scene(200);
    migrate();
    stage_track();
    daemon_start_as(previous_program, 0);
    wait_for(WAIT_MS, "SELECT count(*) > 20 FROM makegood.query_log");
    db_do(stage.db, "SELECT makegood.pause('main', NULL, 'to see whether it obeys', false)");
    sleep_ms(1500); /* what it had claimed it asks about */
    long asked = db_number(stage.db, "SELECT count(*) FROM makegood.query_log");
    sleep_ms(2000);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.query_log"), asked);
    db_do(stage.db, "SELECT makegood.resume('main', 'it does', false)");
    all_ends(200);
}

static void test_new_daemon_on_the_previous_schema(void **state)
{
    static char out[OUTPUT_BYTES];
    static char err[OUTPUT_BYTES];
    char path[160];
    (void)state;
    scene(200);
    stage_track();
    daemon_start_as(new_program, 0);
    wait_for_log(0, "event=schema_is_older", WAIT_MS);
    config_path(0, path);
    assert_int_equal(run((const char *const[]){new_program, "check", "-c", path, NULL}, out, err), 0);
    assert_contains(out, "warning: the schema is older than this program; run makegood migrate");
    assert_int_equal(run((const char *const[]){new_program, "status", "-c", path, NULL}, out, err), 1);
    assert_contains(err, "run makegood migrate");
    all_ends(200);
}

/* Prepared statements, claims and settlements of both are under way while the functions change below them. */
static void test_migrating_while_both_work(void **state)
{
    (void)state;
    scene(1500);
    stage_track();
    daemon_start_as(previous_program, 0);
    daemon_start_as(new_program, 1);
    wait_for(WAIT_MS, "SELECT count(*) > 200 FROM makegood.query_log");
    migrate();
    assert_true(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order") > 100);
    assert_true(db_number(stage.db, "SELECT max(version) FROM makegood.schema_version") > 9);
    all_ends(1500);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(log_count(i, "event=database_unfit"), 0);
        assert_int_equal(log_count(i, "event=settle_refused"), 0);
        assert_int_equal(log_count(i, "event=claim_refused"), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_previous_daemon_on_the_new_schema),
        TEST(test_new_daemon_on_the_previous_schema),
        TEST(test_migrating_while_both_work),
    };
    return cmocka_run_group_tests(tests, world_open_previous, world_close_previous);
}
