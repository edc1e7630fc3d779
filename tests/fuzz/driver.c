/* Runs a fuzz target without libFuzzer: every file of a corpus, then mutations of them for a while. The seed is printed;
 * what broke the target is left in crash.bin, and goes to it again by `NAME_fuzz FOLDER-WITH-IT`. */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuzz.h"

#define INPUT_MAX  8192
#define CORPUS_MAX 4096

struct input {
    uint8_t *bytes;
    size_t length;
};

static struct {
    struct input corpus[CORPUS_MAX];
    size_t count;
    long seconds;
    uint64_t random;
    struct input now; /* what the target is being given */
    uint8_t bytes[INPUT_MAX];
} driver = {.seconds = 1};

/* A sanitizer's finding ends in SIGABRT as well. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void crash_keep(int signal_number)
{
    int file = open("crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file >= 0 && write(file, driver.now.bytes, driver.now.length) >= 0)
        close(file);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* In memory of its very size, so that a sanitizer sees its end. */
static void target_run(const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    driver.now = (struct input){exact, length};
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
}

/* ---- mutations ---- */

static size_t random_below(size_t below)
{
    driver.random = driver.random * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)(driver.random >> 33) % below : 0;
}

/* Puts bytes where others were, as far as they fit. */
static size_t put(size_t length, size_t at, size_t remove, const uint8_t *bytes, size_t insert)
{
    if (length - remove + insert > INPUT_MAX)
        return length;
    memmove(driver.bytes + at + insert, driver.bytes + at + remove, length - at - remove);
    memcpy(driver.bytes + at, bytes, insert);
    return length - remove + insert;
}

/* A piece of any file of the corpus, put in or put over. */
static size_t graft(size_t length)
{
    const struct input *other = &driver.corpus[random_below(driver.count)];
    size_t from = random_below(other->length);
    size_t piece = random_below(other->length - from) % 64;
    size_t at = random_below(length);
    size_t over = random_below(2) ? 0 : piece;
    return put(length, at, over < length - at ? over : length - at, other->bytes + from, piece);
}

static size_t mutate(size_t length)
{
    static const char interesting[] = "\0\n\r\"\\{}[]=&%@#<>:,.-+019\x7f\x80\xff";
    size_t at = random_below(length);
    uint8_t byte = (uint8_t)interesting[random_below(sizeof(interesting) - 1)];
    switch (random_below(6)) {
    case 0:
        return length ? (driver.bytes[at] ^= (uint8_t)(1 << random_below(8)), length) : 0;
    case 1:
        return put(length, at, 0, &byte, 1);
    case 2:
        return length ? (driver.bytes[at] = byte, length) : 0;
    case 3:
        return put(length, at, random_below(length - at + 1) % 32, &byte, 0);
    case 4:
        return random_below(16) ? length : at; /* cut */
    default:
        return graft(length);
    }
}

static void mutant_run(void)
{
    const struct input *base = &driver.corpus[random_below(driver.count)];
    size_t length = base->length;
    memcpy(driver.bytes, base->bytes, length);
    for (size_t times = 1 + random_below(6); times; times--)
        length = mutate(length);
    target_run(driver.bytes, length);
}

/* ---- the two tests ---- */

static void the_corpus_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < driver.count; i++)
        target_run(driver.corpus[i].bytes, driver.corpus[i].length);
    target_run(driver.bytes, 0); /* nothing at all */
}

static void mutations_pass(void **state)
{
    (void)state;
    unsigned long runs = 0;
    uint64_t seed = driver.random;
    time_t end = time(NULL) + driver.seconds;
    for (; time(NULL) <= end; runs++)
        mutant_run();
    print_message("seed %llu, %lu mutations\n", (unsigned long long)seed, runs);
}

/* ---- corpus and command line ---- */

static void corpus_add(const char *folder, const char *name)
{
    char path[4096];
    struct stat about;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || driver.count == CORPUS_MAX)
        return;
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX);
    if (!file || !bytes) {
        fprintf(stderr, "%s can not be read\n", path);
        exit(2);
    }
    driver.corpus[driver.count++] = (struct input){bytes, fread(bytes, 1, INPUT_MAX, file)};
    fclose(file);
}

static void corpus_load(const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        corpus_add(folder, names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'}, {0}};
    driver.random = (uint64_t)time(NULL);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 's')
            driver.seconds = strtol(optarg, NULL, 10);
        else if (option == 'r')
            driver.random = strtoull(optarg, NULL, 10);
        else
            return 2;
    for (; optind < argc; optind++)
        corpus_load(argv[optind]);
    if (driver.count == 0) {
        fprintf(stderr, "%s [--seconds N] [--seed N] FOLDER...: no corpus is there\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, crash_keep);
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_corpus_passes), cmocka_unit_test(mutations_pass)};
    int failed = cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
    for (size_t i = 0; i < driver.count; i++)
        free(driver.corpus[i].bytes);
    return failed;
}
