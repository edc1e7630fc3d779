/* Sentences about one attempt: see explain.h. What SQL knows stands in the row, what the configuration says in the policy. */
#include "daemon/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "core/schedule.h"
#include "daemon/lanes.h"
#include "daemon/table.h"
#include "makegood/decide.h"
#include "makegood/verdict.h"

__attribute__((format(printf, 2, 3))) static void add(json_t *sentences, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    json_array_append_new(sentences, json_string(text));
    free(text);
}

/* --- what it is ---------------------------------------------------------------------------------------------- */

static void add_attempt(json_t *sentences, const json_t *attempt)
{
    char age[SPAN_BYTES];
    span_format(member_number(attempt, "age_s"), age);
    add(sentences, "Attempt %" JSON_INTEGER_FORMAT ", %s %s, number %s, tracked %s ago.",
        member_number(attempt, "attempt_id"), member_text(attempt, "amount"),
        member_text(attempt, "currency"),
        *member_text(attempt, "number") ? member_text(attempt, "number") : "not known", age);
}

static void add_last(json_t *sentences, const json_t *attempt)
{
    const json_t *last = json_object_get(attempt, "last");
    if (!json_is_object(last)) {
        add(sentences, "It was never asked about.");
        return;
    }
    const char *code = member_text(last, "code");
    add(sentences, "Last heard at %.19s: %s%s%s%s%s; decided %s by the rule %s%s%s.",
        member_text(last, "logged_at"), member_text(last, "evidence"), *code ? " (" : "", code,
        *code ? ")" : "", json_is_false(json_object_get(last, "authentic")) ? ", not authentic" : "",
        member_text(last, "verdict"), member_text(last, "rule"), *member_text(last, "detail") ? ", " : "",
        member_text(last, "detail"));
}

/* --- why not yet --------------------------------------------------------------------------------------------- */

static void add_parked(json_t *sentences, const json_t *attempt)
{
    enum park_reason reason;
    const char *word = member_text(attempt, "reason");
    const char *order = member_text(attempt, "order_no");
    add(sentences, "It is parked since %.19s as %s: %s.", member_text(attempt, "parked_at"), word,
        park_reason_parse(word, &reason) ? park_reason_sentence(reason)
                                         : "a reason that this program does not know");
    if (*member_text(attempt, "detail"))
        add(sentences, "%s.", member_text(attempt, "detail"));
    add(sentences,
        "Nothing happens until a person decides: makegood retry %s asks again, makegood resolve %s ends it "
        "by hand.",
        order, order);
}

static bool add_hold(json_t *sentences, const json_t *attempt, const char *key, const char *what,
                     const char *mend)
{
    const json_t *hold = json_object_get(attempt, key);
    const char *until = member_text(hold, "until");
    if (!json_is_object(hold))
        return false;
    add(sentences, "%s by %s%s%.19s: %s. %s", what, member_text(hold, "by"), *until ? " until " : "", until,
        member_text(hold, "note"), mend);
    return true;
}

/* What the living daemons say of the channel. Whether that keeps it from being asked. */
static bool add_daemons(json_t *sentences, const json_t *overview, const char *channel)
{
    struct lanes lanes = lanes_add_up(overview, channel);
    bool maintained = lanes.held && strcmp(lanes.held, "maintenance") == 0;
    if (lanes_living(overview) == 0)
        add(sentences, "No daemon lives: nobody asks. Start one, as systemctl start makegood.");
    else if (lanes.doubted)
        add(sentences,
            "The channel answers what puts most orders in doubt, and is asked no more; makegood list "
            "--parked --channel %s shows them, a reload begins anew.",
            channel);
    else if (maintained)
        add(sentences, "The channel is in maintenance, by a window of the configuration.");
    else if (lanes.concurrency == 0 && !lanes.held)
        add(sentences, "No living daemon has this channel: nobody asks it.");
    else if (lanes.breaker_open)
        add(sentences,
            "The channel does not answer: its breaker is open, and it is tried from time to time.");
    else
        return false;
    return true;
}

static void add_policy_holds(json_t *sentences, const struct policy *policy)
{
    if (!policy)
        add(sentences,
            "This configuration does not have the channel; whether another daemon asks it, its own says.");
    if (policy && policy->shadow)
        add(sentences, "The channel is in shadow mode: it is asked, and nothing comes of it.");
    if (policy && policy->window_count > 0)
        add(sentences, "The channel has maintenance windows, in which it is not asked.");
}

/* Whether anything keeps it from being asked. */
static bool add_holds(json_t *sentences, const json_t *attempt, const struct policy *policy,
                      const json_t *overview)
{
    bool held = add_hold(sentences, attempt, "halted", "Everything is halted", "makegood lift ends that.");
    held |= add_hold(sentences, attempt, "paused", "Its channel is paused", "makegood resume ends that.");
    if (json_is_false(json_object_get(attempt, "known"))) {
        add(sentences,
            "No daemon has ever announced this channel: nobody asks it. Correct the name that is tracked, or "
            "add the channel.");
        return true;
    }
    held |= add_daemons(sentences, overview, member_text(attempt, "channel"));
    add_policy_holds(sentences, policy);
    return held;
}

static void add_next(json_t *sentences, const json_t *attempt, bool held)
{
    char span[SPAN_BYTES];
    int64_t due_in_s = member_number(attempt, "due_in_s");
    const char *when = held ? "once that is over" : "as soon as a daemon has room";
    span_format(due_in_s < 0 ? -due_in_s : due_in_s, span);
    if (strcmp(member_text(attempt, "state"), "asked") == 0)
        add(sentences, "%s is asking about it right now; if it dies, another one does in %s.",
            member_text(attempt, "claimed_by"), span);
    else if (due_in_s <= 0)
        add(sentences, "It is due since %s, and asked about %s.", span, when);
    else
        add(sentences, "It is asked about in %s%s%s.", span, held ? ", " : "", held ? when : "");
}

/* --- limits -------------------------------------------------------------------------------------------------- */

static void order_make(const json_t *attempt, struct lost_order *out)
{
    *out = (struct lost_order){.age_ms = member_number(attempt, "age_s") * 1000,
                               .left_ms = NO_END,
                               .answers = (int)member_number(attempt, "answers")};
    snprintf(out->method, sizeof(out->method), "%s", member_text(attempt, "method"));
    if (!phase_parse(member_text(attempt, "phase"), &out->phase))
        out->phase = PHASE_OPEN;
    if (json_is_integer(json_object_get(attempt, "left_s")))
        out->left_ms = member_number(attempt, "left_s") * 1000;
}

static void add_errors(json_t *sentences, const json_t *attempt, const struct policy *policy)
{
    char text[QUANTITY_TEXT_BYTES];
    int64_t errors = member_number(attempt, "errors");
    if (errors == 0)
        return;
    quantity_format_duration(schedule_after_error_ms(policy, (int)errors), text);
    add(sentences,
        "%" PRId64
        " question%s in a row failed (no answer of the channel's); such a one is repeated after %s, "
        "and uses up no attempt.",
        errors, errors == 1 ? "" : "s", text);
}

static void add_pace(json_t *sentences, const struct policy *policy, const struct lost_order *order)
{
    char text[QUANTITY_TEXT_BYTES];
    const struct schedule *schedule = schedule_of(policy, order, 0);
    quantity_format_duration(schedule_after_answer_ms(schedule, order->answers + 1), text);
    add(sentences, "%d answer%s so far; the schedule waits %s after the next one.", order->answers,
        order->answers == 1 ? "" : "s", text);
    if (policy->attempt_limit > 0)
        add(sentences, "After %d answers it is parked as attempt_limit.", policy->attempt_limit);
}

static void add_end(json_t *sentences, const struct policy *policy, const struct lost_order *order)
{
    char span[SPAN_BYTES];
    char grace[QUANTITY_TEXT_BYTES];
    int64_t left_ms = schedule_left_ms(policy, order, 0);
    const char *by = order->left_ms == NO_END ? "the channel's horizon" : "its expires_at";
    const char *then = decide_may_close(policy, order) ? "the channel is asked to close it"
                                                       : "it is parked as unclosable if it is still pending";
    span_format((left_ms < 0 ? -left_ms : left_ms) / 1000, span);
    if (left_ms > 0)
        add(sentences, "Its life ends in %s, by %s: then %s.", span, by, then);
    else
        add(sentences, "Its life ended %s ago, by %s: %s.", span, by, then);
    quantity_format_duration(policy->not_found_grace_ms, grace);
    add(sentences, "If the channel does not know it %s after that, it is closed here.", grace);
}

/* What comes where the life of an attempt is over. */
static void add_afterlife(json_t *sentences, const struct policy *policy, const struct lost_order *order)
{
    int left = policy->tail.length - order->answers;
    if (order->phase == PHASE_CLOSING)
        add(sentences, "Its life is over, unpaid: the next question asks the channel to close it.");
    else if (order->phase == PHASE_CHECK)
        add(sentences, "The channel was asked to close it; the next question asks what became of that.");
    else
        add(sentences,
            "It is closed; it is asked about %d time%s more, because a late payment may show up. One that "
            "does is "
            "%s.",
            left > 1 ? left : 1, left > 1 ? "s" : "",
            policy->accept_late ? "accepted" : "parked as late_payment");
}

static void add_traffic(json_t *sentences, const struct policy *policy)
{
    add(sentences,
        "The channel's limits: %d questions a second and %d at once, shared by the living daemons; after %d "
        "unknown "
        "states in a row an order is parked.",
        policy->rate_per_second, policy->concurrency, policy->unknown_limit);
}

static void add_limits(json_t *sentences, const json_t *attempt, const struct policy *policy)
{
    struct lost_order order;
    order_make(attempt, &order);
    add_errors(sentences, attempt, policy);
    if (order.phase == PHASE_OPEN) {
        add_pace(sentences, policy, &order);
        add_end(sentences, policy, &order);
    } else {
        add_afterlife(sentences, policy, &order);
    }
    add_traffic(sentences, policy);
}

json_t *explain_attempt(const json_t *attempt, const struct policy *policy, const json_t *overview)
{
    json_t *sentences = json_array();
    if (!sentences)
        return NULL;
    add_attempt(sentences, attempt);
    add_last(sentences, attempt);
    if (strcmp(member_text(attempt, "state"), "parked") == 0) {
        add_parked(sentences, attempt);
        return sentences;
    }
    add_next(sentences, attempt, add_holds(sentences, attempt, policy, overview));
    if (policy)
        add_limits(sentences, attempt, policy);
    return sentences;
}
