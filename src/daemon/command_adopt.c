/* makegood adopt: tracks unpaid orders that exist already. The work is makegood.adopt()'s. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/config_mapping.h"
#include "daemon/db.h"
#include "daemon/say.h"

/* Whether what was asked for can be done at all; says why not. */
static bool adopt_is_sound(const struct config *config, const struct options *options)
{
    bool mapped = config_mapping_has(config->mapping, "channel");
    if (!config_mapping_has(config->mapping, "created_at"))
        say_fault("adopt needs to know how old an order is; map the column order_table.created_at, then run "
                  "makegood migrate");
    else if (options->channel && !config_policy(config, options->channel))
        say_fault("%s has no channel %.40s; name one that it has", config->file, options->channel);
    else if (!options->channel && !mapped)
        say_fault(
            "the order table has no channel column; say which channel these orders are paid through, as "
            "--channel %s",
            config->policies[0].channel);
    else
        return true;
    return false;
}

static int adopt_run(const struct config *config, const struct options *options, int64_t since_ms)
{
    char since[48];
    struct db db;
    snprintf(since, sizeof(since), "%" PRId64 " milliseconds", since_ms);
    const char *values[] = {since, options->channel};
    bool up = db_open(&db, config->database_url, "adopt", config->connect_timeout_ms);
    PGresult *result = up ? db_ask(&db, "SELECT makegood.adopt($1::interval, $2)", 2, values) : NULL;
    if (!up)
        say_fault("database.url: %s; correct it, or start the database", db.message);
    else if (!result)
        say_fault("adopt failed: %s (SQLSTATE %s); makegood check says more", db.message, db.sqlstate);
    else
        printf("%s unpaid orders of the last %s are tracked now and were not before\n",
               PQgetvalue(result, 0, 0), options->since);
    PQclear(result);
    db_close(&db);
    return result ? 0 : 1;
}

int command_adopt(const struct options *options)
{
    struct faults faults;
    struct config *config = NULL;
    int64_t since_ms = 0;
    int code = 1;
    if (!options->since || !quantity_parse_duration(options->since, &since_ms) || since_ms == 0) {
        say_fault("adopt needs to know how far to look back; write it as --since 2d");
        return EXIT_MISUSE;
    }
    faults_init(&faults);
    if (config_load_sealed(&config, options->config_file, &faults) < 0)
        say_faults(stderr, &faults);
    else if (adopt_is_sound(config, options))
        code = adopt_run(config, options, since_ms);
    if (config)
        config_drop(config);
    faults_finish(&faults);
    return code;
}
