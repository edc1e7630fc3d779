/* Schemas for libcyaml, made from the key table, and what it loads by them. All scalars are texts to it,
 * since its numbers accept trailing junk. Runs on the thread that loads the configuration. */
#include "daemon/config_tree.h"

#include <assert.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 256 /* rows, and an end for each mapping */

struct config_tree {
    cyaml_schema_value_t top;
    cyaml_schema_value_t text; /* element of a list of texts */
    cyaml_schema_field_t fields[FIELDS_MAX];
    cyaml_schema_value_t elements[FIELDS_MAX]; /* of lists of mappings */
    size_t field_count;
    size_t element_count;
    cyaml_config_t config;
    struct config_slot *root;
    char said[256]; /* libcyaml's first complaint */
};

static cyaml_schema_value_t mapping_build(struct config_tree *tree, const struct config_key *key,
                                          enum cyaml_flag flags);

static cyaml_schema_value_t text_build(void)
{
    return (cyaml_schema_value_t){
        CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0, CYAML_UNLIMITED)};
}

static cyaml_schema_value_t list_build(const cyaml_schema_value_t *element)
{
    return (cyaml_schema_value_t){.type = CYAML_SEQUENCE,
                                  .flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL),
                                  .data_size =
                                      element->type == CYAML_STRING ? sizeof(char *) : element->data_size,
                                  .sequence = {.entry = element, .min = 0, .max = CYAML_UNLIMITED}};
}

static cyaml_schema_value_t value_build(struct config_tree *tree, const struct config_key *key)
{
    if (key->type == KEY_MAPPING)
        return mapping_build(tree, key, (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL));
    if (key->type == KEY_TEXTS)
        return list_build(&tree->text);
    if (key->type != KEY_LIST)
        return text_build();
    assert(tree->element_count < FIELDS_MAX);
    cyaml_schema_value_t *element = &tree->elements[tree->element_count++];
    *element = mapping_build(tree, key, CYAML_FLAG_DEFAULT);
    return list_build(element);
}

static uint32_t children_count(const struct config_key *parent)
{
    const struct config_key *key = NULL;
    uint32_t count = 0;
    while ((key = config_key_next(parent, key)) != NULL)
        count++;
    return count;
}

static cyaml_schema_value_t mapping_build(struct config_tree *tree, const struct config_key *key,
                                          enum cyaml_flag flags)
{
    uint32_t count = children_count(key);
    cyaml_schema_field_t *fields = &tree->fields[tree->field_count];
    tree->field_count += count + 1; /* the last one stays zero: the end */
    assert(tree->field_count <= FIELDS_MAX);
    const struct config_key *child = NULL;
    for (uint32_t i = 0; (child = config_key_next(key, child)) != NULL; i++) {
        uint32_t offset = i * (uint32_t)sizeof(struct config_slot);
        fields[i] = (cyaml_schema_field_t){
            .key = config_key_name(child),
            .data_offset = offset + (uint32_t)offsetof(struct config_slot, value),
            .count_offset = offset + (uint32_t)offsetof(struct config_slot, count),
            .count_size = sizeof(uint32_t),
            .value = value_build(tree, child),
        };
    }
    return (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                  .flags = flags,
                                  .data_size = count * (uint32_t)sizeof(struct config_slot),
                                  .mapping = {.fields = fields}};
}

__attribute__((format(printf, 3, 0))) static void on_complaint(cyaml_log_t level, void *self,
                                                               const char *format, va_list arguments)
{
    struct config_tree *tree = self;
    if (level < CYAML_LOG_ERROR || *tree->said)
        return;
    vsnprintf(tree->said, sizeof(tree->said), format, arguments);
    tree->said[strcspn(tree->said, "\n")] = '\0';
}

static int load_failed(struct config_tree *tree, cyaml_err_t error, const char *file, struct faults *faults)
{
    if (error == CYAML_ERR_OOM)
        return -ENOMEM;
    faults_add(faults, file, 0, NULL,
               "the file can not be loaded (%s: %s); compare it with `makegood config --sample`",
               cyaml_strerror(error), tree->said);
    return -EINVAL;
}

int config_tree_load(struct config_tree **out, const char *file, const char *text, size_t bytes,
                     struct faults *faults)
{
    *out = NULL;
    struct config_tree *tree = calloc(1, sizeof(*tree));
    if (!tree)
        return -ENOMEM;
    tree->text = text_build();
    tree->top = mapping_build(tree, &config_key_root, CYAML_FLAG_POINTER);
    tree->config = (cyaml_config_t){.log_fn = on_complaint,
                                    .log_ctx = tree,
                                    .mem_fn = cyaml_mem,
                                    .log_level = CYAML_LOG_ERROR,
                                    .flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS}; /* blamed already */
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, bytes, &tree->config, &tree->top,
                                        (cyaml_data_t **)&tree->root, NULL);
    int result = error == CYAML_OK && tree->root ? 0 : load_failed(tree, error, file, faults);
    if (result == 0)
        *out = tree;
    else
        config_tree_drop(tree);
    return result;
}

void config_tree_drop(struct config_tree *tree)
{
    if (!tree)
        return;
    cyaml_free(&tree->config, &tree->top, tree->root, 0);
    free(tree);
}

const struct config_slot *config_tree_root(const struct config_tree *tree)
{
    return tree->root;
}

const struct config_slot *config_slot_element(const struct config_key *list, const struct config_slot *slot,
                                              size_t place)
{
    assert(list->type == KEY_LIST && place < slot->count);
    return (const struct config_slot *)slot->value + place * children_count(list);
}

const struct config_slot *config_slot_child(const struct config_key *parent,
                                            const struct config_slot *mapping, const char *name)
{
    const struct config_key *key = config_key_next(parent, NULL);
    size_t place = 0;
    for (; key && strcmp(config_key_name(key), name) != 0; place++)
        key = config_key_next(parent, key);
    assert(key); /* of the table */
    return &mapping[place];
}
