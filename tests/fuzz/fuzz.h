/* What the fuzz targets share: libFuzzer's entry, and what holds of every piece of evidence. A target aborts where
 * something does not hold. Runs in the project's root, on one thread. */
#ifndef MAKEGOOD_TESTS_FUZZ_H
#define MAKEGOOD_TESTS_FUZZ_H

#include "makegood/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Aborts with the sentence unless it holds. */
void fuzz_demand(bool holds, const char *sentence);

/* Asks the channel what this answer is, and demands what holds whatever came. */
struct evidence fuzz_interpret(const struct channel *channel, const struct lost_order *order,
                               const struct response *response);

/* The status of HTTP that a byte stands for; "0" stands for 200, so that a corpus can be written by hand. */
int fuzz_http_status(uint8_t byte);

#endif
