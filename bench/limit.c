/* bench_limit: claims, asks and settles due lost orders with none of the daemon's duties: no checks, no
 * decision, no audit, no lease that would be honoured. What the daemon reaches is held against it, on the
 * same tables and the same bank. Three threads with a database connection for the first and the last: claim a
 * batch by one plain statement, ask about each row, settle a batch by one plain statement. With one batch
 * that is a loop, with more of them the three overlap. Ends when nothing is due, and prints what it took. */
#include "limit.h"

#include <curl/curl.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Moves due_at as the daemon's claim does, so that the same index entries are written. */
static const char claim_sql[] =
    "WITH due AS MATERIALIZED (SELECT ctid AS spot FROM makegood.lost_order WHERE channel = $1 AND due_at <= "
    "now()"
    "       ORDER BY due_at LIMIT $2::integer FOR UPDATE SKIP LOCKED)"
    " UPDATE makegood.lost_order AS l"
    " SET due_at = now() + interval '1 minute', token = $3::uuid, claimed_at = now(), claims = l.claims + 1"
    " FROM due WHERE l.ctid = due.spot"
    " RETURNING l.attempt_id, l.order_no::text, l.number::text";

static const char settle_sql[] =
    "WITH gone AS (DELETE FROM makegood.lost_order WHERE attempt_id = ANY ($1::bigint[]))"
    " UPDATE shop.orders SET status = 'paid', paid_at = now(), channel_number = w.number"
    " FROM (SELECT unnest($2::text[]) AS order_no, unnest($3::text[]) AS number) AS w"
    " WHERE orders.order_no = w.order_no";

/* Index scans and one generic plan, as in the daemon's functions. */
static const char settings_sql[] =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin "
    "= off;"
    " SET jit = off; SET plan_cache_mode = force_generic_plan; SET application_name = 'bench_limit'";

void limit_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench_limit: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static PGconn *database_open(const char *conninfo, const char *sql)
{
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK)
        limit_fail("the database does not answer: %s", PQerrorMessage(conn));
    PGresult *set = PQexec(conn, settings_sql);
    PGresult *made = PQprepare(conn, "call", sql, 0, NULL);
    if (PQresultStatus(set) != PGRES_COMMAND_OK || PQresultStatus(made) != PGRES_COMMAND_OK)
        limit_fail("a statement can not be prepared: %s", PQerrorMessage(conn));
    PQclear(set);
    PQclear(made);
    return conn;
}

static PGresult *database_call(PGconn *conn, const char *const *values, ExecStatusType expected)
{
    PGresult *result = PQexecPrepared(conn, "call", 3, values, NULL, NULL, 0);
    if (PQresultStatus(result) != expected)
        limit_fail("the database refused a statement: %s", PQerrorMessage(conn));
    return result;
}

/* --- the first thread ----------------------------------------------------------------------------------- */

static void batch_claim(struct limit *limit, PGconn *conn, struct batch *batch)
{
    char size[16];
    const char *values[3] = {limit->options.channel, size, "00000000-0000-4000-8000-000000000000"};
    snprintf(size, sizeof size, "%d", limit->options.batch_size);
    PGresult *rows = database_call(conn, values, PGRES_TUPLES_OK);
    batch->count = PQntuples(rows);
    batch->asked = 0;
    batch->answered = 0;
    for (int i = 0; i < batch->count; i++) {
        struct row *row = &batch->rows[i];
        snprintf(row->attempt_id, sizeof row->attempt_id, "%s", PQgetvalue(rows, i, 0));
        snprintf(row->order_no, sizeof row->order_no, "%s", PQgetvalue(rows, i, 1));
        snprintf(row->number, sizeof row->number, "%s", PQgetvalue(rows, i, 2));
    }
    PQclear(rows);
    limit->claims++;
}

static void *claimer_run(void *self)
{
    struct limit *limit = self;
    PGconn *conn = database_open(limit->options.database, claim_sql);
    for (struct batch *batch; (batch = queue_take(&limit->spare, true));) {
        batch_claim(limit, conn, batch);
        if (batch->count == 0)
            break;
        queue_put(&limit->claimed, batch);
    }
    queue_close(&limit->claimed);
    PQfinish(conn);
    return NULL;
}

/* --- the third thread ----------------------------------------------------------------------------------- */

/* {a,b,c}: the texts are of a charset that needs no quotes. */
static void array_write(const struct batch *batch, size_t member, char *out)
{
    char separator = '{';
    for (int i = 0; i < batch->count; i++) {
        *out++ = separator;
        out = stpcpy(out, (const char *)&batch->rows[i] + member);
        separator = ',';
    }
    strcpy(out, "}");
}

static void *settler_run(void *self)
{
    struct limit *limit = self;
    PGconn *conn = database_open(limit->options.database, settle_sql);
    size_t bytes = (size_t)limit->options.batch_size * (TEXT_BYTES + 1) + 2;
    char *texts[3] = {malloc(bytes), malloc(bytes), malloc(bytes)};
    static const size_t members[3] = {offsetof(struct row, attempt_id), offsetof(struct row, order_no),
                                      offsetof(struct row, number)};
    if (!texts[0] || !texts[1] || !texts[2])
        limit_fail("out of memory");
    for (struct batch *batch; (batch = queue_take(&limit->answered, true));) {
        for (int i = 0; i < 3; i++)
            array_write(batch, members[i], texts[i]);
        PQclear(database_call(conn, (const char *const *)texts, PGRES_COMMAND_OK));
        limit->orders += batch->count;
        limit->settles++;
        queue_put(&limit->spare, batch);
    }
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    PQfinish(conn);
    return NULL;
}

/* --- the frame ------------------------------------------------------------------------------------------ */

static int number_of(const char *text, int max)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > max)
        limit_fail("%s is no number from 1 to %d; see --help", text, max);
    return (int)number;
}

static void help_print(void)
{
    printf("usage: bench_limit --database CONNINFO --url URL [--ca-file FILE] [--channel bank] "
           "[--connections 64]\n"
           "                   [--batch 500] [--batches 8]\n\n"
           "Claims, asks and settles the due rows of makegood.lost_order and prints what that took. The URL "
           "names the\n"
           "place of the number: https://localhost:8443/v1/payment_intents/{number}. The order table is "
           "shop.orders.\n"
           "For benchmarks only: it believes whatever the bank answers.\n");
    exit(0);
}

static void option_take(int name, const char *text, struct options *out)
{
    switch (name) {
    case 'd':
        out->database = text;
        break;
    case 'u':
        out->url = text;
        break;
    case 'a':
        out->ca_file = text;
        break;
    case 'n':
        out->channel = text;
        break;
    case 'c':
        out->connections = number_of(text, 4096);
        break;
    case 'b':
        out->batch_size = number_of(text, 10000);
        break;
    case 's':
        out->batches = number_of(text, BATCHES_MAX);
        break;
    case 'h':
        help_print();
        break;
    default:
        limit_fail("an argument is unknown or lacks its value; see --help");
    }
}

static void options_read(int argc, char **argv, struct options *out)
{
    static const struct option names[] = {{"database", required_argument, NULL, 'd'},
                                          {"url", required_argument, NULL, 'u'},
                                          {"ca-file", required_argument, NULL, 'a'},
                                          {"channel", required_argument, NULL, 'n'},
                                          {"connections", required_argument, NULL, 'c'},
                                          {"batch", required_argument, NULL, 'b'},
                                          {"batches", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *out = (struct options){.channel = "bank", .connections = 64, .batch_size = 500, .batches = 8};
    opterr = 0;
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        option_take(name, optarg, out);
    if (optind < argc || !out->database || !out->url || !strstr(out->url, "{number}"))
        limit_fail("--database and --url with {number} in it are needed, and nothing else; see --help");
}

static void limit_init(struct limit *limit)
{
    queue_init(&limit->spare);
    queue_init(&limit->claimed);
    queue_init(&limit->answered);
    for (int i = 0; i < limit->options.batches; i++) {
        struct batch *batch = &limit->batches[i];
        batch->rows = calloc((size_t)limit->options.batch_size, sizeof *batch->rows);
        if (!batch->rows)
            limit_fail("out of memory");
        queue_put(&limit->spare, batch);
    }
}

static void limit_finish(struct limit *limit)
{
    for (int i = 0; i < limit->options.batches; i++)
        free(limit->batches[i].rows);
    curl_global_cleanup();
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* For bench/run: one line of name=value. */
static void result_print(const struct limit *limit, double seconds)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("orders=%ld seconds=%.3f cpu_seconds=%.3f rss_kb=%ld claims=%ld settles=%ld\n", limit->orders,
           seconds, seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime), usage.ru_maxrss, limit->claims,
           limit->settles);
}

int main(int argc, char **argv)
{
    struct limit limit = {.orders = 0};
    struct timespec from, to;
    pthread_t claimer, asker, settler;
    options_read(argc, argv, &limit.options);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    limit_init(&limit);
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (pthread_create(&claimer, NULL, claimer_run, &limit) ||
        pthread_create(&asker, NULL, asker_run, &limit) ||
        pthread_create(&settler, NULL, settler_run, &limit))
        limit_fail("a thread can not be started");
    pthread_join(claimer, NULL);
    pthread_join(asker, NULL);
    pthread_join(settler, NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    result_print(&limit, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    limit_finish(&limit);
    return 0;
}
