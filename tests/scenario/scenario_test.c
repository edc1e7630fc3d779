/* Every file of stories/ is one test. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage.h"

static void story_test(void **state)
{
    char why[800];
    if (!story_plays(*state, why, sizeof(why)))
        fail_msg("%s", why);
}

static int is_story(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 6 && strcmp(entry->d_name + length - 6, ".story") == 0;
}

int main(void)
{
    struct dirent **names;
    int count = scandir(STORIES, &names, is_story, alphasort);
    if (count <= 0)
        return 1;
    struct CMUnitTest *tests = calloc((size_t)count, sizeof(*tests));
    for (int i = 0; tests && i < count; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", STORIES, names[i]->d_name) < 0)
            return 1;
        tests[i] = (struct CMUnitTest){names[i]->d_name, story_test, NULL, NULL, path};
    }
    if (!tests)
        return 1;
    int failed = _cmocka_run_group_tests("scenario", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++) {
        free(tests[i].initial_state);
        free(names[i]);
    }
    free(names);
    free(tests);
    return failed;
}
