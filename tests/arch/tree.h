/* Files of the project and words of programs, as lists of texts. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>

struct texts {
    char **items;
    size_t count;
};

void texts_add(struct texts *texts, const char *text);
bool texts_have(const struct texts *texts, const char *text);
void texts_free(struct texts *texts);

/* Every regular file below a folder, in no particular order. Nothing when there is no such folder. */
void tree_find(const char *folder, struct texts *out);

/* The file's lines. Fails the test when it can not be read. */
void file_lines(const char *path, struct texts *out);

/* First words of what a program prints, a line each. Fails the test when the program does. */
void program_words(const char *command, struct texts *out);

#endif
