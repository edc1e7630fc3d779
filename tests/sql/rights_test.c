/* Who may do what (sql/009_grants.sql), and that a migrator who is no superuser can set all of it up. */
#include "db.h"

static const char *const tables[] = {"lost_order", "parked_order", "query_log", "channel",
                                     "mapping",    "instance",     "tally",     "paused_channel",
                                     "steering",   "operator_log", "approval",  "schema_version"};

static void nobody_but_readers_touches_a_table(void **state)
{
    (void)state;
    static const char *const users[] = {"t_daemon", "t_shop", "t_nobody"};
    for (size_t u = 0; u < 3; u++) {
        PGconn *db = db_open(KIOSK, users[u]);
        for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
            assert_contains(db_refused(db, "SELECT FROM makegood.%s", tables[t]), "42501");
            assert_contains(db_refused(db, "DELETE FROM makegood.%s", tables[t]), "42501");
            assert_contains(db_refused(db, "TRUNCATE makegood.%s", tables[t]), "42501");
        }
        assert_contains(db_refused(db, "CREATE TABLE makegood.mine ()"), "42501");
        PQfinish(db);
    }
    static const char *const lookers[] = {"t_reader", "t_operator"};
    for (size_t u = 0; u < 2; u++) {
        PGconn *db = db_open(KIOSK, lookers[u]);
        for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
            db_do(db, "SELECT FROM makegood.%s", tables[t]);
            assert_contains(db_refused(db, "DELETE FROM makegood.%s", tables[t]), "42501");
        }
        PQfinish(db);
    }
}

/* Every function of the schema that a user may call, by name. */
static void each_group_calls_its_own_functions_only(void **state)
{
    (void)state;
    static const struct {
        const char *user, *functions;
    } cases[] = {
        {"t_daemon",
         "adopt announce backlog beat claim claim_due claim_told explain history leave "
         "look_messages message_unread orders over_time overview prepare_months rehearse release seal settle "
         "settle_messages verify"},
        {"t_shop", "resolve track"},
        {"t_operator", "adopt approvals approve audit_outside audit_state audit_verify backlog explain halt "
                       "history lift orders over_time overview park "
                       "pause resolve_by_hand resume retry"},
        {"t_reader",
         "approvals audit_outside audit_state audit_verify explain history orders over_time overview"},
        {"t_nobody", ""},
        {"t_mall_owner", ""},
    };
    PGconn *db = db_open(KIOSK, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(
            db_ask(db,
                   "SELECT coalesce(string_agg(DISTINCT proname, ' ' ORDER BY proname), '') FROM pg_proc "
                   "WHERE pronamespace = 'makegood'::regnamespace AND prosecdef IS NOT NULL "
                   "AND has_function_privilege('%s', oid, 'EXECUTE')",
                   cases[i].user),
            cases[i].functions);
    assert_int_equal(db_number(db,
                               "SELECT count(*) FROM pg_proc WHERE pronamespace = 'makegood'::regnamespace "
                               "AND prosecdef AND NOT coalesce(array_to_string(proconfig, ' '), '') LIKE "
                               "'%%search_path=%%pg_temp%%'"),
                     0);
    PQfinish(db);
}

static void the_audit_is_closed_even_to_its_owner(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "SET ROLE makegood_owner");
    assert_contains(db_refused(db, "UPDATE makegood.query_log SET outcome = ''"), "42501");
    assert_contains(db_refused(db, "DELETE FROM makegood.query_log"), "42501");
    assert_contains(db_refused(db, "TRUNCATE makegood.query_log"), "42501");
    assert_contains(db_refused(db, "DELETE FROM makegood.query_log_%s",
                               db_ask(db, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")),
                    "42501");
    PQfinish(db);
}

/* An attacker who may create objects elsewhere can not slip them under our functions. */
static void temporary_objects_do_not_stand_in_for_ours(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_shop");
    db_do(db,
          "CREATE TEMP TABLE lost_order (order_no text, channel text, number text, attempt text); "
          "CREATE TEMP TABLE channel (name text, first_delay_ms bigint); SET search_path = pg_temp, public");
    long id = db_number(db, "SELECT makegood.track('E1', 'evil', 1, 'CNY')");
    assert_true(id > 0);
    assert_int_equal(db_number(db, "SELECT count(*) FROM lost_order"), 0);
    PQfinish(db);
}

static void a_migrator_without_superuser_sets_everything_up(void **state)
{
    (void)state;
    PGconn *root = db_open("postgres", NULL);
    db_do(root, "CREATE DATABASE " MOVED " OWNER t_migrator");
    PQfinish(root);
    root = db_open(MOVED, NULL);
    db_do(root,
          "CREATE SCHEMA shop AUTHORIZATION t_kiosk_owner; SET ROLE t_kiosk_owner; "
          "CREATE TABLE shop.orders (id bigint PRIMARY KEY, status text, total numeric, currency text)");
    PGconn *db = db_open(MOVED, "t_migrator");
    schema_load(db);
    const char *mapping =
        "{\"table\": \"shop.orders\", \"key\": \"id\", \"status\": \"status\", \"amount\": \"total\", "
        "\"amount_unit\": \"decimal\", \"currency\": \"currency\", \"search_path\": \"shop\", "
        "\"unpaid\": [\"new\"], \"paid\": {\"write\": \"paid\", \"from\": [\"new\"]}, "
        "\"closed\": {\"write\": \"closed\", \"from\": [\"new\"]}, \"refunded\": null}";
    assert_contains(
        db_refused(db, "SELECT makegood.install_mapping('%s')", mapping),
        "42501 makegood.install_mapping: t_migrator is not a member of t_kiosk_owner, who owns shop.orders");
    db_do(root, "RESET ROLE; GRANT t_kiosk_owner TO t_migrator");
    db_do(db, "SELECT makegood.install_mapping('%s')", mapping);
    db_do(db, "SELECT makegood.install_mapping('%s')", mapping);
    assert_int_equal(db_number(root, "SELECT count(*) FROM makegood.verify(9, '%s')", mapping), 0);
    assert_string_equal(db_ask(root, "SELECT has_schema_privilege('t_kiosk_owner', 'makegood', 'CREATE')"),
                        "f");
    db_do(root, "INSERT INTO shop.orders VALUES (7, 'new', 12.34, 'CNY')");
    db_do(root, "SELECT makegood.track('7', 'c', 1234, 'CNY', p_due_in => '-1 s')");
    PGconn *daemon = db_open(MOVED, "t_daemon");
    struct element e;
    assert_int_equal(claim_rows(daemon, "c", 1, &e), 1);
    settle_rows(daemon, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(db_ask(root, "SELECT status FROM shop.orders WHERE id = 7"), "paid");
    assert_contains(db_refused(daemon, "SELECT makegood.order_write('paid', '{7}', '{c}', '{n}', '{}')"),
                    "42501");
    PQfinish(daemon);
    PQfinish(db);
    PQfinish(root);
}

int run_rights_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_but_readers_touches_a_table),
        cmocka_unit_test(each_group_calls_its_own_functions_only),
        cmocka_unit_test(the_audit_is_closed_even_to_its_owner),
        cmocka_unit_test(temporary_objects_do_not_stand_in_for_ours),
        cmocka_unit_test(a_migrator_without_superuser_sets_everything_up),
    };
    return cmocka_run_group_tests_name("sql rights", tests, NULL, NULL);
}
