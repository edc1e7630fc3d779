/* One question for scripts: see query_show.h. The same things under the same masks, whole. */
#include <stdlib.h>
#include <string.h>

#include "daemon/mask.h"
#include "daemon/query_show.h"
#include "daemon/record.h"

/* Takes the text; null without one. */
static json_t *text_json(char *text)
{
    json_t *string = text ? json_string(text) : json_null();
    free(text);
    return string;
}

static json_t *headers_json(const struct channel *channel, char *const *headers, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, text_json(mask_header(channel, headers[i])));
    return list;
}

static json_t *body_json(const struct channel *channel, const char *body, size_t bytes)
{
    return bytes ? mask_body_json(channel, body, bytes) : json_null();
}

static json_t *request_json(const struct query *query)
{
    const struct request *request = &query->request;
    if (!request->method)
        return json_null();
    return json_pack("{s:s, s:o, s:o, s:o}", "method", request->method, "url",
                     text_json(mask_url(query->channel, request->url)), "headers",
                     headers_json(query->channel, request->headers, request->header_count), "body",
                     body_json(query->channel, request->body, request->body_bytes));
}

static json_t *answer_json(const struct query *query)
{
    const struct kept_answer *answer = &query->answer;
    if (!answer->whole)
        return json_null();
    return json_pack("{s:i, s:o, s:o}", "status", answer->http_status, "headers",
                     headers_json(query->channel, answer->headers, answer->header_count), "body",
                     body_json(query->channel, answer->body, answer->body_bytes));
}

static json_t *evidence_json(const struct evidence *evidence)
{
    json_t *object = record_evidence(evidence);
    json_t *more =
        json_pack("{s:b, s:i, s:i, s:I, s:s}", "answers", evidence_class(evidence->kind) == EVIDENCE_ANSWER,
                  "http_status", evidence->http_status, "latency_ms", evidence->latency_ms, "retry_after_ms",
                  (json_int_t)evidence->retry_after_ms, "request_id", evidence->request_id);
    json_object_update(object, more);
    json_decref(more);
    if (evidence->has_skew)
        json_object_set_new(object, "skew_ms", json_integer(evidence->skew_ms));
    return object;
}

static json_t *verdict_json(const struct trial *trial)
{
    char *sentence = NULL;
    size_t size = 0;
    json_t *object = record_verdict(&trial->verdict);
    FILE *out = open_memstream(&sentence, &size);
    if (out) {
        trial_say(out, trial);
        fclose(out);
    }
    json_object_set_new(object, "sentence", text_json(sentence));
    json_object_set_new(object, "amount_checked", json_boolean(trial->has_amount));
    if (trial->verdict.kind == VERDICT_RETRY)
        json_object_set_new(object, "due_in_ms", json_integer(trial->verdict.due_in_ms));
    return object;
}

json_t *query_json(const struct query *query)
{
    const struct lost_order *order = &query->trial.order;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o}", "channel", query->channel->name, "number",
                     order->number, "request", request_json(query), "answer", answer_json(query), "evidence",
                     evidence_json(&query->trial.evidence), "verdict", verdict_json(&query->trial), "written",
                     0, "saved", *query->saved ? json_string(query->saved) : json_null());
}
