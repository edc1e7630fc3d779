/* The ledger check must be able to fail: each law is broken on purpose, by mutating a function of the schema or the
 * configuration, the real daemon does its work on that, and the check must name the law. */
#include "stage.h"

static const struct settings plain = {.lease = "3s"};

/* Replaces a text in a function of the schema; the text must be there. */
static void sabotage(const char *function, const char *text, const char *instead)
{
    db_do(
        stage.db,
        "DO $sabotage$ DECLARE source text := pg_get_functiondef('makegood.%s'::regproc);"
        " BEGIN IF position($text$%s$text$ IN source) = 0 THEN RAISE 'there is nothing to sabotage'; END IF;"
        " EXECUTE replace(source, $text$%s$text$, $text$%s$text$); END $sabotage$",
        function, text, text, instead);
}

static void orders_place(void)
{
    stage_open(&orders_shop);
    stage_orders(1, 20, "paid");
    stage_orders(21, 10, "pending paid");
    stage_orders(31, 5, "closed");
    stage_orders(41, 5, "unknown_state");
    stage_orders(51, 5, "server_error*3 paid");
    stage_prepare();
}

/* Runs the daemon for a while and answers how often the law was found broken. */
static long broken_by_running(const struct settings *settings, const char *law)
{
    stage_track();
    daemon_start(0, settings);
    wait_for(WAIT_MS, "SELECT count(*) >= 5 FROM makegood.query_log WHERE order_no > 'ORD-000050'"
                      " UNION ALL SELECT count(*) >= 80 FROM makegood.query_log"
                      " UNION ALL SELECT count(*) >= 20 FROM truth.change ORDER BY 1 DESC LIMIT 1");
    sleep_ms(1500);
    process_kill(stage.daemons[0]); /* a sabotaged daemon need not end well */
    stage.daemons[0] = 0;
    ledger_load();
    return ledger_violations(law);
}

/* Without sabotage the same run breaks nothing. */
static void test_control(void **state)
{
    (void)state;
    orders_place();
    stage_track();
    daemon_start(0, &plain);
    wait_for_end(WAIT_MS);
    ledger_check();
}

/* --- nothing is lost ------------------------------------------------------------------------------------------- */

static void test_order_is_not_written(void **state)
{
    (void)state;
    orders_place();
    db_do(stage.db,
          "DO $$ BEGIN EXECUTE regexp_replace(pg_get_functiondef('makegood.order_pay'::regproc),"
          " 'UPDATE .*RETURNING w.place, w.status', 'SELECT unnest(p_places), ''paying''::text'); END $$");
    assert_true(broken_by_running(&plain, "lost") >= 20);
}

static void test_parked_orders_vanish(void **state)
{
    (void)state;
    orders_place();
    sabotage("park_batch", "INSERT INTO parked_order SELECT gone.* FROM gone;",
             "INSERT INTO parked_order SELECT gone.* FROM gone WHERE false;");
    assert_true(broken_by_running(&plain, "lost") >= 5);
}

static void test_rows_are_dropped(void **state)
{
    (void)state;
    orders_place();
    stage_track();
    db_do(stage.db, "DELETE FROM makegood.lost_order WHERE attempt_id %% 7 = 0");
    assert_true(broken_by_running(&plain, "lost") >= 5);
}

static void test_rows_stay_beside_their_parking(void **state)
{
    (void)state;
    orders_place();
    sabotage("park_batch", "DELETE FROM lost_order AS l USING out WHERE l.attempt_id = out.attempt_id",
             "UPDATE lost_order AS l SET due_at = now() + interval '1 hour' FROM out"
             " WHERE l.attempt_id = out.attempt_id");
    assert_true(broken_by_running(&plain, "lost") >= 5);
}

/* --- nothing is done twice ------------------------------------------------------------------------------------- */

/* An update by id, as nobody should write one. */
static void update_by_id(void)
{
    sabotage("rule_batch", "WHEN o.status = ANY (p_shop.paid_from) THEN 'write'", "WHEN true THEN 'write'");
    db_do(stage.db, "DO $$ BEGIN EXECUTE regexp_replace(pg_get_functiondef('makegood.order_write'::regproc),"
                    " 'AND o.status = ANY \\([^)]*\\)', '', 'g'); END $$");
}

/* The row stays, so every later question pays the order again. */
static void test_orders_are_paid_again(void **state)
{
    (void)state;
    orders_place();
    update_by_id();
    sabotage("settle_batch", "DELETE FROM lost_order AS l WHERE l.ctid = ANY",
             "UPDATE lost_order AS l SET token = NULL, due_at = now() WHERE l.ctid = ANY");
    assert_true(broken_by_running(&plain, "twice") >= 20);
}

/* The shop closed them meanwhile; the update does not care. */
static void test_final_status_is_overwritten(void **state)
{
    (void)state;
    orders_place();
    db_do(stage.db, "UPDATE public.orders SET status = 'closed' WHERE order_no <= 'ORD-000010'");
    update_by_id();
    assert_true(broken_by_running(&plain, "twice") >= 10);
}

/* --- nothing without proof ------------------------------------------------------------------------------------- */

/* A configuration that reads pending as paid. */
static void test_pending_counts_as_paid(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 30, "pending");
    stage_prepare();
    assert_true(
        broken_by_running(&(struct settings){.lease = "3s",
                                             .paid_when = "{at: /status, is: [succeeded, processing]}",
                                             .amount_at = "/amount"},
                          "proof") >= 20);
}

/* A configuration that reads an outage as "not found", on a channel where something was found lately. */
static void test_outage_counts_as_not_found(void **state)
{
    const struct settings reading = {.lease = "3s",
                                     .paid_when = "{at: /status, is: [succeeded]}]}\n"
                                                  "      - {name: down, evidence: not_found, http: [500],"
                                                  " when: [{at: /error/code, is: [api_error]}"};
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 10, "pending*3 paid");
    stage_orders(11, 30, "server_error");
    db_do(stage.db, "UPDATE truth.attempt SET expires_in = '500 milliseconds' WHERE script = 'server_error'");
    stage_prepare();
    assert_true(broken_by_running(&reading, "proof") >= 10);
}

/* Nobody compares the amount: the claim repeats the bank's lie, and settle believes it. */
static void test_amount_is_not_compared(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 30, "wrong_amount");
    stage_prepare();
    sabotage("claim_due", "l.amount_minor::bigint", "l.amount_minor::bigint + 1");
    sabotage("rule_batch", "(e.amount = h.amount_minor AND e.amount = o.amount_minor) IS NOT TRUE", "false");
    assert_true(broken_by_running(&plain, "proof") >= 20);
}

static void test_paid_without_audit(void **state)
{
    (void)state;
    orders_place();
    sabotage("settle_batch", "WHERE e.ruling <> 'recorded' AND (", "WHERE e.ruling <> 'paid' AND (");
    assert_true(broken_by_running(&plain, "proof") >= 20);
    assert_true(ledger_violations("audit") >= 20);
}

/* --- every query is audited ------------------------------------------------------------------------------------ */

static void test_retries_are_not_audited(void **state)
{
    (void)state;
    orders_place();
    sabotage("settle_batch", "WHERE e.ruling <> 'recorded' AND (", "WHERE e.ruling <> 'retry' AND (");
    assert_true(broken_by_running(&plain, "audit") >= 10);
}

static void test_audit_is_incomplete(void **state)
{
    (void)state;
    orders_place();
    sabotage("settle_batch", "e.code, e.channel_rule, e.verdict", "NULL, e.channel_rule, e.verdict");
    assert_true(broken_by_running(&plain, "audit") >= 20);
}

static void test_audit_is_invented(void **state)
{
    (void)state;
    orders_place();
    sabotage(
        "settle_batch", "RETURN QUERY SELECT generate_subscripts(outcomes, 1)",
        "INSERT INTO query_log (claimed_at, token, attempt_id, instance, order_no, channel, number, "
        "http_status,"
        " evidence, authentic, verdict, reason, rule, outcome) SELECT q.claimed_at, gen_random_uuid(),"
        " q.attempt_id, q.instance, q.order_no, q.channel, q.number, 200, 'pending', true, 'retry', '', 'x',"
        " 'applied' FROM query_log AS q WHERE q.token = p_token[1];"
        " RETURN QUERY SELECT generate_subscripts(outcomes, 1)");
    assert_true(broken_by_running(&plain, "audit") >= 1);
}

/* --- an outage burns nothing ----------------------------------------------------------------------------------- */

static void test_outage_counts_as_answers(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 30, "server_error");
    stage_prepare();
    sabotage("put_off_batch", "coalesce(e.answers, l.answers)", "l.answers + 1");
    assert_true(broken_by_running(&plain, "outage") >= 20);
}

int main(void)
{
#define SABOTAGE(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        SABOTAGE(test_control),
        SABOTAGE(test_order_is_not_written),
        SABOTAGE(test_parked_orders_vanish),
        SABOTAGE(test_rows_are_dropped),
        SABOTAGE(test_rows_stay_beside_their_parking),
        SABOTAGE(test_orders_are_paid_again),
        SABOTAGE(test_final_status_is_overwritten),
        SABOTAGE(test_pending_counts_as_paid),
        SABOTAGE(test_outage_counts_as_not_found),
        SABOTAGE(test_amount_is_not_compared),
        SABOTAGE(test_paid_without_audit),
        SABOTAGE(test_retries_are_not_audited),
        SABOTAGE(test_audit_is_incomplete),
        SABOTAGE(test_audit_is_invented),
        SABOTAGE(test_outage_counts_as_answers),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
