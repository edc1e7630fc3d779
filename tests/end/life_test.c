/* The end of a life, from end to end: what is unpaid at its end is closed at the bank, asked about again and closed here;
 * what was paid meanwhile becomes paid; what can not be closed is parked; and what is paid after all, while the row is
 * tail, is parked or accepted. A daemon that is killed in the middle is followed by one that goes on from the row's
 * phase. The moments of the kills are random: the seed is printed, MAKEGOOD_SEED replays them. */
#include "providers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* Ends in seconds. */
#define BRIEF_TAIL "    tail: 1s 2s\n"
/* There to the end of the test; asked every second or two, so that a change of mind is seen soon. */
#define LONG_TAIL                                                                                           \
    "    tail: 1s 2s 3s 4s 5s 6s 7s 8s 9s 10s 12s 14s 16s 18s 20s 22s 24s 26s 28s 30s 32s 34s 36s 38s 40s " \
    "50s\n"

static const char *const closing_ones[] = {"wechatpay", "alipay", "stripe"};
#define CLOSING_ONES 3

static void orders_place(const char *channel, const char *script, const char *expires_in, int count)
{
    for (int i = 0; i < count; i++)
        providers_order(channel, script, expires_in);
}

/* How many orders of the script are there: a status, or "parked:REASON". */
static long count_seen(const char *script, const char *seen)
{
    return db_number(
        stage.db,
        "SELECT count(*) FROM truth.attempt AS a JOIN truth.shop_order AS o USING (order_no)"
        " LEFT JOIN makegood.parked_order AS p USING (attempt_id) WHERE a.script = '%s'"
        " AND CASE WHEN p.attempt_id IS NOT NULL THEN 'parked:' || p.reason ELSE o.status END = '%s'",
        script, seen);
}

static long bank_closes(void)
{
    long closes = -1;
    char *stats = bank_get("stats");
    const char *at = strstr(stats, "\"closes\":");
    assert_non_null(at);
    sscanf(at, "\"closes\":%ld", &closes);
    free(stats);
    return closes;
}

/* The rules by which the attempts of a script went, one after the other. */
static const char *ways(const char *script)
{
    return db_text(stage.db,
                   "SELECT coalesce(string_agg(DISTINCT way, E'\\n'), '') FROM (SELECT string_agg(q.rule, ' '"
                   " ORDER BY q.logged_at, q.claimed_at) AS way FROM makegood.query_log AS q"
                   " JOIN truth.attempt AS a USING (attempt_id) WHERE a.script = '%s' GROUP BY a.n) AS w",
                   script);
}

/* --- closing --------------------------------------------------------------------------------------------------- */

/* Each thrice; unionpay and paypal have no way to close. */
static void test_unpaid_is_closed_there_and_here(void **state)
{
    (void)state;
    providers_open(&orders_shop);
    for (int i = 0; i < CLOSING_ONES; i++) {
        orders_place(closing_ones[i], "unpaid", "0s", 3);
        orders_place(closing_ones[i], "slow:1 pending", "1s", 3);
        orders_place(closing_ones[i], "paid_at_close", "0s", 3);
        orders_place(closing_ones[i], "not_found", "0s", 3);
    }
    orders_place("unionpay", "slow:1 unpaid", "0s", 3);
    orders_place("paypal", "slow:1 unpaid", "0s", 3);
    stage_begin();
    providers_start(BRIEF_TAIL);
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(count_seen("unpaid", "closed"), 9);
    assert_int_equal(count_seen("slow:1 pending", "closed"), 9);
    assert_int_equal(count_seen("paid_at_close", "paid"), 9);
    assert_int_equal(count_seen("not_found", "closed"), 9);
    assert_int_equal(count_seen("slow:1 unpaid", "parked:unclosable"), 6);
    assert_int_equal(bank_closes(), 27); /* on the strength of a silence nothing is closed there */
    ledger_check();
    assert_string_equal(ways("unpaid"), "pending_is_closed close_says_closed closed closed_in_tail closed");
    assert_string_equal(ways("slow:1 unpaid"), "pending_to_the_end");
    assert_contains(ways("paid_at_close"), "pending_is_closed close_says_");
    assert_contains(ways("paid_at_close"), " paid");
}

/* The channel's horizon alone closes nothing at the bank, unless the channel's policy says so. */
static void horizon_check(const char *policy, const char *ends, long closes)
{
    char more[128];
    providers_open(&orders_shop);
    for (int i = 0; i < CLOSING_ONES; i++)
        orders_place(closing_ones[i], "unpaid", NULL, 4);
    db_do(stage.db, "UPDATE truth.attempt SET meant = '%s'", ends);
    stage_begin();
    snprintf(more, sizeof(more), BRIEF_TAIL "    close_at_horizon: %s\n    horizon: 1s\n", policy);
    providers_start(more);
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(count_seen("unpaid", ends), 12);
    assert_int_equal(bank_closes(), closes);
    ledger_check();
}

static void test_without_an_expiry_nothing_is_closed_there(void **state)
{
    (void)state;
    horizon_check("no", "parked:unclosable", 0);
}

static void test_unless_the_policy_closes(void **state)
{
    (void)state;
    horizon_check("yes", "closed", 12);
}

/* --- what the bank refuses ------------------------------------------------------------------------------------- */

/* It answers each request to close that it can not be done, and each question that nothing was paid: five requests, and a
 * person decides. */
static void test_closing_in_vain(void **state)
{
    static const char script[] = "unpaid unknown_state unpaid unknown_state unpaid unknown_state unpaid"
                                 " unknown_state unpaid unknown_state unpaid";
    (void)state;
    providers_open(&orders_shop);
    for (int i = 0; i < CLOSING_ONES; i++)
        orders_place(closing_ones[i], script, "0s", 3);
    stage_begin();
    providers_start(BRIEF_TAIL);
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(count_seen(script, "parked:unclosable"), 9);
    assert_int_equal(bank_closes(), 9 * 5);
    ledger_check();
}

/* --- the tail -------------------------------------------------------------------------------------------------- */

static void tail_reach(const char *late)
{
    char more[512];
    providers_open(&orders_shop);
    for (int i = 0; i < CLOSING_ONES; i++)
        orders_place(closing_ones[i], "unpaid", "0s", 4);
    stage_begin();
    snprintf(more, sizeof(more), LONG_TAIL "    late: %s\n", late);
    providers_start(more);
    wait_for(WAIT_MS, "SELECT count(*) = 12 FROM makegood.lost_order WHERE phase = 'tail'");
    assert_int_equal(count_seen("unpaid", "closed"), 12);
}

static void bank_pays_late(void)
{
    db_do(stage.db, "UPDATE truth.attempt SET meant = 'paid'");
    bank_mode("paid");
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
}

static void test_late_payment_is_parked(void **state)
{
    (void)state;
    tail_reach("park");
    bank_pays_late();
    assert_int_equal(count_seen("unpaid", "parked:late_payment"), 12);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'closed'"),
                     12);
    ledger_check();
}

/* Forged ones are none: where answers are signed, the tail goes on until one is authentic. */
static void test_late_payment_is_accepted(void **state)
{
    (void)state;
    tail_reach("accept");
    db_do(stage.db, "UPDATE truth.run SET accepts_late = true");
    db_do(stage.db, "DELETE FROM makegood.lost_order WHERE channel = 'stripe'"); /* signs nothing */
    bank_mode("bad_signature");
    wait_for(WAIT_MS,
             "SELECT count(DISTINCT attempt_id) = 8 FROM makegood.query_log WHERE evidence = 'unauthentic'");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE phase = 'tail'"), 8);
    assert_int_equal(count_seen("unpaid", "closed"), 12);
    bank_pays_late();
    assert_int_equal(count_seen("unpaid", "paid"), 8);
    ledger_check();
}

/* Late and in another amount: whatever the policy accepts, not that. */
static void test_late_payment_of_another_amount(void **state)
{
    (void)state;
    tail_reach("accept");
    db_do(stage.db, "UPDATE truth.attempt SET meant = 'paid'");
    bank_mode("wrong_amount");
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(count_seen("unpaid", "parked:amount_mismatch"), 12);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM truth.shop_order WHERE status = 'closed'"),
                     12);
    ledger_check();
}

/* The shop opens a closed order again, and tracks it: the attempt begins anew, and its payment is no late one. */
static void test_tracked_again_in_the_tail(void **state)
{
    (void)state;
    tail_reach("park");
    bank_mode("pending");
    db_do(stage.db,
          "UPDATE public.orders SET status = 'paying';"
          "UPDATE truth.attempt SET meant = 'paid', attempt_id = makegood.track(order_no, channel, amount,"
          " currency, number, p_expires_at => now() + interval '1 hour', p_due_in => interval '2 s')");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE phase = 'open'"),
                     12);
    bank_mode("paid");
    wait_for(WAIT_MS, "SELECT NOT EXISTS (SELECT FROM makegood.lost_order)");
    assert_int_equal(count_seen("unpaid", "paid"), 12);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.parked_order"), 0);
    daemon_stop(0);
}

/* --- kills ----------------------------------------------------------------------------------------------------- */

static unsigned seed_choose(void)
{
    const char *given = getenv("MAKEGOOD_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    print_message("             MAKEGOOD_SEED=%u\n", seed);
    return seed;
}

#define MIDWAY "EXISTS (SELECT FROM makegood.lost_order WHERE phase IN ('closing', 'check'))"
#define LIVING "EXISTS (SELECT FROM makegood.lost_order WHERE phase <> 'tail')"

/* A life that ends while some rows are between two phases; unless all came to their end before. */
static void life_cut_short(const char *lines, unsigned *seed)
{
    daemon_start(0, &(struct settings){.more = lines, .lease = "3100ms"});
    wait_for(WAIT_MS, "SELECT " MIDWAY " OR NOT " LIVING);
    sleep_ms(rand_r(seed) % 200);
    daemon_kill(0);
}

#define KILLS 3

/* However often it dies: each order is closed at the bank before it closes here, or is paid. They come to their ends one
 * after the other, so that every life finds some on the way. */
static void test_killed_while_closing(void **state)
{
    unsigned seed = seed_choose();
    (void)state;
    providers_open(&orders_shop);
    for (int i = 0; i < CLOSING_ONES; i++) {
        orders_place(closing_ones[i], "slow:100 unpaid", "0s", 40);
        orders_place(closing_ones[i], "slow:100 paid_at_close", "0s", 20);
    }
    db_do(stage.db, "UPDATE truth.attempt SET expires_in = n %% 20 * interval '400 milliseconds'");
    stage_begin();
    char *lines = providers_lines("500ms", "    tail: 1h\n");
    for (int i = 0; i < KILLS; i++)
        life_cut_short(lines, &seed);
    daemon_start(0, &(struct settings){.more = lines, .lease = "3100ms"});
    free(lines);
    wait_for(WAIT_MS, "SELECT NOT " LIVING);
    assert_int_equal(count_seen("slow:100 unpaid", "closed"), 120);
    assert_int_equal(count_seen("slow:100 paid_at_close", "paid"), 60);
    assert_true(bank_closes() >= 180);
    ledger_check();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_unpaid_is_closed_there_and_here),
        TEST(test_without_an_expiry_nothing_is_closed_there),
        TEST(test_unless_the_policy_closes),
        TEST(test_closing_in_vain),
        TEST(test_late_payment_is_parked),
        TEST(test_late_payment_is_accepted),
        TEST(test_late_payment_of_another_amount),
        TEST(test_tracked_again_in_the_tail),
        TEST(test_killed_while_closing),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
