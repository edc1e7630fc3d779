/* Walks the events of a file, node by node, with the row of the key table that the node belongs to. Runs on
 * the thread that loads the configuration. Reads no value: that is config_values.c. */
#include "daemon/config_shape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "daemon/config_keys.h"

#define DEPTH_MAX  16
#define FAULTS_MAX 100    /* in the shape: such a file is not a configuration */
#define EVENTS_MAX 200000 /* with every alias written out */

enum node { NODE_TEXT, NODE_MAPPING, NODE_LIST };

/* What the table expects of a node: a key's value, or one element of its list. */
struct spot {
    const struct config_key *key; /* NULL: below an unknown key, anything goes */
    bool element;
};

struct anchor {
    char *name;
    struct spot spot;
    enum node node;
    size_t events;
};

struct shape {
    yaml_parser_t parser;
    const char *file;
    const char *text;
    size_t bytes;
    struct config_lines *lines;
    struct faults *faults;
    struct anchor *anchors;
    size_t anchor_count;
    size_t events;
    char path[CONFIG_PATH_BYTES];
    int depth;
    bool loadable; /* by libcyaml */
    int error;     /* stop walking */
};

static void node_walk(struct shape *shape, const yaml_event_t *event, struct spot spot);

/* --- faults --------------------------------------------------------------------------------------------- */

static int line_of(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

__attribute__((format(printf, 3, 4))) static void shape_blame(struct shape *shape, int line,
                                                              const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    faults_add(shape->faults, shape->file, line, *shape->path ? shape->path : NULL, "%s", sentence);
    if (shape->faults->count >= FAULTS_MAX)
        shape->error = -EINVAL;
}

static void shape_stop(struct shape *shape, int error)
{
    if (!shape->error)
        shape->error = error;
}

static int line_of_offset(const struct shape *shape, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < shape->bytes; i++)
        line += shape->text[i] == '\n';
    return line;
}

static void syntax_blame(struct shape *shape)
{
    const yaml_parser_t *parser = &shape->parser;
    const char *problem = parser->problem ? parser->problem : "it can not be read";
    shape->path[0] = '\0';
    if (parser->error == YAML_READER_ERROR)
        shape_blame(shape, line_of_offset(shape, parser->problem_offset),
                    "the file is not clean UTF-8 text (%s); correct this line", problem);
    else if (parser->context)
        shape_blame(shape, line_of(parser->problem_mark),
                    "the YAML can not be read: %s that begins in line %d, %s; correct it there or here",
                    parser->context, line_of(parser->context_mark), problem);
    else
        shape_blame(shape, line_of(parser->problem_mark), "the YAML can not be read: %s; correct this line",
                    problem);
}

/* --- lines and anchors ---------------------------------------------------------------------------------- */

static void line_record(struct shape *shape, int line)
{
    if (config_lines_add(shape->lines, shape->path, line) < 0)
        shape_stop(shape, -ENOMEM);
}

static struct anchor *anchor_find(const struct shape *shape, const char *name)
{
    for (size_t i = shape->anchor_count; i-- > 0;)
        if (strcmp(shape->anchors[i].name, name) == 0)
            return &shape->anchors[i];
    return NULL;
}

static void anchor_record(struct shape *shape, const char *name, int line, struct anchor anchor)
{
    if (anchor_find(shape, name)) {
        shape_blame(shape, line, "the anchor &%.40s is used twice; give each its own name", name);
        shape->loadable = false;
        return;
    }
    struct anchor *anchors = realloc(shape->anchors, (shape->anchor_count + 1) * sizeof(*anchors));
    if (anchors)
        shape->anchors = anchors;
    anchor.name = anchors ? strdup(name) : NULL;
    if (anchor.name)
        anchors[shape->anchor_count++] = anchor;
    else
        shape_stop(shape, -ENOMEM);
}

/* --- what the table expects ----------------------------------------------------------------------------- */

static enum node node_expected(struct spot spot)
{
    if (spot.element)
        return spot.key->type == KEY_LIST ? NODE_MAPPING : NODE_TEXT;
    if (spot.key->type == KEY_MAPPING)
        return NODE_MAPPING;
    return spot.key->type == KEY_LIST || spot.key->type == KEY_TEXTS ? NODE_LIST : NODE_TEXT;
}

static bool node_fits(struct shape *shape, enum node found, struct spot spot, int line)
{
    static const char *const mends[] = {
        [NODE_TEXT] = "a single value belongs here",
        [NODE_MAPPING] = "a group of keys belongs here, indented below it",
        [NODE_LIST] = "a list belongs here, as [one, two] or with a dash before each element"};
    if (!spot.key || node_expected(spot) == found)
        return true;
    shape_blame(shape, line, "%s; `makegood config --sample` shows how", mends[node_expected(spot)]);
    shape->loadable = false;
    return false;
}

/* --- nodes ---------------------------------------------------------------------------------------------- */

static bool event_next(struct shape *shape, yaml_event_t *out)
{
    if (shape->error)
        return false;
    if (!yaml_parser_parse(&shape->parser, out)) {
        if (shape->parser.error == YAML_MEMORY_ERROR)
            shape_stop(shape, -ENOMEM);
        else
            syntax_blame(shape);
        shape_stop(shape, -EINVAL);
        return false;
    }
    shape->events++;
    return true;
}

static void alias_walk(struct shape *shape, const char *name, struct spot spot, int line)
{
    const struct anchor *anchor = anchor_find(shape, name);
    if (!anchor) {
        shape_blame(shape, line, "*%.40s refers to nothing above; write &%.40s at what it shall repeat", name,
                    name);
        shape->loadable = false;
        return;
    }
    shape->events += anchor->events;
    if (!node_fits(shape, anchor->node, spot, line) || !spot.key || anchor->node == NODE_TEXT)
        return;
    bool texts = anchor->spot.key && anchor->spot.key->type == KEY_TEXTS && spot.key->type == KEY_TEXTS;
    if (texts || (anchor->spot.key == spot.key && anchor->spot.element == spot.element))
        return;
    shape_blame(shape, line, "*%.40s repeats what belongs at another key; write it out here", name);
    shape->loadable = false;
}

static void text_walk(struct shape *shape, const yaml_event_t *event, struct spot spot)
{
    const char *text = (const char *)event->data.scalar.value;
    int line = line_of(event->start_mark);
    if (!node_fits(shape, NODE_TEXT, spot, line))
        return;
    if (strlen(text) != event->data.scalar.length)
        shape_blame(shape, line, "the value holds a NUL character; remove it");
    if (spot.key && !*text && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        shape_blame(shape, line, "there is no value; write one, or remove the line");
}

static void list_walk(struct shape *shape, struct spot spot, int line)
{
    yaml_event_t event;
    size_t length = strlen(shape->path);
    int64_t count = 0;
    bool more = true;
    while (more && event_next(shape, &event)) {
        more = event.type != YAML_SEQUENCE_END_EVENT;
        if (more) {
            snprintf(shape->path + length, sizeof(shape->path) - length, "[%d]", (int)count++);
            node_walk(shape, &event, (struct spot){spot.key, true});
            shape->path[shape->error ? 0 : length] = '\0';
        }
        yaml_event_delete(&event);
    }
    if (spot.key && !shape->error && count > spot.key->max)
        shape_blame(shape, line, "the list has %d elements; keep it to %d", (int)count, (int)spot.key->max);
}

/* The names seen in one mapping. */
struct names {
    char **items;
    size_t count;
};

static bool name_is_new(struct shape *shape, struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return false;
    char **items = realloc(names->items, (names->count + 1) * sizeof(*items));
    if (items)
        names->items = items;
    char *copy = items ? strdup(name) : NULL;
    if (copy)
        items[names->count++] = copy;
    else
        shape_stop(shape, -ENOMEM);
    return true;
}

static void names_finish(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

/* How many letters must be changed, added or dropped to make one from the other; for short names. */
static size_t name_distance(const char *one, const char *other)
{
    size_t row[64];
    size_t length = strlen(other);
    if (length >= 64)
        return length;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; *one; i++, one++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = corner + (*one != other[j - 1]);
            corner = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
        }
    }
    return row[length];
}

static void unknown_blame(struct shape *shape, const struct config_key *parent, const char *name, int line)
{
    const struct config_key *best = NULL;
    const struct config_key *key = NULL;
    size_t least = 3;
    while (strlen(name) < 64 && (key = config_key_next(parent, key)) != NULL) {
        size_t distance = name_distance(name, config_key_name(key));
        if (distance < least && distance < strlen(config_key_name(key))) {
            least = distance;
            best = key;
        }
    }
    if (strcmp(name, "<<") == 0)
        shape_blame(shape, line, "merging keys is not supported; repeat each key, as rules: *name");
    else if (best)
        shape_blame(shape, line, "this key is unknown; did you mean %s?", config_key_name(best));
    else
        shape_blame(shape, line, "this key is unknown; remove it (`makegood config` lists all keys)");
}

/* The row of a key, after blaming what is wrong with it. */
static const struct config_key *name_walk(struct shape *shape, const struct config_key *parent,
                                          const char *name, struct names *names, int line)
{
    const struct config_key *key = parent ? config_key_child(parent, name) : NULL;
    if (!name_is_new(shape, names, name)) {
        shape_blame(shape, line, "this key stands here twice; keep one");
        shape->loadable = false;
    } else if (parent && !key) {
        unknown_blame(shape, parent, name, line);
    }
    line_record(shape, line);
    return key;
}

static void entry_walk(struct shape *shape, const yaml_event_t *name, const struct config_key *parent,
                       struct names *names)
{
    yaml_event_t value;
    size_t length = strlen(shape->path);
    int line = line_of(name->start_mark);
    if (name->type != YAML_SCALAR_EVENT) {
        shape_blame(shape, line, "a key is a plain word here; write it as key: value");
        shape_stop(shape, -EINVAL);
        return;
    }
    const char *text = (const char *)name->data.scalar.value;
    snprintf(shape->path + length, sizeof(shape->path) - length, "%s%.64s", length ? "." : "", text);
    const struct config_key *key = name_walk(shape, parent, text, names, line);
    if (event_next(shape, &value)) {
        node_walk(shape, &value, (struct spot){key, false});
        yaml_event_delete(&value);
    }
    shape->path[shape->error ? 0 : length] = '\0';
}

static void mapping_walk(struct shape *shape, struct spot spot)
{
    yaml_event_t event;
    struct names names = {0};
    bool more = true;
    while (more && event_next(shape, &event)) {
        more = event.type != YAML_MAPPING_END_EVENT;
        if (more)
            entry_walk(shape, &event, spot.key, &names);
        yaml_event_delete(&event);
    }
    names_finish(&names);
}

static const char *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (const char *)event->data.scalar.anchor;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return (const char *)event->data.sequence_start.anchor;
    return (const char *)event->data.mapping_start.anchor;
}

static enum node node_found(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return NODE_TEXT;
    return event->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST : NODE_MAPPING;
}

static void node_walk(struct shape *shape, const yaml_event_t *event, struct spot spot)
{
    int line = line_of(event->start_mark);
    size_t before = shape->events;
    if (spot.element)
        line_record(shape, line);
    if (event->type == YAML_ALIAS_EVENT) {
        alias_walk(shape, (const char *)event->data.alias.anchor, spot, line);
    } else if (++shape->depth > DEPTH_MAX) {
        shape_blame(shape, line, "this is nested more than %d deep; no key needs that", DEPTH_MAX);
        shape_stop(shape, -EINVAL);
    } else {
        enum node node = node_found(event);
        bool fits = node == NODE_TEXT || node_fits(shape, node, spot, line);
        struct spot inner = fits ? spot : (struct spot){NULL, false};
        if (node == NODE_TEXT)
            text_walk(shape, event, spot);
        else if (node == NODE_LIST)
            list_walk(shape, inner, line);
        else
            mapping_walk(shape, inner);
        if (anchor_of(event) && !shape->error)
            anchor_record(shape, anchor_of(event), line,
                          (struct anchor){NULL, inner, node, shape->events - before + 1});
    }
    shape->depth -= event->type != YAML_ALIAS_EVENT;
    if (shape->events > EVENTS_MAX && !shape->error) {
        shape_blame(shape, line, "the file grows beyond %d values here; repeat less of it", EVENTS_MAX);
        shape_stop(shape, -EINVAL);
    }
}

/* --- the file ------------------------------------------------------------------------------------------- */

static void document_walk(struct shape *shape)
{
    yaml_event_t event;
    bool more = true;
    int documents = 0;
    while (more && event_next(shape, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            shape_blame(shape, line_of(event.start_mark),
                        "a second document begins; one file holds one, remove it");
            shape_stop(shape, -EINVAL);
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                   event.type != YAML_DOCUMENT_END_EVENT && more) {
            node_walk(shape, &event, (struct spot){&config_key_root, false});
        }
        yaml_event_delete(&event);
    }
    if (!documents && !shape->error) {
        shape_blame(shape, 0, "the file is empty; `makegood config --sample` prints one to begin with");
        shape_stop(shape, -EINVAL);
    }
}

int config_shape_read(struct config_lines *out, const char *file, const char *text, size_t bytes,
                      struct faults *faults)
{
    struct shape shape = {
        .file = file, .text = text, .bytes = bytes, .lines = out, .faults = faults, .loadable = true};
    *out = (struct config_lines){0};
    if (!yaml_parser_initialize(&shape.parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&shape.parser, (const unsigned char *)text, bytes);
    document_walk(&shape);
    yaml_parser_delete(&shape.parser);
    for (size_t i = 0; i < shape.anchor_count; i++)
        free(shape.anchors[i].name);
    free(shape.anchors);
    return shape.error ? shape.error : shape.loadable ? 0 : -EINVAL;
}
