/* Compiling and writing bodies. A JSON body is parsed when the configuration is loaded; values are put into
 * strings of our own tree and jansson writes it, so no value can end its string. Compiled once, built by the
 * workers. */
#include "channel/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/json.h"
#include "channel/url.h"

#define BODY_TEMPLATE_BYTES 65536

static void string_compile(struct body *body, const char *text, struct blame *blame)
{
    struct template *strings = realloc(body->strings, (body->string_count + 1) * sizeof(*strings));
    if (!strings) {
        blame_memory(blame);
        return;
    }
    body->strings = strings;
    template_compile(&strings[body->string_count++], text, SCOPE_ORDER, "body", blame);
}

/* Recursion ends at JSON_DEPTH_MAX, here and in node_write. */
static void node_compile(struct body *body, json_t *node, struct blame *blame)
{
    const char *name;
    json_t *child;
    size_t i;
    if (json_is_string(node))
        string_compile(body, json_string_value(node), blame);
    json_object_foreach(node, name, child) node_compile(body, child, blame);
    json_array_foreach(node, i, child) node_compile(body, child, blame);
}

static void json_compile(struct body *body, const char *text, struct blame *blame)
{
    body->kind = BODY_JSON;
    body->tree = json_load_strict(text, strlen(text), BODY_TEMPLATE_BYTES);
    if (!body->tree)
        blame_key(blame, "body",
                  "the body is not a JSON object or array (of at most %d levels, without duplicate "
                  "members); placeholders stand inside its strings, as {\"id\": \"{number}\"}; "
                  "for a form write body_type: form",
                  JSON_DEPTH_MAX);
    else
        node_compile(body, body->tree, blame);
}

static void form_compile(struct body *body, const char *text, struct blame *blame)
{
    body->kind = BODY_FORM;
    template_compile(&body->form, text, SCOPE_ORDER, "body", blame);
    const char *bad = url_unencoded(text);
    if (bad)
        blame_key(blame, "body",
                  "the form holds a character (byte 0x%02x) that must be written percent-encoded, as "
                  "%%20 for a space",
                  (unsigned)(unsigned char)*bad);
}

void body_compile(struct body *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct body){0};
    const char *type = spec->body_type ? spec->body_type : "json";
    const char *method = spec->method ? spec->method : "GET";
    bool form = strcmp(type, "form") == 0;
    if (!form && strcmp(type, "json") != 0)
        blame_key(blame, "body_type", "\"%.40s\" is no body type; write json or form", type);
    if (!spec->body)
        return;
    if (strcmp(method, "GET") == 0)
        blame_key(blame, "body", "a GET request has no body; write method: POST or remove the body");
    if (form)
        form_compile(out, spec->body, blame);
    else
        json_compile(out, spec->body, blame);
}

void body_finish(struct body *body)
{
    template_finish(&body->form);
    json_decref(body->tree);
    for (unsigned i = 0; i < body->string_count; i++)
        template_finish(&body->strings[i]);
    free(body->strings);
    *body = (struct body){0};
}

bool body_needs_data(const struct body *body)
{
    bool needs = body->form.needs_data;
    for (unsigned i = 0; i < body->string_count; i++)
        needs = needs || body->strings[i].needs_data;
    return needs;
}

const char *body_content_type(const struct body *body)
{
    static const char *const types[] = {[BODY_NONE] = NULL,
                                        [BODY_JSON] = "application/json",
                                        [BODY_FORM] = "application/x-www-form-urlencoded"};
    return types[body->kind];
}

struct writing {
    const struct body *body;
    const struct template_values *values;
    const char **why;
    unsigned next; /* string */
    int error;
};

static json_t *string_write(struct writing *writing)
{
    struct draft draft = {0};
    const struct template *template = &writing->body->strings[writing->next++];
    writing->error = template_expand(template, writing->values, PLACE_JSON, &draft, writing->why);
    char *text = writing->error ? NULL : draft_take(&draft);
    json_t *string = text ? json_string(text) : NULL;
    draft_drop(&draft);
    free(text);
    return string;
}

/* A new tree like the node, with its strings expanded; NULL when something failed. */
static json_t *node_write(struct writing *writing, json_t *node)
{
    const char *name;
    json_t *child;
    size_t i;
    int failed = 0;
    if (json_is_string(node))
        return string_write(writing);
    if (!json_is_object(node) && !json_is_array(node))
        return json_deep_copy(node);
    json_t *copy = json_is_object(node) ? json_object() : json_array();
    json_object_foreach(node, name, child) failed =
        failed || json_object_set_new(copy, name, node_write(writing, child));
    json_array_foreach(node, i, child) failed =
        failed || json_array_append_new(copy, node_write(writing, child));
    if (!failed)
        return copy;
    json_decref(copy);
    return NULL;
}

static int json_build(const struct body *body, const struct template_values *values, char **out,
                      const char **why)
{
    struct writing writing = {.body = body, .values = values, .why = why};
    json_t *tree = node_write(&writing, body->tree);
    *out = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    if (writing.error)
        return writing.error;
    return *out ? 0 : -ENOMEM;
}

static int form_build(const struct body *body, const struct template_values *values, char **out,
                      const char **why)
{
    struct draft draft = {0};
    int error = template_expand(&body->form, values, PLACE_FORM, &draft, why);
    *out = error ? NULL : draft_take(&draft);
    draft_drop(&draft);
    if (error)
        return error;
    return *out ? 0 : -ENOMEM;
}

int body_build(const struct body *body, const struct template_values *values, char **out, const char **why)
{
    *out = NULL;
    if (body->kind == BODY_NONE)
        return 0;
    return body->kind == BODY_JSON ? json_build(body, values, out, why) : form_build(body, values, out, why);
}
