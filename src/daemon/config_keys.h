/* The key table: every key of the configuration, once. The parser, the schemas of libcyaml, `makegood config`
 * and the sample file are made from it. Constant; any thread. */
#ifndef MAKEGOOD_CONFIG_KEYS_H
#define MAKEGOOD_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel/http_channel.h"
#include "daemon/config.h"

/* X(NAME, text) */
#define KEY_TYPE_LIST(X)      \
    X(MAPPING, "mapping")     \
    X(LIST, "list")           \
    X(TEXTS, "list of texts") \
    X(TEXT, "text")           \
    X(CHOICE, "choice")       \
    X(DURATION, "duration")   \
    X(DURATIONS, "durations") \
    X(SIZE, "size")           \
    X(INTEGER, "integer")     \
    X(PERCENT, "percent")     \
    X(BOOLEAN, "boolean")

enum key_type {
#define X(name, ...) KEY_##name,
    KEY_TYPE_LIST(X)
#undef X
        KEY_TYPES
};

#define KEY_NOWHERE ((size_t)-1)

/* X(NAME, text): the types of channels, and so the bits of config_key.types */
#define CHANNEL_TYPE_LIST(X)  \
    X(HTTP, "http")           \
    X(ALIPAY, "alipay")       \
    X(WECHATPAY, "wechatpay") \
    X(UNIONPAY, "unionpay")

enum channel_type {
#define X(name, ...) CHANNEL_##name,
    CHANNEL_TYPE_LIST(X)
#undef X
        CHANNEL_TYPES
};
bool channel_type_parse(const char *text, enum channel_type *out);

struct config_key {
    const char *path; /* as channels[].rules[].evidence; a list's own row is without the [] */
    enum key_type type;
    size_t offset; /* of the value in the struct that its list element (or the whole file) becomes;
                      KEY_NOWHERE */
    int64_t min;   /* milliseconds, bytes, counts; the bytes of a text, the elements of a list */
    int64_t max;
    const char *unit;      /* of an integer; the words of a choice, with | between */
    const char *value;     /* the default, as it is written in a file */
    const char *otherwise; /* what holds without it, in words; neither of the two: the key is required */
    unsigned types;        /* of channels that have this key, as bits; 0: all of them */
    unsigned optional_for; /* those that do not require it */
    const char *typed[CHANNEL_TYPES]; /* defaults of their own; NULL: as the others */
    bool reload;                      /* SIGHUP applies a change */
    size_t size;                      /* of one element's struct, for lists */
    const char *sample; /* what the sample file says; commented out: the default, or what stands behind # */
    const char *sentence;
};

extern const struct config_key config_key_root; /* the whole file */
extern const struct config_key config_keys[];   /* depth first, ended by a row without a path */

/* Rows directly below parent, in the table's order: NULL begins, NULL ends. */
const struct config_key *config_key_next(const struct config_key *parent, const struct config_key *previous);
const struct config_key *config_key_child(const struct config_key *parent, const char *name); /* or NULL */
const char *config_key_name(const struct config_key *key); /* the last word of the path */
/* Of CHANNEL_TYPES, a type that is not known: the keys that all channels have, and no key is required of it alone. */
bool config_key_is_required(const struct config_key *key, enum channel_type type);
bool config_key_is_for(const struct config_key *key, enum channel_type type);
const char *config_key_default(const struct config_key *key, enum channel_type type); /* or NULL */
const char *key_type_text(enum key_type type);

/* What the rows' offsets point into. Texts belong to the tree that libcyaml made, lists to the reader. */
struct plan_draft {
    const char *method;
    struct schedule_plan plan;
};

struct channel_draft {
    struct policy policy;
    struct http_channel_spec spec; /* name, url, merchant and transport of the other types as well */
    const char *type;
    const char *source;
    const char *topic;
    const char *secret_file;
    const char *late;
    struct plan_draft *plans;
    unsigned plan_count;
    const char **maintenance;
    unsigned maintenance_count;

    /* Of the types that sign. */
    const char *app_id;
    const char *sub_merchant;
    const char *serial;
    const char *second_url;
    const char *public_key_id;
    const char *signer;
    const char *app_auth_token_file;
    const char *private_key_file;
    const char *public_key_file;
    const char *certificate_file;
    const char *alipay_certificate_file;
    const char *root_certificates_file;
    const char **platform_certificate_files;
    unsigned platform_certificate_file_count;
};

struct config_draft {
    struct config
        config; /* first: offsets of the rows that a reload can not apply are offsets in struct config */
    const char *log_level;
    const char *page_password_file;

    struct channel_draft *channels;
    unsigned channel_count;
};

/* How lists lie in those structs. */
struct key_list {
    const void *items;
    unsigned count;
};

#endif
