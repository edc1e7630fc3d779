/* The operator's desk: see desk.h. */
#include "daemon/desk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "daemon/say.h"

#define SPAN_MOST_MS (3650 * INT64_C(86400000))

/* A connection string and the key that it stands under. */
struct door {
    const char *url;
    const char *key;
};

static struct door door_choose(const struct config *config, bool owner)
{
    if (owner && config->migrate_url)
        return (struct door){config->migrate_url, "database.migrate_url"};
    if (!owner && config->operator_url)
        return (struct door){config->operator_url, "database.operator_url"};
    return (struct door){config->database_url, "database.url"};
}

/* SQL's own sentences begin with the program's name, which is said anyway. */
static const char *own_sentence(const char *message)
{
    static const char prefix[] = "makegood: ";
    size_t length = strlen(prefix);
    return strncmp(message, prefix, length) == 0 ? message + length : NULL;
}

static void on_notice(void *self, const PGresult *result)
{
    struct desk *desk = self;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!severity || strcmp(severity, "WARNING") != 0 || !message || !own_sentence(message))
        return;
    say_fault("%s", own_sentence(message));
    desk->warned = true;
}

static int desk_work(struct desk *desk, const struct options *options,
                     int (*work)(struct desk *desk, const struct options *options))
{
    PQsetNoticeReceiver(desk->db.connection, on_notice, desk);
    int code = work(desk, options);
    return code == EXIT_SUCCESS && desk->warned ? EXIT_LOOK : code;
}

static int desk_open(const struct options *options, const char *command, bool owner,
                     int (*work)(struct desk *desk, const struct options *options))
{
    struct faults faults;
    struct desk desk = {0};
    int code = EXIT_FAULT;
    faults_init(&faults);
    if (config_load_sealed(&desk.config, options->config_file, &faults) < 0) {
        say_faults(stderr, &faults);
        faults_finish(&faults);
        return EXIT_FAULT;
    }
    struct door door = door_choose(desk.config, owner);
    if (db_open(&desk.db, door.url, command, desk.config->connect_timeout_ms))
        code = desk_work(&desk, options, work);
    else
        say_fault("%s: %s; correct it, or start the database", door.key, desk.db.message);
    db_close(&desk.db);
    config_drop(desk.config);
    faults_finish(&faults);
    return code;
}

int desk_run(const struct options *options, const char *command,
             int (*work)(struct desk *desk, const struct options *options))
{
    return desk_open(options, command, false, work);
}

int desk_run_as_owner(const struct options *options, const char *command,
                      int (*work)(struct desk *desk, const struct options *options))
{
    return desk_open(options, command, true, work);
}

/* What the database says by itself, in words that help. */
static const char *state_sentence(const char *state)
{
    static const char *const rows[][2] = {
        {"42883", "the schema of this database knows nothing of this; run makegood migrate"},
        {"3F000", "the schema of this database knows nothing of this; run makegood migrate"},
        {"55P03", "somebody holds what this needs right now; try again"},
        {"40P01", "somebody holds what this needs right now; try again"},
        {"25006", "this database may not be written, as a standby may not; connect to the primary"},
        {"22021", "an argument is no UTF-8; set the terminal to UTF-8 and write it again"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i][0], state) == 0)
            return rows[i][1];
    return NULL;
}

static void failure_say(const struct db *db)
{
    const char *message = db->message;
    const char *state = db->sqlstate;
    if (own_sentence(message))
        say_fault("%s", own_sentence(message));
    else if (strcmp(state, "42501") == 0)
        say_fault("the role %s may not do this; GRANT makegood_operator TO %s (or makegood_reader, to look)",
                  PQuser(db->connection), PQuser(db->connection));
    else if (state_sentence(state))
        say_fault("%s", state_sentence(state));
    else
        say_fault("the database refused: %s%s%s%s", message, *state ? " (SQLSTATE " : "", state,
                  *state ? ")" : "");
}

PGresult *desk_ask(struct desk *desk, const char *sql, int count, const char *const *values)
{
    PGresult *result = db_ask(&desk->db, sql, count, values);
    if (!result)
        failure_say(&desk->db);
    return result;
}

json_t *desk_rows(struct desk *desk, const char *sql, int count, const char *const *values)
{
    PGresult *result = desk_ask(desk, sql, count, values);
    json_t *rows = result ? json_array() : NULL;
    for (int i = 0; rows && i < PQntuples(result); i++) {
        json_t *row = json_loads(PQgetvalue(result, i, 0), JSON_DECODE_ANY, NULL);
        if (!row || json_array_append_new(rows, row) < 0) {
            say_fault("the database's answer could not be read");
            json_decref(rows);
            rows = NULL;
        }
    }
    PQclear(result);
    return rows;
}

bool desk_interval(const char *option, const char *span, char out[INTERVAL_BYTES])
{
    int64_t ms = 0;
    bool fits = !span || (quantity_parse_duration(span, &ms) && ms > 0 && ms <= SPAN_MOST_MS);
    out[0] = '\0';
    if (!fits)
        say_fault("--%s %s is no span of up to ten years; write it as 2h", option, span);
    else if (span)
        snprintf(out, INTERVAL_BYTES, "%" PRId64 " milliseconds", ms);
    return fits;
}

json_t *desk_by_message(const struct desk *desk)
{
    json_t *names = json_array();
    for (int i = 0; i < desk->config->channel_count; i++)
        if (desk->config->policies[i].by_message)
            json_array_append_new(names, json_string(desk->config->policies[i].channel));
    return names;
}

void desk_say_by_message(const struct desk *desk)
{
    const struct config *config = desk->config;
    int count = 0;
    for (int i = 0; i < config->channel_count; i++)
        if (config->policies[i].by_message)
            printf("%s%s", count++ ? ", " : "\nAs messages come orders of ", config->policies[i].channel);
    if (count > 0)
        printf("; what waits in the broker is not known here: mqadmin consumerProgress -n NAMESERVER:9876 -g "
               "%s\n",
               config->rocketmq.group);
}

void json_say(const json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}
