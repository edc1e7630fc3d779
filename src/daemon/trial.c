/* Trials: see trial.h. The decision is core's; this only says in words what came out. */
#include "daemon/trial.h"

#include <inttypes.h>
#include <string.h>

#include "base/quantity.h"

#define NO_JITTER 0x80000000u /* the middle of what chance can be */

/* A copy decides: the amount that was taken over is no knowledge of ours. */
void trial_decide(struct trial *trial)
{
    struct lost_order order = trial->order;
    struct situation situation = {.chance = NO_JITTER};
    if (!trial->has_amount && trial->evidence.has_amount) {
        order.amount_minor = trial->evidence.amount_minor;
        memcpy(order.currency, trial->evidence.currency, sizeof(order.currency));
    }
    trial->verdict = decide(&order, &trial->evidence, trial->policy, &situation);
}

void money_say(int64_t minor, const char *currency, char out[MONEY_SAID_BYTES])
{
    char text[MONEY_TEXT_BYTES];
    int exponent = currency_exponent(currency);
    if (exponent >= 0 && minor >= 0) {
        money_format_decimal(minor, exponent, text);
        snprintf(out, MONEY_SAID_BYTES, "%s %s", text, currency);
    } else {
        snprintf(out, MONEY_SAID_BYTES, "%" PRId64 " minor units of %s", minor, currency);
    }
}

/* Where the verdict hangs on an amount that nobody told. */
static void condition_say(FILE *out, const struct trial *trial)
{
    char money[MONEY_SAID_BYTES];
    if (trial->has_amount || !trial->evidence.has_amount)
        return;
    money_say(trial->evidence.amount_minor, trial->evidence.currency, money);
    fprintf(out, ", if the order's amount is %s", money);
}

static void park_say(FILE *out, const struct trial *trial)
{
    const struct evidence *evidence = &trial->evidence;
    enum park_reason reason = trial->verdict.reason;
    char channels[MONEY_SAID_BYTES];
    char ours[MONEY_SAID_BYTES];
    fprintf(out, "parked as %s: ", park_reason_text(reason));
    bool differs = reason == PARK_AMOUNT_MISMATCH || reason == PARK_CURRENCY_MISMATCH;
    if (!differs || !evidence->has_amount || !trial->has_amount) {
        fputs(park_reason_sentence(reason), out);
        return;
    }
    money_say(evidence->amount_minor, evidence->currency, channels);
    money_say(trial->order.amount_minor, trial->order.currency, ours);
    fprintf(out, "the channel's amount is %s, the order's %s", channels, ours);
}

void trial_say(FILE *out, const struct trial *trial)
{
    char delay[QUANTITY_TEXT_BYTES];
    switch (trial->verdict.kind) {
    case VERDICT_RETRY:
        quantity_format_duration(trial->verdict.due_in_ms, delay);
        fprintf(out, "asked again in %s", delay);
        break;
    case VERDICT_PARK:
        park_say(out, trial);
        break;
    case VERDICT_PAID:
    case VERDICT_REFUNDED:
        fputs(verdict_kind_text(trial->verdict.kind), out);
        condition_say(out, trial);
        break;
    default:
        fputs(verdict_kind_text(trial->verdict.kind), out);
    }
}
