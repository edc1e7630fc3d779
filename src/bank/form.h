/* Forms: name=value pairs of a request's URL and body, as the sender meant them. Pure; called by the server's
 * threads. */
#ifndef BANK_FORM_H
#define BANK_FORM_H

#include <stdbool.h>
#include <stddef.h>

#define FORM_MAX 48

struct pair {
    char *name;
    char *value;
};

/* The pairs point into the texts that were taken apart. */
struct form {
    struct pair pairs[FORM_MAX];
    unsigned count;
};

/* Takes the text apart where it stands and undoes its escaping. False when it holds too many pairs. */
bool form_read(struct form *form, char *text);
/* NULL when there is no such name. */
const char *form_value(const struct form *form, const char *name);
/* What is signed: sorted by name, "a=1&b=2", without the names given (up to a NULL) and without empty values where
 * `skip_empty`. Freed by the caller; NULL: no memory. */
char *form_join(struct form *form, const char *const *without, bool skip_empty, size_t *length);

#endif
