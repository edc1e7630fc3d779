/* Configurations for tests: the sample as text, with a secret file that exists, and files of a folder of our
 * own. */
#ifndef MAKEGOOD_TESTS_DAEMON_FIXTURE_H
#define MAKEGOOD_TESTS_DAEMON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config.h"

struct fixture {
    char folder[64];
    char file[96];   /* the configuration under test */
    char secret[96]; /* holds "sk_test" */
};

static inline void text_write(const char *file, const char *text, size_t bytes, mode_t mode)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, bytes, out), bytes);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(file, mode), 0);
}

static inline void fixture_open(struct fixture *fixture)
{
    strcpy(fixture->folder, "/tmp/makegood-config-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->file, sizeof(fixture->file), "%s/makegood.yaml", fixture->folder);
    snprintf(fixture->secret, sizeof(fixture->secret), "%s/secret", fixture->folder);
    text_write(fixture->secret, "sk_test\n", 8, 0600);
}

static inline void fixture_close(struct fixture *fixture)
{
    unlink(fixture->file);
    unlink(fixture->secret);
    assert_int_equal(rmdir(fixture->folder), 0);
}

/* For cmocka: *state is the fixture. */
static inline int fixture_setup(void **state)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static inline char *text_replace(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    assert_non_null(at);
    size_t bytes = strlen(text) + strlen(to) + 1;
    char *made = malloc(bytes);
    assert_non_null(made);
    snprintf(made, bytes, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return made;
}

/* The sample, to be freed; its secret is the fixture's. */
static inline char *sample_text(const struct fixture *fixture)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    config_print_sample(out);
    assert_int_equal(fclose(out), 0);
    return fixture ? text_replace(text, "/etc/makegood/stripe.key", fixture->secret) : text;
}

static inline int text_load_bytes(const struct fixture *fixture, const char *text, size_t bytes,
                                  struct config **out, struct faults *faults)
{
    faults_init(faults);
    text_write(fixture->file, text, bytes, 0600);
    return config_load(out, fixture->file, faults);
}

/* Loads, or fails the test with the first fault. */
static inline struct config *text_load(const struct fixture *fixture, const char *text)
{
    struct faults faults;
    struct config *config = NULL;
    int result = text_load_bytes(fixture, text, strlen(text), &config, &faults);
    if (result != 0)
        fail_msg("line %d: %s: %s", faults.items[0].line, faults.items[0].path, faults.items[0].text);
    assert_int_equal(faults.count, 0);
    faults_finish(&faults);
    return config;
}

#endif
