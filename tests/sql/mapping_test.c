/* The mapping (sql/005..007): a second, quite different shop; faults with their mends; adopt; rehearse. */
#include "db.h"

static void mall_order(PGconn *db, const char *key, int status, const char *price)
{
    db_do(db, "INSERT INTO \"Mall Data\".\"Order; List\" VALUES (%s, %d, %s)", key, status, price);
}

static struct element mall_claim(PGconn *db, const char *key, long long amount)
{
    struct element element;
    char channel[40];
    snprintf(channel, sizeof channel, "m-%s", key);
    db_do(db, "SELECT makegood.track('%s', '%s', %lld, 'CNY', p_due_in => '-1 s')", key, channel, amount);
    assert_int_equal(claim_rows(db, channel, 1, &element), 1);
    return element;
}

static void a_table_of_decimals_and_integers_is_settled_too(void **state)
{
    (void)state;
    static const struct {
        const char *key, *price;
        int status;
        long long amount;
        const char *verdict, *outcome, *reason;
        int after;
    } cases[] = {
        {"1", "12.34", 0, 1234, "paid", "applied", "", 2},
        {"9223372036854775807", "5", 1, 500, "paid", "applied", "", 2},
        {"3", "12.345", 0, 1234, "paid", "conflict", "amount_mismatch", 0},
        {"4", "'NaN'", 0, 1234, "paid", "conflict", "amount_mismatch", 0},
        {"5", "1.00", 3, 100, "paid", "already", "", 3},
        {"6", "1.00", -1, 100, "paid", "conflict", "late_payment", -1},
        {"7", "1.00", 0, 100, "closed", "applied", "", -1},
        {"8", "1.00", 0, 100, "refunded", "conflict", "refund_seen", 0},
    };
    PGconn *db = db_open(MALL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mall_order(db, cases[i].key, cases[i].status, cases[i].price);
        struct element e = mall_claim(db, cases[i].key, cases[i].amount);
        e.verdict = cases[i].verdict;
        settle_rows(db, &e, 1);
        assert_settled(&e, cases[i].outcome, cases[i].reason);
        assert_int_equal(
            db_number(db, "SELECT \"st'ate\" FROM \"Mall Data\".\"Order; List\" WHERE \"Order ID\" = %s",
                      cases[i].key),
            cases[i].after);
    }
    PQfinish(db);
}

static void a_number_that_is_no_key_is_missing_and_harms_no_neighbour(void **state)
{
    (void)state;
    static const char *const keys[] = {"001", "1x", "-1", "9223372036854775808", "99999999999999999999",
                                       "1|2"};
    PGconn *db = db_open(MALL, NULL);
    mall_order(db, "100", 0, "1.00");
    struct element e[7] = {mall_claim(db, "100", 100)};
    for (int i = 0; i < 6; i++) {
        db_do(db, "SELECT makegood.track('%s', 'keys', 100, 'CNY', p_due_in => '-1 s')", keys[i]);
        assert_int_equal(claim_rows(db, "keys", 1, &e[i + 1]), 1);
    }
    settle_rows(db, e, 7);
    assert_settled(&e[0], "applied", "");
    for (int i = 1; i < 7; i++)
        assert_settled(&e[i], "conflict", "missing");
    PQfinish(db);
}

static void a_second_payment_is_seen_though_no_column_tells(void **state)
{
    (void)state;
    PGconn *db = db_open(MALL, NULL);
    mall_order(db, "200", 0, "1.00");
    db_do(db, "SELECT makegood.track('200', 'twice', 100, 'CNY', p_attempt => '1', p_due_in => '-2 s'), "
              "makegood.track('200', 'twice', 100, 'CNY', p_attempt => '2', p_due_in => '-1 s')");
    struct element e[2];
    assert_int_equal(claim_rows(db, "twice", 2, e), 2);
    e[1].channel_number = "T2";
    settle_rows(db, &e[0], 1);
    settle_rows(db, &e[1], 1);
    assert_settled(&e[0], "applied", "");
    assert_settled(&e[1], "conflict", "paid_twice");
    assert_contains(
        db_ask(db, "SELECT detail FROM makegood.parked_order WHERE attempt_id = %s", e[1].attempt_id),
        ", by the payment ");         /* told by the audit: the table has no column for it */
    mall_order(db, "201", 2, "1.00"); /* paid by the shop: nothing of ours can tell */
    struct element f = mall_claim(db, "201", 100);
    settle_rows(db, &f, 1);
    assert_settled(&f, "already", "");
    PQfinish(db);
}

/* The mapping with one key changed, as a literal. */
static const char *changed(PGconn *db, const char *mapping, const char *key, const char *value)
{
    char *literal = PQescapeLiteral(db, mapping, strlen(mapping));
    const char *text = db_ask(db, "SELECT quote_literal(%s::jsonb || jsonb_build_object('%s', '%s'::jsonb))",
                              literal, key, value);
    PQfreemem(literal);
    return text;
}

static void a_mapping_that_can_not_work_is_refused_with_its_mend(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *says;
    } cases[] = {
        {"table", "\"orders\"", "order_table.table: there is no table orders; write it with its schema"},
        {"table", "\"kiosk.gone\"", "there is no table kiosk.gone"},
        {"table", "\"kiosk.orders; DROP TABLE kiosk.orders\"", "order_table.table: there is no table"},
        {"table", "\"pg_catalog.pg_class\"", "order_table.table: there is no table"},
        {"key", "\"gone\"", "order_table.key: table kiosk.orders has no column gone"},
        {"key", "\"trade_no\"",
         "order_table.key: no unique index of kiosk.orders is on column trade_no alone"},
        {"status", "null", "order_table.status: it is not given; name the column"},
        {"status", "\"state = state --\"", "has no column state = state --"},
        {"amount", "\"state\"",
         "order_table.amount: column state is of type text; map a column of one of these kinds"},
        {"amount_unit", "\"cents\"", "order_table.amount_unit: it is neither minor nor decimal"},
        {"currency_fixed", "\"CNY\"", "exactly one of currency and currency_fixed is needed"},
        {"paid_at", "\"total\"", "order_table.paid_at: column total is of type bigint"},
        {"created_at", "\"created\"", "order_table.created_at: table kiosk.orders has no column created"},
        {"search_path", "\"kiosk, nowhere\"", "order_table.search_path: there is no schema nowhere"},
        {"unpaid", "[]", "order_table.unpaid: no status is named"},
        {"paid", "{\"write\": \"paid\", \"from\": []}", "order_table.paid: write or from is missing"},
        {"closed", "null", "order_table.closed: write or from is missing"},
        {"closed", "{\"write\": \"shipped\", \"from\": [\"paying\"]}",
         "one status means paid, and closed or unpaid"},
    };
    PGconn *db = db_open(KIOSK, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *mapping = changed(db, KIOSK_MAPPING, cases[i].key, cases[i].value);
        const char *error = db_refused(db, "SELECT makegood.install_mapping(%s)", mapping);
        assert_contains(error, "22023 makegood.install_mapping: ");
        assert_contains(error, cases[i].says);
        assert_contains(
            db_ask(db, "SELECT string_agg(fault || '; ' || mend, ' ') FROM makegood.verify(9, %s)", mapping),
            cases[i].says);
    }
    const char *trigger = changed(db, KIOSK_MAPPING, "channel", "null");
    assert_contains(
        db_refused(db, "SELECT makegood.install_mapping(%s::jsonb || '{\"trigger\": true}')", trigger),
        "order_table.trigger: it needs the channel column");
    PQfinish(db);
    db = db_open(MALL, NULL);
    assert_contains(db_refused(db, "SELECT makegood.install_mapping(%s)",
                               changed(db, MALL_MAPPING, "unpaid", "[\"open\"]")),
                    "a status does not fit the column st'ate");
    assert_contains(db_refused(db, "SELECT makegood.install_mapping(%s)",
                               changed(db, MALL_MAPPING, "currency_fixed", "\"XXX\"")),
                    "XXX is no ISO 4217 currency");
    PQfinish(db);
}

static void what_a_mapping_says_is_never_run(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, NULL);
    db_do(db, "BEGIN");
    db_do(db,
          "CREATE TABLE kiosk.\"o; DROP TABLE kiosk.orders; --\" (\"k\"\"; SELECT 1; --\" text PRIMARY KEY, "
          "\"s$body$\" text, \"a, 1 AS b\" bigint)");
    db_do(db,
          "SELECT makegood.install_mapping('{\"table\": \"kiosk.\\\"o; DROP TABLE kiosk.orders; --\\\"\", "
          "\"key\": \"k\\\"; SELECT 1; --\", \"status\": \"s$body$\", \"amount\": \"a, 1 AS b\", "
          "\"amount_unit\": \"minor\", \"currency_fixed\": \"CNY\", \"search_path\": \"kiosk\", "
          "\"unpaid\": [\"it''s $body$ $made$ \\\\ %%s\"], "
          "\"paid\": {\"write\": \"''; DROP TABLE x\", \"from\": [\"it''s $body$ $made$ \\\\ %%s\"]}, "
          "\"closed\": {\"write\": \"{c,d}\", \"from\": [\"it''s $body$ $made$ \\\\ %%s\"]}, "
          "\"refunded\": null, \"trigger\": false}')");
    db_do(db, "INSERT INTO kiosk.\"o; DROP TABLE kiosk.orders; --\" VALUES ('Q1', E'it''s $body$ $made$ \\\\ "
              "%%s', 5)");
    db_do(db, "SELECT makegood.track('Q1', 'quote', 5, 'CNY', p_due_in => '-1 s')");
    struct element e;
    assert_int_equal(claim_rows(db, "quote", 1, &e), 1);
    settle_rows(db, &e, 1);
    assert_settled(&e, "applied", "");
    assert_string_equal(db_ask(db, "SELECT \"s$body$\" FROM kiosk.\"o; DROP TABLE kiosk.orders; --\""),
                        "'; DROP TABLE x");
    db_do(db, "SELECT count(*) FROM kiosk.orders; ROLLBACK");
    PQfinish(db);
}

static void verify_tells_what_keeps_a_daemon_from_running(void **state)
{
    (void)state;
    PGconn *daemon = db_open(KIOSK, "t_daemon"), *root = db_open(KIOSK, NULL);
    static const char faults[] = "SELECT coalesce(string_agg(fault || '; ' || mend, ' '), 'fit') "
                                 "FROM makegood.verify(%d, '%s')";
    assert_string_equal(db_ask(daemon, faults, 9, KIOSK_MAPPING), "fit");
    int latest = (int)db_number(root, "SELECT max(version) FROM makegood.schema_version");
    assert_string_equal(db_ask(daemon, faults, latest, KIOSK_MAPPING), "fit");
    assert_contains(db_ask(daemon, faults, latest + 1, KIOSK_MAPPING), "run makegood migrate");
    assert_contains(db_ask(daemon, faults, 8, KIOSK_MAPPING), "install a newer program");
    const char *other = changed(root, KIOSK_MAPPING, "unpaid", "[\"created\"]");
    assert_string_equal(
        db_ask(daemon, "SELECT fault || '; ' || mend FROM makegood.verify(9, %s)", other),
        "order_table: the installed mapping differs from the configuration in unpaid; run makegood "
        "migrate, or take the change back");
    db_do(root, "REVOKE EXECUTE ON FUNCTION makegood.backlog() FROM makegood_daemon");
    assert_string_equal(
        db_ask(daemon, faults, 9, KIOSK_MAPPING),
        "the role t_daemon may not execute makegood.backlog; GRANT makegood_daemon TO t_daemon");
    db_do(root, "GRANT EXECUTE ON FUNCTION makegood.backlog() TO makegood_daemon");
    db_do(root, "ALTER TABLE kiosk.orders RENAME trade_no TO elsewhere");
    assert_contains(db_ask(daemon, faults, 9, KIOSK_MAPPING), "table kiosk.orders has no column trade_no");
    db_do(root, "ALTER TABLE kiosk.orders RENAME elsewhere TO trade_no");
    db_do(root, "ALTER TABLE kiosk.orders OWNER TO t_mall_owner");
    assert_contains(db_ask(daemon, faults, 9, KIOSK_MAPPING),
                    "not the property of the owner of kiosk.orders");
    db_do(root, "ALTER TABLE kiosk.orders OWNER TO t_kiosk_owner; BEGIN; SELECT "
                "makegood.uninstall_mapping(); COMMIT");
    assert_contains(db_ask(daemon, faults, 9, KIOSK_MAPPING),
                    "order_table: no mapping is installed; run makegood migrate");
    db_do(root, "SELECT makegood.install_mapping('%s')", KIOSK_MAPPING);
    db_do(root, "SELECT makegood.install_mapping('%s')", KIOSK_MAPPING); /* twice changes nothing */
    assert_string_equal(db_ask(daemon, faults, 9, KIOSK_MAPPING), "fit");
    PQfinish(root);
    PQfinish(daemon);
}

static void adopt_tracks_unpaid_orders_that_exist_already(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_operator"), *root = db_open(KIOSK, NULL);
    db_do(root,
          "DELETE FROM makegood.parked_order; DELETE FROM kiosk.order_history; DELETE FROM kiosk.orders");
    db_do(root, "INSERT INTO kiosk.orders (order_no, state, total, currency, pay_channel, created_at) VALUES "
                "('ad1', 'paying', 100, 'cny', 'alipay', now()), "
                "('ad2', 'created', 100, 'CNY', NULL, now()), "
                "('ad3', 'paying', 100, 'CNY', 'alipay', now() - interval '3 days'), "
                "('ad4', 'paid', 100, 'CNY', 'alipay', now()), "
                "('ad 5', 'paying', 100, 'CNY', 'alipay', now())");
    assert_int_equal(db_number(db, "SELECT makegood.adopt('2 days', NULL)"), 1);
    assert_int_equal(db_number(db, "SELECT makegood.adopt('2 days', NULL)"), 0);
    assert_int_equal(db_number(db, "SELECT makegood.adopt('2 days', 'wechat')"), 1);
    assert_string_equal(
        db_ask(db, "SELECT string_agg(order_no || ' ' || channel || ' ' || currency, ',' ORDER BY "
                   "order_no) FROM makegood.lost_order WHERE order_no LIKE 'ad%%'"),
        "ad1 alipay CNY,ad2 wechat CNY");
    assert_string_equal(db_ask(db, "SELECT order_no || ' ' || reason FROM makegood.parked_order"),
                        "ad 5 untrackable");
    assert_contains(db_refused(db, "SELECT makegood.adopt(NULL, NULL)"), "22023 makegood.adopt: it needs");
    PQfinish(root);
    PQfinish(db);
    db = db_open(MALL, NULL);
    assert_contains(db_refused(db, "SELECT makegood.adopt('2 days', 'c')"),
                    "it needs a time span and order_table.created_at");
    PQfinish(db);
}

static void a_rehearsal_does_it_all_and_takes_it_back(void **state)
{
    (void)state;
    PGconn *db = db_open(KIOSK, "t_daemon"), *root = db_open(KIOSK, NULL);
    static const char steps[] = "SELECT string_agg(step || ':' || fault, ' | ') FROM makegood.rehearse('%s')";
    kiosk_order(root, "re1", "paying", 100);
    kiosk_order(root, "re2", "paid", 100);
    kiosk_order(root, "re3", "paying", 66601);
    kiosk_order(root, "re4", "strange", 100);
    kiosk_order(root, "re5", "paying", 66600);
    assert_string_equal(db_ask(db, steps, "re1"), "lock: | classify: | write:");
    assert_string_equal(kiosk_state(root, "re1"), "paying");
    assert_int_equal(db_number(root, "SELECT count(*) FROM kiosk.order_history WHERE order_no = 're1'"), 0);
    assert_string_equal(db_ask(db, steps, "nope"),
                        "lock:kiosk.orders has no order nope; name one that exists");
    assert_contains(db_ask(db, steps, "re2"), "classify:its status paid means paid already");
    assert_contains(db_ask(db, steps, "re3"), "write:the kiosk does not want this (SQLSTATE P0001)");
    assert_contains(db_ask(db, steps, "re4"), "classify:its status strange may not be left for paid");
    assert_contains(db_ask(db, steps, "re5"), "write:kiosk.orders did not let the update through");
    db_do(root, "BEGIN; SELECT FROM kiosk.orders WHERE order_no = 're1' FOR UPDATE");
    assert_contains(db_ask(db, steps, "re1"), "lock:somebody holds order re1 right now");
    db_do(root, "ROLLBACK");
    PQfinish(root);
    PQfinish(db);
}

int run_mapping_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_decimals_and_integers_is_settled_too),
        cmocka_unit_test(a_number_that_is_no_key_is_missing_and_harms_no_neighbour),
        cmocka_unit_test(a_second_payment_is_seen_though_no_column_tells),
        cmocka_unit_test(a_mapping_that_can_not_work_is_refused_with_its_mend),
        cmocka_unit_test(what_a_mapping_says_is_never_run),
        cmocka_unit_test(verify_tells_what_keeps_a_daemon_from_running),
        cmocka_unit_test(adopt_tracks_unpaid_orders_that_exist_already),
        cmocka_unit_test(a_rehearsal_does_it_all_and_takes_it_back),
    };
    return cmocka_run_group_tests_name("sql mapping", tests, NULL, NULL);
}
