/* The sweep: many seeds, shared by one process per core; and what is printed of a seed that fails. One thread
 * in each process; called by the tests. Real time is read here only, to say how long it took. */
#include "sweep.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t seed_now;

static void failure_print(const struct world *world)
{
    const struct witness *witness = &world->witness;
    printf("seed %llu breaks the invariant '%s': %s\n", (unsigned long long)world->seed,
           invariant_text(witness->invariant), witness->text);
    trace_print_tail(world);
    printf("replay it with: sim_test --seed %llu\n", (unsigned long long)world->seed);
    fflush(stdout);
}

static void tally_drained(struct tally *tally, int64_t drained_ms, int percent)
{
    tally->drained_ms = drained_ms > tally->drained_ms ? drained_ms : tally->drained_ms;
    tally->drained_percent = percent > tally->drained_percent ? percent : tally->drained_percent;
}

bool seed_holds(uint64_t seed, struct tally *tally)
{
    seed_now = seed;
    struct world *world = world_create(seed, SABOTAGE_NONE, false);
    world_run(world);
    bool holds = !world->witness.failed;
    if (!holds)
        failure_print(world);
    tally->events += world->events;
    tally->virtual_ms += world->now;
    tally_drained(tally, world->drained_ms, (int)(world->drained_ms * 100 / world->plan.liveness_ms));
    tally->hash ^= world->trace.hash;
    for (int i = 0; i < world->ledger.row_count; i++)
        tally->endings[world->ledger.rows[i].state]++;
    for (int i = 0; i < world->witness.grant_count; i++)
        tally->queries += world->witness.grants[i].asked > 0;
    world_destroy(world);
    return holds;
}

/* An assertion failed: say in which world. */
static void seed_aborts(int number)
{
    char line[120];
    snprintf(line, sizeof(line), "seed %llu ends in signal %d; replay it with: sim_test --seed %llu\n",
             (unsigned long long)seed_now, number, (unsigned long long)seed_now);
    if (write(STDOUT_FILENO, line, strlen(line)) > 0)
        _exit(1);
    _exit(2);
}

static int share_run(uint64_t first, uint64_t count, uint64_t offset, uint64_t step, int out)
{
    struct tally tally = {0};
    signal(SIGABRT, seed_aborts);
    signal(SIGSEGV, seed_aborts);
    for (uint64_t i = offset; i < count && tally.failed < FAILURES_SHOWN; i += step)
        tally.failed += !seed_holds(first + i, &tally);
    return write(out, &tally, sizeof(tally)) == (ssize_t)sizeof(tally) ? 0 : 1;
}

static void tally_add(struct tally *sum, const struct tally *part)
{
    sum->failed += part->failed;
    sum->events += part->events;
    sum->queries += part->queries;
    sum->virtual_ms += part->virtual_ms;
    tally_drained(sum, part->drained_ms, part->drained_percent);
    for (int i = 0; i < ROW_STATES; i++)
        sum->endings[i] += part->endings[i];
}

bool sweep_run(uint64_t first, uint64_t count, struct tally *out)
{
    int lines[2];
    int64_t processes = sysconf(_SC_NPROCESSORS_ONLN);
    bool sound = pipe(lines) == 0;
    *out = (struct tally){0};
    fflush(stdout);
    for (int64_t i = 0; sound && i < processes; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(share_run(first, count, (uint64_t)i, (uint64_t)processes, lines[1]));
        sound = child > 0;
    }
    close(lines[1]);
    struct tally part;
    int parts = 0;
    for (; read(lines[0], &part, sizeof(part)) == (ssize_t)sizeof(part); parts++)
        tally_add(out, &part);
    close(lines[0]);
    int status;
    while (wait(&status) > 0)
        sound = sound && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return sound && parts == processes && out->failed == 0;
}
