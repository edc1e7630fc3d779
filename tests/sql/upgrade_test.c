/* The first release's schema (files 001 to 009) is migrated to the newest while its daemon works: the statements that it
 * prepared go on, rows that it claimed are settled under their old tokens, and pause and halt hold for it as well. */
#include "db.h"

#define FIRST_RELEASE 9

static const char claim_text[] =
    "SELECT attempt_id, token, claimed_us, order_no, channel, number, channel_data, amount_minor, currency, "
    "method, "
    "age_ms, left_ms, phase, answers, errors, unknowns, claims FROM makegood.claim($1, $2, $3, $4)";
static const char settle_text[] = "SELECT place, upto, outcome, reason FROM "
                                  "makegood.settle($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,"
                                  "$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30)";
static const char release_text[] = "SELECT makegood.release($1, $2)";

/* --- the daemon of the first release ---------------------------------------------------------------------- */

static void prepare(PGconn *daemon, const char *name, const char *text, int params)
{
    PGresult *result = PQprepare(daemon, name, text, params, NULL);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
}

static PGresult *execute(PGconn *daemon, const char *name, int params, const char *const *values)
{
    PGresult *result = PQexecPrepared(daemon, name, params, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", name, PQresultErrorMessage(result));
    return result;
}

static PGconn *old_daemon(void)
{
    PGconn *daemon = db_open(OLDER, "t_daemon");
    db_do(daemon, "SET statement_timeout = '3s'");
    prepare(daemon, "makegood_claim", claim_text, 4);
    prepare(daemon, "makegood_settle", settle_text, 30);
    prepare(daemon, "makegood_release", release_text, 2);
    return daemon;
}

struct claim {
    char attempt[24], token[40], claimed_us[24], order_no[24];
};

static int claim(PGconn *daemon, int limit, struct claim *out)
{
    char limits[16];
    snprintf(limits, sizeof limits, "{%d}", limit);
    const char *const values[] = {"old", "{up}", limits, "600000"};
    PGresult *rows = execute(daemon, "makegood_claim", 4, values);
    int count = PQntuples(rows);
    assert_int_equal(PQnfields(rows), 17);
    for (int i = 0; i < count; i++) {
        snprintf(out[i].attempt, sizeof out[i].attempt, "{%s}", PQgetvalue(rows, i, 0));
        snprintf(out[i].token, sizeof out[i].token, "{%s}", PQgetvalue(rows, i, 1));
        snprintf(out[i].claimed_us, sizeof out[i].claimed_us, "{%s}", PQgetvalue(rows, i, 2));
        snprintf(out[i].order_no, sizeof out[i].order_no, "{%s}", PQgetvalue(rows, i, 3));
    }
    PQclear(rows);
    return count;
}

static const char *settle(PGconn *daemon, const struct claim *row, const char *verdict)
{
    static char outcome[40];
    const char *const values[30] = {
        "old",    row->attempt, row->token, row->claimed_us, row->order_no, "{up}",      "{NULL}", verdict,
        "{\"\"}", "{rule}",     "{1000}",   "{open}",        "{f}",         "{1}",       "{0}",    "{0}",
        "{paid}", "{t}",        "{100}",    "{CNY}",         "{T1}",        "{SUCCESS}", "{r}",    "{200}",
        "{12}",   "{\"\"}",     "{\"\"}",   "{\"\"}",        "{f}",         "{\"\"}"};
    PGresult *rows = execute(daemon, "makegood_settle", 30, values);
    assert_int_equal(PQntuples(rows), 1);
    snprintf(outcome, sizeof outcome, "%s", PQgetvalue(rows, 0, 2));
    PQclear(rows);
    return outcome;
}

static void release(PGconn *daemon, const struct claim *row)
{
    const char *const values[] = {row->attempt, row->token};
    PGresult *rows = execute(daemon, "makegood_release", 2, values);
    assert_string_equal(PQgetvalue(rows, 0, 0), "1");
    PQclear(rows);
}

/* --- the database ----------------------------------------------------------------------------------------- */

static void older_open(int orders)
{
    PGconn *root = db_open("postgres", NULL);
    db_do(root, "DROP DATABASE IF EXISTS " OLDER " WITH (FORCE)");
    db_do(root, "CREATE DATABASE " OLDER);
    PQfinish(root);
    PGconn *db = db_open(OLDER, NULL);
    schema_load_files(db, 1, FIRST_RELEASE);
    kiosk_load(db);
    db_do(db, "SELECT makegood.announce('{up}', '{1000}')");
    for (int i = 0; i < orders; i++) {
        db_do(db,
              "INSERT INTO kiosk.orders (order_no, state, total, currency) VALUES ('U%d', 'paying', 100, "
              "'CNY')",
              i);
        db_do(db, "SELECT makegood.track('U%d', 'up', 100, 'CNY', p_due_in => '-1 s')", i);
    }
    PQfinish(db);
}

static void migrate(void)
{
    PGconn *db = db_open(OLDER, NULL);
    db_do(db, "SET lock_timeout = '1s'"); /* short locks, or none */
    schema_load_files(db, FIRST_RELEASE + 1, 999);
    PQfinish(db);
}

static const char *state_of(PGconn *db, const struct claim *row)
{
    return db_ask(db, "SELECT state FROM kiosk.orders WHERE order_no = btrim('%s', '{}')", row->order_no);
}

/* --- the tests -------------------------------------------------------------------------------------------- */

static void a_running_daemon_of_the_first_release_goes_on(void **state)
{
    (void)state;
    older_open(20);
    PGconn *daemon = old_daemon(), *db = db_open(OLDER, NULL);
    struct claim rows[10], more[10];
    for (int i = 0; i < 6; i++) { /* plans of their own, then one for all */
        assert_int_equal(claim(daemon, 1, rows), 1);
        assert_string_equal(settle(daemon, rows, "{paid}"), "applied");
    }
    assert_int_equal(claim(daemon, 3, rows), 3);
    migrate();
    assert_string_equal(settle(daemon, &rows[0], "{paid}"), "applied");
    assert_string_equal(state_of(db, &rows[0]), "paid");
    assert_string_equal(settle(daemon, &rows[0], "{paid}"), "applied"); /* its answer was lost */
    assert_string_equal(settle(daemon, &rows[1], "{retry}"), "applied");
    release(daemon, &rows[2]);
    assert_int_equal(claim(daemon, 10, more), 10);
    db_do(db, "SELECT makegood.install_mapping('%s')", KIOSK_MAPPING); /* migrate does that as well */
    for (int i = 0; i < 10; i++)
        assert_string_equal(settle(daemon, &more[i], "{paid}"), "applied");
    assert_int_equal(db_number(db, "SELECT count(*) FROM kiosk.orders WHERE state = 'paid'"), 17);
    assert_int_equal(db_number(db, "SELECT count(*) FROM kiosk.order_history"), 17); /* none of them twice */
    assert_int_equal(
        db_number(daemon, "SELECT count(*) FROM makegood.verify(%d, '%s')", FIRST_RELEASE, KIOSK_MAPPING), 0);
    PQfinish(db);
    PQfinish(daemon);
}

static void pause_and_halt_hold_for_the_first_release_as_well(void **state)
{
    (void)state;
    older_open(4);
    PGconn *daemon = old_daemon(), *operator= NULL;
    struct claim rows[4];
    assert_int_equal(claim(daemon, 2, rows), 2);
    migrate();
    operator= db_open(OLDER, "t_operator");
    db_do(operator, "SELECT makegood.pause('up', NULL, 'a test', false)");
    assert_int_equal(claim(daemon, 9, rows + 2), 0);
    assert_string_equal(settle(daemon, &rows[0], "{paid}"), "applied");
    db_do(operator, "SELECT makegood.resume('up', 'a test', false), makegood.halt('a test', false)");
    assert_int_equal(claim(daemon, 9, rows + 2), 0);
    assert_string_equal(settle(daemon, &rows[1], "{paid}"), "fenced");
    assert_string_equal(db_ask(operator, "SELECT makegood.lift('a test', false)"), "t");
    assert_int_equal(claim(daemon, 9, rows + 2), 2);
    assert_string_equal(settle(daemon, &rows[2], "{paid}"), "applied");
    PQfinish(operator);
    PQfinish(daemon);
}

/* A shop that tracked and a report hold their transactions open all the while: neither is waited for, nor does either
 * wait for the migration. Only the audit is locked for a moment, against daemons, whose transactions are short. */
static void migrating_waits_for_no_shop(void **state)
{
    (void)state;
    older_open(4);
    PGconn *daemon = old_daemon(), *shop = db_open(OLDER, "t_shop"), *reader = db_open(OLDER, "t_reader");
    struct claim rows[2];
    db_do(shop, "BEGIN; SELECT makegood.track('U9', 'up', 100, 'CNY')");
    db_do(
        reader,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM makegood.channel, makegood.lost_order");
    db_do(daemon, "BEGIN");
    assert_int_equal(claim(daemon, 1, rows), 1);
    assert_string_equal(settle(daemon, rows, "{paid}"), "applied");
    db_do(daemon, "COMMIT");
    migrate();
    assert_int_equal(claim(daemon, 1, rows), 1);
    assert_string_equal(settle(daemon, rows, "{paid}"), "applied");
    db_do(shop, "SELECT makegood.resolve('U9', 'up'); COMMIT");
    assert_string_equal(db_ask(reader, "SELECT count(*) FROM makegood.channel"), "1");
    db_do(reader, "COMMIT");
    assert_int_equal(db_number(reader, "SELECT count(*) FROM makegood.query_log WHERE outcome = 'applied'"),
                     2);
    PQfinish(reader);
    PQfinish(shop);
    PQfinish(daemon);
}

int run_upgrade_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_daemon_of_the_first_release_goes_on),
        cmocka_unit_test(pause_and_halt_hold_for_the_first_release_as_well),
        cmocka_unit_test(migrating_waits_for_no_shop),
    };
    return cmocka_run_group_tests_name("sql upgrade", tests, NULL, NULL);
}
