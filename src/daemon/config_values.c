/* Reads values where the key table says they belong. Runs on the thread that loads the configuration; opens
 * no file. */
#include "daemon/config_values.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"

struct config_block {
    struct config_block *next;
    max_align_t content[];
};

/* A place in the file: one mapping, the struct it fills, and its path. */
struct place {
    const struct config_key *key;
    const struct config_slot *slots; /* NULL: the mapping is not there, defaults hold */
    void *target;
    bool needless; /* an optional mapping that is not there: what it requires is not missed */
    const char *path;
    enum channel_type type; /* of the channel it belongs to */
};

/* --- faults --------------------------------------------------------------------------------------------- */

void config_layer_begin(struct config_reader *reader)
{
    reader->settled = reader->faults->count;
}

static bool path_is_settled(const struct config_reader *reader, const char *path)
{
    for (size_t i = 0; i < reader->settled; i++)
        if (reader->faults->items[i].path && strcmp(reader->faults->items[i].path, path) == 0)
            return true;
    return false;
}

void config_blame(struct config_reader *reader, const char *path, const char *format, ...)
{
    char sentence[640];
    va_list arguments;
    if (!reader->error)
        reader->error = -EINVAL;
    if (path_is_settled(reader, path))
        return;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    faults_add(reader->faults, reader->file, config_lines_find(reader->lines, path), path, "%s", sentence);
}

static void *block_make(struct config_reader *reader, size_t count, size_t size)
{
    struct config_block *block = calloc(1, sizeof(*block) + count * size);
    if (!block) {
        reader->error = -ENOMEM;
        return NULL;
    }
    block->next = reader->blocks;
    reader->blocks = block;
    return block->content;
}

void config_reader_finish(struct config_reader *reader)
{
    while (reader->blocks) {
        struct config_block *next = reader->blocks->next;
        free(reader->blocks);
        reader->blocks = next;
    }
}

/* --- one value ------------------------------------------------------------------------------------------ */

static bool number_read(enum key_type type, const char *text, int64_t *out)
{
    bool truth = false;
    switch (type) {
    case KEY_DURATION:
    case KEY_DURATIONS:
        return quantity_parse_duration(text, out);
    case KEY_SIZE:
        return quantity_parse_size(text, out);
    case KEY_PERCENT:
        return quantity_parse_percent(text, out);
    case KEY_INTEGER:
        return quantity_parse_integer(text, out);
    case KEY_BOOLEAN:
        *out = 0;
        if (quantity_parse_boolean(text, &truth))
            *out = truth;
        else
            return false;
        return true;
    default:
        assert(type == KEY_TYPES); /* texts are no numbers */
        return false;
    }
}

bool config_number_parse(const struct config_key *key, const char *text, int64_t *out_number)
{
    return number_read(key->type, text, out_number) && *out_number >= key->min && *out_number <= key->max;
}

static void bound_format(enum key_type type, int64_t value, char out[QUANTITY_TEXT_BYTES])
{
    if (type == KEY_DURATION || type == KEY_DURATIONS)
        quantity_format_duration(value, out);
    else if (type == KEY_SIZE)
        quantity_format_size(value, out);
    else
        snprintf(out, QUANTITY_TEXT_BYTES, "%" PRId64 "%s", value, type == KEY_PERCENT ? "%" : "");
}

void config_range_format(const struct config_key *key, char *out, size_t bytes)
{
    char least[QUANTITY_TEXT_BYTES];
    char most[QUANTITY_TEXT_BYTES];
    bound_format(key->type, key->min, least);
    bound_format(key->type, key->max, most);
    snprintf(out, bytes, "%s to %s", least, most);
}

static void number_blame(struct config_reader *reader, const struct config_key *key, const char *path,
                         const char *text)
{
    static const char *const forms[KEY_TYPES] = {[KEY_DURATION] = "a duration, as 250ms, 5s, 1m, 2h or 3d",
                                                 [KEY_DURATIONS] =
                                                     "durations with spaces between, as 5s 30s 1m",
                                                 [KEY_SIZE] = "a size, as 100B, 64KiB or 1MiB",
                                                 [KEY_PERCENT] = "a percentage, as 20%",
                                                 [KEY_INTEGER] = "a whole number, as 20",
                                                 [KEY_BOOLEAN] = "true or false"};
    char range[2 * QUANTITY_TEXT_BYTES + 8];
    int64_t number = 0;
    config_range_format(key, range, sizeof(range));
    if (number_read(key->type, text, &number))
        config_blame(reader, path, "\"%.40s\" is out of range; write a value from %s", text, range);
    else
        config_blame(reader, path, "\"%.40s\" does not fit; write %s", text, forms[key->type]);
}

static void number_store(const struct config_key *key, int64_t number, void *at)
{
    if (key->type == KEY_DURATION || key->type == KEY_SIZE)
        *(int64_t *)at = number;
    else if (key->type == KEY_BOOLEAN)
        *(bool *)at = number != 0;
    else
        *(int *)at = (int)number;
}

/* As many as a schedule holds, separated by spaces; none where the key has a word for that. */
static void durations_store(struct config_reader *reader, const struct config_key *key, const char *path,
                            const char *text, struct schedule *out)
{
    char copy[SCHEDULE_MAX * 24];
    char *rest = NULL;
    if (key->otherwise && strcmp(text, key->otherwise) == 0)
        return;
    snprintf(copy, sizeof(copy), "%s", text);
    bool fits = strlen(text) < sizeof(copy);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        int64_t delay_ms = 0;
        if (out->length == SCHEDULE_MAX) {
            fits = false;
            break;
        }
        if (!config_number_parse(key, word, &delay_ms))
            number_blame(reader, key, path, word);
        out->delays_ms[out->length++] = delay_ms;
    }
    if (!fits || out->length == 0)
        config_blame(reader, path, "there must be 1 to %d durations, with spaces between, as 5s 30s 1m",
                     SCHEDULE_MAX);
}

static bool choice_is(const char *choices, const char *text)
{
    size_t length = strlen(text);
    while (choices) {
        if (length > 0 && strncmp(choices, text, length) == 0 && (choices[length] == '|' || !choices[length]))
            return true;
        choices = strchr(choices, '|');
        choices += choices != NULL;
    }
    return false;
}

static void text_check(struct config_reader *reader, const struct config_key *key, const char *path,
                       const char *text)
{
    size_t length = strlen(text);
    if (key->type == KEY_CHOICE) {
        if (!choice_is(key->unit, text))
            config_blame(reader, path, "\"%.40s\" is not among the choices; write one of %s", text,
                         key->unit);
    } else if ((int64_t)length < key->min || (int64_t)length > key->max) {
        config_blame(reader, path, "the text has %zu bytes; write %" PRId64 " to %" PRId64, length, key->min,
                     key->max);
    }
}

static void value_store(struct config_reader *reader, const struct config_key *key, const char *path,
                        const char *text, void *target)
{
    char *at = key->offset == KEY_NOWHERE ? NULL : (char *)target + key->offset;
    int64_t number = 0;
    if (key->type == KEY_DURATIONS) {
        durations_store(reader, key, path, text, (struct schedule *)(void *)at);
    } else if (key->type == KEY_TEXT || key->type == KEY_CHOICE) {
        text_check(reader, key, path, text);
        if (at)
            memcpy(at, &text, sizeof(text));
    } else if (!config_number_parse(key, text, &number)) {
        number_blame(reader, key, path, text);
    } else if (at) {
        number_store(key, number, at);
    }
}

/* --- mappings and lists --------------------------------------------------------------------------------- */

static void mapping_read(struct config_reader *reader, const struct place *place);

static void missing_blame(struct config_reader *reader, const struct config_key *key, const char *path)
{
    config_blame(reader, path, "this key is missing; write it: %s", key->sentence);
}

/* A channel's own type, which its other keys depend on (CHANNEL_TYPES: one that is none); below it, the channel's. */
static enum channel_type element_type(const struct config_key *list, const struct config_slot *element,
                                      enum channel_type type)
{
    if (strcmp(list->path, "channels") != 0)
        return type;
    const char *text = config_slot_child(list, element, "type")->value;
    enum channel_type own = CHANNEL_HTTP;
    return !text || channel_type_parse(text, &own) ? own : CHANNEL_TYPES;
}

static void list_read(struct config_reader *reader, const struct config_key *key,
                      const struct config_slot *slot, const char *path, void *target, enum channel_type type)
{
    struct key_list list = {slot->value, slot->count};
    if ((int64_t)list.count < key->min)
        config_blame(reader, path, "the list is empty; write at least one element: %s", key->sentence);
    if (key->type == KEY_LIST) {
        char *items = block_make(reader, list.count, key->size);
        for (unsigned i = 0; items && i < list.count; i++) {
            char below[CONFIG_PATH_BYTES + 16];
            snprintf(below, sizeof(below), "%s[%u]", path, i);
            const struct config_slot *element = config_slot_element(key, slot, i);
            mapping_read(reader, &(struct place){key, element, items + i * key->size, false, below,
                                                 element_type(key, element, type)});
        }
        list.items = items;
    }
    if (key->offset != KEY_NOWHERE)
        memcpy((char *)target + key->offset, &list, offsetof(struct key_list, count) + sizeof(list.count));
}

static void key_read(struct config_reader *reader, const struct config_key *key,
                     const struct config_slot *slot, const struct place *place)
{
    char path[CONFIG_PATH_BYTES];
    const char *parent = place->path;
    snprintf(path, sizeof(path), "%s%s%s", parent, *parent ? "." : "", config_key_name(key));
    bool there = slot && (slot->value || config_lines_have(reader->lines, path));
    const char *otherwise = config_key_default(key, place->type);
    if (!config_key_is_for(key, place->type)) {
        if (there && place->type != CHANNEL_TYPES)
            config_blame(reader, path, "a channel of this type has no such key; remove it, or correct type");
        return;
    }
    if (!there && !place->needless && config_key_is_required(key, place->type))
        missing_blame(reader, key, path);
    if (key->type == KEY_MAPPING)
        mapping_read(reader, &(struct place){key, there ? slot->value : NULL, place->target, !there, path,
                                             place->type});
    else if (there && (key->type == KEY_LIST || key->type == KEY_TEXTS))
        list_read(reader, key, slot, path, place->target, place->type);
    else if (there ? slot->value : otherwise)
        value_store(reader, key, path, there ? slot->value : otherwise, place->target);
}

static void mapping_read(struct config_reader *reader, const struct place *place)
{
    const struct config_key *key = NULL;
    for (size_t i = 0; (key = config_key_next(place->key, key)) != NULL; i++)
        key_read(reader, key, place->slots ? &place->slots[i] : NULL, place);
}

void config_values_read(struct config_reader *reader, const struct config_slot *root,
                        struct config_draft *out)
{
    *out = (struct config_draft){0};
    mapping_read(reader, &(struct place){&config_key_root, root, out, false, "", CHANNEL_HTTP});
}
