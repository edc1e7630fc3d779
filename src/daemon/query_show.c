/* One question for people: see query_show.h. Every text of the channel passes mask.h before it is printed. */
#include "daemon/query_show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "daemon/mask.h"

#define BODY_SHOWN_BYTES (8 << 10)
#define LABEL_WIDTH      16

struct paper {
    FILE *out;
    bool colours;
};

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_GREEN, INK_YELLOW, INK_RED };

static void ink_set(const struct paper *paper, enum ink ink)
{
    static const char *const codes[] = {"0", "1", "2", "1;32", "1;33", "1;31"};
    if (paper->colours)
        fprintf(paper->out, "\x1b[%sm", codes[ink]);
}

__attribute__((format(printf, 3, 4))) static void ink_print(const struct paper *paper, enum ink ink,
                                                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ink_set(paper, ink);
    vfprintf(paper->out, format, arguments);
    ink_set(paper, INK_PLAIN);
    va_end(arguments);
}

static void label_print(const struct paper *paper, const char *label)
{
    ink_print(paper, INK_DIM, "  %-*s ", LABEL_WIDTH, label);
}

__attribute__((format(printf, 3, 4))) static void field_print(const struct paper *paper, const char *label,
                                                              const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    label_print(paper, label);
    vfprintf(paper->out, format, arguments);
    fputc('\n', paper->out);
    va_end(arguments);
}

/* Takes the text. */
static void line_print(const struct paper *paper, char *text)
{
    fprintf(paper->out, "  %s\n", text ? text : "(out of memory)");
    free(text);
}

/* --- bodies --------------------------------------------------------------------------------------------- */

/* No further than the cap, and not into the middle of a character. */
static size_t shown_length(const char *text)
{
    size_t length = strlen(text);
    if (length <= BODY_SHOWN_BYTES)
        return length;
    length = BODY_SHOWN_BYTES;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static void body_print(const struct paper *paper, const struct channel *channel, const char *body,
                       size_t bytes)
{
    if (bytes == 0)
        return;
    char *text = mask_body(channel, body, bytes);
    size_t left = text ? shown_length(text) : 0;
    fputc('\n', paper->out);
    for (const char *line = text; left > 0;) {
        size_t length = strcspn(line, "\n");
        length = length < left ? length : left;
        fprintf(paper->out, "  %.*s\n", (int)length, line);
        length += length < left; /* its end */
        line += length;
        left -= length;
    }
    if (text && strlen(text) > BODY_SHOWN_BYTES)
        ink_print(paper, INK_DIM, "  (cut here, of %zu bytes; --json or --save has all of it)\n", bytes);
    free(text);
}

/* --- the parts ------------------------------------------------------------------------------------------ */

static void request_print(const struct paper *paper, const struct query *query)
{
    const struct request *request = &query->request;
    if (query->out_of_memory) {
        fputs("  (out of memory)\n", paper->out);
        return;
    }
    if (!request->method) {
        fputs("  nothing was sent\n", paper->out);
        return;
    }
    char *url = mask_url(query->channel, request->url);
    fprintf(paper->out, "  %s ", request->method);
    ink_print(paper, INK_BOLD, "%s", url ? url : "(out of memory)");
    fputc('\n', paper->out);
    free(url);
    for (int i = 0; i < request->header_count; i++)
        line_print(paper, mask_header(query->channel, request->headers[i]));
    body_print(paper, query->channel, request->body, request->body_bytes);
}

char *query_question(const struct query *query)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    request_print(&(struct paper){.out = out}, query);
    fclose(out);
    return text;
}

static void answer_print(const struct paper *paper, const struct query *query)
{
    const struct kept_answer *answer = &query->answer;
    const struct evidence *evidence = &query->trial.evidence;
    if (!answer->whole) {
        fprintf(paper->out, "  none%s", query->request.method ? " that is whole" : "");
        if (answer->http_status)
            fprintf(paper->out, ", though it began with HTTP %d", answer->http_status);
        fputc('\n', paper->out);
        return;
    }
    ink_print(paper, INK_BOLD, "  HTTP %d", answer->http_status);
    fprintf(paper->out, " after %d ms, %zu bytes\n", evidence->latency_ms, answer->body_bytes);
    for (int i = 0; i < answer->header_count; i++)
        line_print(paper, mask_header(query->channel, answer->headers[i]));
    body_print(paper, query->channel, answer->body, answer->body_bytes);
}

static const char *yes_or_no(bool truth)
{
    return truth ? "yes" : "no";
}

static void kind_print(const struct paper *paper, const struct evidence *evidence)
{
    static const char *const meanings[EVIDENCE_KINDS] = {
#define X(name, text, class, meaning) [EVIDENCE_##name] = meaning,
        EVIDENCE_KIND_LIST(X)
#undef X
    };
    bool answers = evidence_class(evidence->kind) == EVIDENCE_ANSWER;
    label_print(paper, "kind");
    ink_print(paper, answers ? INK_BOLD : INK_RED, "%s", evidence_kind_text(evidence->kind));
    fprintf(paper->out, " (%s)\n", meanings[evidence->kind]);
}

static void money_print(const struct paper *paper, const char *label, bool has, int64_t minor,
                        const char *currency)
{
    char money[MONEY_SAID_BYTES];
    if (!has)
        return;
    money_say(minor, currency, money);
    field_print(paper, label, "%s", money);
}

static void text_field_print(const struct paper *paper, const char *label, const char *text)
{
    if (*text)
        field_print(paper, label, "%s", text);
}

/* What interpret read in the answer. */
static void reading_print(const struct paper *paper, const struct query *query)
{
    const struct evidence *evidence = &query->trial.evidence;
    kind_print(paper, evidence);
    text_field_print(paper, "code", evidence->code);
    text_field_print(paper, "channel's rule", evidence->rule);
    if (!*evidence->rule && query->answer.whole)
        field_print(paper, "channel's rule", "none matched");
    field_print(paper, "authentic", "%s", yes_or_no(evidence->authentic));
    if (evidence->merchant_differs)
        field_print(paper, "merchant", "another than ours");
    money_print(paper, "amount", evidence->has_amount, evidence->amount_minor, evidence->currency);
    money_print(paper, "refunded", evidence->has_refunded, evidence->refunded_minor, evidence->currency);
    text_field_print(paper, "channel's number", evidence->channel_number);
}

/* What was noted of the way. */
static void way_print(const struct paper *paper, const struct evidence *evidence)
{
    if (evidence->retry_after_ms > 0) {
        char pause[QUANTITY_TEXT_BYTES];
        quantity_format_duration(evidence->retry_after_ms, pause);
        field_print(paper, "asked to wait", "%s", pause);
    }
    if (evidence->has_skew)
        field_print(paper, "clocks differ by", "%" PRId64 " s", evidence->skew_ms / 1000);
    text_field_print(paper, "request id", evidence->request_id);
    text_field_print(paper, "body's SHA-256", evidence->body_digest);
}

static enum ink verdict_ink(enum verdict_kind kind)
{
    if (kind == VERDICT_PARK)
        return INK_RED;
    return kind == VERDICT_PAID || kind == VERDICT_REFUNDED || kind == VERDICT_CLOSED ? INK_GREEN
                                                                                      : INK_YELLOW;
}

static void verdict_print(const struct paper *paper, const struct trial *trial)
{
    fputs("  it would be ", paper->out);
    ink_set(paper, verdict_ink(trial->verdict.kind));
    trial_say(paper->out, trial);
    ink_set(paper, INK_PLAIN);
    fputc('\n', paper->out);
    field_print(paper, "by the rule", "%s (of doc/decide.md)", trial->verdict.rule);
    if (trial->verdict.kind == VERDICT_RETRY)
        field_print(paper, "counted for", "an attempt that was made just now");
    if (!trial->has_amount && trial->evidence.has_amount)
        field_print(paper, "not checked", "the amount; say it as --amount 12.34 --currency CNY");
}

static void heading_print(const struct paper *paper, const char *heading)
{
    fputc('\n', paper->out);
    ink_print(paper, INK_BOLD, "%s", heading);
    fputc('\n', paper->out);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static void end_print(const struct paper *paper, const struct query *query, const char *config_file)
{
    fputs("\nNothing was written: no order, no row, no audit.\n", paper->out);
    if (!*query->saved)
        return;
    char *folder = text_printable(query->saved, strlen(query->saved));
    char *file = text_printable(config_file, strlen(config_file));
    fprintf(paper->out,
            "Saved in %s, for your eyes only (mode 0600): answers hold personal data.\n"
            "To decide it again by other rules: makegood replay -c %s %s\n",
            folder ? folder : "", file ? file : "", folder ? folder : "");
    free(folder);
    free(file);
}

void query_show(FILE *out, bool colours, const struct query *query, const char *config_file)
{
    struct paper paper = {out, colours};
    const struct trial *trial = &query->trial;
    ink_print(&paper, INK_BOLD, "%s %s", query->channel->name, trial->order.number);
    fputc('\n', out);
    heading_print(&paper, "Request");
    request_print(&paper, query);
    heading_print(&paper, "Answer");
    answer_print(&paper, query);
    heading_print(&paper, "Evidence");
    reading_print(&paper, query);
    way_print(&paper, &trial->evidence);
    heading_print(&paper, "Verdict");
    verdict_print(&paper, trial);
    end_print(&paper, query, config_file);
}
