/* Reading the key table: rows by their place in the tree, and what a row says of a type of channel. Constant; any thread. */
#include <string.h>

#include "daemon/config_keys.h"

const char *key_type_text(enum key_type type)
{
    static const char *const texts[] = {
#define X(name, text) text,
        KEY_TYPE_LIST(X)
#undef X
    };
    return texts[type];
}

bool channel_type_parse(const char *text, enum channel_type *out)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CHANNEL_TYPE_LIST(X)
#undef X
    };
    for (int i = 0; i < (int)CHANNEL_TYPES; i++)
        if (strcmp(texts[i], text) == 0) {
            *out = (enum channel_type)i;
            return true;
        }
    return false;
}

bool config_key_is_for(const struct config_key *key, enum channel_type type)
{
    return key->types == 0 || (key->types & 1u << type) != 0;
}

const char *config_key_default(const struct config_key *key, enum channel_type type)
{
    return type != CHANNEL_TYPES && key->typed[type] ? key->typed[type] : key->value;
}

bool config_key_is_required(const struct config_key *key, enum channel_type type)
{
    unsigned unneeded = type == CHANNEL_TYPES ? key->optional_for : key->optional_for & 1u << type;
    return !key->value && !key->otherwise && unneeded == 0;
}

/* What stands behind parent and its separator, or NULL. */
static const char *path_below(const struct config_key *key, const struct config_key *parent)
{
    size_t length = strlen(parent->path);
    const char *separator = !length ? "" : parent->type == KEY_LIST ? "[]." : ".";
    size_t more = strlen(separator);
    if (strncmp(key->path, parent->path, length) != 0 || strncmp(key->path + length, separator, more) != 0)
        return NULL;
    return key->path + length + more;
}

const struct config_key *config_key_next(const struct config_key *parent, const struct config_key *previous)
{
    for (const struct config_key *key = previous ? previous + 1 : config_keys; key->path; key++) {
        const char *name = path_below(key, parent);
        if (name && !strpbrk(name, ".["))
            return key;
    }
    return NULL;
}

const struct config_key *config_key_child(const struct config_key *parent, const char *name)
{
    const struct config_key *key = NULL;
    while ((key = config_key_next(parent, key)) != NULL)
        if (strcmp(config_key_name(key), name) == 0)
            return key;
    return NULL;
}

const char *config_key_name(const struct config_key *key)
{
    const char *dot = strrchr(key->path, '.');
    return dot ? dot + 1 : key->path;
}
