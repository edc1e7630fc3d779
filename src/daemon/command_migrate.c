/* makegood migrate: the numbered SQL files in order, each in one transaction, under an advisory lock; then
 * the mapping of the order table, and the channels' names. Doing it again does nothing. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/db.h"
#include "daemon/migrate.h"
#include "daemon/say.h"

#define TRIES       3
#define DIGEST_TEXT 65

struct migrator {
    struct db db;
    const struct config *config;
    int applied;
};

/* One step of the work inside a transaction; false and db.message when it failed. */
typedef bool step_run(struct migrator *migrator, const void *what);

static void digest_make(const char *text, char out[DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    out[0] = '\0';
    if (EVP_Digest(text, strlen(text), bytes, &length, EVP_sha256(), NULL) == 1)
        for (unsigned i = 0; i < 32 && i < length; i++)
            snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool may_repeat(const char *sqlstate)
{
    return strcmp(sqlstate, "55P03") == 0 || strncmp(sqlstate, "40", 2) == 0;
}

/* Somebody's lock is waited for, three times ten seconds. */
static bool transaction_run(struct migrator *migrator, const char *name, step_run *step, const void *what)
{
    struct db *db = &migrator->db;
    for (int i = 1; i <= TRIES; i++) {
        if (db_do(db, "BEGIN") && step(migrator, what) && db_do(db, "COMMIT"))
            return true;
        struct db failure = *db;
        db_do(db, "ROLLBACK");
        snprintf(db->message, sizeof(db->message), "%s", failure.message);
        snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", failure.sqlstate);
        if (!may_repeat(failure.sqlstate) || i == TRIES)
            break;
        printf("%s: somebody holds a lock (%s); trying again\n", name, failure.message);
    }
    say_fault("%s: %s (SQLSTATE %s); nothing of this step was done, mend it and migrate again", name,
              db->message, db->sqlstate);
    return false;
}

/* --- steps ---------------------------------------------------------------------------------------------- */

static bool bootstrap(struct migrator *migrator, const void *what)
{
    (void)what;
    if (db_is_true(&migrator->db, "SELECT to_regclass('makegood.schema_version') IS NOT NULL", 0, NULL))
        return true;
    return db_do(&migrator->db, "CREATE SCHEMA IF NOT EXISTS makegood;"
                                "CREATE TABLE makegood.schema_version ("
                                "  version    integer     PRIMARY KEY CHECK (version > 0),"
                                "  name       text        NOT NULL,"
                                "  checksum   text        NOT NULL,"
                                "  applied_at timestamptz NOT NULL DEFAULT now())");
}

static bool file_apply(struct migrator *migrator, const void *what)
{
    const struct migration *migration = what;
    char version[16];
    char digest[DIGEST_TEXT];
    snprintf(version, sizeof(version), "%d", migration->version);
    digest_make(migration->sql, digest);
    const char *values[] = {version, migration->name, digest};
    if (!db_do(&migrator->db, migration->sql))
        return false;
    PGresult *result = db_ask(
        &migrator->db, "INSERT INTO makegood.schema_version (version, name, checksum) VALUES ($1, $2, $3)", 3,
        values);
    PQclear(result);
    return result != NULL;
}

static bool mapping_install(struct migrator *migrator, const void *what)
{
    (void)what;
    const char *values[] = {migrator->config->mapping};
    PGresult *result = db_ask(&migrator->db, "SELECT makegood.install_mapping($1::jsonb)", 1, values);
    PQclear(result);
    return result != NULL;
}

static bool channel_announce(struct migrator *migrator, const void *what)
{
    const struct policy *policy = what;
    char delay[24];
    snprintf(delay, sizeof(delay), "%" PRId64, policy->schedule.delays_ms[0]);
    const char *values[] = {policy->channel, delay};
    PGresult *result =
        db_ask(&migrator->db, "SELECT makegood.announce(ARRAY[$1::text], ARRAY[$2::bigint])", 2, values);
    PQclear(result);
    return result != NULL;
}

static bool approval_set(struct migrator *migrator, const void *what)
{
    (void)what;
    const char *values[] = {migrator->config->approve_above};
    PGresult *result = db_ask(&migrator->db, "SELECT makegood.approve_from($1::numeric)", 1, values);
    PQclear(result);
    return result != NULL;
}

/* --- files ---------------------------------------------------------------------------------------------- */

/* What the database says of this version: 1 applied as it is, 0 not applied, -1 applied and changed since, or
 * the question failed (told). */
static int file_state(struct migrator *migrator, const struct migration *migration)
{
    char version[16];
    char digest[DIGEST_TEXT];
    snprintf(version, sizeof(version), "%d", migration->version);
    digest_make(migration->sql, digest);
    const char *values[] = {version};
    PGresult *result = db_ask(
        &migrator->db, "SELECT checksum, name FROM makegood.schema_version WHERE version = $1", 1, values);
    int state = -1;
    if (!result)
        say_fault("makegood.schema_version can not be read: %s; let the role of database.migrate_url be a "
                  "member of "
                  "makegood_owner",
                  migrator->db.message);
    else if (PQntuples(result) == 0)
        state = 0;
    else if (strcmp(PQgetvalue(result, 0, 0), digest) == 0)
        state = 1;
    else
        say_fault("version %d was applied as %s with other contents than %s has now; use the program that "
                  "made this "
                  "schema, or one that is newer",
                  migration->version, PQgetvalue(result, 0, 1), migration->name);
    PQclear(result);
    return state;
}

int migration_latest(void)
{
    int version = 0;
    for (const struct migration *migration = migrations; migration->version; migration++)
        version = migration->version;
    return version;
}

static bool version_is_ours(struct migrator *migrator)
{
    PGresult *result =
        db_ask(&migrator->db, "SELECT coalesce(max(version), 0) FROM makegood.schema_version", 0, NULL);
    int found = result ? atoi(PQgetvalue(result, 0, 0)) : 0;
    if (!result)
        say_fault("makegood.schema_version can not be read: %s; let the role of database.migrate_url be a "
                  "member of "
                  "makegood_owner",
                  migrator->db.message);
    else if (found > migration_latest())
        say_fault("the schema has version %d and this program knows %d; use the newer program", found,
                  migration_latest());
    PQclear(result);
    return result && found <= migration_latest();
}

static bool files_apply(struct migrator *migrator)
{
    for (const struct migration *migration = migrations; migration->version; migration++) {
        int state = file_state(migrator, migration);
        if (state < 0)
            return false;
        if (state == 1)
            continue;
        if (!transaction_run(migrator, migration->name, file_apply, migration))
            return false;
        printf("%s: applied\n", migration->name);
        migrator->applied++;
    }
    if (!migrator->applied)
        printf("schema: version %d already, nothing to apply\n", migration_latest());
    return true;
}

/* New files may make other functions of the same mapping. */
static bool mapping_bring(struct migrator *migrator)
{
    const char *values[] = {migrator->config->mapping};
    bool same = migrator->applied == 0 &&
                db_is_true(&migrator->db,
                           "SELECT EXISTS (SELECT FROM makegood.mapping AS m WHERE m.definition = $1::jsonb"
                           " AND NOT EXISTS (SELECT FROM makegood.installation_faults(m)))",
                           1, values);
    if (!same && !transaction_run(migrator, "order_table", mapping_install, NULL))
        return false;
    printf("order_table: the mapping %s\n", same ? "is installed already" : "was installed");
    return true;
}

/* Each in a transaction of its own: it holds one row's lock, so it can not deadlock with a daemon's. */
static bool channels_bring(struct migrator *migrator)
{
    const struct config *config = migrator->config;
    for (int i = 0; i < config->channel_count; i++)
        if (!transaction_run(migrator, config->policies[i].channel, channel_announce, &config->policies[i]))
            return false;
    printf("channels: announced");
    for (int i = 0; i < config->channel_count; i++)
        printf("%s %s", i ? "," : "", config->policies[i].channel);
    printf("\n");
    return true;
}

static bool operators_bring(struct migrator *migrator)
{
    const char *above = migrator->config->approve_above;
    if (!transaction_run(migrator, "operators", approval_set, NULL))
        return false;
    if (above)
        printf("operators: above %s a second login has to approve what is resolved by hand\n", above);
    return true;
}

/* --- the command ---------------------------------------------------------------------------------------- */

static bool lock_take(struct migrator *migrator)
{
    struct db *db = &migrator->db;
    bool taken = db_do(db, "SET lock_timeout = '10s'");
    for (int i = 1; taken; i++) {
        if (db_do(db, "SELECT pg_advisory_lock(hashtextextended('makegood migrate', 0))"))
            return true;
        taken = i < TRIES && may_repeat(db->sqlstate);
        if (taken)
            printf("another migration holds the lock; waiting\n");
    }
    say_fault("the lock of migrations can not be taken: %s; wait for the other migration to end",
              db->message);
    return false;
}

static int migrate(const struct config *config)
{
    struct migrator migrator = {.config = config};
    const char *url = config->migrate_url ? config->migrate_url : config->database_url;
    const char *key = config->migrate_url ? "database.migrate_url" : "database.url";
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool fine = db_open(&migrator.db, url, "migrate", config->connect_timeout_ms);
    if (!fine)
        say_fault("%s: %s; correct it, or start the database", key, migrator.db.message);
    fine = fine && lock_take(&migrator) && transaction_run(&migrator, "schema", bootstrap, NULL) &&
           version_is_ours(&migrator) && files_apply(&migrator) && mapping_bring(&migrator) &&
           channels_bring(&migrator) && operators_bring(&migrator);
    db_close(&migrator.db);
    return fine ? 0 : 1;
}

int command_migrate(const struct options *options)
{
    struct faults faults;
    struct config *config = NULL;
    faults_init(&faults);
    int code = 1;
    if (config_load_sealed(&config, options->config_file, &faults) < 0)
        say_faults(stderr, &faults);
    else
        code = migrate(config);
    if (config)
        config_drop(config);
    faults_finish(&faults);
    return code;
}
