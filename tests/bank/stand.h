/* What the tests of signing channels stand on: one bank with keys of its own in a temporary folder, over TLS, and one ledger
 * for all. Fails the test by itself. */
#ifndef BANK_STAND_H
#define BANK_STAND_H

#include "client.h"

#define MERCHANT "1900000001"

/* The file's path in the temporary folder; the keys are in keys/. */
const char *file_of(const char *name, char out[128]);
void bank_restart(void);
int bank_port(void);
/* Over TLS, with the bank's own authority. */
struct told ask(const char *path, struct how how);
void expect(const struct told *told, long status, const char *text);
/* Runs the tests with the bank that the command line names. */
int stand_run(int argc, char **argv, int (*run)(int (*setup)(void **), int (*teardown)(void **)));

#endif
