/* What is recorded of an answer, and how it is compared: see record.h. */
#include "daemon/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- to JSON -------------------------------------------------------------------------------------------- */

static void text_set(json_t *object, const char *name, const char *text)
{
    if (*text)
        json_object_set_new(object, name, json_string(text));
}

json_t *record_evidence(const struct evidence *evidence)
{
    json_t *object = json_object();
    text_set(object, "kind", evidence_kind_text(evidence->kind));
    json_object_set_new(object, "authentic", json_boolean(evidence->authentic));
    json_object_set_new(object, "merchant_differs", json_boolean(evidence->merchant_differs));
    if (evidence->has_amount)
        json_object_set_new(object, "amount_minor", json_integer(evidence->amount_minor));
    if (evidence->has_refunded)
        json_object_set_new(object, "refunded_minor", json_integer(evidence->refunded_minor));
    text_set(object, "currency", evidence->currency);
    text_set(object, "channel_number", evidence->channel_number);
    text_set(object, "rule", evidence->rule);
    text_set(object, "code", evidence->code);
    text_set(object, "body_digest", evidence->body_digest);
    return object;
}

json_t *record_verdict(const struct verdict *verdict)
{
    json_t *object = json_object();
    text_set(object, "kind", verdict_kind_text(verdict->kind));
    text_set(object, "reason", park_reason_text(verdict->reason));
    text_set(object, "rule", verdict->rule);
    return object;
}

/* --- comparing ------------------------------------------------------------------------------------------ */

struct field {
    const char *name;
    const char *otherwise; /* what holds where it is not written, as JSON; NULL: it is not there */
    bool optional;         /* compared only where it was recorded */
};

static const struct field fields[] = {
    {"kind", NULL, false},           {"authentic", "true", false}, {"merchant_differs", "false", false},
    {"amount_minor", NULL, false},   {"currency", NULL, false},    {"refunded_minor", NULL, false},
    {"channel_number", NULL, false}, {"rule", NULL, true},         {"code", NULL, true},
    {"body_digest", NULL, true},
};

static char *value_text(const json_t *value, const char *otherwise)
{
    if (json_is_string(value) && *json_string_value(value))
        return strdup(json_string_value(value));
    if (!value || json_is_string(value))
        return strdup(otherwise ? otherwise : "-");
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

int record_compare(const json_t *recorded, const json_t *present, record_differs differs, void *self)
{
    int count = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct field *field = &fields[i];
        const json_t *was = json_object_get(recorded, field->name);
        char *before = value_text(was, field->otherwise);
        char *now = value_text(json_object_get(present, field->name), field->otherwise);
        bool differ = (was || !field->optional) && before && now && strcmp(before, now) != 0;
        if (differ)
            differs(self, field->name, before, now);
        count += differ;
        free(before);
        free(now);
    }
    return count;
}

void record_verdict_say(const json_t *verdict, char out[VERDICT_SAID_BYTES])
{
    const char *kind = json_string_value(json_object_get(verdict, "kind"));
    const char *reason = json_string_value(json_object_get(verdict, "reason"));
    snprintf(out, VERDICT_SAID_BYTES, "%.30s%s%.40s", kind ? kind : "-", reason && *reason ? " " : "",
             reason ? reason : "");
}
