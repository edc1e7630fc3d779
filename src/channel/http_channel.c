/* The declarative HTTPS/JSON channel: order in, request out; response in, evidence out.
 *
 * Called by the workers, several at once on one channel; reads only what http_create.c made. Never opens a
 * socket, asks a clock or prints. interpret is total: whatever the bytes are, an evidence kind comes out. */
#include "channel/http_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/head.h"
#include "channel/http_inner.h"
#include "channel/json_arena.h"
#include "channel/reading.h"
#include "channel/url.h"

/* ---- the question ---- */

/* What every question carries unless the configuration says otherwise. */
static int standard_headers_add(const struct asking *asking, const struct moment *moment, struct request *out)
{
    const char *type = body_content_type(&asking->body);
    const char *const lines[][2] = {
        {"Accept", "application/json"},
        {"Content-Type", type},
        {"X-Request-Id", header_value_is_clean(moment->request_id) ? moment->request_id : NULL},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof(lines) / sizeof(lines[0]); i++)
        if (lines[i][1] && !headers_have(&asking->headers, lines[i][0]))
            error = header_line_add(lines[i][0], lines[i][1], out);
    return error;
}

static int headers_build(const struct asking *asking, const struct template_values *values,
                         struct request *out, const char **why)
{
    int error = standard_headers_add(asking, values->moment, out);
    for (unsigned i = 0; !error && i < asking->headers.count; i++)
        error = header_add(&asking->headers.items[i], values, out, why);
    return error;
}

/* Signs what goes on the wire: method, path and query as they are in the URL, the body. */
static int credentials_build(const struct http_channel *http, const struct asking *asking,
                             const struct template_values *values, struct request *out, const char **why)
{
    size_t length;
    const char *start = url_path(out->url, &length);
    char *path = strndup(start, length);
    if (!path)
        return -ENOMEM;
    struct template_values signing = *values;
    signing.method = asking->method;
    signing.path = path;
    signing.query = url_query(out->url);
    signing.body = out->body ? out->body : "";
    char *line = NULL;
    int error = auth_sign(&http->auth, http->sha256, &signing, &line, why);
    free(path);
    if (line)
        out->headers[out->header_count++] = line;
    return error;
}

static int request_write(const struct http_channel *http, const struct asking *asking,
                         const struct template_values *values, struct request *out, const char **why)
{
    int error = url_build(&asking->url, values, &out->url, why);
    if (!error)
        error = body_build(&asking->body, values, &out->body, why);
    if (!error && out->body)
        out->body_bytes = strlen(out->body);
    if (!error)
        error = headers_build(asking, values, out, why);
    if (!error)
        error = credentials_build(http, asking, values, out, why);
    if (!error && !(out->method = strdup(asking->method)))
        error = -ENOMEM;
    if (!error)
        request_ask(out);
    return error;
}

static int asking_build(const struct http_channel *http, const struct asking *asking,
                        const struct lost_order *order, const struct moment *moment, struct request *out,
                        const char **why)
{
    *out = (struct request){0};
    *why = "";
    json_t *data = NULL;
    if (asking->needs_data) {
        const char *text = *order->channel_data ? order->channel_data : "{}";
        data = json_load_strict(text, strlen(text), CHANNEL_DATA_BYTES);
        if (!json_is_object(data)) {
            json_decref(data);
            *why = "channel_data is not a JSON object, and the question needs a member of it";
            return -EINVAL;
        }
    }
    struct template_values values = {
        .order = order, .moment = moment, .form = &http->answer.form, .data = data};
    int error = request_write(http, asking, &values, out, why);
    json_decref(data);
    if (error)
        request_finish(out);
    return error;
}

static int http_build(const struct channel *channel, const struct lost_order *order,
                      const struct moment *moment, struct request *out, const char **why)
{
    const struct http_channel *http = (const struct http_channel *)channel;
    return asking_build(http, &http->query, order, moment, out, why);
}

static int http_build_close(const struct channel *channel, const struct lost_order *order,
                            const struct moment *moment, struct request *out, const char **why)
{
    const struct http_channel *http = (const struct http_channel *)channel;
    return asking_build(http, &http->close, order, moment, out, why);
}

/* ---- the answer ---- */

/* An answer that echoes our secret is not repeated (law 9). */
static void code_write(const struct http_channel *http, const json_t *answer, struct evidence *out)
{
    char scratch[JSON_NUMBER_BYTES];
    const char *text = answer_code(&http->answer, answer, scratch);
    if (text && !auth_is_told_by(&http->auth, text))
        reading_code(out, text);
}

static void particulars_write(const struct http_channel *http, const json_t *answer, enum naming naming,
                              struct evidence *out)
{
    char scratch[JSON_NUMBER_BYTES];
    const char *number = answer_channel_number(&http->answer, answer, scratch);
    if (number && naming == NAMING_OURS && !auth_is_told_by(&http->auth, number))
        snprintf(out->channel_number, sizeof(out->channel_number), "%s", number);
    out->merchant_differs = answer_merchant_differs(&http->answer, answer);
    code_write(http, answer, out);
}

/* A rule holds, as far as the answer proves what the rule claims (correctness 17, 20). */
static enum evidence_kind rule_conclude(const struct http_channel *http, const struct rule *rule,
                                        const json_t *answer, enum naming naming, struct evidence *out)
{
    memcpy(out->rule, rule->name, sizeof(out->rule));
    if (!kind_is_answer(rule->kind))
        return rule->kind;
    if (naming == NAMING_OTHER)
        return EVIDENCE_OTHER_ORDER;
    if (rule->kind == EVIDENCE_NOT_FOUND)
        return rule->kind;
    if (naming == NAMING_NONE)
        return EVIDENCE_UNMATCHED;
    if (kind_is_payment(rule->kind) && !answer_money(&http->answer, answer, out))
        return EVIDENCE_UNKNOWN_STATE;
    return rule->kind;
}

/* No rule holds. The status goes first: a 502's page and a 503's JSON are errors alike (correctness 19). */
static enum evidence_kind fallback_conclude(const struct http_channel *http, int status, const json_t *answer,
                                            enum naming naming)
{
    enum evidence_kind by_status = kind_of_status(status);
    if (by_status != EVIDENCE_NONE)
        return by_status;
    if (!answer)
        return EVIDENCE_GARBAGE;
    if (naming == NAMING_OTHER)
        return EVIDENCE_OTHER_ORDER;
    if (naming == NAMING_OURS && answer_has_status(&http->answer, answer))
        return EVIDENCE_UNKNOWN_STATE;
    return EVIDENCE_UNMATCHED;
}

static void query_conclude(const struct http_channel *http, const struct lost_order *order,
                           const struct response *response, const json_t *answer, struct evidence *out)
{
    enum naming naming = answer ? answer_naming(&http->answer, order, answer) : NAMING_NONE;
    if (answer)
        particulars_write(http, answer, naming, out);
    const struct rule *rule = rules_find(&http->rules, response->http_status, answer);
    out->kind = rule ? rule_conclude(http, rule, answer, naming, out)
                     : fallback_conclude(http, response->http_status, answer, naming);
}

/* What closing answers proves nothing: it is only told whether it may have worked. */
static void close_conclude(const struct http_channel *http, const struct lost_order *order,
                           const struct response *response, const json_t *answer, struct evidence *out)
{
    (void)order;
    if (answer)
        code_write(http, answer, out);
    const struct rule *rule = rules_find(&http->close_rules, response->http_status, answer);
    enum evidence_kind by_status = kind_of_status(response->http_status);
    if (rule) {
        memcpy(out->rule, rule->name, sizeof(out->rule));
        out->kind = rule->kind;
    } else {
        out->kind = by_status != EVIDENCE_NONE ? by_status : answer ? EVIDENCE_UNMATCHED : EVIDENCE_GARBAGE;
    }
}

typedef void conclusion(const struct http_channel *http, const struct lost_order *order,
                        const struct response *response, const json_t *answer, struct evidence *out);

static void interpret(const struct http_channel *http, const struct lost_order *order,
                      const struct response *response, conclusion *conclude, struct evidence *out)
{
    size_t max_bytes = (size_t)http->head.transport.body_max_bytes;
    reading_begin_by(http->sha256, out, response);
    if (!response->trusted) {
        out->kind = EVIDENCE_UNTRUSTED;
        return;
    }
    out->authentic = true;
    if (response->body_bytes > max_bytes) {
        out->kind = EVIDENCE_TOO_LARGE;
        return;
    }
    json_arena_open();
    json_t *answer = json_load_strict(response->body, response->body_bytes, max_bytes);
    conclude(http, order, response, answer, out);
    json_decref(answer);
    json_arena_close();
}

static void http_interpret(const struct channel *channel, const struct lost_order *order,
                           const struct moment *moment, const struct response *response, struct evidence *out)
{
    (void)moment; /* for channels whose answers carry a time */
    interpret((const struct http_channel *)channel, order, response, query_conclude, out);
}

static void http_interpret_close(const struct channel *channel, const struct lost_order *order,
                                 const struct moment *moment, const struct response *response,
                                 struct evidence *out)
{
    (void)moment;
    interpret((const struct http_channel *)channel, order, response, close_conclude, out);
}

/* ---- the grant ---- */

static int http_build_grant(const struct channel *channel, const struct moment *moment, struct request *out,
                            const char **why)
{
    const struct http_channel *http = (const struct http_channel *)channel;
    (void)moment;
    *why = "";
    int error = auth_grant_build(&http->auth, out);
    if (error)
        request_finish(out);
    else
        request_ask(out);
    return error;
}

static bool http_interpret_grant(const struct channel *channel, const struct response *response,
                                 struct grant *grant, struct evidence *out)
{
    const struct http_channel *http = (const struct http_channel *)channel;
    enum evidence_kind by_status = kind_of_status(response->http_status);
    reading_begin_by(http->sha256, out, response);
    out->body_digest[0] = '\0'; /* of a token: not for the audit */
    out->kind = !response->trusted             ? EVIDENCE_UNTRUSTED
                : response->http_status == 400 ? EVIDENCE_UNAUTHORIZED /* invalid_client, RFC 6749, 5.2 */
                : by_status != EVIDENCE_NONE   ? by_status
                                               : EVIDENCE_GARBAGE;
    return response->trusted && response->http_status == 200 &&
           auth_grant_read(response->body, response->body_bytes, grant);
}

static bool http_is_told_by(const struct channel *channel, const char *text)
{
    return auth_is_told_by(&((const struct http_channel *)channel)->auth, text);
}

static void asking_finish(struct asking *asking)
{
    template_finish(&asking->url);
    headers_finish(&asking->headers);
    body_finish(&asking->body);
}

static void http_destroy(struct channel *channel)
{
    struct http_channel *http = (struct http_channel *)channel;
    asking_finish(&http->query);
    asking_finish(&http->close);
    auth_finish(&http->auth);
    answer_finish(&http->answer);
    rules_finish(&http->rules);
    rules_finish(&http->close_rules);
    EVP_MD_free(http->sha256);
    head_finish(&http->head);
    free(http);
}

const struct channel_kind http_channel_kind = {.name = "http",
                                               .build = http_build,
                                               .interpret = http_interpret,
                                               .build_close = http_build_close,
                                               .interpret_close = http_interpret_close,
                                               .build_grant = http_build_grant,
                                               .interpret_grant = http_interpret_grant,
                                               .is_told_by = http_is_told_by,
                                               .destroy = http_destroy};
