/* A real headless Chromium, driven over its DevTools pipe. One at a time, one thread; asserts by cmocka. It dies with the
 * test program. */
#ifndef TESTS_END_BROWSER_H
#define TESTS_END_BROWSER_H

#include <stdbool.h>
#include <stdint.h>

void browser_open(void);
void browser_close(void);

/* What the browser says to who asks for a password; NULL: nothing, and the question counts as cancelled. */
void browser_password(const char *password);
void browser_screen(int width, int height, bool phone, bool dark);

void browser_go(const char *url);
/* What an expression is, as text; valid until the next call. */
const char *browser_says(const char *expression);
/* Until an expression is true. */
void browser_wait(const char *expression, int64_t deadline_ms);
void browser_shot(const char *path);

/* Errors of scripts, of the console and of the security policy since the last browser_go, one a line. */
const char *browser_complaints(void);
/* How many requests went elsewhere than to this origin. */
int browser_strays(const char *origin);

#endif
