/* What all tests of an end suite share: the temporary folder, the cluster with its roles and one template database per
 * shop, the certificates. Made once by world_open; a guardian takes it down, whatever happens. */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

char world_folder[64];
char world_host[128];
int dead_port;
const char *makegood_program = MAKEGOOD_PROGRAM;

/* --- the cluster ---------------------------------------------------------------------------------------------- */

static void cluster_do(const char *const argv[])
{
    static char out[OUTPUT_BYTES];
    static char err[OUTPUT_BYTES];
    if (run(argv, out, err) != 0)
        fail_msg("%s %s: %s", argv[0], argv[1], err);
}

static void cluster_make(void)
{
    char folder[80];
    snprintf(folder, sizeof(folder), "%s/cluster", world_folder);
    snprintf(world_host, sizeof(world_host), "%s/socket", folder);
    cluster_do((const char *const[]){SOURCE_DIR "/scripts/cluster", "start", folder, "-o", "fsync=off", "-o",
                                     "full_page_writes=off", "-o", "autovacuum=off", "-o", "max_wal_size=1GB",
                                     "-o", "password_encryption=scram-sha-256", NULL});
}

void cluster_start(void)
{
    char folder[80];
    snprintf(folder, sizeof(folder), "%s/cluster", world_folder);
    cluster_do((const char *const[]){SOURCE_DIR "/scripts/cluster", "start", folder, NULL});
}

void cluster_stop(const char *how)
{
    char folder[80];
    snprintf(folder, sizeof(folder), "%s/cluster", world_folder);
    cluster_do((const char *const[]){SOURCE_DIR "/scripts/cluster", "stop", folder, how, NULL});
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

/* Bound and never listened on: whoever connects is refused, and nobody else takes it. */
static int port_reserve(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static void certificates_make(void)
{
    static const char script[] = ". '" SOURCE_DIR "/scripts/lib.sh' && make_certificates \"$1\"";
    char folder[80];
    snprintf(folder, sizeof(folder), "%s/tls", world_folder);
    cluster_do((const char *const[]){"bash", "-c", script, "bash", folder, NULL});
}

static void key_write(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/bank.key", world_folder);
    file_write(path, BANK_KEY "\n");
    chmod(path, 0600);
}

static void roles_make(PGconn *db)
{
    db_do(db, "CREATE ROLE makegood_daemon; CREATE ROLE makegood_shop;"
              "CREATE ROLE end_daemon LOGIN PASSWORD '" PASSWORD "' IN ROLE makegood_daemon;"
              "CREATE ROLE end_shop LOGIN IN ROLE makegood_shop; CREATE ROLE end_vault;"
              "CREATE ROLE end_nobody LOGIN; CREATE ROLE end_migrator LOGIN SUPERUSER");
}

static void sql_file_do(PGconn *db, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), SOURCE_DIR "/tests/end/%s.sql", name);
    char *sql = file_read(path);
    db_do(db, "%s", sql);
    free(sql);
}

/* The shop was there first; makegood is put beside it by its own `migrate`. */
static void template_make(PGconn *db, const struct shop *shop)
{
    static char err[OUTPUT_BYTES];
    char config[96];
    db_do(db, "CREATE DATABASE %s", shop->name);
    PGconn *own = db_open(shop->name, NULL);
    sql_file_do(own, shop->name);
    stage.shop = shop;
    stage.bank_port = dead_port;
    snprintf(stage.database, sizeof(stage.database), "%s", shop->name);
    snprintf(config, sizeof(config), "%s/%s.yaml", world_folder, shop->name);
    config_write(config, &(struct settings){0}, "migrator");
    if (run((const char *const[]){makegood_program, "migrate", "-c", config, NULL}, NULL, err) != 0)
        fail_msg("makegood migrate: %s", err);
    sql_file_do(own, "truth");
    PQfinish(own);
    stage = (struct stage){0};
}

int world_open(void **state)
{
    (void)state;
    snprintf(world_folder, sizeof(world_folder), "/tmp/makegood-end-XXXXXX");
    if (!mkdtemp(world_folder))
        return -1;
    chmod(world_folder, 0711); /* the server's user passes through to its own */
    guardian_start(world_folder);
    cluster_make();
    certificates_make();
    key_write();
    dead_port = port_reserve();
    PGconn *db = db_open("postgres", NULL);
    roles_make(db);
    template_make(db, &orders_shop);
    template_make(db, &purchases_shop);
    PQfinish(db);
    return 0;
}

int world_close(void **state)
{
    (void)state;
    process_kill_all();
    guardian_dismiss();
    return 0;
}
