/* Is the database fit to run? Asked whenever a connection stands; the engine does not turn before the answer is yes.
 * Loop's thread only. */
#include <stdio.h>

#include "daemon/daemon.h"
#include "daemon/migrate.h"
#include "io/log.h"
#include "io/notify.h"

void daemon_faults_log(const struct faults *faults, const char *event)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        char line[16];
        snprintf(line, sizeof(line), "%d", fault->line);
        log_event(LOG_FAILED, event, "file", fault->file, "line", fault->line ? line : NULL, "key",
                  fault->path, "detail", fault->text, NULL);
    }
}

static void on_verified(void *self, bool answered, const struct faults *faults)
{
    struct daemon *daemon = self;
    if (!answered)
        return; /* the connection went again; verified at the next one */
    if (faults->count > 0) {
        daemon_faults_log(faults, "database_fault");
        log_event(LOG_ALERTED, "database_refused", "detail", "run `makegood check` and mend what it says",
                  NULL);
        daemon->exit_code = 1;
        uv_stop(&daemon->loop);
        return;
    }
    store_announce(daemon->store, daemon->config->policies, daemon->config->channel_count);
    store_prepare_months(daemon->store);
    daemon_beat_start(daemon);
    if (!daemon->ready)
        notify_ready();
    daemon->ready = true;
}

void daemon_verify(struct daemon *daemon)
{
    store_verify(daemon->store, SCHEMA_OLDEST, daemon->config->mapping, on_verified, daemon);
}
