/* Reading stored answers: see case_file.h. Trusts nothing in the files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/case_file.h"

#define FILE_MOST_BYTES     (20 << 20)    /* the largest body_max, and headers */
#define MOMENT_OTHERWISE_MS 1700000000123 /* that of the cases which name none */

/* --- files ---------------------------------------------------------------------------------------------- */

/* "folder/name", or the same in the nearest folder above, not above root; false: nowhere. */
static bool file_find(const char *root, const char *folder, const char *name, char out[PATH_MAX])
{
    char place[PATH_MAX];
    snprintf(place, sizeof(place), "%s", folder);
    for (;;) {
        char *slash = strrchr(place, '/');
        if (snprintf(out, PATH_MAX, "%s/%s", place, name) < PATH_MAX && access(out, R_OK) == 0)
            return true;
        if (strlen(place) <= strlen(root) || !slash)
            return false;
        *slash = '\0';
    }
}

static bool bytes_read(const char *path, char **out, size_t *out_length)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool fits = file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_size <= FILE_MOST_BYTES;
    size_t length = 0;
    *out = fits ? malloc((size_t)status.st_size + 1) : NULL;
    for (ssize_t got = 1; *out && got > 0 && length<(size_t)status.st_size; length += got> 0 ? got : 0)
        got = read(file, *out + length, (size_t)status.st_size - length);
    if (file >= 0)
        close(file);
    if (*out)
        (*out)[length] = '\0';
    *out_length = length;
    return *out != NULL;
}

/* An object, or NULL and why. */
static json_t *object_read(const char *root, const char *folder, const char *name, char why[CASE_WHY_BYTES])
{
    char path[PATH_MAX];
    json_error_t error;
    if (!file_find(root, folder, name, path)) {
        snprintf(why, CASE_WHY_BYTES, "%s has no %s; store it again with makegood query --save", folder,
                 name);
        return NULL;
    }
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        snprintf(why, CASE_WHY_BYTES, "%s:%d: %s; write one JSON object", path, object ? 1 : error.line,
                 object ? "this is no object" : error.text);
        json_decref(object);
        return NULL;
    }
    return object;
}

/* --- the question --------------------------------------------------------------------------------------- */

/* A member as text, objects as JSON; false when it is too long. */
static bool text_take(const json_t *object, const char *name, char *out, size_t bytes)
{
    const json_t *value = json_object_get(object, name);
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                 : value               ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
                                       : strdup("");
    bool fits = text && strlen(text) < bytes;
    if (fits)
        memcpy(out, text, strlen(text) + 1);
    free(text);
    return fits;
}

static bool order_fits(const struct lost_order *order)
{
    bool numbers = (!*order->order_no || order_number_is_valid(order->order_no)) &&
                   (!*order->number || order_number_is_valid(order->number));
    return numbers && (!*order->channel || channel_name_is_valid(order->channel));
}

static bool order_take(struct case_file *out, const json_t *object, const char *folder,
                       char why[CASE_WHY_BYTES])
{
    struct lost_order *order = &out->order;
    const json_t *amount = json_object_get(object, "amount_minor");
    *order = (struct lost_order){.left_ms = NO_END, .claims = 1};
    bool fits = text_take(object, "channel", order->channel, sizeof(order->channel)) &&
                text_take(object, "order_no", order->order_no, sizeof(order->order_no)) &&
                text_take(object, "number", order->number, sizeof(order->number)) &&
                text_take(object, "method", order->method, sizeof(order->method)) &&
                text_take(object, "currency", order->currency, sizeof(order->currency)) &&
                text_take(object, "channel_data", order->channel_data, sizeof(order->channel_data));
    out->has_amount = amount != NULL;
    order->amount_minor = json_integer_value(amount);
    if (fits && order_fits(order) && (!amount || json_is_integer(amount)))
        return true;
    snprintf(why, CASE_WHY_BYTES,
             "%s: order.json holds what no order can have; numbers have 1 to %d of A-Z a-z 0-9 _ | * -, the "
             "amount is an integer",
             folder, NUMBER_BYTES - 1);
    return false;
}

/* --- the answer ----------------------------------------------------------------------------------------- */

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

/* The head ends at an empty line; its lines become headers. NULL: it has no end. */
static const char *headers_take(struct kept_answer *answer, const char *line)
{
    while (*line && *line != '\n') {
        size_t length = line_length(line);
        if (!line[length] || kept_header_add(answer, line, length) < 0)
            return NULL;
        line += length + 1;
    }
    return *line ? line + 1 : NULL;
}

static bool answer_take(struct kept_answer *answer, const char *bytes, size_t length)
{
    if (sscanf(bytes, "HTTP/%*s %3d", &answer->http_status) != 1 || !bytes[line_length(bytes)])
        return false;
    const char *body = headers_take(answer, bytes + line_length(bytes) + 1);
    if (!body)
        return false;
    answer->whole = true;
    answer->body_bytes = length - (size_t)(body - bytes);
    answer->body = malloc(answer->body_bytes + 1);
    if (answer->body) {
        memcpy(answer->body, body, answer->body_bytes);
        answer->body[answer->body_bytes] = '\0';
    }
    return answer->body != NULL;
}

static bool answer_read(struct case_file *out, const char *root, const char *folder, char why[CASE_WHY_BYTES])
{
    char path[PATH_MAX] = "";
    char *bytes = NULL;
    size_t length = 0;
    bool read = file_find(root, folder, "response", path) && bytes_read(path, &bytes, &length) &&
                answer_take(&out->answer, bytes, length);
    if (!read)
        snprintf(why, CASE_WHY_BYTES,
                 "%s/response can not be read; it holds a status line, headers, an empty line, then the body",
                 folder);
    free(bytes);
    return read;
}

/* --- what was recorded ---------------------------------------------------------------------------------- */

static void moment_take(struct moment *moment, const json_t *object)
{
    const json_t *unix_ms = json_object_get(object, "unix_ms");
    *moment = (struct moment){.unix_ms = json_is_integer(unix_ms) ? json_integer_value(unix_ms)
                                                                  : MOMENT_OTHERWISE_MS};
}

static bool expect_take(struct case_file *out, const json_t *object, const char *folder,
                        char why[CASE_WHY_BYTES])
{
    out->trusted = !json_is_false(json_object_get(object, "trusted"));
    out->evidence = json_incref(json_object_get(object, "evidence"));
    out->verdict = json_incref(json_object_get(object, "verdict"));
    moment_take(&out->moment, json_object_get(object, "moment"));
    if (json_is_object(out->evidence) && (!out->verdict || json_is_object(out->verdict)))
        return true;
    snprintf(why, CASE_WHY_BYTES, "%s: expect.json records no evidence; store the answer again", folder);
    return false;
}

bool case_read(struct case_file *out, const char *root, const char *folder, char why[CASE_WHY_BYTES])
{
    *out = (struct case_file){0};
    json_t *order = object_read(root, folder, "order.json", why);
    json_t *expect = order ? object_read(root, folder, "expect.json", why) : NULL;
    bool read = expect && order_take(out, order, folder, why) && expect_take(out, expect, folder, why) &&
                answer_read(out, root, folder, why);
    json_decref(order);
    json_decref(expect);
    if (!read)
        case_finish(out);
    return read;
}

void case_finish(struct case_file *file)
{
    kept_finish(&file->answer);
    json_decref(file->evidence);
    json_decref(file->verdict);
    *file = (struct case_file){0};
}
