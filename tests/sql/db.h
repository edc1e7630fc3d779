/* What the SQL suites share: a private cluster, two shops' databases, short sentences for queries, and claims
 * and settlements as arrays of elements. One thread. Everything asserts through cmocka; nothing is returned
 * half done. */
#ifndef TESTS_SQL_DB_H
#define TESTS_SQL_DB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#define KIOSK "makegood_test_kiosk" /* cents, text statuses, text key, a history written by a trigger */
#define MALL  "makegood_test_mall"  /* decimals, integer statuses, bigint key, names that need quotes */
#define MOVED "makegood_test_moved" /* migrated by a role that is no superuser */
#define OLDER "makegood_test_older" /* of the first release, migrated while it works */

#define KIOSK_MAPPING                                                                                        \
    "{\"table\": \"kiosk.orders\", \"key\": \"order_no\", \"status\": \"state\", \"amount\": \"total\", "    \
    "\"amount_unit\": \"minor\", \"currency\": \"currency\", \"currency_fixed\": null, "                     \
    "\"channel\": \"pay_channel\", \"channel_number\": \"trade_no\", \"paid_at\": \"paid_at\", "             \
    "\"created_at\": \"created_at\", \"expires_at\": \"expires_at\", \"search_path\": \"kiosk\", "           \
    "\"unpaid\": [\"created\", \"paying\"], "                                                                \
    "\"paid\": {\"write\": \"paid\", \"from\": [\"created\", \"paying\"], \"also\": [\"shipped\"]}, "        \
    "\"closed\": {\"write\": \"closed\", \"from\": [\"created\", \"paying\"], \"also\": [\"cancelled\"]}, "  \
    "\"refunded\": {\"write\": \"refunded\", \"from\": [\"created\", \"paying\", \"paid\"], \"also\": []}, " \
    "\"trigger\": false}"

#define MALL_MAPPING                                                                                         \
    "{\"table\": \"\\\"Mall Data\\\".\\\"Order; List\\\"\", \"key\": \"Order ID\", \"status\": \"st'ate\", " \
    "\"amount\": \"price\", \"amount_unit\": \"decimal\", \"currency\": null, \"currency_fixed\": \"CNY\", " \
    "\"channel\": null, \"channel_number\": null, \"paid_at\": null, \"created_at\": null, "                 \
    "\"expires_at\": null, \"search_path\": \"Mall Data\", \"unpaid\": [0, \"01\"], "                        \
    "\"paid\": {\"write\": 2, \"from\": [0, 1], \"also\": [3]}, "                                            \
    "\"closed\": {\"write\": \"-1\", \"from\": [0, 1], \"also\": []}, \"refunded\": null, \"trigger\": "     \
    "false}"

/* The cluster and its databases; stopped and removed at exit, also after a failure or a signal. */
int cluster_open(void **state);
int cluster_close(void **state);
void schema_load(PGconn *db); /* as makegood migrate does */
void schema_load_files(PGconn *db, int first, int last);
void kiosk_load(PGconn *db); /* the kiosk's tables and its mapping */

/* user NULL: the superuser. Connections are closed by the test that opens them. */
PGconn *db_open(const char *database, const char *user);

/* Format as printf. db_ask answers the first value (NULL: "(null)"), valid until eight calls later. */
void db_do(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *db_ask(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
long db_number(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Must fail; answers "SQLSTATE message". */
const char *db_refused(PGconn *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
void assert_contains(const char *text, const char *part);

/* One claimed row and what is said about it. */
struct element {
    char attempt_id[24], token[40], claimed_us[24], order_no[80], channel[40], number[80], phase[16];
    const char *verdict, *reason, *evidence, *currency, *channel_number, *detail, *due_in_ms;
    const char *next_phase; /* NULL: the one it has */
    long long amount;
    int answers, errors, unknowns;
    bool authentic, last, late;
    char outcome[16], found_reason[40]; /* what settle answered */
};

/* Claims up to limit rows of one channel for ten minutes; each says "paid", as the row has it. */
int claim_rows(PGconn *db, const char *channel, int limit, struct element *out);
void settle_rows(PGconn *db, struct element *elements, int count);
const char *settle_refused(PGconn *db, struct element *elements, int count);
void assert_settled(const struct element *element, const char *outcome, const char *reason);

/* A channel of the order's own: PREFIX-order, in lower case. */
#define CHANNEL_BYTES 40
void channel_of(const char *prefix, const char *order_no, char out[CHANNEL_BYTES]);

/* An order of the kiosk (CNY, paying) and an attempt on it that is due now; answers the attempt's id. */
void kiosk_order(PGconn *db, const char *order_no, const char *state, long long total);
long kiosk_attempt(PGconn *db, const char *order_no, const char *channel, long long amount,
                   const char *attempt);
const char *kiosk_state(PGconn *db, const char *order_no);

int run_shop_tests(void);
int run_claim_tests(void);
int run_settle_tests(void);
int run_life_tests(void);
int run_race_tests(void);
int run_mapping_tests(void);
int run_trigger_tests(void);
int run_rights_tests(void);
int run_edge_tests(void);
int run_audit_tests(void);
int run_steer_tests(void);
int run_beat_tests(void);
int run_look_tests(void);
int run_operate_tests(void);
int run_crowd_tests(void);
int run_wake_tests(void);
int run_message_tests(void);
int run_resolve_tests(void);
int run_upgrade_tests(void);

#endif
