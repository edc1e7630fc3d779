/* The configuration for people: the list of keys and the sample file, both printed from the key table. Any
 * thread; reads no file. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/config_keys.h"
#include "daemon/config_values.h"

#define WIDTH      110
#define STEP       2 /* of indentation in the sample */
#define TEXT_BYTES 256

static bool has_range(const struct config_key *key)
{
    return key->type == KEY_DURATION || key->type == KEY_DURATIONS || key->type == KEY_SIZE ||
           key->type == KEY_INTEGER || key->type == KEY_PERCENT;
}

/* Text in lines of at most WIDTH, each behind the same beginning. */
static void print_wrapped(FILE *out, const char *beginning, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%.*s", column ? " " : beginning, (int)word, text);
        text += word + strspn(text + word, " ");
    }
    fputc('\n', out);
}

/* --- makegood config ------------------------------------------------------------------------------------ */

static void type_format(const struct config_key *key, char out[TEXT_BYTES])
{
    if (key->type == KEY_INTEGER)
        snprintf(out, TEXT_BYTES, "integer (%s)", key->unit);
    else if (key->type == KEY_DURATIONS)
        snprintf(out, TEXT_BYTES, "durations (%s)", key->unit);
    else
        snprintf(out, TEXT_BYTES, "%s", key_type_text(key->type));
}

static void range_format(const struct config_key *key, char out[TEXT_BYTES])
{
    if (key->type == KEY_CHOICE)
        snprintf(out, TEXT_BYTES, "%s", key->unit);
    else if (key->type == KEY_BOOLEAN)
        snprintf(out, TEXT_BYTES, "true, false");
    else if (key->type == KEY_LIST || key->type == KEY_TEXTS)
        snprintf(out, TEXT_BYTES, "%" PRId64 " to %" PRId64 " elements", key->min, key->max);
    else if (key->type == KEY_TEXT)
        snprintf(out, TEXT_BYTES, "%" PRId64 " to %" PRId64 " bytes", key->min, key->max);
    else if (has_range(key))
        config_range_format(key, out, TEXT_BYTES);
    else
        *out = '\0';
}

/* Defaults that differ by the channel's type. */
static void typed_print(FILE *out, const struct config_key *key)
{
    static const char *const types[] = {
#define X(name, text) text,
        CHANNEL_TYPE_LIST(X)
#undef X
    };
    for (int i = 0; i < (int)CHANNEL_TYPES; i++)
        if (key->typed[i])
            fprintf(out, "    %-28s %-28s %s: %s\n", "", "", types[i], key->typed[i]);
}

static void key_print(FILE *out, const struct config_key *key)
{
    char type[TEXT_BYTES];
    char range[TEXT_BYTES];
    type_format(key, type);
    range_format(key, range);
    fprintf(out, "%s\n", key->path);
    fprintf(out, "    %-28s %-28s %s%s%s\n", type, range,
            config_key_is_required(key, CHANNEL_HTTP) ? "" : "default: ",
            key->value       ? key->value
            : key->otherwise ? key->otherwise
                             : "required",
            key->reload ? "" : "  [restart]");
    typed_print(out, key);
    print_wrapped(out, "    ", key->sentence);
}

void config_print_keys(FILE *out)
{
    fputs("Every key of the configuration file, with type, range and default. SIGHUP (systemctl reload) "
          "applies a\n"
          "change of every key but those marked [restart]. `makegood config --sample` prints a file to begin "
          "with.\n",
          out);
    for (const struct config_key *key = config_keys; key->path; key++) {
        fputc('\n', out);
        key_print(out, key);
    }
}

/* --- makegood config --sample --------------------------------------------------------------------------- */

static void section_print(FILE *out, const struct config_key *parent, int indent, bool shown);

static void children_explain(FILE *out, const struct config_key *list, const char *beginning)
{
    const struct config_key *key = NULL;
    while ((key = config_key_next(list, key)) != NULL) {
        char text[2 * TEXT_BYTES];
        char below[64];
        snprintf(text, sizeof(text), "%s: %s%s%s%s%s", config_key_name(key), key->sentence,
                 key->type == KEY_CHOICE ? " (" : "", key->type == KEY_CHOICE ? key->unit : "",
                 key->type == KEY_CHOICE ? ")" : "",
                 config_key_is_required(key, CHANNEL_HTTP) ? "; required" : "");
        snprintf(below, sizeof(below), "%s  ", beginning);
        print_wrapped(out, below, text);
        if (key->type == KEY_LIST)
            children_explain(out, key, below);
    }
}

static void comment_print(FILE *out, const struct config_key *key, int indent)
{
    char beginning[64];
    char text[2 * TEXT_BYTES + 64];
    char range[TEXT_BYTES];
    range_format(key, range);
    snprintf(beginning, sizeof(beginning), "%*s# ", indent, "");
    bool told = key->type == KEY_CHOICE || has_range(key);
    snprintf(text, sizeof(text), "%s%s%s%s", key->sentence, told ? " (" : "", told ? range : "",
             told ? ")" : "");
    print_wrapped(out, beginning, text);
    if (key->type == KEY_LIST && key->sample)
        children_explain(out, key, beginning);
}

/* Lines of YAML, shifted. */
static void block_print(FILE *out, const char *text, int indent)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(out, "%*s%.*s\n", indent, "", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Whether the sample says anything below this mapping. */
static bool is_shown(const struct config_key *key)
{
    const struct config_key *child = NULL;
    if (key->type != KEY_MAPPING)
        return key->sample && *key->sample != '#';
    while ((child = config_key_next(key, child)) != NULL)
        if (is_shown(child))
            return true;
    return false;
}

static void entry_print(FILE *out, const struct config_key *key, const char *lead, int indent, bool shown)
{
    const char *name = config_key_name(key);
    const char *off = shown && is_shown(key) ? "" : "#";
    if (key->type == KEY_MAPPING) {
        fprintf(out, "%s%s%s:\n", lead, off, name);
        section_print(out, key, indent + STEP, shown && is_shown(key));
    } else if (key->type == KEY_LIST) {
        fprintf(out, "%s%s:\n", lead, name);
        if (key->sample)
            block_print(out, key->sample, indent + STEP);
        else
            section_print(out, key, indent + 2 * STEP, true);
    } else {
        const char *value = key->sample ? key->sample + (*key->sample == '#') : key->value;
        fprintf(out, "%s%s%s:%s%s\n", lead, off, name, value ? " " : "", value ? value : "");
    }
}

/* The first key of a list's element stands behind its dash. */
static void section_print(FILE *out, const struct config_key *parent, int indent, bool shown)
{
    const struct config_key *key = NULL;
    const char *dash = parent->type == KEY_LIST ? "- " : "";
    while ((key = config_key_next(parent, key)) != NULL) {
        if (!config_key_is_for(key, CHANNEL_HTTP))
            continue; /* the sample's channel is one of type http */
        char lead[64];
        int before = indent - (int)strlen(dash);
        snprintf(lead, sizeof(lead), "%*s%s", before, "", dash);
        if (parent == &config_key_root && (key->type == KEY_MAPPING || key->type == KEY_LIST))
            fputc('\n', out);
        comment_print(out, key, before);
        entry_print(out, key, lead, indent, shown);
        dash = "";
    }
}

void config_print_sample(FILE *out)
{
    fputs("# makegood's configuration: one channel like Stripe's, complete. `makegood config --sample` "
          "prints this file,\n"
          "# `makegood config` explains every key, `makegood check` says what is wrong; channels of other "
          "providers\n"
          "# are in config/channels. Lines that begin "
          "with # and a key\n"
          "# show the default or an example.\n\n",
          out);
    section_print(out, &config_key_root, 0, true);
}
