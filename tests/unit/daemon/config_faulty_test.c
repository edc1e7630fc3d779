/* Every file of faulty/ is refused with exactly the lines beside it (NAME.expect): "LINE: key.path:
 * sentence". With MAKEGOOD_WRITE_DOC=1 the lines are written instead, to be read by a person. */
#include "fixture.h"

#include <glob.h>

#define FOLDER "tests/unit/daemon/faulty/"

static char *faults_text(const struct faults *faults)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        fprintf(out, "%d: %s%s%s\n", fault->line, fault->path ? fault->path : "", fault->path ? ": " : "",
                fault->text);
    }
    fclose(out);
    return text;
}

static char *expected_text(const char *file)
{
    char *text = calloc(1, 1 << 16);
    FILE *in = fopen(file, "r");
    assert_non_null(text);
    if (in) {
        assert_true(fread(text, 1, (1 << 16) - 1, in) > 0);
        fclose(in);
    }
    return text;
}

static int file_check(const char *file)
{
    struct faults faults;
    struct config *config = NULL;
    char expect_file[256];
    faults_init(&faults);
    snprintf(expect_file, sizeof(expect_file), "%.*s.expect", (int)(strlen(file) - strlen(".yaml")), file);
    assert_int_equal(config_load(&config, file, &faults), -22);
    assert_null(config);
    char *text = faults_text(&faults);
    if (getenv("MAKEGOOD_WRITE_DOC"))
        text_write(expect_file, text, strlen(text), 0644);
    char *expected = expected_text(expect_file);
    int differs = strcmp(text, expected) != 0;
    if (differs)
        print_error("%s is refused with\n%sinstead of\n%s", file, text, expected);
    assert_null(strstr(text, "opensesame")); /* no password is ever told */
    free(text);
    free(expected);
    faults_finish(&faults);
    return differs;
}

static void faulty_files_are_told(void **state)
{
    (void)state;
    glob_t found;
    int differing = 0;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(glob(FOLDER "*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 30);
    for (size_t i = 0; i < found.gl_pathc; i++)
        differing += file_check(found.gl_pathv[i]);
    globfree(&found);
    assert_int_equal(differing, 0);
}

static void faults_come_in_the_files_order(void **state)
{
    (void)state;
    struct faults faults;
    struct config *config = NULL;
    faults_init(&faults);
    assert_int_equal(config_load(&config, FOLDER "numbers.yaml", &faults), -22);
    assert_true(faults.count > 10);
    for (size_t i = 1; i < faults.count; i++)
        assert_true(faults.items[i - 1].line <= faults.items[i].line);
    faults_finish(&faults);
}

static void files_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"/nonexistent/makegood.yaml", "/tmp", "/dev/zero"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct faults faults;
        struct config *config = NULL;
        faults_init(&faults);
        assert_int_equal(config_load(&config, names[i], &faults), -22);
        assert_int_equal(faults.count, 1);
        assert_string_equal(faults.items[0].file, names[i]);
        faults_finish(&faults);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faulty_files_are_told),
        cmocka_unit_test(faults_come_in_the_files_order),
        cmocka_unit_test(files_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
