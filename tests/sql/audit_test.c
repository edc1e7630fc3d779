/* The audit's chain (sql/012_audit.sql): whatever is changed, removed or slipped in by one who may do everything is found,
 * by its link; late commits are sealed all the same; months are detached whole and sealed. Each test has a database of
 * its own. */
#include "db.h"

#define CHAIN "makegood_test_chain"

static PGconn *chain_open(void)
{
    PGconn *root = db_open("postgres", NULL);
    db_do(root, "DROP DATABASE IF EXISTS " CHAIN " WITH (FORCE)");
    db_do(root, "CREATE DATABASE " CHAIN);
    PQfinish(root);
    PGconn *db = db_open(CHAIN, NULL);
    schema_load(db);
    return db;
}

/* Audit rows as settle writes them, in one transaction. */
static void rows_add(PGconn *db, const char *order, int count, const char *claimed_at)
{
    db_do(db,
          "INSERT INTO makegood.query_log (claimed_at, token, attempt_id, instance, order_no, channel, "
          "evidence, authentic,"
          " verdict, reason, rule, outcome) SELECT %s, gen_random_uuid(), n, 'here', '%s' || n, 'c', "
          "'pending', true,"
          " 'retry', '', 'pending', 'applied' FROM generate_series(1, %d) AS n",
          claimed_at, order, count);
}

static long seal(PGconn *db, int most)
{
    return db_number(db, "SELECT makegood.seal(%d)", most);
}

/* "2: a row was changed": of the first link with a fault, or "". */
static const char *fault(PGconn *db)
{
    return db_ask(db, "SELECT coalesce((SELECT number || ': ' || fault FROM makegood.audit_verify(1, 1000)"
                      " WHERE fault <> '' LIMIT 1), '')");
}

/* As one who may do everything: the tripwires are off. */
static void tamper(PGconn *db, const char *sql)
{
    db_do(db, "SET session_replication_role = replica");
    db_do(db, "%s", sql);
    db_do(db, "RESET session_replication_role");
}

/* Three links of ten rows each. */
static PGconn *sealed_open(void)
{
    PGconn *db = chain_open();
    for (int i = 0; i < 3; i++) {
        char order[4] = {(char)('A' + i), '-'};
        rows_add(db, order, 10, "now()");
        assert_int_equal(seal(db, 1000), 10);
    }
    assert_int_equal(seal(db, 1000), 0);
    assert_string_equal(fault(db), "");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.audit_link"), 3);
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 0);
    return db;
}

static void whatever_is_done_to_a_row_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *fault;
    } deeds[] = {
        {"UPDATE makegood.query_log SET verdict = 'paid' WHERE order_no = 'B-7'", "2: a row was changed"},
        {"UPDATE makegood.query_log SET amount_minor = 0 WHERE order_no = 'B-7'", "2: a row was changed"},
        {"UPDATE makegood.query_log SET detail = '' WHERE order_no = 'B-7'", "2: a row was changed"},
        {"DELETE FROM makegood.query_log WHERE order_no = 'A-1'", "1: 10 rows were sealed and 9 are there"},
        {"INSERT INTO makegood.query_log (claimed_at, token, attempt_id, instance, order_no, channel, "
         "evidence,"
         " authentic, verdict, reason, rule, outcome, xact) SELECT claimed_at, token, 99, instance, 'Z', "
         "channel,"
         " evidence, authentic, verdict, reason, rule, outcome, xact FROM makegood.query_log WHERE order_no "
         "= 'B-3'",
         "2: 10 rows were sealed and 11 are there"},
    };
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        PGconn *db = sealed_open();
        tamper(db, deeds[i].sql);
        assert_string_equal(fault(db), deeds[i].fault);
        PQfinish(db);
    }
}

static void whatever_is_done_to_a_link_is_found(void **state)
{
    (void)state;
    PGconn *db = sealed_open();
    assert_contains(db_refused(db, "UPDATE makegood.audit_link SET rows = 1"), "42501");
    assert_contains(db_refused(db, "DELETE FROM makegood.audit_link"), "42501");
    tamper(db, "UPDATE makegood.audit_link SET rows = 11 WHERE number = 2");
    assert_string_equal(fault(db), "2: the link was changed, or the one before it");
    PQfinish(db);
    db = sealed_open();
    tamper(db, "DELETE FROM makegood.audit_link WHERE number = 2");
    assert_string_equal(fault(db), "3: link 2 is missing");
    PQfinish(db);
    db = sealed_open(); /* a row and its link, consistently: the next link tells */
    tamper(db, "DELETE FROM makegood.query_log WHERE order_no = 'B-7'");
    tamper(db,
           "UPDATE makegood.audit_link AS l SET rows = d.rows, digest = d.digest, hash = "
           "makegood.audit_link_hash("
           "(SELECT b.hash FROM makegood.audit_link AS b WHERE b.number = 1), 2, l.month, l.from_xact, "
           "l.upto_xact,"
           " d.rows, d.digest) FROM (SELECT (makegood.audit_digest(k.month, k.from_xact, k.upto_xact)).* FROM"
           " makegood.audit_link AS k WHERE k.number = 2) AS d WHERE l.number = 2");
    assert_string_equal(fault(db), "3: the link was changed, or the one before it");
    PQfinish(db);
}

/* Slipped in with the number of a transaction that was sealed, in a month that no link speaks of; or with none at all. */
static void a_row_outside_of_every_link_is_counted(void **state)
{
    (void)state;
    PGconn *db = sealed_open();
    rows_add(db, "X-", 1, "now() - interval '400 days'");
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 0);
    tamper(db, "UPDATE makegood.query_log SET xact = (SELECT min(from_xact) + 1 FROM makegood.audit_link)"
               " WHERE order_no = 'X-1'");
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 1);
    tamper(db, "UPDATE makegood.query_log SET xact = NULL WHERE order_no = 'X-1'");
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 1);
    PQfinish(db);
}

/* Its neighbours are later, and committed long before. */
static void a_late_commit_is_waited_for(void **state)
{
    (void)state;
    PGconn *db = sealed_open(), *slow = db_open(CHAIN, NULL);
    db_do(slow, "BEGIN");
    rows_add(slow, "S-", 5, "now()");
    rows_add(db, "T-", 5, "now()");
    assert_int_equal(seal(db, 1000), 0);
    assert_int_equal(db_number(db, "SELECT makegood.audit_state() ->> 'unsealed'"), 5);
    db_do(slow, "COMMIT");
    assert_int_equal(seal(db, 1000), 10);
    assert_string_equal(fault(db), "");
    db_do(slow, "BEGIN");
    rows_add(slow, "S2-", 5, "now()");
    db_do(slow, "ROLLBACK");
    assert_int_equal(seal(db, 1000), 0);
    PQfinish(slow);
    PQfinish(db);
}

/* About so many at a time, whole transactions; one of two who seal at once does it. */
static void sealing_goes_on_in_pieces(void **state)
{
    (void)state;
    PGconn *db = chain_open(), *other = db_open(CHAIN, NULL);
    for (int i = 0; i < 5; i++) {
        char order[4] = {(char)('A' + i), '-'};
        rows_add(db, order, 7, "now()");
    }
    long pieces[8];
    long sum = 0;
    int count = 0;
    while (count < 8 && (pieces[count] = seal(db, 10)) > 0)
        sum += pieces[count++];
    assert_int_equal(sum, 35);
    assert_in_range(count, 3, 6);
    for (int i = 0; i + 1 < count; i++) /* so that it is seen that there is more */
        assert_in_range(pieces[i], 10, 16);
    assert_string_equal(fault(db), "");
    rows_add(db, "Z-", 25, "now()"); /* one transaction larger than a piece */
    db_do(other, "BEGIN; SELECT makegood.seal(1)");
    assert_int_equal(seal(db, 10), 0);
    db_do(other, "ROLLBACK");
    assert_int_equal(seal(db, 10), 25);
    assert_string_equal(fault(db), "");
    PQfinish(other);
    PQfinish(db);
}

/* Into a month that is not here any more: it would lie among the rows that have no month of their own. */
static void slipped_in_later_is_found(PGconn *db)
{
    rows_add(db, "FORGED-", 1, "date_trunc('month', now()) - interval '5 months' + interval '1 day'");
    tamper(db, "UPDATE makegood.query_log SET xact = (SELECT from_xact + 1 FROM makegood.audit_link WHERE "
               "number = 1)"
               " WHERE order_no = 'FORGED-1'");
    assert_string_equal(fault(db), "1: 10 rows were sealed and 1 are there");
    tamper(db, "DELETE FROM makegood.query_log WHERE order_no = 'FORGED-1'");
    assert_string_equal(fault(db), "");
}

/* Two at once, again and again: who comes second does not seal anew what the first one sealed meanwhile. */
static void no_row_is_sealed_twice(void **state)
{
    (void)state;
    PGconn *db = chain_open();
    PGconn *rivals[2] = {db_open(CHAIN, NULL), db_open(CHAIN, NULL)};
    for (int i = 0; i < 600; i++)
        rows_add(db, "R-", 1, "now()");
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            PQsendQuery(
                rivals[i],
                "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM makegood.seal(2); COMMIT; END LOOP; END $$"),
            1);
    for (int i = 0; i < 2; i++) {
        PGresult *result = PQgetResult(rivals[i]);
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        PQfinish(rivals[i]);
    }
    seal(db, 1000); /* what they left */
    assert_int_equal(db_number(db, "SELECT sum(rows) FROM makegood.audit_link"), 600);
    assert_string_equal(fault(db), "");
    PQfinish(db);
}

/* After a dump was loaded into a young cluster: said, not sealed over. */
static void transactions_set_back_are_told(void **state)
{
    (void)state;
    PGconn *db = sealed_open();
    tamper(db, "UPDATE makegood.audit_link SET upto_xact = 4000000000 WHERE number = 3");
    assert_contains(db_refused(db, "SELECT makegood.seal(10)"), "55000");
    PQfinish(db);
}

static void months_are_detached_whole_and_sealed(void **state)
{
    (void)state;
    PGconn *db = chain_open();
    char month[16];
    snprintf(month, sizeof(month), "%s",
             db_ask(db, "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '5 months',"
                        " 'YYYY_MM')"));
    db_do(db,
          "SET timezone = 'UTC'; CREATE TABLE makegood.query_log_%s PARTITION OF makegood.query_log FOR "
          "VALUES FROM"
          " (date_trunc('month', now()) - interval '5 months') TO (date_trunc('month', now()) - interval '4 "
          "months')",
          month);
    rows_add(db, "OLD-", 10, "date_trunc('month', now()) - interval '5 months' + interval '1 day'");
    rows_add(db, "NEW-", 10, "now()");
    assert_string_equal(db_ask(db, "SELECT why FROM makegood.audit_detach(3, true)"),
                        "it has rows that are not sealed yet");
    db_do(db, "SELECT makegood.audit_detach(3, false)");
    assert_int_equal(seal(db, 1000), 20);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.audit_link"), 2); /* one a month */
    assert_string_equal(db_ask(db, "SELECT done FROM makegood.audit_detach(3, true)"), "t");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log"), 20);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.audit_detach(5, true)"), 0);
    assert_string_equal(db_ask(db, "SELECT partition FROM makegood.audit_detach(3, false)"),
                        db_ask(db, "SELECT 'query_log_%s'", month));
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log"), 10);
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.query_log_%s", month), 10);
    assert_string_equal(fault(db), "");
    assert_int_equal(db_number(db, "SELECT count(*) FROM makegood.audit_verify(1, 99) WHERE rows IS NULL"),
                     1);
    slipped_in_later_is_found(db);
    tamper(db, "DELETE FROM makegood.audit_link WHERE number = 1");
    assert_string_equal(fault(db), "2: link 1 is missing");
    assert_contains(db_refused(db, "SELECT makegood.audit_detach(0, true)"), "keep at least one whole month");
    PQfinish(db);
}

/* Timezone and date style of the session that looks make no difference. */
static void another_session_reads_the_same(void **state)
{
    (void)state;
    PGconn *db = sealed_open();
    db_do(db, "SET timezone = 'Asia/Shanghai'; SET datestyle = 'German'; SET bytea_output = 'escape';"
              " SET extra_float_digits = -5; SET lc_messages = 'C'");
    assert_string_equal(fault(db), "");
    rows_add(db, "X-", 3, "now()");
    assert_int_equal(seal(db, 10), 3);
    db_do(db, "RESET ALL");
    assert_string_equal(fault(db), "");
    PQfinish(db);
}

/* The rows of an audit that is older than its chain are sealed by the migration. */
static void what_was_there_before_is_sealed(void **state)
{
    (void)state;
    PGconn *db = chain_open();
    rows_add(db, "A-", 10, "now()");
    tamper(db, "UPDATE makegood.query_log SET xact = NULL");
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 10);
    db_do(db, "SELECT makegood.audit_append(makegood.month_of(now()), NULL, NULL)");
    assert_int_equal(db_number(db, "SELECT makegood.audit_outside()"), 0);
    rows_add(db, "B-", 10, "now()");
    assert_int_equal(seal(db, 100), 10);
    assert_string_equal(fault(db), "");
    tamper(db, "UPDATE makegood.query_log SET code = 'x' WHERE order_no = 'A-4'");
    assert_string_equal(fault(db), "1: a row was changed");
    PQfinish(db);
}

int run_audit_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_done_to_a_row_is_found),
        cmocka_unit_test(whatever_is_done_to_a_link_is_found),
        cmocka_unit_test(a_row_outside_of_every_link_is_counted),
        cmocka_unit_test(a_late_commit_is_waited_for),
        cmocka_unit_test(sealing_goes_on_in_pieces),
        cmocka_unit_test(no_row_is_sealed_twice),
        cmocka_unit_test(transactions_set_back_are_told),
        cmocka_unit_test(months_are_detached_whole_and_sealed),
        cmocka_unit_test(another_session_reads_the_same),
        cmocka_unit_test(what_was_there_before_is_sealed),
    };
    return cmocka_run_group_tests_name("sql audit", tests, NULL, NULL);
}
