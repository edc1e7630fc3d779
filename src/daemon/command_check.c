/* makegood check: is this configuration, with this database, fit to run? Every fault with its mend; what is
 * only worth knowing is told as a warning. Changes nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/check_broker.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/config_mapping.h"
#include "daemon/db.h"
#include "daemon/expiry.h"
#include "daemon/migrate.h"
#include "daemon/say.h"

#define SERVER_LEAST 130000

struct check {
    struct db db;
    const struct config *config;
    struct faults faults;
};

__attribute__((format(printf, 3, 4))) static void check_blame(struct check *check, const char *path,
                                                              const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    faults_add(&check->faults, check->config->file, 0, path, "%s", sentence);
}

static void warn(const char *sentence)
{
    printf("warning: %s\n", sentence);
}

/* --- the database --------------------------------------------------------------------------------------- */

static bool server_check(struct check *check)
{
    const struct config *config = check->config;
    if (!db_open(&check->db, config->database_url, "check", config->connect_timeout_ms)) {
        check_blame(check, "database.url", "%s; correct it, or start the database", check->db.message);
        return false;
    }
    if (PQserverVersion(check->db.connection) < SERVER_LEAST) {
        check_blame(check, "database.url", "the server is PostgreSQL %s; makegood needs 13 or later",
                    PQparameterStatus(check->db.connection, "server_version"));
        return false;
    }
    if (db_is_true(&check->db, "SELECT pg_is_in_recovery()", 0, NULL)) {
        check_blame(check, "database.url",
                    "the server is a standby and can not be written; name the primary, or all hosts with "
                    "target_session_attrs=read-write");
        return false;
    }
    return true;
}

static bool schema_check(struct check *check)
{
    const char *user = PQuser(check->db.connection);
    if (!db_is_true(&check->db, "SELECT to_regnamespace('makegood') IS NOT NULL", 0, NULL))
        check_blame(check, "database.url", "database %s has no schema makegood; run makegood migrate",
                    PQdb(check->db.connection));
    else if (!db_is_true(&check->db, "SELECT has_schema_privilege('makegood', 'USAGE')", 0, NULL))
        check_blame(check, "database.url",
                    "the role %s may not use the schema makegood; run GRANT makegood_daemon TO %s", user,
                    user);
    else
        return true;
    return false;
}

static bool grants_check(struct check *check)
{
    const char *user = PQuser(check->db.connection);
    PGresult *result =
        db_ask(&check->db,
               "SELECT f.name, p.oid IS NULL"
               " FROM "
               "unnest('{claim,settle,release,announce,verify,backlog,prepare_months,adopt,rehearse}'::text[]"
               ") AS f (name)"
               " LEFT JOIN pg_proc AS p ON p.proname = f.name AND p.pronamespace = 'makegood'::regnamespace"
               " WHERE NOT coalesce(has_function_privilege(p.oid, 'EXECUTE'), false)",
               0, NULL);
    int count = result ? PQntuples(result) : 0;
    if (!result)
        check_blame(check, "database.url", "the grants can not be read: %s", check->db.message);
    for (int i = 0; i < count; i++) {
        const char *name = PQgetvalue(result, i, 0);
        if (strcmp(PQgetvalue(result, i, 1), "t") == 0)
            check_blame(check, "database.url", "the function makegood.%s is not there; run makegood migrate",
                        name);
        else
            check_blame(check, "database.url",
                        "the role %s may not execute makegood.%s; run GRANT makegood_daemon TO %s", user,
                        name, user);
    }
    PQclear(result);
    return result && count == 0;
}

static bool verify_check(struct check *check)
{
    char version[16];
    snprintf(version, sizeof(version), "%d", SCHEMA_OLDEST);
    const char *values[] = {version, check->config->mapping};
    PGresult *result = db_ask(&check->db, "SELECT fault, mend FROM makegood.verify($1, $2)", 2, values);
    int count = result ? PQntuples(result) : 0;
    if (!result)
        check_blame(check, NULL, "makegood.verify failed: %s (SQLSTATE %s); run makegood migrate",
                    check->db.message, check->db.sqlstate);
    for (int i = 0; i < count; i++)
        check_blame(check, NULL, "%s; %s", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
    PQclear(result);
    return result && count == 0;
}

/* --- worth knowing -------------------------------------------------------------------------------------- */

static void role_warn(struct check *check)
{
    char sentence[256];
    const char *user = PQuser(check->db.connection);
    if (db_is_true(&check->db, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", 0, NULL)) {
        snprintf(
            sentence, sizeof(sentence),
            "the daemon's role %.63s is a superuser; give it a role that is only a member of makegood_daemon",
            user);
        warn(sentence);
    } else if (db_is_true(&check->db,
                          "SELECT EXISTS (SELECT FROM pg_class AS c WHERE c.relkind IN ('r', 'p')"
                          " AND pg_has_role(c.relowner, 'USAGE'))",
                          0, NULL)) {
        snprintf(
            sentence, sizeof(sentence),
            "the daemon's role %.63s owns tables; give it a role that is only a member of makegood_daemon",
            user);
        warn(sentence);
    }
}

static void schema_warn(struct check *check)
{
    if (db_is_true(&check->db, "SELECT to_regprocedure('makegood.overview()') IS NULL", 0, NULL))
        warn("the schema is older than this program; run makegood migrate, until then nothing can be paused, "
             "and several daemons share no limits");
}

/* What can not be detected because a column is not mapped (correctness 7). */
static void mapping_warn(const struct config *config)
{
    static const struct {
        const char *key;
        const char *sentence;
    } unmapped[] = {
        {"channel_number",
         "order_table.channel_number is not mapped: a second payment of a paid order can not be told "
         "from the first"},
        {"channel",
         "order_table.channel is not mapped: a payment through another channel can not be told from this "
         "one, and makegood adopt needs --channel"},
        {"currency",
         "order_table.currency is not mapped: an order in another currency than currency_fixed can not be "
         "detected"},
        {"created_at", "order_table.created_at is not mapped: makegood adopt can not find unpaid orders"},
        {"expires_at",
         "order_table.expires_at is not mapped: orders that are adopted, or tracked by the trigger, end "
         "by the channel's horizon"},
        {"refunded", "order_table.refunded is not given: refunded orders are parked for a person"},
    };
    for (size_t i = 0; i < sizeof(unmapped) / sizeof(unmapped[0]); i++)
        if (!config_mapping_has(config->mapping, unmapped[i].key))
            warn(unmapped[i].sentence);
}

/* --- one order ------------------------------------------------------------------------------------------ */

static void order_rehearse(struct check *check, const char *order)
{
    const char *values[] = {order};
    PGresult *result = db_ask(&check->db, "SELECT step, fault FROM makegood.rehearse($1)", 1, values);
    if (!result)
        check_blame(check, NULL, "order %.64s can not be rehearsed: %s (SQLSTATE %s)", order,
                    check->db.message, check->db.sqlstate);
    for (int i = 0; result && i < PQntuples(result); i++) {
        const char *fault = PQgetvalue(result, i, 1);
        printf("order %s: %s: %s\n", order, PQgetvalue(result, i, 0), *fault ? fault : "fine");
        if (*fault)
            check_blame(check, NULL, "order %.64s would not become paid: %s", order, fault);
    }
    if (result && check->faults.count == 0)
        printf("order %s: would become paid; everything was rolled back\n", order);
    PQclear(result);
}

/* --- the command ---------------------------------------------------------------------------------------- */

static void fitness_say(const struct config *config)
{
    printf("%s: fit to run: schema version %d, channel%s", config->file, migration_latest(),
           config->channel_count == 1 ? "" : "s");
    for (int i = 0; i < config->channel_count; i++)
        printf("%s %s", i ? "," : "", config->policies[i].channel);
    printf("\n");
}

static void expiry_warn(const struct config *config)
{
    for (int i = 0; i < config->channel_count; i++) {
        int days;
        if (expiry_is_near(config->channels[i], (int64_t)time(NULL), &days))
            printf(
                "warning: channel %s: one of its certificates %s %d day%s%s; put a newer one in its place\n",
                config->channels[i]->name, days < 0 ? "ended" : "ends in", abs(days),
                abs(days) == 1 ? "" : "s", days < 0 ? " ago" : "");
    }
}

static int check_run(const struct config *config, const char *order)
{
    struct check check = {.config = config};
    faults_init(&check.faults);
    mapping_warn(config);
    expiry_warn(config);
    if (server_check(&check)) {
        role_warn(&check);
        bool fit = schema_check(&check) && grants_check(&check) && verify_check(&check);
        if (fit)
            schema_warn(&check);
        if (fit && order)
            order_rehearse(&check, order);
    }
    db_close(&check.db);
    broker_check(config, &check.faults);
    int code = check.faults.count > 0;
    fflush(stdout);
    say_faults(stderr, &check.faults);
    faults_finish(&check.faults);
    if (code == 0)
        fitness_say(config);
    return code;
}

int command_check(const struct options *options)
{
    struct faults faults;
    struct config *config = NULL;
    int code = 1;
    faults_init(&faults);
    if (config_load(&config, options->config_file, &faults) < 0)
        say_faults(stderr, &faults);
    else
        code = check_run(config, options->order);
    if (config)
        config_drop(config);
    faults_finish(&faults);
    return code;
}
