/* Compiling and expanding templates. Compiled by the thread that loads the configuration, expanded by the
 * workers. Percent-encoding is libcurl's; JSON strings are escaped by jansson, outside. Never expands a
 * secret. */
#include "channel/template.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES 64

typedef const char *(*placeholder_value)(const struct template_part *part,
                                         const struct template_values *values, char scratch[SCRATCH_BYTES]);

struct placeholder {
    const char *name;
    enum template_scope scope;
    bool ours; /* made by us from numbers or already escaped: needs no check and may be empty */
    placeholder_value value;
    const char *why; /* when there is no value */
};

#define GETTER(name)                                                                                        \
    static const char *value_##name(const struct template_part *part, const struct template_values *values, \
                                    char scratch[SCRATCH_BYTES])
#define UNUSED (void)part, (void)scratch

static const char *number_if_valid(const char *number)
{
    return order_number_is_valid(number) ? number : NULL;
}

GETTER(number)
{
    UNUSED;
    return number_if_valid(values->order->number);
}

GETTER(order_no)
{
    UNUSED;
    return number_if_valid(values->order->order_no);
}

GETTER(amount_minor)
{
    UNUSED;
    int64_t minor;
    if (!money_form_to_channel(values->form, values->order->currency, values->order->amount_minor, &minor))
        return NULL;
    snprintf(scratch, SCRATCH_BYTES, "%" PRId64, minor);
    return scratch;
}

GETTER(amount_decimal)
{
    UNUSED;
    int64_t minor;
    int exponent = money_form_exponent(values->form, values->order->currency);
    if (exponent < 0 ||
        !money_form_to_channel(values->form, values->order->currency, values->order->amount_minor, &minor))
        return NULL;
    _Static_assert(SCRATCH_BYTES >= MONEY_TEXT_BYTES, "an amount fits");
    money_format_decimal(minor, exponent, scratch);
    return scratch;
}

GETTER(currency)
{
    UNUSED;
    const char *currency = values->order->currency;
    return currency_is_code(currency) ? currency : NULL;
}

GETTER(currency_lower)
{
    if (!value_currency(part, values, scratch))
        return NULL;
    for (int i = 0; i < 3; i++)
        scratch[i] = (char)(values->order->currency[i] - 'A' + 'a');
    scratch[3] = '\0';
    return scratch;
}

GETTER(data)
{
    _Static_assert(SCRATCH_BYTES >= JSON_NUMBER_BYTES, "an integer fits");
    const char *text = json_value_text(json_object_get(values->data, part->text), scratch);
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return NULL;
    return text;
}

GETTER(timestamp)
{
    UNUSED;
    snprintf(scratch, SCRATCH_BYTES, "%" PRId64, values->moment->unix_ms / 1000);
    return scratch;
}

GETTER(timestamp_ms)
{
    UNUSED;
    snprintf(scratch, SCRATCH_BYTES, "%" PRId64, values->moment->unix_ms);
    return scratch;
}

#define SIMPLE_GETTER(name, field) \
    GETTER(name)                   \
    {                              \
        UNUSED;                    \
        return values->field;      \
    }
SIMPLE_GETTER(nonce, moment->nonce)
SIMPLE_GETTER(request_id, moment->request_id)
SIMPLE_GETTER(method, method)
SIMPLE_GETTER(path, path)
SIMPLE_GETTER(query, query)
SIMPLE_GETTER(body, body)
SIMPLE_GETTER(signature, signature)

static const struct placeholder placeholders[] = {
    {"number", SCOPE_ORDER, false, value_number,
     "the attempt has no channel number (or not a valid one), and the question needs {number}"},
    {"order_no", SCOPE_ORDER, false, value_order_no,
     "the order number is not one that may be sent, and the question needs {order_no}"},
    {"amount_minor", SCOPE_ORDER, true, value_amount_minor,
     "the amount can not be written in the channel's minor units, and the question needs {amount_minor}"},
    {"amount_decimal", SCOPE_ORDER, true, value_amount_decimal,
     "the amount can not be written with the channel's decimals, and the question needs {amount_decimal}"},
    {"currency", SCOPE_ORDER, false, value_currency,
     "the currency is not a code of three capital letters, and the question needs {currency}"},
    {"currency_lower", SCOPE_ORDER, false, value_currency_lower,
     "the currency is not a code of three capital letters, and the question needs {currency_lower}"},
    {"timestamp", SCOPE_ORDER, true, value_timestamp,
     "the moment of asking has no timestamp, and the question needs {timestamp}"},
    {"timestamp_ms", SCOPE_ORDER, true, value_timestamp_ms,
     "the moment of asking has no timestamp ms, and the question needs {timestamp_ms}"},
    {"nonce", SCOPE_ORDER, false, value_nonce,
     "the moment of asking has no nonce, and the question needs {nonce}"},
    {"request_id", SCOPE_ORDER, false, value_request_id,
     "the moment of asking has no request id, and the question needs {request_id}"},
    {"method", SCOPE_SIGNED, true, value_method, "{method} stands where nothing is signed"},
    {"path", SCOPE_SIGNED, true, value_path, "{path} stands where nothing is signed"},
    {"query", SCOPE_SIGNED, true, value_query, "{query} stands where nothing is signed"},
    {"body", SCOPE_SIGNED, true, value_body, "{body} stands where nothing is signed"},
    {"signature", SCOPE_SIGNATURE, true, value_signature, "{signature} stands where nothing is signed"},
};
static const struct placeholder data_placeholder = {"data", SCOPE_ORDER, false, value_data, ""};

#define DATA_PREFIX      "data."
#define DATA_KEY_CHARSET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static const struct placeholder *placeholder_find(const char *name, unsigned scope)
{
    if (strncmp(name, DATA_PREFIX, strlen(DATA_PREFIX)) == 0) {
        const char *member = name + strlen(DATA_PREFIX);
        size_t length = strlen(member);
        return length && length <= 64 && strspn(member, DATA_KEY_CHARSET) == length ? &data_placeholder
                                                                                    : NULL;
    }
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
        if ((placeholders[i].scope & scope) && strcmp(placeholders[i].name, name) == 0)
            return &placeholders[i];
    return NULL;
}

static void placeholder_blame(const char *name, unsigned scope, const char *key, struct blame *blame)
{
    if (strcmp(name, "secret") == 0) {
        blame_key(blame, key,
                  "{secret} can not stand in a template, where it could reach a log: "
                  "name its file in secret_file and how it is sent in auth.type");
        return;
    }
    struct draft known = {0};
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        if (!(placeholders[i].scope & scope))
            continue;
        draft_say(&known, " {");
        draft_say(&known, placeholders[i].name);
        draft_say(&known, "}");
    }
    char *list = draft_take(&known);
    blame_key(blame, key,
              "unknown placeholder {%.40s}; known here are%s {data.KEY}; write {{ and }} for braces", name,
              list ? list : "");
    free(list);
}

/* Takes the text. */
static void part_append(struct template *template, const struct placeholder *placeholder, char *text,
                        struct blame *blame)
{
    struct template_part *parts = realloc(template->parts, (template->count + 1) * sizeof(*parts));
    if (!parts || !text) {
        template->parts = parts ? parts : template->parts;
        free(text);
        blame_memory(blame);
        return;
    }
    template->parts = parts;
    parts[template->count++] = (struct template_part){.placeholder = placeholder, .text = text};
}

/* Returns what follows the literal. "{{" and "}}" are braces. */
static const char *literal_compile(struct template *out, const char *text, const char *key,
                                   struct blame *blame)
{
    struct draft literal = {0};
    for (;;) {
        size_t plain = strcspn(text, "{}");
        draft_add(&literal, text, plain);
        text += plain;
        if (!*text || text[0] != text[1])
            break;
        draft_add(&literal, text, 1);
        text += 2;
    }
    if (literal.length || literal.failed)
        part_append(out, NULL, draft_take(&literal), blame);
    draft_drop(&literal);
    if (*text != '}')
        return text;
    blame_key(blame, key, "a \"}\" closes nothing; write }} for a brace");
    return text + 1;
}

static void data_compile(struct template *out, struct blame *blame)
{
    struct template_part *part = &out->parts[out->count - 1];
    out->needs_data = true;
    memmove(part->text, part->text + strlen(DATA_PREFIX), strlen(part->text + strlen(DATA_PREFIX)) + 1);
    if (asprintf(&part->why,
                 "channel_data has no member \"%s\" that is a text, integer or boolean without control "
                 "characters, "
                 "and the question needs it",
                 part->text) < 0) {
        part->why = NULL;
        blame_memory(blame);
    }
}

/* Returns what follows the "}". */
static const char *placeholder_compile(struct template *out, const char *text, unsigned scope,
                                       const char *key, struct blame *blame)
{
    size_t length = strcspn(text, "{}");
    if (text[length] != '}') {
        blame_key(blame, key, "a \"{\" is never closed; write {{ for a brace");
        return text + length;
    }
    char *name = strndup(text, length);
    const struct placeholder *placeholder = name ? placeholder_find(name, scope) : NULL;
    if (name && !placeholder) {
        placeholder_blame(name, scope, key, blame);
        free(name);
        return text + length + 1;
    }
    unsigned before = out->count;
    part_append(out, placeholder, name, blame);
    if (out->count > before && placeholder == &data_placeholder)
        data_compile(out, blame);
    return text + length + 1;
}

void template_compile(struct template *out, const char *text, unsigned scope, const char *key,
                      struct blame *blame)
{
    *out = (struct template){0};
    while (*text) {
        text = literal_compile(out, text, key, blame);
        if (*text == '{')
            text = placeholder_compile(out, text + 1, scope, key, blame);
    }
}

void template_finish(struct template *template)
{
    for (unsigned i = 0; i < template->count; i++) {
        free(template->parts[i].text);
        free(template->parts[i].why);
    }
    free(template->parts);
    *template = (struct template){0};
}

static void percent_encode(const char *value, struct draft *out)
{
    char *escaped = curl_easy_escape(NULL, value, 0);
    if (escaped)
        draft_say(out, escaped);
    else
        out->failed = true;
    curl_free(escaped);
}

static int part_expand(const struct template_part *part, const struct template_values *values,
                       enum template_place place, struct draft *out, const char **why)
{
    const struct placeholder *placeholder = part->placeholder;
    char scratch[SCRATCH_BYTES];
    const char *value = placeholder->value(part, values, scratch);
    if (!value || (!*value && !placeholder->ours)) {
        *why = part->why ? part->why : placeholder->why;
        return -EINVAL;
    }
    if (place == PLACE_HEADER && !placeholder->ours && !order_number_is_valid(value)) {
        *why = "a value for a header holds a character beyond letters, digits and _ | * -";
        return -EINVAL;
    }
    if (place == PLACE_URL || place == PLACE_FORM)
        percent_encode(value, out);
    else
        draft_say(out, value);
    return 0;
}

int template_expand(const struct template *template, const struct template_values *values,
                    enum template_place place, struct draft *out, const char **why)
{
    for (unsigned i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        if (!part->placeholder) {
            draft_say(out, part->text);
            continue;
        }
        int error = part_expand(part, values, place, out, why);
        if (error)
            return error;
    }
    return 0;
}
