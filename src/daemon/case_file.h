/* A stored answer: a folder of files, in the shapes of tests/golden's cases.
 *
 *   order.json   what was asked about: channel, order_no, number, method, amount_minor, currency, channel_data
 *   response     status line, headers, an empty line, the body's bytes to the end of the file
 *   expect.json  what was recorded: evidence, verdict, the moment of the answer
 *   question     the request for people, secrets masked; never read
 *
 * A file that the folder lacks is taken from the nearest folder above it, up to the root that was named. Any thread. */
#ifndef MAKEGOOD_CASE_FILE_H
#define MAKEGOOD_CASE_FILE_H

#include <jansson.h>
#include <limits.h>

#include "daemon/kept.h"
#include "daemon/trial.h"

#define CASE_WHY_BYTES (PATH_MAX + 300)

struct case_file {
    struct lost_order order; /* its channel is "" where the case names none */
    bool has_amount;
    struct moment moment; /* of the answer */
    bool trusted;         /* it came over verified TLS */
    struct kept_answer answer;
    json_t *evidence; /* as recorded, or NULL */
    json_t *verdict;  /* likewise */
};

/* False, and one sentence in why with its place and its mend. The folder lies in root, or is root. */
bool case_read(struct case_file *out, const char *root, const char *folder, char why[CASE_WHY_BYTES]);
void case_finish(struct case_file *file);

/* Writes a new folder in `into` (made where it is missing), files of mode 0600. False and one sentence in why. */
bool case_write(const struct trial *trial, const struct moment *moment, const struct kept_answer *answer,
                const char *question, const char *into, char folder[PATH_MAX], char why[CASE_WHY_BYTES]);

#endif
