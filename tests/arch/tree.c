/* Reads the tree, files and nm for the tests of the architecture. One thread; called by arch_test.c; writes
 * nothing. */
#include "tree.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void texts_add(struct texts *texts, const char *text)
{
    texts->items = realloc(texts->items, (texts->count + 1) * sizeof(*texts->items));
    assert_non_null(texts->items);
    texts->items[texts->count] = strdup(text);
    assert_non_null(texts->items[texts->count++]);
}

bool texts_have(const struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

void texts_free(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct texts){0};
}

static struct texts *found; /* nftw has no argument of its own */

static int file_seen(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)place;
    if (kind == FTW_F)
        texts_add(found, path);
    return 0;
}

void tree_find(const char *folder, struct texts *out)
{
    found = out;
    nftw(folder, file_seen, 20, FTW_PHYS);
}

static void stream_lines(FILE *stream, const char *end, struct texts *out)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stream) >= 0) {
        line[strcspn(line, end)] = '\0';
        texts_add(out, line);
    }
    free(line);
}

void file_lines(const char *path, struct texts *out)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can not be read: run this in the project's root", path);
    stream_lines(file, "\n", out);
    fclose(file);
}

void program_words(const char *command, struct texts *out)
{
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    stream_lines(stream, " \n", out);
    if (pclose(stream) != 0)
        fail_msg("this failed: %s", command);
}
