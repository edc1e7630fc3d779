/* Visits to a daemon's web server, by libcurl. One thread; asserts by cmocka. */
#ifndef TESTS_END_VISIT_H
#define TESTS_END_VISIT_H

/* A port that was free when it was asked for first; the same one ever after. */
int visit_port(void);
/* By a Unix socket from now on; NULL: by the port. */
void visit_by(const char *socket);

/* A page's text, freed by the caller; header: one more line of the request, or NULL. */
char *visit(const char *path, const char *header, long status);
/* *status: 0 when nobody answered. */
char *visit_status(const char *path, const char *header, long *status);

#endif
