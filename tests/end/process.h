/* Child processes of the end suites. Everything started here dies with the test program, however that ends: children
 * by PR_SET_PDEATHSIG, the cluster and the folder by a guardian that outlives it. One thread; asserts by cmocka. */
#ifndef TESTS_END_PROCESS_H
#define TESTS_END_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#define OUTPUT_BYTES 65536

/* Monotonic. */
int64_t now_ms(void);
void sleep_ms(int64_t ms);

/* To its end, at most a minute: the exit code (128 + N after signal N). Each of out and err may be NULL. */
int run(const char *const argv[], char out[OUTPUT_BYTES], char err[OUTPUT_BYTES]);

/* In the background; both outputs are appended to the log. The environment is ours and more ("NAME=value", NULL at
 * the end; NULL: none). */
pid_t process_start(const char *const argv[], const char *log, const char *const more[]);
bool process_lives(pid_t pid);
/* Its exit code (128 + N after signal N); fails the test at the deadline. */
int process_wait(pid_t pid, int64_t deadline_ms);
void process_kill(pid_t pid);
/* All that are left, at once. */
void process_kill_all(void);

/* A process that stops the cluster in folder/cluster and removes the folder as soon as this one is gone, for whatever
 * reason. guardian_dismiss has it do so now, and waits. */
void guardian_start(const char *folder);
void guardian_dismiss(void);

/* The whole file, or "" when there is none; freed by the caller. */
char *file_read(const char *path);
void file_write(const char *path, const char *text);

#endif
