/* Reading a golden case from its folder. */
#include "case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void fail(const char *what, const char *where)
{
    fprintf(stderr, "%s: %s\n", where, what);
    abort();
}

/* "folder/name", or the same file in the nearest folder above; NULL when there is none. */
static char *file_find(const char *folder, const char *name)
{
    char *dir = strdup(folder);
    for (char *slash = dir + strlen(dir); slash; slash = strrchr(dir, '/')) {
        *slash = '\0';
        char *path;
        if (asprintf(&path, "%s/%s", dir, name) < 0)
            fail("no memory", folder);
        if (access(path, R_OK) == 0) {
            free(dir);
            return path;
        }
        free(path);
    }
    free(dir);
    return NULL;
}

static char *file_read(const char *path, size_t *out_length)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail("can not be read", path);
    *out_length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*out_length + 1);
    if (!bytes || fread(bytes, 1, *out_length, file) != *out_length)
        fail("can not be read", path);
    bytes[*out_length] = '\0';
    fclose(file);
    return bytes;
}

static json_t *json_find(const char *folder, const char *name)
{
    json_error_t error;
    char *path = file_find(folder, name);
    json_t *json = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!json)
        fail(path ? error.text : "is missing", path ? path : name);
    free(path);
    return json;
}

static void text_take(json_t *object, const char *name, char *out, size_t size)
{
    json_t *value = json_object_get(object, name);
    if (!value)
        return;
    char *dumped = json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT);
    if (!dumped || strlen(dumped) >= size)
        fail("does not fit", name);
    memcpy(out, dumped, strlen(dumped) + 1);
    free(dumped);
}

static void order_load(struct golden *golden, const char *folder)
{
    json_t *json = json_find(folder, "order.json");
    struct lost_order *order = &golden->order;
    *order = (struct lost_order){.left_ms = NO_END, .amount_minor = 1099, .claims = 1};
    text_take(json, "order_no", order->order_no, sizeof(order->order_no));
    text_take(json, "number", order->number, sizeof(order->number));
    text_take(json, "currency", order->currency, sizeof(order->currency));
    text_take(json, "channel_data", order->channel_data, sizeof(order->channel_data));
    if (json_object_get(json, "amount_minor"))
        order->amount_minor = json_integer_value(json_object_get(json, "amount_minor"));
    json_decref(json);
}

/* Status line, headers, an empty line, then the body's bytes up to the end of the file. */
static void response_load(struct golden *golden, const char *folder)
{
    char *path = file_find(folder, "response");
    if (!path)
        return;
    size_t length;
    golden->bytes = file_read(path, &length);
    char *end = strstr(golden->bytes, "\n\n");
    if (!end || sscanf(golden->bytes, "HTTP/1.1 %d", &golden->response.http_status) != 1)
        fail("must begin with a status line and headers, ended by an empty line", path);
    golden->response.body = end + 2;
    golden->response.body_bytes = length - (size_t)(end + 2 - golden->bytes);
    golden->response.content_type = "";
    golden->response.trusted = !json_is_false(json_object_get(golden->expect, "trusted"));
    free(path);
}

void golden_load(struct golden *golden, const char *folder)
{
    *golden = (struct golden){.folder = strdup(folder)};
    golden->moment = (struct moment){
        .unix_ms = 1700000000123, .nonce = "00112233445566778899aabbccddeeff", .request_id = "mg-1-2"};
    golden->expect = json_find(folder, "expect.json");
    char *path = file_find(folder, "channel.json");
    if (!path)
        fail("has no channel.json", folder);
    spec_file_load(&golden->spec, path);
    free(path);
    faults_init(&golden->faults);
    http_channel_create(&golden->channel, &golden->spec.spec, "channels[0]", &golden->faults);
    order_load(golden, folder);
    response_load(golden, folder);
}

void golden_finish(struct golden *golden)
{
    if (golden->channel)
        golden->channel->kind->destroy(golden->channel);
    spec_file_finish(&golden->spec);
    faults_finish(&golden->faults);
    json_decref(golden->expect);
    free(golden->bytes);
    free(golden->folder);
}

void golden_walk(const char *root, void (*visit)(void *self, const char *folder), void *self)
{
    struct dirent **names = NULL;
    int count = scandir(root, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", root, names[i]->d_name) < 0)
            fail("no memory", root);
        if (strcmp(names[i]->d_name, "expect.json") == 0)
            visit(self, root);
        else if (names[i]->d_name[0] != '.' && names[i]->d_type == DT_DIR)
            golden_walk(path, visit, self);
        free(path);
        free(names[i]);
    }
    free(names);
}
