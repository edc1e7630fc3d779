/* The simulator as a test program: the sweep, the sabotaged twins, the regression seeds, and the replay of
 * one seed.
 *
 *   sim_test              all tests; MAKEGOOD_SIM_SEEDS (20000) worlds from MAKEGOOD_SIM_FIRST (1) on
 *   sim_test --seed N     one world, every line of its trace */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sweep.h"

#define SEEDS        20000
#define TWIN_SEEDS   400
#define SECONDS_MOST 180

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the sweep ---- */

static void sweep_holds(void **state)
{
    (void)state;
    uint64_t count = number_of("MAKEGOOD_SIM_SEEDS", SEEDS);
    uint64_t first = number_of("MAKEGOOD_SIM_FIRST", 1);
    struct tally tally;
    double began = seconds_now();
    bool holds = sweep_run(first, count, &tally);
    double took = seconds_now() - began;
    printf("%llu worlds in %.1f s: %.1f million events, %.2f million queries, %.0f virtual hours (%.0f x "
           "real time)\n",
           (unsigned long long)count, took, (double)tally.events / 1e6, (double)tally.queries / 1e6,
           (double)tally.virtual_ms / 3600e3, (double)tally.virtual_ms / 1e3 / took);
    printf("longest drain after the faults: %.0f s, %d%% of its bound\n", (double)tally.drained_ms / 1e3,
           tally.drained_percent);
    printf("rows at the end: %llu gone, %llu parked, %llu left\n",
           (unsigned long long)tally.endings[ROW_GONE], (unsigned long long)tally.endings[ROW_PARKED],
           (unsigned long long)tally.endings[ROW_LIVE]);
    assert_true(holds);
    if (count <= SEEDS)
        assert_true(took < SECONDS_MOST);
}

static void same_seed_same_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct tally first = {0};
        struct tally again = {0};
        assert_true(seed_holds(seed, &first));
        assert_true(seed_holds(seed, &again));
        assert_int_equal(first.hash, again.hash);
        assert_int_equal(first.events, again.events);
    }
}

/* Seeds that once found a defect. */
static const struct {
    uint64_t seed;
    const char *defect;
} regressions[] = {
    {43, "not found was final too early, by the time that the claim took on its way"},
    {3459, "a question began after its lease, because both releases were under way"},
    {47501, "the engine ran hot while a stale order could not be released"},
    {621, "a new rate counted for the time before it was configured"},
    {39825, "a halted channel that goes from the configuration stays halted until its slots are free"},
    {802, "a message that came early had a next one that was taken for it"},
    {3830, "a tail of messages ended an order that was never closed"},
    {7394, "a message that was busy to the end was with its daemon for ever"},
    {14058, "two attempts with safety nets: each left the closing to the other"},
    {50718, "the next messages of two deliveries were taken for one"},
};

static void regressions_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(regressions) / sizeof(regressions[0]); i++) {
        struct tally tally = {0};
        if (!seed_holds(regressions[i].seed, &tally))
            fail_msg("seed %llu: %s", (unsigned long long)regressions[i].seed, regressions[i].defect);
    }
}

/* ---- the twins ---- */

struct twin {
    enum sabotage sabotage;
    enum invariant catcher;
    const char *name;
    const char *sentence;
};

static struct twin twins[] = {
#define X(name, invariant, sentence) {SABOTAGE_##name, INVARIANT_##invariant, #name, sentence},
    SABOTAGE_LIST(X)
#undef X
};

#define TWINS (sizeof(twins) / sizeof(twins[0]))

/* The first violation of the first seed that breaks must be the one that this sabotage is about. */
static void twin_is_caught(void **state)
{
    const struct twin *twin = *state;
    for (uint64_t seed = 1; seed <= TWIN_SEEDS; seed++) {
        struct world *world = world_create(seed, twin->sabotage, false);
        world_run(world);
        bool failed = world->witness.failed;
        enum invariant caught_by = world->witness.invariant;
        char text[sizeof(world->witness.text)];
        memcpy(text, world->witness.text, sizeof(text));
        world_destroy(world);
        if (!failed)
            continue;
        printf("%s: seed %llu, caught by '%s': %s\n", twin->sentence, (unsigned long long)seed,
               invariant_text(caught_by), text);
        assert_string_equal(invariant_text(caught_by), invariant_text(twin->catcher));
        return;
    }
    fail_msg("%s: not caught by %d seeds", twin->sentence, TWIN_SEEDS);
}

static void every_invariant_has_a_twin(void **state)
{
    (void)state;
    bool caught[INVARIANTS] = {false};
    for (size_t i = 0; i < TWINS; i++)
        caught[twins[i].catcher] = true;
    for (int i = 0; i < (int)INVARIANTS; i++)
        if (!caught[i])
            fail_msg("invariant '%s' has no sabotaged twin", invariant_text((enum invariant)i));
}

/* ---- the program ---- */

static int replay(uint64_t seed)
{
    struct world *world = world_create(seed, SABOTAGE_NONE, true);
    world_run(world);
    bool failed = world->witness.failed;
    if (failed)
        printf("seed %llu breaks the invariant '%s': %s\n", (unsigned long long)seed,
               invariant_text(world->witness.invariant), world->witness.text);
    else
        printf("seed %llu holds: %llu events, trace %016llx\n", (unsigned long long)seed,
               (unsigned long long)world->events, (unsigned long long)world->trace.hash);
    world_destroy(world);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        return replay(strtoull(argv[2], NULL, 10));
    struct CMUnitTest tests[4 + TWINS] = {
        cmocka_unit_test(same_seed_same_trace),
        cmocka_unit_test(regressions_hold),
        cmocka_unit_test(every_invariant_has_a_twin),
        cmocka_unit_test(sweep_holds),
    };
    for (size_t i = 0; i < TWINS; i++)
        tests[4 + i] = (struct CMUnitTest){twins[i].name, twin_is_caught, NULL, NULL, &twins[i]};
    return _cmocka_run_group_tests("sim", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
