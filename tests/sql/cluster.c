/* The cluster of the SQL suites: made by scripts/cluster in a temporary folder (or MAKEGOOD_TEST_DB, a
 * superuser's conninfo), filled with the two shops, and removed at exit, whatever came before. Main thread
 * only. */
#include "db.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLES \
    "t_daemon, t_shop, t_operator, t_second, t_reader, t_nobody, t_migrator, t_kiosk_owner, t_mall_owner"

static char folder[] = "/tmp/makegood-sql-XXXXXX";
static char conninfo[512];
static pid_t owner;
static volatile sig_atomic_t private_cluster;

/* Runs a program to its end without a shell; first line of its output to out, when asked for. */
static int spawn(const char *const argv[], char *out, size_t bytes)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        char *copies[16] = {0};
        for (int i = 0; argv[i] != NULL && i < 15; i++)
            copies[i] = strdup(argv[i]);
        execvp(copies[0], copies);
        _exit(127);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    char scrap[256];
    while ((got = read(ends[0], scrap, sizeof scrap)) > 0 || (got < 0 && errno == EINTR))
        for (ssize_t i = 0; i < got; i++)
            if (out != NULL && length + 1 < bytes)
                out[length++] = scrap[i];
    if (out != NULL)
        out[length] = '\0';
    close(ends[0]);
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void remove_cluster(void)
{
    if (!private_cluster || getpid() != owner)
        return;
    private_cluster = 0;
    spawn((const char *const[]){SOURCE_DIR "/scripts/cluster", "stop", folder, "immediate", NULL}, NULL, 0);
    spawn((const char *const[]){"rm", "-rf", folder, NULL}, NULL, 0);
}

static void on_signal(int number)
{
    remove_cluster();
    signal(number, SIG_DFL);
    raise(number);
}

static int make_cluster(void)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    owner = getpid();
    private_cluster = 1;
    atexit(remove_cluster);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGABRT, on_signal);
    const char *const argv[] = {SOURCE_DIR "/scripts/cluster",
                                "start",
                                folder,
                                "-o",
                                "fsync=off",
                                "-o",
                                "max_wal_size=2GB",
                                "-o",
                                "shared_buffers=256MB",
                                "-o",
                                "autovacuum=off",
                                NULL};
    if (spawn(argv, conninfo, sizeof conninfo) != 0)
        return -1;
    conninfo[strcspn(conninfo, "\n")] = '\0';
    return 0;
}

PGconn *db_open(const char *database, const char *user)
{
    const char *const keys[] = {"dbname", "dbname", user != NULL ? "user" : NULL, NULL};
    const char *const values[] = {conninfo, database, user, NULL};
    PGconn *db = PQconnectdbParams(keys, values, 1);
    if (PQstatus(db) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(db));
    /* Nothing in these suites may wait: what does is told, not endured. */
    db_do(db, "SET statement_timeout = '20s'; SET client_min_messages = error");
    return db;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = NULL;
    size_t bytes = 0;
    assert_true(getdelim(&text, &bytes, '\0', file) > 0);
    fclose(file);
    return text;
}

void schema_load_files(PGconn *db, int first, int last)
{
    db_do(db, "CREATE SCHEMA IF NOT EXISTS makegood; CREATE TABLE IF NOT EXISTS makegood.schema_version "
              "(version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
              "applied_at timestamptz NOT NULL DEFAULT now())");
    glob_t files;
    assert_int_equal(glob(SOURCE_DIR "/sql/[0-9]*.sql", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *name = strrchr(files.gl_pathv[i], '/') + 1;
        int version = (int)strtol(name, NULL, 10);
        if (version < first || version > last)
            continue;
        char *sql = read_file(files.gl_pathv[i]);
        db_do(db, "BEGIN");
        db_do(db, "%s", sql);
        db_do(db, "INSERT INTO makegood.schema_version VALUES (%d, '%s', 'sum'); COMMIT", version, name);
        free(sql);
    }
    globfree(&files);
}

void schema_load(PGconn *db)
{
    schema_load_files(db, 1, 999);
}

void kiosk_load(PGconn *db)
{
    char *shop = read_file(SOURCE_DIR "/tests/sql/kiosk.sql");
    db_do(db, "%s", shop);
    free(shop);
    db_do(db, "SELECT makegood.install_mapping('%s')", KIOSK_MAPPING);
}

static void make_kiosk(void)
{
    PGconn *db = db_open(KIOSK, NULL);
    schema_load(db);
    kiosk_load(db);
    PQfinish(db);
}

static void make_mall(void)
{
    PGconn *db = db_open(MALL, NULL);
    schema_load(db);
    char *shop = read_file(SOURCE_DIR "/tests/sql/mall.sql");
    db_do(db, "%s", shop);
    free(shop);
    char *quoted = PQescapeLiteral(db, MALL_MAPPING, strlen(MALL_MAPPING));
    db_do(db, "SELECT makegood.install_mapping(%s)", quoted);
    PQfreemem(quoted);
    PQfinish(db);
}

static void drop_all(PGconn *db)
{
    db_do(db, "DROP DATABASE IF EXISTS " KIOSK " WITH (FORCE)");
    db_do(db, "DROP DATABASE IF EXISTS " MALL " WITH (FORCE)");
    db_do(db, "DROP DATABASE IF EXISTS " MOVED " WITH (FORCE)");
    db_do(db, "DROP DATABASE IF EXISTS " OLDER " WITH (FORCE)");
    db_do(db, "DROP ROLE IF EXISTS " ROLES);
}

int cluster_open(void **state)
{
    (void)state;
    const char *given = getenv("MAKEGOOD_TEST_DB");
    if (given != NULL)
        snprintf(conninfo, sizeof conninfo, "%s", given);
    else if (make_cluster() != 0)
        return -1;
    PGconn *db = db_open("postgres", NULL);
    drop_all(db);
    db_do(db, "CREATE DATABASE " KIOSK);
    db_do(db, "CREATE DATABASE " MALL);
    db_do(db,
          "CREATE ROLE t_kiosk_owner NOLOGIN; CREATE ROLE t_mall_owner NOLOGIN; CREATE ROLE t_nobody LOGIN; "
          "CREATE ROLE t_migrator LOGIN CREATEROLE");
    make_kiosk();
    make_mall();
    db_do(
        db,
        "CREATE ROLE t_daemon LOGIN IN ROLE makegood_daemon; CREATE ROLE t_shop LOGIN IN ROLE makegood_shop; "
        "CREATE ROLE t_operator LOGIN IN ROLE makegood_operator; "
        "CREATE ROLE t_second LOGIN IN ROLE makegood_operator; "
        "CREATE ROLE t_reader LOGIN IN ROLE makegood_reader");
    PQfinish(db);
    return 0;
}

int cluster_close(void **state)
{
    (void)state;
    PGconn *db = db_open("postgres", NULL);
    drop_all(db);
    PQfinish(db);
    return 0;
}
