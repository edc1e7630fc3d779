/* Why an order is not resolved, what happens next and when, and which rule and limits apply: in sentences. Pure; any
 * thread. */
#ifndef MAKEGOOD_EXPLAIN_H
#define MAKEGOOD_EXPLAIN_H

#include <jansson.h>

#include "makegood/policy.h"

/* attempt: a row of the schema's explain(); policy: of its channel, NULL where the configuration has none; overview: what the
 * schema's overview() answers. A new array of texts; NULL without memory. */
json_t *explain_attempt(const json_t *attempt, const struct policy *policy, const json_t *overview);

#endif
