/* Limits: token bucket, circuit breaker, guard and schedules are arithmetic on numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/breaker.h"
#include "core/bucket.h"
#include "core/guard.h"
#include "core/schedule.h"
#include "makegood/histogram.h"

/* ---- bucket ---- */

static void bucket_gives_its_depth_then_its_rate(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 10, 3, 1000);
    for (int i = 0; i < 3; i++)
        assert_true(bucket_take(&bucket, 1000));
    assert_false(bucket_take(&bucket, 1000));
    assert_int_equal(bucket_wait_ms(&bucket, 1000), 100);
    assert_false(bucket_take(&bucket, 1099));
    assert_true(bucket_take(&bucket, 1100));
    assert_int_equal(bucket_wait_ms(&bucket, 1100), 100);
}

static void bucket_never_exceeds_rate_and_depth(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 7, 5, 0);
    int taken = 0;
    for (int64_t now_ms = 0; now_ms <= 10000; now_ms++)
        while (bucket_take(&bucket, now_ms))
            taken++;
    assert_int_equal(taken, 5 + 7 * 10);
}

static void bucket_holds_no_more_than_its_depth(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1000, 4, 0);
    assert_int_equal(bucket_within(&bucket, INT64_MAX / 2, 0), 4);
    assert_int_equal(bucket_within(&bucket, INT64_MAX / 2, 2000), 2004);
}

static void bucket_tells_what_is_in_it(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 10, 3, 0);
    assert_true(bucket_take(&bucket, 0) && bucket_take(&bucket, 0));
    assert_int_equal(bucket_tokens(&bucket, 0), 1);
    assert_int_equal(bucket_tokens(&bucket, 100), 2);
    assert_int_equal(bucket_tokens(&bucket, 60000), 3);
    assert_int_equal(bucket_tokens(&bucket, 0), 1); /* looking changes nothing */
}

static void histogram_counts_by_upper_bounds(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    static const int64_t durations_ms[] = {-5, 0, 10, 11, 25, 60000, 60001};
    for (size_t i = 0; i < sizeof(durations_ms) / sizeof(durations_ms[0]); i++)
        histogram_add(&histogram, durations_ms[i]);
    assert_int_equal(histogram.counts[0], 3); /* a clock that stepped back took no time */
    assert_int_equal(histogram.counts[1], 2);
    assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(histogram.sum_ms, 120047);
}

static void bucket_counts_the_old_rate_up_to_a_resize(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1, 10, 0);
    while (bucket_take(&bucket, 0))
        continue;
    bucket_resize(&bucket, 1000, 10, 2000); /* two tokens came in the meantime */
    assert_true(bucket_take(&bucket, 2000));
    assert_true(bucket_take(&bucket, 2000));
    assert_false(bucket_take(&bucket, 2000));
    assert_true(bucket_take(&bucket, 2001));
}

static void bucket_spills_what_a_smaller_one_can_not_hold(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1, 10, 0);
    bucket_resize(&bucket, 1, 2, 0);
    assert_true(bucket_take(&bucket, 0) && bucket_take(&bucket, 0));
    assert_false(bucket_take(&bucket, 0));
}

/* ---- breaker ---- */

static const struct policy calm = {
    .concurrency = 4, .breaker_failures = 3, .breaker_open_ms = 1000, .breaker_open_max_ms = 3000};

static struct breaker breaker_opened_at(int64_t now_ms)
{
    struct breaker breaker = {0};
    assert_false(breaker_failed(&breaker, &calm, now_ms));
    assert_false(breaker_failed(&breaker, &calm, now_ms));
    assert_true(breaker_failed(&breaker, &calm, now_ms));
    return breaker;
}

static void breaker_opens_after_faults_in_a_row(void **state)
{
    (void)state;
    struct breaker breaker = breaker_opened_at(100);
    assert_int_equal(breaker_allows(&breaker, &calm, 100), 0);
    assert_int_equal(breaker_allows(&breaker, &calm, 1099), 0);
    assert_int_equal(breaker_next_ms(&breaker), 1100);
}

static void one_answer_starts_the_count_again(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < 10; i++) {
        assert_false(breaker_failed(&breaker, &calm, i));
        assert_false(breaker_failed(&breaker, &calm, i));
        assert_false(breaker_succeeded(&breaker, &calm));
    }
    assert_int_equal(breaker_allows(&breaker, &calm, 100), 4);
    assert_int_equal(breaker_next_ms(&breaker), INT64_MAX);
}

static void half_open_lets_one_probe_through(void **state)
{
    (void)state;
    struct breaker breaker = breaker_opened_at(0);
    assert_int_equal(breaker_allows(&breaker, &calm, 1000), 1);
    breaker_started(&breaker, 1000);
    assert_int_equal(breaker_allows(&breaker, &calm, 1000), 0);
    assert_int_equal(breaker_next_ms(&breaker), INT64_MAX); /* the probe's answer moves it */
    breaker_probe_gone(&breaker);
    assert_int_equal(breaker_allows(&breaker, &calm, 1001), 1);
}

static void a_failed_probe_doubles_up_to_the_cap(void **state)
{
    (void)state;
    struct breaker breaker = breaker_opened_at(0);
    static const int64_t open_ms[] = {2000, 3000, 3000};
    int64_t now_ms = 1000;
    for (size_t i = 0; i < sizeof(open_ms) / sizeof(open_ms[0]); i++) {
        breaker_started(&breaker, now_ms);
        assert_true(breaker_failed(&breaker, &calm, now_ms));
        assert_int_equal(breaker_next_ms(&breaker), now_ms + open_ms[i]);
        now_ms += open_ms[i];
    }
}

static void late_faults_do_not_prolong(void **state)
{
    (void)state;
    struct breaker breaker = breaker_opened_at(0);
    assert_false(breaker_failed(&breaker, &calm, 500));
    assert_int_equal(breaker_next_ms(&breaker), 1000);
}

static void a_closed_breaker_starts_slowly(void **state)
{
    (void)state;
    struct breaker breaker = breaker_opened_at(0);
    breaker_started(&breaker, 1000);
    assert_true(breaker_succeeded(&breaker, &calm));
    for (int allowed = 1; allowed < calm.concurrency; allowed++) {
        assert_int_equal(breaker_allows(&breaker, &calm, 1000), allowed);
        assert_false(breaker_succeeded(&breaker, &calm));
    }
    assert_int_equal(breaker_allows(&breaker, &calm, 1000), calm.concurrency);
}

/* ---- guard ---- */

static void guard_halts_beyond_its_share(void **state)
{
    (void)state;
    struct guard guard = {0};
    for (int i = 0; i < GUARD_LEAST - 1; i++)
        assert_false(guard_saw(&guard, true, 50)); /* too few to say */
    assert_true(guard_saw(&guard, true, 50));
    assert_true(guard.halted);
    assert_false(guard_saw(&guard, true, 50)); /* said once */
}

static void guard_forgets_what_is_long_ago(void **state)
{
    (void)state;
    struct guard guard = {0};
    for (int i = 0; i < GUARD_LEAST - 1; i++)
        guard_saw(&guard, true, 0);
    for (int i = 0; i < GUARD_WINDOW; i++)
        guard_saw(&guard, false, 0);
    assert_false(guard_saw(&guard, true, 5));
}

static void guard_of_nought_never_halts(void **state)
{
    (void)state;
    struct guard guard = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(guard_saw(&guard, true, 0));
    assert_false(guard.halted);
}

static void guard_lets_its_exact_share_pass(void **state)
{
    (void)state;
    struct guard guard = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(guard_saw(&guard, i % 2 == 1, 50));
}

/* ---- schedules ---- */

static const struct policy paced = {
    .schedule = {{5, 30, 60}, 3}, .error_first_ms = 100, .error_max_ms = 1000, .horizon_ms = 5000};

static void the_last_entry_repeats(void **state)
{
    (void)state;
    static const int64_t delays_ms[] = {5, 30, 60, 60, 60};
    for (int i = 0; i < 5; i++)
        assert_int_equal(schedule_after_answer_ms(&paced.schedule, i), delays_ms[i]);
    assert_int_equal(schedule_after_answer_ms(&paced.schedule, INT32_MAX), 60);
}

static void error_delays_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t delays_ms[] = {100, 200, 400, 800, 1000, 1000};
    for (int i = 0; i < 6; i++)
        assert_int_equal(schedule_after_error_ms(&paced, i + 1), delays_ms[i]);
    assert_int_equal(schedule_after_error_ms(&paced, INT32_MAX), 1000);
}

static void jitter_stays_in_its_share(void **state)
{
    (void)state;
    assert_int_equal(schedule_spread_ms(1000, 20, 0), 800);
    assert_in_range(schedule_spread_ms(1000, 20, UINT32_MAX), 1199, 1200);
    assert_in_range(schedule_spread_ms(1000, 20, UINT32_MAX / 2), 999, 1000);
    assert_int_equal(schedule_spread_ms(1000, 0, 12345), 1000);
    assert_int_equal(schedule_spread_ms(0, 50, 0), 1); /* never at once */
    int64_t year_ms = 366LL * 86400 * 1000;
    assert_in_range(schedule_spread_ms(year_ms, 50, UINT32_MAX), year_ms, year_ms * 3 / 2);
}

static void life_ends_by_expiry_or_by_horizon(void **state)
{
    (void)state;
    struct lost_order order = {.age_ms = 1000, .left_ms = NO_END};
    assert_int_equal(schedule_left_ms(&paced, &order, 0), 4000);
    assert_int_equal(schedule_left_ms(&paced, &order, 4500), -500);
    order.left_ms = 700;
    assert_int_equal(schedule_left_ms(&paced, &order, 100), 600);
    order.left_ms = -700;
    assert_int_equal(schedule_left_ms(&paced, &order, 100), -800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_gives_its_depth_then_its_rate),
        cmocka_unit_test(bucket_never_exceeds_rate_and_depth),
        cmocka_unit_test(bucket_holds_no_more_than_its_depth),
        cmocka_unit_test(bucket_tells_what_is_in_it),
        cmocka_unit_test(histogram_counts_by_upper_bounds),
        cmocka_unit_test(bucket_counts_the_old_rate_up_to_a_resize),
        cmocka_unit_test(bucket_spills_what_a_smaller_one_can_not_hold),
        cmocka_unit_test(breaker_opens_after_faults_in_a_row),
        cmocka_unit_test(one_answer_starts_the_count_again),
        cmocka_unit_test(half_open_lets_one_probe_through),
        cmocka_unit_test(a_failed_probe_doubles_up_to_the_cap),
        cmocka_unit_test(late_faults_do_not_prolong),
        cmocka_unit_test(a_closed_breaker_starts_slowly),
        cmocka_unit_test(guard_halts_beyond_its_share),
        cmocka_unit_test(guard_forgets_what_is_long_ago),
        cmocka_unit_test(guard_of_nought_never_halts),
        cmocka_unit_test(guard_lets_its_exact_share_pass),
        cmocka_unit_test(the_last_entry_repeats),
        cmocka_unit_test(error_delays_double_up_to_the_cap),
        cmocka_unit_test(jitter_stays_in_its_share),
        cmocka_unit_test(life_ends_by_expiry_or_by_horizon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
