/* Reading channel.json of a golden case into a specification. */
#include "spec_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *what, const char *name)
{
    fprintf(stderr, "channel.json: %s: %s\n", name, what);
    abort();
}

static void *block(struct spec_file *file, size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory || file->block_count == SPEC_BLOCKS_MAX)
        fail("too many lists", "the specification");
    file->blocks[file->block_count++] = memory;
    return memory;
}

/* Each key is either a text at an offset of some struct, or handled by a function. */
struct key {
    const char *name;
    size_t offset;
    void (*read)(struct spec_file *file, json_t *value, void *to);
};

static void text_read(struct spec_file *file, json_t *value, void *to)
{
    (void)file;
    const char *text = json_string_value(value);
    if (!text)
        fail("must be a text", "a key");
    *(const char **)to = text;
}

static void object_read(struct spec_file *file, json_t *object, const struct key *keys, size_t key_count,
                        void *to)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        fail("must be an object", "a key");
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < key_count && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == key_count)
            fail("unknown key", name);
        keys[i].read(file, value, (char *)to + keys[i].offset);
    }
}
#define OBJECT(file, value, keys, to) object_read(file, value, keys, sizeof(keys) / sizeof((keys)[0]), to)

struct text_list {
    const char **items;
    unsigned count;
};

static struct text_list texts_read(struct spec_file *file, json_t *array)
{
    struct text_list list = {block(file, json_array_size(array), sizeof(char *)),
                             (unsigned)json_array_size(array)};
    if (!json_is_array(array))
        fail("must be a list", "a key");
    for (unsigned i = 0; i < list.count; i++)
        text_read(file, json_array_get(array, i), &list.items[i]);
    return list;
}

#define LIST_READER(name, type, texts, number)                        \
    static void name(struct spec_file *file, json_t *value, void *to) \
    {                                                                 \
        type *at = to;                                                \
        struct text_list list = texts_read(file, value);              \
        at->texts = list.items;                                       \
        at->number = list.count;                                      \
    }
LIST_READER(condition_is_read, struct http_condition_spec, is, is_count)
LIST_READER(rule_http_read, struct http_rule_spec, http, http_count)
LIST_READER(amount_where_read, struct http_amount_spec, where_is, where_is_count)
LIST_READER(exponents_read, struct http_channel_spec, exponents, exponent_count)

#define TEXT(type, name, field)                       \
    {                                                 \
        name, offsetof(struct type, field), text_read \
    }

static const struct key condition_keys[] = {
    TEXT(http_condition_spec, "over", over),
    TEXT(http_condition_spec, "at", at),
    TEXT(http_condition_spec, "match", match),
    {"is", 0, condition_is_read},
};

static void when_read(struct spec_file *file, json_t *value, void *to)
{
    struct http_rule_spec *rule = to;
    rule->when_count = (unsigned)json_array_size(value);
    rule->when = block(file, rule->when_count, sizeof(*rule->when));
    for (unsigned i = 0; i < rule->when_count; i++)
        OBJECT(file, json_array_get(value, i), condition_keys, &rule->when[i]);
}

static const struct key rule_keys[] = {
    TEXT(http_rule_spec, "name", name),
    TEXT(http_rule_spec, "evidence", evidence),
    {"http", 0, rule_http_read},
    {"when", 0, when_read},
};

static void rules_read(struct spec_file *file, json_t *value, void *to)
{
    struct http_channel_spec *spec = to;
    spec->rule_count = (unsigned)json_array_size(value);
    spec->rules = block(file, spec->rule_count, sizeof(*spec->rules));
    for (unsigned i = 0; i < spec->rule_count; i++)
        OBJECT(file, json_array_get(value, i), rule_keys, &spec->rules[i]);
}

static const struct key header_keys[] = {TEXT(http_header_spec, "name", name),
                                         TEXT(http_header_spec, "value", value)};

static void headers_read(struct spec_file *file, json_t *value, void *to)
{
    struct http_channel_spec *spec = to;
    spec->header_count = (unsigned)json_array_size(value);
    spec->headers = block(file, spec->header_count, sizeof(*spec->headers));
    for (unsigned i = 0; i < spec->header_count; i++)
        OBJECT(file, json_array_get(value, i), header_keys, &spec->headers[i]);
}

static const struct key amount_keys[] = {
    TEXT(http_amount_spec, "over", over),         TEXT(http_amount_spec, "at", at),
    TEXT(http_amount_spec, "where_at", where_at), TEXT(http_amount_spec, "number_at", number_at),
    {"where_is", 0, amount_where_read},
};

static void amount_read_object(struct spec_file *file, json_t *value, void *to)
{
    OBJECT(file, value, amount_keys, to);
}

static const struct key auth_keys[] = {
    TEXT(http_channel_spec, "type", auth),        TEXT(http_channel_spec, "header", auth_header),
    TEXT(http_channel_spec, "user", auth_user),   TEXT(http_channel_spec, "text", auth_text),
    TEXT(http_channel_spec, "value", auth_value), TEXT(http_channel_spec, "encoding", auth_encoding),
};

static void auth_read(struct spec_file *file, json_t *value, void *to)
{
    OBJECT(file, value, auth_keys, to);
}

static const struct key answer_keys[] = {
    TEXT(http_channel_spec, "number", answer_number),
    TEXT(http_channel_spec, "order_no", answer_order_no),
    TEXT(http_channel_spec, "merchant", answer_merchant),
    TEXT(http_channel_spec, "status", answer_status),
    TEXT(http_channel_spec, "code", answer_code),
    TEXT(http_channel_spec, "currency", answer_currency),
    TEXT(http_channel_spec, "channel_number", answer_channel_number),
    TEXT(http_channel_spec, "amount_format", amount_format),
    {"amount", offsetof(struct http_channel_spec, amount), amount_read_object},
    {"refunded", offsetof(struct http_channel_spec, refunded_amount), amount_read_object},
    {"exponents", 0, exponents_read},
};

static void answer_read(struct spec_file *file, json_t *value, void *to)
{
    OBJECT(file, value, answer_keys, to);
}

static void plain_http_read(struct spec_file *file, json_t *value, void *to)
{
    (void)file;
    ((struct http_channel_spec *)to)->transport.allow_plain_http = json_is_true(value);
}

static const struct key spec_keys[] = {
    TEXT(http_channel_spec, "name", name),
    TEXT(http_channel_spec, "method", method),
    TEXT(http_channel_spec, "url", url),
    TEXT(http_channel_spec, "body", body),
    TEXT(http_channel_spec, "body_type", body_type),
    TEXT(http_channel_spec, "secret", secret),
    TEXT(http_channel_spec, "merchant", merchant),
    {"headers", 0, headers_read},
    {"auth", 0, auth_read},
    {"answer", 0, answer_read},
    {"rules", 0, rules_read},
    {"allow_plain_http", 0, plain_http_read},
};

void spec_file_load(struct spec_file *file, const char *path)
{
    json_error_t error;
    *file = (struct spec_file){.json = json_load_file(path, JSON_REJECT_DUPLICATES, &error)};
    if (!file->json)
        fail(error.text, path);
    file->spec.transport.body_max_bytes = 65536;
    OBJECT(file, file->json, spec_keys, &file->spec);
}

void spec_file_finish(struct spec_file *file)
{
    for (unsigned i = 0; i < file->block_count; i++)
        free(file->blocks[i]);
    json_decref(file->json);
}
