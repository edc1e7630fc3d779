/* Certificates that end: told ahead of time. Loop's thread, or a command. */
#include "daemon/expiry.h"

#include <stdio.h>
#include <time.h>

#include "io/log.h"

#define DAY_S     86400
#define WARN_DAYS 30

bool expiry_is_near(const struct channel *channel, int64_t now_s, int *out_days)
{
    int64_t left_s = channel->credential_end - now_s;
    *out_days = (int)((left_s < 0 ? left_s - (DAY_S - 1) : left_s) / DAY_S);
    return channel->credential_end != 0 && left_s < (int64_t)WARN_DAYS * DAY_S;
}

void expiry_log(const struct config *config)
{
    for (int i = 0; i < config->channel_count; i++) {
        const struct channel *channel = config->channels[i];
        char text[16];
        int days;
        if (!expiry_is_near(channel, (int64_t)time(NULL), &days))
            continue;
        snprintf(text, sizeof(text), "%d", days);
        log_event(days < 0 ? LOG_FAILED : LOG_WARNED, "credential_expiring", "channel", channel->name,
                  "days_left", text, "detail",
                  "one of its certificates ends; put a newer one in its place, then reload", NULL);
    }
}
