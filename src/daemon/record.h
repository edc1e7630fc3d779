/* Evidence and verdicts as JSON, in the shape of a case's expect.json (tests/golden/README.md). Any thread. */
#ifndef MAKEGOOD_RECORD_H
#define MAKEGOOD_RECORD_H

#include <jansson.h>

#include "makegood/verdict.h"

/* New references; NULL without memory. */
json_t *record_evidence(const struct evidence *evidence);
json_t *record_verdict(const struct verdict *verdict);

/* Calls differs for every field in which what was recorded and what is found now differ, as text ("-": not there), and
 * says how many did. rule, code, body_digest are compared where they were recorded. */
typedef void (*record_differs)(void *self, const char *field, const char *recorded, const char *present);
int record_compare(const json_t *recorded, const json_t *present, record_differs differs, void *self);

/* "park amount_mismatch", "paid" */
#define VERDICT_SAID_BYTES 80
void record_verdict_say(const json_t *verdict, char out[VERDICT_SAID_BYTES]);

#endif
