/* Faults: what is wrong with a configuration, where, and the mend. Collected, so that all are told at once.
 */
#ifndef MAKEGOOD_FAULT_H
#define MAKEGOOD_FAULT_H

#include <stddef.h>

struct fault {
    char *file; /* or NULL */
    int line;   /* 0: unknown */
    char *path; /* key path, as channels[0].rules[2].evidence; or NULL */
    char *text; /* one sentence: what is wrong, and the mend */
};

struct faults {
    struct fault *items;
    size_t count;
};

void faults_init(struct faults *faults);
void faults_finish(struct faults *faults);
__attribute__((format(printf, 5, 6))) void faults_add(struct faults *faults, const char *file, int line,
                                                      const char *path, const char *format, ...);

#endif
