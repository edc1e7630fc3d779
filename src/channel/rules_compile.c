/* Compiling rules, and refusing those that could settle an order without proof (correctness 17 to 20). Runs
 * on the thread that loads the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/rules.h"

static bool text_is_given(const char *text)
{
    return text && *text;
}

static void match_compile(struct condition *out, const char *text, const char *key, struct blame *blame)
{
    static const char *const names[] = {[MATCH_ANY] = "any", [MATCH_ALL] = "all", [MATCH_NONE] = "none"};
    out->match = MATCH_ANY;
    for (int i = 0; text && i < 3; i++) {
        if (strcmp(names[i], text) == 0) {
            out->match = (enum match)i;
            return;
        }
    }
    if (text)
        blame_key(blame, key, "\"%.40s\" is no way to match; write any, all or none", text);
}

static void condition_compile(struct condition *out, const struct http_condition_spec *spec, const char *key,
                              struct blame *blame)
{
    char part[KEY_BYTES];
    snprintf(part, sizeof(part), "%s.over", key);
    pointer_compile(&out->over, spec->over, true, part, blame);
    snprintf(part, sizeof(part), "%s.at", key);
    pointer_compile(&out->at, spec->at, false, part, blame);
    snprintf(part, sizeof(part), "%s.match", key);
    match_compile(out, spec->match, part, blame);
    texts_copy(&out->is, spec->is, spec->is_count, blame);
    if (!text_is_given(spec->over) && !text_is_given(spec->at))
        blame_key(blame, key, "a condition needs at (or over): the pointer to what is compared, as /status");
}

static void conditions_compile(struct rule *rule, const struct http_rule_spec *spec, const char *key,
                               struct blame *blame)
{
    rule->when = blame_array(blame, spec->when_count, sizeof(*rule->when));
    for (; rule->when && rule->when_count < spec->when_count; rule->when_count++) {
        char part[KEY_BYTES / 2];
        snprintf(part, sizeof(part), "%s.when[%u]", key, rule->when_count);
        condition_compile(&rule->when[rule->when_count], &spec->when[rule->when_count], part, blame);
    }
}

/* "200" or "5xx" */
static bool status_parse(const char *text, struct status_range *out)
{
    if (!text || strlen(text) != 3 || text[0] < '1' || text[0] > '5')
        return false;
    int hundreds = 100 * (text[0] - '0');
    *out = (struct status_range){hundreds, hundreds + 99};
    if (strcmp(text + 1, "xx") == 0)
        return true;
    if (strspn(text, "0123456789") != 3)
        return false;
    out->least = out->most = hundreds + 10 * (text[1] - '0') + (text[2] - '0');
    return true;
}

static void http_compile(struct rule *rule, const struct http_rule_spec *spec, const char *key,
                         struct blame *blame)
{
    rule->http = blame_array(blame, spec->http_count, sizeof(*rule->http));
    for (unsigned i = 0; rule->http && i < spec->http_count; i++) {
        char part[KEY_BYTES];
        snprintf(part, sizeof(part), "%s.http[%u]", key, i);
        if (!status_parse(spec->http[i], &rule->http[i]))
            blame_key(blame, part, "\"%.40s\" is no HTTP status; write one as 404, or a class as 5xx",
                      spec->http[i] ? spec->http[i] : "");
        rule->http_count++;
    }
}

static void kind_compile(struct rule *rule, const char *text, const char *key, struct blame *blame)
{
    static const enum evidence_kind kinds[] = {
        EVIDENCE_PAID,         EVIDENCE_PAID_FLAGGED, EVIDENCE_REFUNDED,
        EVIDENCE_CLOSED,       EVIDENCE_PENDING,      EVIDENCE_NOT_FOUND,
        EVIDENCE_RATE_LIMITED, EVIDENCE_UNAUTHORIZED, EVIDENCE_SERVER_ERROR};
    for (size_t i = 0; text && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(evidence_kind_text(kinds[i]), text) == 0) {
            rule->kind = kinds[i];
            return;
        }
    }
    blame_key(blame, key,
              "\"%.40s\" is no evidence; write paid, paid_flagged, refunded, closed, pending, not_found, "
              "rate_limited, unauthorized or server_error",
              text ? text : "");
}

static void name_compile(struct rules *rules, const char *name, const char *key, const char *fallback,
                         struct blame *blame)
{
    struct rule *rule = &rules->items[rules->count];
    if (name &&
        (!*name || strlen(name) >= RULE_BYTES ||
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[]") != strlen(name)))
        blame_key(blame, key, "a rule's name has 1 to %d letters, digits, \"_\", \"-\" or \".\"",
                  RULE_BYTES - 1);
    snprintf(rule->name, sizeof(rule->name), "%s", name ? name : fallback);
    for (unsigned i = 0; i < rules->count; i++)
        if (strcmp(rules->items[i].name, rule->name) == 0)
            blame_key(blame, key,
                      "the rules %u and %u are both named \"%s\"; the audit could not tell them apart", i,
                      rules->count, rule->name);
}

static bool has_positive_condition(const struct rule *rule)
{
    for (unsigned i = 0; i < rule->when_count; i++)
        if (rule->when[i].match != MATCH_NONE)
            return true;
    return false;
}

static bool amount_is_given(const struct http_amount_spec *amount)
{
    return text_is_given(amount->over) || text_is_given(amount->at);
}

/* Law 1: only positive, matching proof. A bare status or the absence of something proves nothing: a captive
 * portal can say both. */
static void proof_check(const struct rule *rule, const struct http_channel_spec *spec, const char *key,
                        struct blame *blame)
{
    const char *name = evidence_kind_text(rule->kind);
    bool order = text_is_given(spec->answer_number) || text_is_given(spec->answer_order_no);
    bool money = amount_is_given(&spec->amount) && text_is_given(spec->answer_currency);
    if (!kind_is_answer(rule->kind))
        return;
    if (!has_positive_condition(rule))
        blame_key(blame, key,
                  "a rule that yields %s by HTTP status or absence alone is refused; add a condition with "
                  "match any or all on what the answer says",
                  name);
    if (kind_is_payment(rule->kind) && (!order || !money))
        blame_key(blame, key,
                  "a rule that yields %s without order, amount and currency checks is refused; give "
                  "answer.number or answer.order_no, answer.amount and answer.currency",
                  name);
    else if (!order && rule->kind != EVIDENCE_NOT_FOUND)
        blame_key(blame, key,
                  "a rule that yields %s without an order check is refused; give answer.number or "
                  "answer.order_no",
                  name);
    if (rule->kind == EVIDENCE_REFUNDED && !amount_is_given(&spec->refunded_amount))
        blame_key(blame, key,
                  "a rule that yields refunded needs answer.refunded, the amount that was returned; or "
                  "yield paid_flagged");
}

static void rule_compile(struct rules *rules, const struct http_channel_spec *spec, struct blame *blame)
{
    struct rule *rule = &rules->items[rules->count];
    const struct http_rule_spec *from = &spec->rules[rules->count];
    char key[32];
    char part[KEY_BYTES];
    snprintf(key, sizeof(key), "rules[%u]", rules->count);
    snprintf(part, sizeof(part), "%s.name", key);
    name_compile(rules, from->name, part, key, blame);
    http_compile(rule, from, key, blame);
    conditions_compile(rule, from, key, blame);
    snprintf(part, sizeof(part), "%s.evidence", key);
    kind_compile(rule, from->evidence, part, blame);
    rules->count++;
}

static bool rules_have(const struct rules *rules, enum evidence_kind kind)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (rules->items[i].kind == kind)
            return true;
    return false;
}

void rules_compile(struct rules *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct rules){.items = blame_array(blame, spec->rule_count, sizeof(*out->items))};
    for (unsigned i = 0; out->items && i < spec->rule_count; i++) {
        char key[KEY_BYTES];
        snprintf(key, sizeof(key), "rules[%u].evidence", i);
        rule_compile(out, spec, blame);
        proof_check(&out->items[i], spec, key, blame);
    }
    if (!rules_have(out, EVIDENCE_PAID))
        blame_key(blame, "rules", "no rule yields paid, so no order could ever be settled; add one");
}

void rules_compile_closing(struct rules *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct rules){.items = blame_array(blame, spec->rule_count, sizeof(*out->items))};
    for (unsigned i = 0; out->items && i < spec->rule_count; i++)
        rule_compile(out, spec, blame);
    if (!rules_have(out, EVIDENCE_CLOSED))
        blame_key(blame, "rules", "no rule yields closed, so closing could never be seen to work; add one");
}

static void rule_finish(struct rule *rule)
{
    for (unsigned i = 0; i < rule->when_count; i++) {
        pointer_finish(&rule->when[i].over);
        pointer_finish(&rule->when[i].at);
        texts_finish(&rule->when[i].is);
    }
    free(rule->when);
    free(rule->http);
}

void rules_finish(struct rules *rules)
{
    for (unsigned i = 0; i < rules->count; i++)
        rule_finish(&rules->items[i]);
    free(rules->items);
    *rules = (struct rules){0};
}
