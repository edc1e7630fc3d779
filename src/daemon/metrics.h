/* What /metrics tells, out of structs that somebody filled in. Pure; loop's thread. Every label's values come from the
 * configuration (channels) or from our own lists of words. */
#ifndef MAKEGOOD_METRICS_H
#define MAKEGOOD_METRICS_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/config.h"
#include "io/broker.h"
#include "makegood/engine.h"

/* Of this process. */
struct process_seen {
    int64_t cpu_ms;
    int64_t started_s; /* since 1970 */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_files;
    int64_t open_files_most;
};
void process_look(int64_t started_s, struct process_seen *out);

/* What happened to the daemon as a whole. */
struct daemon_counters {
    uint64_t connects; /* to the database */
    uint64_t reloads;
    uint64_t reloads_refused;
    bool reload_refused; /* the last one */
};

struct metrics_seen {
    const struct config *config;
    struct engine_view engine;
    const struct lane_view *lanes;
    int lane_count;
    struct daemon_counters counters;
    struct process_seen process;
    const struct broker_view *broker; /* NULL: there is none */
    bool ready;
    bool database_up;
    int living;             /* instances; 0: not known */
    const json_t *overview; /* makegood.overview(); NULL: there was none yet, or none lately */
    int64_t overview_s;     /* when it was had, since 1970 */
    int64_t now_ms;         /* of the engine's clock */
};

void metrics_write(FILE *out, bool open, const struct metrics_seen *seen);

#endif
