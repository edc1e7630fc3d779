/* Secret files: what is taken, what is refused and why. */
#include "fixture.h"

#include <errno.h>

#include "daemon/config_secret.h"

static char *secret_of(const struct fixture *fixture, const char *text, size_t bytes, mode_t mode,
                       char why[512])
{
    *why = '\0';
    unlink(fixture->secret);
    text_write(fixture->secret, text, bytes, mode);
    return secret_read(fixture->secret, SECRECY_GUARDED, why, 512);
}

static void check_secret(const struct fixture *fixture, const char *text, const char *expected)
{
    char why[512];
    char *secret = secret_of(fixture, text, strlen(text), 0600, why);
    assert_non_null(secret);
    assert_string_equal(secret, expected);
    secret_drop(secret);
}

static void check_refused(const struct fixture *fixture, const char *text, size_t bytes, mode_t mode,
                          const char *part)
{
    char why[512];
    assert_null(secret_of(fixture, text, bytes, mode, why));
    if (!strstr(why, part))
        fail_msg("\"%s\" does not say \"%s\"", why, part);
    assert_true(bytes < 6 || !strstr(why, "hidden"));
}

static void one_newline_is_stripped(void **state)
{
    check_secret(*state, "sk_1", "sk_1");
    check_secret(*state, "sk_1\n", "sk_1");
    check_secret(*state, "sk_1\n\n", "sk_1\n");
    check_secret(*state, " sk_1 ", " sk_1 ");
}

static void open_files_are_refused(void **state)
{
    check_refused(*state, "hidden", 6, 0640, "chmod 0600");
    check_refused(*state, "hidden", 6, 0604, "chmod 0600");
    check_refused(*state, "hidden", 6, 0620, "chmod 0600");
}

static void wrong_contents_are_refused(void **state)
{
    static char large[SECRET_BYTES + 1];
    memset(large, 'x', sizeof(large));
    check_refused(*state, "", 0, 0600, "empty");
    check_refused(*state, "\n", 1, 0600, "empty");
    check_refused(*state, "hidden\0y", 8, 0600, "NUL");
    check_refused(*state, large, sizeof(large), 0600, "64 KiB");
    char why[512];
    char *secret = secret_of(*state, large, SECRET_BYTES, 0600, why);
    assert_non_null(secret);
    assert_int_equal(strlen(secret), SECRET_BYTES);
    secret_drop(secret);
}

static void other_things_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    char why[512];
    assert_null(secret_read(fixture->folder, SECRECY_GUARDED, why, sizeof(why)));
    assert_non_null(strstr(why, "not a regular file"));
    unlink(fixture->secret);
    assert_int_equal(mkfifo(fixture->secret, 0600), 0);
    assert_null(secret_read(fixture->secret, SECRECY_GUARDED, why, sizeof(why)));
    assert_non_null(strstr(why, "not a regular file"));
    unlink(fixture->secret);
    assert_null(secret_read(fixture->secret, SECRECY_GUARDED, why, sizeof(why)));
    assert_non_null(strstr(why, "No such file"));
}

static void relative_ones_are_credentials(void **state)
{
    const struct fixture *fixture = *state;
    char why[512];
    char *secret = secret_of(fixture, "sk_2", 4, 0440, why); /* as the service manager makes them */
    assert_null(secret);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_null(secret_read("secret", SECRECY_GUARDED, why, sizeof(why)));
    assert_non_null(strstr(why, "LoadCredential="));
    setenv("CREDENTIALS_DIRECTORY", fixture->folder, 1);
    secret = secret_read("secret", SECRECY_GUARDED, why, sizeof(why));
    assert_non_null(secret);
    assert_string_equal(secret, "sk_2");
    secret_drop(secret);
    secret = secret_read(fixture->secret, SECRECY_GUARDED, why, sizeof(why));
    assert_non_null(secret);
    secret_drop(secret);
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* The page's password is read by a reload as well; one that can not be compared is refused. */
static void the_page_has_a_password(void **state)
{
    const struct fixture *fixture = *state;
    char line[160], longest[300];
    struct config *config = NULL;
    struct faults faults;
    unlink(fixture->secret);
    text_write(fixture->secret, "open sesame\n", 12, 0600);
    snprintf(line, sizeof(line), "page_password_file: %s\n#page", fixture->secret);
    char *text = text_replace(sample_text(fixture), "#page", line);
    config = text_load(fixture, text);
    assert_string_equal(config->page_password, "open sesame");
    config_drop(config);
    memset(longest, 'x', sizeof(longest));
    text_write(fixture->secret, longest, sizeof(longest), 0600);
    assert_int_equal(text_load_bytes(fixture, text, strlen(text), &config, &faults), -EINVAL);
    assert_string_equal(faults.items[0].path, "page_password_file");
    faults_finish(&faults);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_newline_is_stripped),  cmocka_unit_test(the_page_has_a_password),
        cmocka_unit_test(open_files_are_refused),   cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(other_things_are_refused), cmocka_unit_test(relative_ones_are_credentials),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
