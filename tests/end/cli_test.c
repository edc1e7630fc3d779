/* The commands, as an operator types them: check and its faults, check --order, migrate, adopt, config, and misuse.
 * Whatever is wrong is told in sentences with their place and their mend, and without a secret. */
#include "stage.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char out[OUTPUT_BYTES];
static char err[OUTPUT_BYTES];

#define COMMAND(...) run((const char *const[]){makegood_program, __VA_ARGS__, NULL}, out, err)

static const char *config(const struct settings *settings)
{
    static char path[160];
    config_path(0, path);
    config_write(path, settings, "end-cli");
    return path;
}

/* Every line of a complaint says where, and what to do. */
static void assert_told_well(void)
{
    assert_true(*err);
    for (char *line = err; *line;) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        if ((strncmp(line, "/", 1) != 0 && strncmp(line, "makegood: ", 10) != 0) || !strpbrk(line, ";,"))
            fail_msg("this is no sentence with a place and a mend: %s", line);
        *end = '\n';
        line = end + 1;
    }
    assert_lacks(err, PASSWORD);
    assert_lacks(err, BANK_KEY);
    assert_lacks(out, PASSWORD);
    assert_lacks(out, BANK_KEY);
}

static void assert_told(const char *what)
{
    assert_told_well();
    assert_contains(err, what);
}

/* --- check ----------------------------------------------------------------------------------------------------- */

static void test_check_good(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    assert_int_equal(COMMAND("check", "-c", config(&(struct settings){0})), 0);
    assert_string_equal(err, "");
    assert_contains(out, "fit to run: schema version");
    assert_contains(out, "channels main, dead");
    assert_contains(out, "warning: order_table.channel_number is not mapped");
    assert_lacks(out, "order_table.refunded");
    stage_teardown(state);
    stage_open(&purchases_shop);
    assert_int_equal(COMMAND("check", "-c", config(&(struct settings){0})), 0);
    assert_contains(out, "warning: order_table.refunded is not given");
    assert_contains(out, "warning: order_table.created_at is not mapped");
    assert_lacks(out, "order_table.channel_number");
}

static void assert_refused(const struct settings *settings, const char *what)
{
    const char *path = config(settings);
    assert_int_equal(COMMAND("check", "-c", path), 1);
    assert_told(what);
}

static void assert_refused_at(const struct settings *settings, const char *place, const char *what)
{
    char whole[256];
    const char *path = config(settings);
    snprintf(whole, sizeof(whole), "%s%s", path, place);
    assert_refused(settings, whole);
    assert_contains(err, what);
}

static void test_check_file(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    assert_refused_at(&(struct settings){.top = "speed: fast\n"},
                      ":3: speed: ", "this key is unknown; remove it");
    assert_refused_at(&(struct settings){.top = "speed: [fast\n"}, ":", "");
    assert_refused_at(&(struct settings){.top = "log_level: debug\n"}, ":3: log_level: ", "");
    assert_refused(&(struct settings){.rate = "20x"}, "channels[0].rate");
    assert_refused(&(struct settings){.rate = "0"}, "channels[0].rate");
    assert_refused(&(struct settings){.log_level = "loud"}, ":2: log_level: ");
    assert_refused(&(struct settings){.lease = "1s"}, "engine.lease");
    assert_refused(&(struct settings){.more = "    colour: blue\n"}, "channels[0].colour");
    assert_refused(&(struct settings){.more = "    url: http://localhost/{number}\n"}, "url");
    assert_refused(&(struct settings){.paid_when = "{at: status, is: [succeeded]}"}, "rules[2]");
    assert_int_equal(COMMAND("check", "-c", "/nowhere/makegood.yaml"), 1);
    assert_told("/nowhere/makegood.yaml");
    assert_int_equal(COMMAND("check", "-c", "/no\nwhere/\x1b[31mred"), 1);
    assert_told("/no\\x0awhere/\\x1b[31mred");
}

static void test_check_secret(void **state)
{
    char key[96];
    (void)state;
    stage_open(&orders_shop);
    snprintf(key, sizeof(key), "%s/bank.key", world_folder);
    chmod(key, 0644);
    assert_refused(&(struct settings){0}, "chmod 0600");
    chmod(key, 0600);
    assert_int_equal(unlink(key), 0);
    assert_refused(&(struct settings){0}, "secret_file");
    file_write(key, "");
    chmod(key, 0600);
    assert_refused(&(struct settings){0}, "is empty");
    file_write(key, BANK_KEY "\n");
    assert_int_equal(COMMAND("check", "-c", config(&(struct settings){0})), 0);
}

#define ORDERS(key, amount, more)                                                                            \
    "  table: public.orders\n  key: " key "\n  status: status\n  amount: " amount "\n  amount_unit: minor\n" \
    "  currency: currency\n  paid_at: paid_at\n  created_at: created_at\n  unpaid: [created, paying]\n"      \
    "  paid: {write: paid, from: [created, paying], also: [shipped]}\n"                                      \
    "  closed: {write: closed, from: [created, paying]}\n"                                                   \
    "  refunded: {write: refunded, from: [created, paying, paid]}\n" more

static void test_check_mapping(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    assert_refused(&(struct settings){.mapping = ORDERS("order_no", "no_such", "")}, "has no column no_such");
    assert_contains(err, "differs from the configuration in amount; run makegood migrate");
    assert_refused(&(struct settings){.mapping = ORDERS("order_no", "paid_at", "")}, "is of type timestamp");
    assert_refused(&(struct settings){.mapping = ORDERS("currency", "total_cents", "")}, "no unique index");
    assert_refused(&(struct settings){.mapping = ORDERS("order_no", "total_cents", "  trigger: true\n")},
                   "trigger");
    assert_refused(&(struct settings){.mapping =
                                          "  table: public.nothing\n  key: a\n  status: b\n  amount: c\n"
                                          "  amount_unit: minor\n  currency: d\n  unpaid: [x]\n"
                                          "  paid: {write: y, from: [x]}\n  closed: {write: z, from: [x]}\n"},
                   "there is no table public.nothing");
    db_do(stage.db, "ALTER TABLE public.orders RENAME COLUMN total_cents TO total");
    assert_refused(&(struct settings){0}, "has no column total_cents");
}

/* Whom the cluster lets in only with the right password. */
static void lock_the_door(void)
{
    char path[128];
    char text[8192];
    snprintf(path, sizeof(path), "%s/cluster/data/pg_hba.conf", world_folder);
    char *rules = file_read(path);
    snprintf(text, sizeof(text), "local all end_locked scram-sha-256\n%s", rules);
    free(rules);
    file_write(path, text);
    db_do(stage.db,
          "CREATE ROLE end_locked LOGIN PASSWORD 'right' IN ROLE makegood_daemon; SELECT pg_reload_conf()");
    sleep_ms(300);
}

static void test_check_database(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    assert_refused(&(struct settings){.port = "5433"}, "database.url: ");
    assert_refused(&(struct settings){.database = "nowhere"}, "database \"nowhere\" does not exist");
    assert_refused(&(struct settings){.user = "end_stranger"}, "role \"end_stranger\" does not exist");
    assert_refused(&(struct settings){.database = "postgres"},
                   "has no schema makegood; run makegood migrate");
    assert_refused(&(struct settings){.user = "end_nobody"}, "run GRANT makegood_daemon TO end_nobody");
    lock_the_door();
    assert_refused(&(struct settings){.user = "end_locked"}, "password authentication failed");
    assert_int_equal(
        COMMAND("check", "-c", config(&(struct settings){.user = "end_locked", .password = "right"})), 0);
    db_do(stage.db, "REVOKE EXECUTE ON FUNCTION makegood.backlog() FROM makegood_daemon");
    assert_refused(&(struct settings){0}, "may not execute makegood.backlog");
    db_do(stage.db, "GRANT EXECUTE ON FUNCTION makegood.backlog() TO makegood_daemon;"
                    "DROP FUNCTION makegood.order_write");
    assert_refused(&(struct settings){0}, "makegood.order_write is gone");
    db_do(stage.db, "DELETE FROM makegood.schema_version WHERE version > 8");
    assert_refused(&(struct settings){0}, "run makegood migrate");
}

static void test_check_warns(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    assert_int_equal(COMMAND("check", "-c", config(&(struct settings){.user = "end_migrator"})), 0);
    assert_contains(out, "warning: the daemon's role end_migrator is a superuser");
    db_do(stage.db, "GRANT makegood_daemon TO end_shop");
    assert_int_equal(COMMAND("check", "-c", config(&(struct settings){.user = "end_shop"})), 0);
    assert_contains(out, "warning: the daemon's role end_shop owns tables");
    db_do(stage.db, "REVOKE makegood_daemon FROM end_shop");
}

static void test_check_order(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    db_do(stage.db,
          "INSERT INTO public.orders (order_no, status, total_cents, currency) VALUES"
          " ('A1', 'paying', 100, 'CNY'), ('A2', 'paid', 100, 'CNY'), ('A3', 'paying', NULL, 'CNY'),"
          " ('A4', 'paying', 100, 'CNY')");
    const char *path = config(&(struct settings){0});
    assert_int_equal(COMMAND("check", "-c", path, "--order", "A1"), 0);
    assert_contains(out, "order A1: would become paid; everything was rolled back");
    assert_int_equal(COMMAND("check", "-c", path, "--order", "A2"), 1);
    assert_told("means paid already");
    assert_int_equal(COMMAND("check", "-c", path, "--order", "A3"), 1);
    assert_told("amount null is not above zero");
    assert_int_equal(COMMAND("check", "-c", path, "--order", "'; DROP TABLE public.orders; --"), 1);
    assert_told("has no order");
    PGconn *holder = db_open(stage.database, "end_shop");
    db_do(holder, "BEGIN; UPDATE public.orders SET version = 7 WHERE order_no = 'A4'");
    assert_int_equal(COMMAND("check", "-c", path, "--order", "A4"), 1);
    assert_told("somebody holds order A4");
    PQfinish(holder);
    db_do(stage.db, "ALTER TABLE public.orders ADD CHECK (status <> 'paid') NOT VALID");
    assert_int_equal(COMMAND("check", "-c", path, "--order", "A1"), 1);
    assert_told("SQLSTATE 23514");
    assert_string_equal(db_text(stage.db,
                                "SELECT string_agg(order_no || status || version, ' ' ORDER BY order_no)"
                                " FROM public.orders"),
                        "A1paying1 A2paid1 A3paying1 A4paying1");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM public.order_history"), 0);
}

/* --- migrate --------------------------------------------------------------------------------------------------- */

static void fresh_database(const char *name)
{
    char path[512];
    db_do(stage.db, "CREATE DATABASE %s", name);
    snprintf(stage.database, sizeof(stage.database), "%s", name);
    PQfinish(stage.db);
    stage.db = db_open(name, NULL);
    snprintf(path, sizeof(path), SOURCE_DIR "/tests/end/%s.sql", stage.shop->name);
    char *sql = file_read(path);
    db_do(stage.db, "%s", sql);
    free(sql);
}

static void test_migrate(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    fresh_database("migrate_again");
    const char *path = config(&(struct settings){0});
    assert_int_equal(COMMAND("migrate", "-c", path), 0);
    assert_contains(out, "001_schema.sql: applied");
    assert_contains(out, "order_table: the mapping was installed");
    assert_contains(out, "channels: announced main, dead");
    const char *before =
        db_text(stage.db, "SELECT string_agg(t::text, ',') FROM makegood.schema_version AS t");
    assert_int_equal(COMMAND("migrate", "-c", path), 0);
    assert_contains(out, "nothing to apply");
    assert_contains(out, "order_table: the mapping is installed already");
    assert_string_equal(err, "");
    assert_string_equal(
        before, db_text(stage.db, "SELECT string_agg(t::text, ',') FROM makegood.schema_version AS t"));
    assert_int_equal(COMMAND("check", "-c", path), 0);
    path = config(
        &(struct settings){.mapping = ORDERS("order_no", "total_cents", "  search_path: pg_catalog\n")});
    assert_int_equal(COMMAND("check", "-c", path), 1);
    assert_int_equal(COMMAND("migrate", "-c", path), 0);
    assert_int_equal(COMMAND("check", "-c", path), 0);
}

static void test_migrate_at_once(void **state)
{
    pid_t pids[3];
    char log[160];
    (void)state;
    stage_open(&orders_shop);
    fresh_database("migrate_at_once");
    const char *path = config(&(struct settings){0});
    snprintf(log, sizeof(log), "%s/migrate.log", stage.folder);
    for (int i = 0; i < 3; i++)
        pids[i] =
            process_start((const char *const[]){makegood_program, "migrate", "-c", path, NULL}, log, NULL);
    for (int i = 0; i < 3; i++)
        if (process_wait(pids[i], WAIT_MS) != 0)
            fail_msg("one of three migrations at once failed: %s", file_read(log));
    assert_int_equal(COMMAND("check", "-c", path), 0);
}

static void test_migrate_refused(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    db_do(stage.db, "UPDATE makegood.schema_version SET checksum = 'another' WHERE version = 2");
    assert_int_equal(COMMAND("migrate", "-c", config(&(struct settings){0})), 1);
    assert_told("002_shop.sql");
    stage_teardown(state);
    stage_open(&orders_shop);
    fresh_database("migrate_wrong");
    assert_int_equal(
        COMMAND("migrate", "-c", config(&(struct settings){.mapping = ORDERS("nr", "total_cents", "")})), 1);
    assert_told("has no column nr");
    assert_int_equal(COMMAND("migrate", "-c", config(&(struct settings){0})), 0);
}

/* --- adopt ----------------------------------------------------------------------------------------------------- */

static void test_adopt(void **state)
{
    (void)state;
    stage_open(&orders_shop);
    db_do(stage.db, "INSERT INTO public.orders (order_no, status, total_cents, currency, created_at)"
                    " SELECT 'N' || n, 'paying', 100 + n, 'CNY', now() - interval '1 day'"
                    " FROM generate_series(1, 5) AS n;"
                    "INSERT INTO public.orders (order_no, status, total_cents, currency, created_at) VALUES"
                    " ('OLD', 'paying', 1, 'CNY', now() - interval '3 days'),"
                    " ('PAID', 'paid', 1, 'CNY', now()), ('FREE', 'paying', 0, 'CNY', now()),"
                    " ('bad nr', 'paying', 1, 'CNY', now())");
    const char *path = config(&(struct settings){0});
    assert_int_equal(COMMAND("adopt", "-c", path, "--since", "2d", "--channel", "main"), 0);
    assert_contains(out, "5 unpaid orders of the last 2d are tracked now");
    assert_int_equal(COMMAND("adopt", "-c", path, "--since", "2d", "--channel", "main"), 0);
    assert_contains(out, "0 unpaid orders");
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order WHERE order_no ~ '^N'"),
                     5);
    assert_int_equal(db_number(stage.db, "SELECT count(*) FROM makegood.lost_order"), 5);
    assert_int_equal(
        db_number(stage.db, "SELECT count(*) FROM makegood.parked_order WHERE reason = 'untrackable'"), 2);
    assert_int_equal(COMMAND("adopt", "-c", path, "--since", "2d"), 1);
    assert_told("--channel main");
    assert_int_equal(COMMAND("adopt", "-c", path, "--since", "2d", "--channel", "no_such"), 1);
    assert_told("has no channel no_such");
    assert_int_equal(COMMAND("adopt", "-c", path, "--channel", "main"), 2);
    assert_int_equal(COMMAND("adopt", "-c", path, "--since", "yesterday", "--channel", "main"), 2);
    stage_teardown(state);
    stage_open(&purchases_shop);
    assert_int_equal(
        COMMAND("adopt", "-c", config(&(struct settings){0}), "--since", "2d", "--channel", "main"), 1);
    assert_told("order_table.created_at");
}

/* --- help and misuse ------------------------------------------------------------------------------------------- */

static void test_config(void **state)
{
    (void)state;
    char *sample = file_read(SOURCE_DIR "/config/makegood.yaml");
    assert_int_equal(COMMAND("config", "--sample"), 0);
    assert_string_equal(out, sample);
    free(sample);
    assert_int_equal(COMMAND("config"), 0);
    assert_contains(out, "database.url");
    assert_contains(out, "channels[].rules[].when[].match");
    assert_contains(out, "order_table.paid.from");
}

/* A script that looks at exit codes alone hears of a full disk. */
static void test_output_is_lost(void **state)
{
    char line[512];
    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(line, sizeof(line), "exec %s %s > /dev/full", makegood_program,
                 i == 0 ? "config --sample" : "status --help");
        assert_int_equal(run((const char *const[]){"/bin/sh", "-c", line, NULL}, out, err), 1);
        assert_contains(err, "the output can not be written; make room, or send it elsewhere\n");
    }
}

static const char *const commands[] = {"run",    "check",   "migrate", "adopt",   "query",  "replay",
                                       "status", "list",    "history", "explain", "retry",  "park",
                                       "unpark", "resolve", "approve", "pause",   "resume", "halt",
                                       "lift",   "audit",   "config",  NULL};

static void test_help(void **state)
{
    (void)state;
    assert_int_equal(COMMAND("--version"), 0);
    assert_string_equal(out, "makegood " MAKEGOOD_VERSION "\n");
    assert_int_equal(COMMAND("--help"), 0);
    for (size_t i = 0; commands[i]; i++) {
        char synopsis[64];
        snprintf(synopsis, sizeof(synopsis), "makegood %s", commands[i]);
        assert_int_equal(COMMAND("--help"), 0);
        assert_contains(out, synopsis);
        assert_int_equal(COMMAND(commands[i], "--help"), 0);
        assert_contains(out, synopsis);
        assert_string_equal(err, "");
    }
}

/* What TAB gives behind these words; "_" is an empty one. In the folder of the sample configuration. */
static const char *completed(const char *words)
{
    char script[1024];
    snprintf(script, sizeof(script),
             "set -f; . " SOURCE_DIR "/config/completion/makegood; cd " SOURCE_DIR
             "/config; COMP_WORDS=(%s %s);"
             " COMP_WORDS=(\"${COMP_WORDS[@]/#_/}\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _makegood;"
             " printf '%%s ' \"${COMPREPLY[@]}\"",
             makegood_program, words);
    assert_int_equal(run((const char *const[]){"/bin/bash", "-c", script, NULL}, out, err), 0);
    assert_string_equal(err, "");
    return out;
}

static void test_completion(void **state)
{
    (void)state;
    assert_string_equal(completed("re"), "replay retry resolve resume ");
    assert_string_equal(completed("bank --led"), "--ledger ");
    assert_string_equal(completed("resolve --"),
                        "--as --trade-no --channel --attempt --note --dry-run --json --help ");
    assert_string_equal(completed("replay --sav"), " "); /* another command's, which its help speaks of */
    assert_string_equal(completed("resolve --as _"), "paid closed ");
    assert_string_equal(completed("audit -c f v"), "verify ");
    assert_string_equal(completed("status -c makegood.y"), "makegood.yaml ");
    assert_string_equal(completed("replay -c f chan"), "channels ");
    assert_string_equal(completed("pause -c f --note ch"), " "); /* a text is no file */
    assert_string_equal(completed("list --json _"), " ");
    assert_string_equal(completed("nonsense --"), "--help ");
    completed("_");
    for (const char *const *command = commands; *command; command++)
        assert_contains(out, *command);
}

/* What a line of an example begins with is a command, and its help knows every option that the line speaks of. */
static void example_check(const char *line)
{
    char word[16];
    if (sscanf(line, "    makegood %15[a-z]", word) != 1)
        return;
    assert_int_equal(COMMAND(word, "--help"), 0);
    for (const char *at = strstr(line, " --"); at; at = strstr(at + 1, " --")) {
        char option[32];
        assert_int_equal(sscanf(at, " %31[a-z-]", option), 1);
        if (!strstr(out, option))
            fail_msg("makegood %s knows nothing of %s: %s", word, option, line);
    }
}

static void test_the_readmes_commands(void **state)
{
    static const char *const files[] = {SOURCE_DIR "/README.md", SOURCE_DIR "/README.zh-CN.md"};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *text = file_read(files[i]);
        char *rest = text;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            example_check(line);
        free(text);
    }
}

static void assert_misuse(int code, const char *what)
{
    assert_int_equal(code, 2);
    assert_string_equal(out, "");
    assert_told(what);
    assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1); /* one sentence */
}

static void test_misuse(void **state)
{
    (void)state;
    assert_misuse(COMMAND("walk"), "walk");
    assert_misuse(COMMAND("run"), "needs a configuration");
    assert_misuse(COMMAND("run", "-c"), "needs a value");
    assert_misuse(COMMAND("run", "--bogus"), "--bogus");
    assert_misuse(COMMAND("run", "-x", "-c", "f"), "-x");
    assert_misuse(COMMAND("run", "-c", "f", "--order", "A1"), "--order");
    assert_misuse(COMMAND("check", "-c", "f", "--since", "2d"), "--since");
    assert_misuse(COMMAND("check", "-c", "f", "extra"), "extra");
    assert_misuse(COMMAND("check", "-c", "f", "-c", "g"), "twice");
    assert_misuse(COMMAND("config", "-c", "f"), "-c");
    assert_misuse(COMMAND("adopt", "-c", "f"), "--since 2d");
    assert_misuse(COMMAND("wa\x1b[31m\nlk"), "wa\\x1b[31m\\x0alk");
    assert_int_equal(run((const char *const[]){makegood_program, NULL}, out, err), 2);
    assert_contains(err, "makegood run ");
}

int main(void)
{
#define CLI(name) cmocka_unit_test_teardown(name, stage_teardown)
    const struct CMUnitTest tests[] = {
        CLI(test_check_good),           CLI(test_check_file),     CLI(test_check_secret),
        CLI(test_check_mapping),        CLI(test_check_database), CLI(test_check_warns),
        CLI(test_check_order),          CLI(test_migrate),        CLI(test_migrate_at_once),
        CLI(test_migrate_refused),      CLI(test_adopt),          CLI(test_config),
        CLI(test_output_is_lost),       CLI(test_help),           CLI(test_completion),
        CLI(test_the_readmes_commands), CLI(test_misuse),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
