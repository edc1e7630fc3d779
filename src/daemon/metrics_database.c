/* Metrics out of what makegood.overview() said last. Channels that the configuration does not know (any more) are told as
 * one. */
#include <string.h>

#include "daemon/metrics_inner.h"

#define OTHERS "(other)" /* no channel's name */

static const char *channel_of(const struct metrics_seen *seen, const json_t *channel)
{
    const char *name = json_string_value(json_object_get(channel, "channel"));
    return name && config_channel(seen->config, name) ? name : OTHERS;
}

static int64_t integer_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* The sum over the channels of this name: only the others are several. */
static int64_t sum_of(const struct metrics_seen *seen, const char *name, const char *key)
{
    int64_t sum = 0;
    size_t i;
    json_t *channel;
    json_array_foreach(json_object_get(seen->overview, "channels"), i, channel)
    {
        if (strcmp(channel_of(seen, channel), name) == 0)
            sum += integer_of(channel, key);
    }
    return sum;
}

static void figures_write(struct metric_text *text, const struct metrics_seen *seen, const char *key)
{
    for (int i = 0; i < seen->config->channel_count; i++)
        metric_number(text, sum_of(seen, seen->config->channels[i]->name, key), "channel",
                      seen->config->channels[i]->name, NULL);
    metric_number(text, sum_of(seen, OTHERS, key), "channel", OTHERS, NULL);
}

/* When the age began; of the oldest. Nothing that old: no sample. */
static void since_write(struct metric_text *text, const struct metrics_seen *seen, const char *key,
                        int64_t least_s)
{
    size_t i;
    json_t *channel;
    int64_t others_s = -1;
    json_array_foreach(json_object_get(seen->overview, "channels"), i, channel)
    {
        const char *name = channel_of(seen, channel);
        int64_t age_s = json_is_integer(json_object_get(channel, key)) ? integer_of(channel, key) : -1;
        if (strcmp(name, OTHERS) == 0)
            others_s = age_s > others_s ? age_s : others_s;
        else if (age_s >= least_s)
            metric_number(text, seen->overview_s - age_s, "channel", name, NULL);
    }
    if (others_s >= least_s)
        metric_number(text, seen->overview_s - others_s, "channel", OTHERS, NULL);
}

/* --- parked -------------------------------------------------------------------------------------------------- */

static int64_t parked_of(const struct metrics_seen *seen, const char *name, const char *reason)
{
    int64_t sum = 0;
    size_t i;
    json_t *channel;
    json_array_foreach(json_object_get(seen->overview, "channels"), i, channel)
    {
        if (strcmp(channel_of(seen, channel), name) == 0)
            sum += integer_of(json_object_get(channel, "parked"), reason);
    }
    return sum;
}

/* By an operator, beside the reasons that verdicts and the database have. */
static const char *reason_text(int reason)
{
    return reason == (int)PARK_REASONS ? "operator" : park_reason_text((enum park_reason)reason);
}

static void parked_write(struct metric_text *text, const struct metrics_seen *seen, const char *name)
{
    for (int i = PARK_NOTHING + 1; i <= (int)PARK_REASONS; i++)
        metric_number(text, parked_of(seen, name, reason_text(i)), "channel", name, "reason", reason_text(i),
                      NULL);
}

/* --- money --------------------------------------------------------------------------------------------------- */

/* In units of the currency, as the database wrote them: no binary fraction of money. Other channels' are left out: two of
 * them could be in one currency. */
static void risk_write(struct metric_text *text, const struct metrics_seen *seen)
{
    size_t i;
    json_t *channel;
    json_array_foreach(json_object_get(seen->overview, "channels"), i, channel)
    {
        const char *name = channel_of(seen, channel);
        const char *currency;
        json_t *amount;
        if (strcmp(name, OTHERS) == 0)
            continue;
        json_object_foreach(json_object_get(channel, "at_risk"), currency, amount)
        {
            const char *decimal = json_string_value(json_object_get(amount, "text"));
            if (decimal)
                metric_decimal(text, decimal, "channel", name, "currency", currency, NULL);
        }
    }
}

static void missed_write(struct metric_text *text, const struct metrics_seen *seen)
{
    size_t i;
    json_t *channel;
    json_array_foreach(json_object_get(seen->overview, "channels"), i, channel)
    {
        char share[32];
        const json_t *missed = json_object_get(json_object_get(channel, "lately"), "missed_share");
        const char *name = channel_of(seen, channel);
        if (!json_is_number(missed) || strcmp(name, OTHERS) == 0)
            continue;
        snprintf(share, sizeof(share), "%.4f", json_number_value(missed));
        metric_decimal(text, share, "channel", name, NULL);
    }
}

/* --- the whole ----------------------------------------------------------------------------------------------- */

struct figure {
    const char *name;
    const char *key;
    const char *help;
};

static void counts_write(struct metric_text *text, const struct metrics_seen *seen)
{
    static const struct figure figures[] = {
        {"makegood_backlog_orders", "waiting",
         "Lost orders that wait; beyond 100,000 of a channel: at least so many."},
        {"makegood_due_orders", "due", "Those whose time to be asked about has come."},
        {"makegood_tail_orders", "tail", "Closed orders that are still asked about, for a late payment."},
        {"makegood_claimed_orders", "in_flight", "Lost orders that some instance holds."},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        metric_family(text, METRIC_GAUGE, figures[i].name, figures[i].help);
        figures_write(text, seen, figures[i].key);
    }
    metric_family(text, METRIC_GAUGE, "makegood_parked_orders", "Orders that wait for a person.");
    for (int i = 0; i < seen->config->channel_count; i++)
        parked_write(text, seen, seen->config->channels[i]->name);
    parked_write(text, seen, OTHERS);
}

void metrics_database_write(struct metric_text *text, const struct metrics_seen *seen)
{
    if (!seen->overview)
        return;
    metric_family(text, METRIC_GAUGE, "makegood_overview_timestamp_seconds",
                  "When the figures of the database were had.");
    metric_number(text, seen->overview_s, NULL);
    metric_family(text, METRIC_GAUGE, "makegood_schema_version", "The schema's version.");
    metric_number(text, integer_of(seen->overview, "schema"), NULL);
    metric_family(text, METRIC_GAUGE, "makegood_halted", "1 while an operator has halted everything.");
    metric_number(text, json_is_object(json_object_get(seen->overview, "halted")), NULL);
    counts_write(text, seen);
    metric_family(text, METRIC_GAUGE, "makegood_oldest_order_timestamp_seconds",
                  "When the oldest lost order that waits came.");
    since_write(text, seen, "oldest_s", 0);
    metric_family(text, METRIC_GAUGE, "makegood_first_due_timestamp_seconds",
                  "Since when the order that is due for longest is due.");
    since_write(text, seen, "late_s", 1);
    metric_family(text, METRIC_GAUGE, "makegood_money_at_risk",
                  "Amounts of the lost orders that wait, in units of the currency.");
    risk_write(text, seen);
    metric_family(text, METRIC_GAUGE, "makegood_missed_notification_ratio",
                  "Share of the last hour's payments that makegood, not the shop, found.");
    missed_write(text, seen);
}
