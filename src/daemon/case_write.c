/* Storing an answer: see case_file.h. Bodies hold personal data, so nobody else may read what is written here. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/case_file.h"
#include "daemon/record.h"

#define SAME_SECOND_MOST 100

/* --- the folder ----------------------------------------------------------------------------------------- */

/* "20261123T041831Z-stripe-pi_3Nk"; | and * of a number are left to the shell. */
static void name_make(const struct trial *trial, const struct moment *moment, char out[160])
{
    char stamp[32];
    struct tm utc;
    time_t seconds = (time_t)(moment->unix_ms / 1000);
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    snprintf(out, 160, "%s-%s-%s", stamp, trial->policy->channel, trial->order.number);
    for (char *at = out; *at; at++)
        if (*at == '|' || *at == '*')
            *at = '_';
}

/* 0 or a negative errno. */
static int folder_make(const char *into, const char *name, char out[PATH_MAX])
{
    if (mkdir(into, 0700) < 0 && errno != EEXIST)
        return -errno;
    for (int i = 1; i <= SAME_SECOND_MOST; i++) {
        char suffix[16] = "";
        if (i > 1)
            snprintf(suffix, sizeof(suffix), "-%d", i);
        if (snprintf(out, PATH_MAX, "%s/%s%s", into, name, suffix) >= PATH_MAX)
            return -ENAMETOOLONG;
        if (mkdir(out, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

/* --- the files ------------------------------------------------------------------------------------------ */

static FILE *file_open(const char *folder, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return NULL;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (descriptor >= 0 && !file)
        close(descriptor);
    return file;
}

static bool file_end(FILE *file)
{
    bool written = !ferror(file);
    return fclose(file) == 0 && written;
}

static bool text_write(const char *folder, const char *name, const char *text)
{
    FILE *file = file_open(folder, name);
    if (!file)
        return false;
    fputs(text, file);
    return file_end(file);
}

/* Takes the object. */
static bool json_write(const char *folder, const char *name, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    FILE *file = text ? file_open(folder, name) : NULL;
    if (file)
        fprintf(file, "%s\n", text);
    free(text);
    json_decref(object);
    return file && file_end(file);
}

static void text_set(json_t *object, const char *name, const char *text)
{
    if (*text)
        json_object_set_new(object, name, json_string(text));
}

static json_t *order_json(const struct trial *trial)
{
    const struct lost_order *order = &trial->order;
    json_error_t error;
    json_t *object = json_object();
    text_set(object, "channel", trial->policy->channel);
    text_set(object, "order_no", order->order_no);
    text_set(object, "number", order->number);
    text_set(object, "method", order->method);
    text_set(object, "currency", order->currency);
    if (trial->has_amount)
        json_object_set_new(object, "amount_minor", json_integer(order->amount_minor));
    if (*order->channel_data)
        json_object_set_new(object, "channel_data",
                            json_loads(order->channel_data, JSON_REJECT_DUPLICATES, &error));
    return object;
}

static json_t *expect_json(const struct trial *trial, const struct moment *moment)
{
    return json_pack("{s:o, s:o, s:{s:I}}", "evidence", record_evidence(&trial->evidence), "verdict",
                     record_verdict(&trial->verdict), "moment", "unix_ms", (json_int_t)moment->unix_ms);
}

static bool response_write(const char *folder, const struct kept_answer *answer)
{
    FILE *file = file_open(folder, "response");
    if (!file)
        return false;
    fprintf(file, "HTTP/1.1 %d\n", answer->http_status);
    for (int i = 0; i < answer->header_count; i++)
        fprintf(file, "%s\n", answer->headers[i]);
    fputc('\n', file);
    fwrite(answer->body, 1, answer->body_bytes, file);
    return file_end(file);
}

bool case_write(const struct trial *trial, const struct moment *moment, const struct kept_answer *answer,
                const char *question, const char *into, char folder[PATH_MAX], char why[CASE_WHY_BYTES])
{
    char name[160];
    name_make(trial, moment, name);
    int error = folder_make(into, name, folder);
    bool written = error == 0 && json_write(folder, "order.json", order_json(trial)) &&
                   response_write(folder, answer) &&
                   json_write(folder, "expect.json", expect_json(trial, moment)) &&
                   text_write(folder, "question", question);
    if (!written)
        snprintf(why, CASE_WHY_BYTES,
                 "the answer can not be saved in %s: %s; name a folder that can be written", into,
                 strerror(error ? -error : errno));
    return written;
}
