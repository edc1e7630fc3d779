/* The stand of the signing channels' tests: see stand.h. Owns the bank and the temporary folder. */
#include "stand.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static char folder[] = "/tmp/makegood-bank-signed-XXXXXX";
static pid_t bank;
static char base[64];
static int port;

/* ---- the bank ---- */

const char *file_of(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, name);
    return out;
}

static const char ledger[] = "paid00000\tO1\t1234\tCNY\tpaid\n"
                             "neighbour\tO2\t77\tCNY\tpaid\n"
                             "other0000\tO3\t1234\tCNY\tother_order\n"
                             "nextother\tO4\t99\tCNY\tpaid\n"
                             "amount000\tO5\t1234\tCNY\twrong_amount\n"
                             "forged000\tO6\t1234\tCNY\tbad_signature\n"
                             "stale0000\tO7\t1234\tCNY\tstale_signature\n"
                             "unsigned0\tO8\t1234\tCNY\tno_signature\n"
                             "stranger0\tO9\t1234\tCNY\tunknown_signer\n"
                             "node00000\tO10\t1234\tCNY\twrong_node\n"
                             "twice0000\tO11\t1234\tCNY\ttwo_nodes\n"
                             "nobody000\tO12\t1234\tCNY\tnot_found\n"
                             "nobodyno0\tO13\t1234\tCNY\tunsigned_404\n"
                             "limited00\tO14\t1234\tCNY\trate_limited:7\n"
                             "gateway00\tO15\t1234\tCNY\tbad_gateway\n"
                             "cut000000\tO16\t1234\tCNY\tcut\n"
                             "unpaidwx0\tO17\t1234\tCNY\tunpaid\n"
                             "unpaidali\tO18\t1234\tCNY\tunpaid\n"
                             "unpaidstr\tO19\t1234\tUSD\tunpaid\n"
                             "racewx000\tO20\t1234\tCNY\tpaid_at_close\n"
                             "raceali00\tO21\t1234\tCNY\tpaid_at_close\n"
                             "closed000\tO22\t1234\tCNY\tclosed\n";

static void bank_start(void)
{
    char ledger_file[128], keys[128];
    char *const arguments[] = {(char *)(uintptr_t)program,
                               (char *)(uintptr_t) "--ledger",
                               ledger_file,
                               (char *)(uintptr_t) "--keys",
                               keys,
                               (char *)(uintptr_t) "--token-lifetime",
                               (char *)(uintptr_t) "1",
                               NULL};
    FILE *said = NULL;
    file_of("ledger", ledger_file);
    file_of("keys", keys);
    bank = program_start(arguments, STDOUT_FILENO, &said);
    assert_true(bank > 0);
    assert_int_equal(fscanf(said, "listening on 127.0.0.1:%d", &port), 1);
    fclose(said);
    snprintf(base, sizeof base, "https://localhost:%d", port);
}

static void bank_stop(void)
{
    int status = -1;
    kill(bank, SIGTERM);
    assert_int_equal(waitpid(bank, &status, 0), bank);
    assert_int_equal(status, 0);
}

int bank_port(void)
{
    return port;
}

void bank_restart(void)
{
    bank_stop();
    bank_start();
}

struct told ask(const char *path, struct how how)
{
    char ca[128];
    how.ca_file = file_of("keys/ca.crt", ca);
    how.timeout_ms = 5000;
    return get(base, path, &how);
}

void expect(const struct told *told, long status, const char *text)
{
    assert_int_equal(told->code, CURLE_OK);
    assert_int_equal(told->status, status);
    if (!strstr(told->body, text))
        fail_msg("\"%s\" is not in %s", text, told->body);
}

static int group_setup(void **state)
{
    char path[128];
    (void)state;
    curl_global_init(CURL_GLOBAL_ALL);
    assert_non_null(mkdtemp(folder));
    FILE *file = fopen(file_of("ledger", path), "we");
    assert_non_null(file);
    fputs(ledger, file);
    assert_int_equal(fclose(file), 0);
    bank_start();
    return 0;
}

static int group_teardown(void **state)
{
    char command[128];
    (void)state;
    bank_stop();
    curl_global_cleanup();
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int stand_run(int argc, char **argv, int (*run)(int (*setup)(void **), int (*teardown)(void **)))
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH-OF-makegood-bank\n", argv[0]);
        return 2;
    }
    program = argv[1];
    return run(group_setup, group_teardown);
}
