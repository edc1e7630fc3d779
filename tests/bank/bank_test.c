/* Drives every word of the simulated bank with libcurl, and its control: the suites that rest on the bank
 * must be able to trust it. Starts the program given on the command line on a ledger of its own in a
 * temporary folder. */
#include <curl/curl.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "client.h"

static const char *program;
static char folder[] = "/tmp/makegood-bank-test-XXXXXX";

struct bank {
    pid_t pid;
    char base[64];
};
static struct bank plain;

static void in_folder(const char *name, char out[64])
{
    snprintf(out, 64, "%s/%s", folder, name);
}

static void file_write(const char *name, const char *text)
{
    char path[64];
    in_folder(name, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void bank_start(struct bank *bank, const char *scheme, const char *const *more)
{
    char ledger[64];
    const char *arguments[16] = {program, "--ledger", ledger};
    char *argv[16] = {0};
    FILE *said = NULL;
    int port = 0;
    in_folder("ledger", ledger);
    for (int i = 0; more && more[i]; i++)
        arguments[3 + i] = more[i];
    for (int i = 0; arguments[i]; i++)
        argv[i] = strdup(arguments[i]);
    bank->pid = program_start(argv, STDOUT_FILENO, &said);
    assert_true(bank->pid > 0);
    assert_int_equal(fscanf(said, "listening on 127.0.0.1:%d", &port), 1);
    fclose(said);
    for (int i = 0; argv[i]; i++)
        free(argv[i]);
    snprintf(bank->base, sizeof bank->base, "%s://127.0.0.1:%d", scheme, port);
}

static void bank_stop(struct bank *bank)
{
    int status = -1;
    kill(bank->pid, SIGTERM);
    assert_int_equal(waitpid(bank->pid, &status, 0), bank->pid);
    assert_int_equal(status, 0);
}

static struct told ask(const char *number, const struct how *how)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/payment_intents/%s", number);
    return get(plain.base, path, how);
}

static void expect(const char *number, long status, const char *text)
{
    struct told told = ask(number, NULL);
    assert_int_equal(told.code, CURLE_OK);
    assert_int_equal(told.status, status);
    if (!strstr(told.body, text))
        fail_msg("%s: \"%s\" is not in %s", number, text, told.body);
}

/* The words that answer with one whole body: number (and word), status, a text that only this answer has. */
static const struct whole {
    const char *word;
    long status;
    const char *text;
} wholes[] = {
    {"paid", 200, "\"amount\":1234,\"amount_received\":1234,\"currency\":\"cny\""},
    {"closed", 200, "\"status\":\"canceled\""},
    {"refunded", 200, "\"refunded\":true,\"amount_refunded\":1234"},
    {"refund_part", 200, "\"refunded\":false,\"amount_refunded\":617"},
    {"disputed", 200, "\"disputed\":true"},
    {"pending", 200, "\"latest_charge\":null,\"livemode\":false"},
    {"unpaid", 200, "\"status\":\"requires_payment_method\""},
    {"unknown_state", 200, "\"status\":\"on_hold\""},
    {"not_found", 404, "\"code\":\"resource_missing\""},
    {"wrong_amount", 200, "\"amount_received\":1235,"},
    {"wrong_currency", 200, "\"currency\":\"usd\""},
    {"other_order", 200, "\"metadata\":{\"order_no\":\"next-to-other\"},\"status\":\"succeeded\""},
    {"garbage", 200, "\"amount_rec"},
    {"html", 200, "<html>"},
    {"server_error", 500, "\"type\":\"api_error\""},
    {"unauthorized", 401, "\"type\":\"invalid_request_error\""},
    {"rate_limited", 429, "\"code\":\"rate_limit\""},
};
#define WHOLES (int)(sizeof wholes / sizeof *wholes)

static void a_word_answers_whole(void **state)
{
    const struct whole *whole = *state;
    expect(whole->word, whole->status, whole->text);
    expect(whole->word, whole->status, whole->text); /* the last word repeats */
}

static void rate_limited_says_for_how_long(void **state)
{
    (void)state;
    assert_int_equal(ask("limited7", NULL).retry_after_s, 7);
    assert_int_equal(ask("limited7", NULL).retry_after_s, 7);
    expect("limited7", 200, "succeeded");
    assert_int_equal(ask("paid", NULL).retry_after_s, 0);
}

static void scripts_go_on_word_by_word(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        expect("later", 200, "processing");
    expect("later", 200, "succeeded");
    expect("twisted", 200, "<html>");
    expect("twisted", 404, "resource_missing");
    expect("twisted", 404, "resource_missing");
    expect("twisted", 200, "canceled");
}

static void slow_is_late_but_true(void **state)
{
    (void)state;
    struct told told = ask("slow", NULL);
    assert_int_equal(told.status, 200);
    assert_non_null(strstr(told.body, "succeeded"));
    assert_true(told.seconds > 0.35 && told.seconds < 3);
    assert_true(ask("slow", NULL).seconds < 0.3);
}

static int stat_read(const char *name)
{
    struct told told = get(plain.base, "/_bank/stats", NULL);
    const char *at = strstr(told.body, name);
    assert_int_equal(told.status, 200);
    return at ? atoi(at + strlen(name) + 2) : 0;
}

static void silence_ends_with_the_client(void **state)
{
    static const struct how brief = {.timeout_ms = 300};
    (void)state;
    assert_int_equal(ask("silence", &brief).code, CURLE_OPERATION_TIMEDOUT);
    for (int i = 0; i < 50 && stat_read("\"now") > 0; i++)
        usleep(20000);
    assert_int_equal(stat_read("\"now"), 0);
}

/* Clients that ask for silence and wait. */
struct crowd {
    CURLM *multi;
    CURL *curls[20];
    int waiting;
};

static void crowd_meet(struct crowd *crowd, const char *base)
{
    char url[128];
    snprintf(url, sizeof url, "%s/v1/payment_intents/silence", base);
    crowd->multi = curl_multi_init();
    for (int i = 0; i < 20; i++) {
        crowd->curls[i] = curl_easy_init();
        curl_easy_setopt(crowd->curls[i], CURLOPT_URL, url);
        curl_multi_add_handle(crowd->multi, crowd->curls[i]);
    }
    for (int i = 0; i < 40; i++) {
        curl_multi_perform(crowd->multi, &crowd->waiting);
        curl_multi_poll(crowd->multi, NULL, 0, 10, NULL);
    }
}

static void crowd_part(struct crowd *crowd)
{
    for (int i = 0; i < 20; i++) {
        curl_multi_remove_handle(crowd->multi, crowd->curls[i]);
        curl_easy_cleanup(crowd->curls[i]);
    }
    curl_multi_cleanup(crowd->multi);
}

static void silence_stops_nobody_else(void **state)
{
    struct crowd crowd;
    (void)state;
    crowd_meet(&crowd, plain.base);
    assert_int_equal(crowd.waiting, 20);
    assert_int_equal(stat_read("\"concurrent\":{\"now"), 20);
    assert_true(ask("paid", NULL).seconds < 0.3);
    crowd_part(&crowd);
}

static void cut_ends_in_the_middle(void **state)
{
    struct told told = ask("cut", NULL);
    (void)state;
    assert_int_equal(told.code, CURLE_PARTIAL_FILE);
    assert_true(told.length > 50);
}

static void drip_comes_byte_by_byte(void **state)
{
    static const struct how patient = {.timeout_ms = 2500};
    struct told told = ask("drip", &patient);
    (void)state;
    assert_int_equal(told.code, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(told.length, 2);
    assert_string_equal(told.body, "{\"");
}

static void flood_has_no_end(void **state)
{
    struct told told = ask("flood", NULL);
    (void)state;
    assert_int_equal(told.code, CURLE_WRITE_ERROR);
    assert_true(ask("paid", NULL).code == CURLE_OK);
}

static void reset_is_no_answer(void **state)
{
    (void)state;
    assert_int_equal(ask("reset", NULL).code, CURLE_RECV_ERROR);
}

static void strangers_are_not_found(void **state)
{
    int before = stat_read("\"unlisted");
    (void)state;
    expect("nobody", 404, "resource_missing");
    assert_int_equal(get(plain.base, "/v2/elsewhere", NULL).status, 404);
    assert_int_equal(stat_read("\"unlisted"), before + 2);
}

static void numbers_may_be_escaped(void **state)
{
    (void)state;
    expect("a%7Cb%2Ac", 200, "\"id\":\"a|b*c\"");
}

static void mode_set(const char *query, long status)
{
    char path[128];
    snprintf(path, sizeof path, "/_bank/mode?%s", query);
    assert_int_equal(get(plain.base, path, NULL).status, status);
}

static void a_mode_overrides_scripts(void **state)
{
    (void)state;
    mode_set("script=server_error*2%20own", 200);
    expect("paid", 500, "api_error");
    expect("closed", 500, "api_error");
    expect("paid", 200, "succeeded");
    mode_set("script=not_found&account=dead", 200);
    assert_int_equal(get(plain.base, "/dead/v1/payment_intents/paid", NULL).status, 404);
    assert_int_equal(get(plain.base, "/live/v1/payment_intents/paid", NULL).status, 200);
    mode_set("script=&account=dead", 200);
    mode_set("script=", 200);
    assert_int_equal(get(plain.base, "/dead/v1/payment_intents/paid", NULL).status, 200);
    mode_set("script=nonsense", 400);
    mode_set("script=slow:100", 400);
    mode_set("script=paid:1", 400);
    expect("paid", 200, "succeeded");
}

static void asks_are_counted(void **state)
{
    (void)state;
    int paid = stat_read("\"paid");
    expect("counted", 200, "processing");
    expect("counted", 200, "succeeded");
    expect("counted", 200, "succeeded");
    assert_int_equal(stat_read("\"paid"), paid + 2);
    assert_non_null(strstr(get(plain.base, "/_bank/asks", NULL).body, "counted\t3\t2\n"));
}

static void a_key_is_asked_for(void **state)
{
    static const char *const more[] = {"--key", "sesame", NULL};
    static const struct how right = {.timeout_ms = 5000, .header = "Authorization: Bearer sesame"};
    static const struct how wrong = {.timeout_ms = 5000, .header = "Authorization: Bearer sesam"};
    struct bank bank;
    (void)state;
    bank_start(&bank, "http", more);
    assert_int_equal(get(bank.base, "/v1/payment_intents/paid", NULL).status, 401);
    assert_int_equal(get(bank.base, "/v1/payment_intents/paid", &wrong).status, 401);
    assert_int_equal(get(bank.base, "/v1/payment_intents/paid", &right).status, 200);
    bank_stop(&bank);
}

static void tls_is_spoken_by_several_threads(void **state)
{
    char cert[64], key[64], command[512];
    const char *more[] = {"--tls-cert", cert, "--tls-key", key, "--threads", "2", NULL};
    struct how trusting = {.timeout_ms = 5000, .ca_file = cert};
    struct how brief = {.timeout_ms = 300, .ca_file = cert};
    struct bank bank;
    (void)state;
    in_folder("cert", cert);
    in_folder("key", key);
    snprintf(
        command, sizeof command,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bank "
        "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
        key, cert);
    assert_int_equal(system(command), 0);
    bank_start(&bank, "https", more);
    assert_int_equal(get(bank.base, "/v1/payment_intents/paid", &trusting).status, 200);
    assert_int_equal(get(bank.base, "/v1/payment_intents/slow", &trusting).status, 200);
    assert_int_equal(get(bank.base, "/v1/payment_intents/silence", &brief).code, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(get(bank.base, "/v1/payment_intents/paid", NULL).code, CURLE_PEER_FAILED_VERIFICATION);
    bank_stop(&bank);
}

static void it_stops_while_somebody_waits(void **state)
{
    struct crowd crowd;
    struct bank bank;
    (void)state;
    bank_start(&bank, "http", NULL);
    crowd_meet(&crowd, bank.base);
    assert_int_equal(crowd.waiting, 20);
    bank_stop(&bank);
    crowd_part(&crowd);
}

static void a_bad_ledger_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {{"a\tb\t1\tCNY\n", "line 1"},
               {"a\tb\t1\tCNY\tpaid\na\tc\t1\tCNY\tpaid\n", "line 2"},
               {"a b\tb\t1\tCNY\tpaid\n", "number and order_no"},
               {"a\tb\t1.5\tCNY\tpaid\n", "amount_minor"},
               {"a\tb\t1\tcny\tpaid\n", "currency"},
               {"a\tb\t1\tCNY\tpayed\n", "does not know"},
               {"a\tb\t1\tCNY\tpaid*0\n", "repeats a word"},
               {"a\tb\t1\tCNY\t\n", "empty"},
               {"", "1 byte"}};
    char ledger[64];
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--ledger", ledger, NULL};
    (void)state;
    in_folder("bad", ledger);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[512] = "";
        FILE *said = NULL;
        int status = 0;
        file_write("bad", bad[i].text);
        pid_t pid = program_start(arguments, STDERR_FILENO, &said);
        assert_non_null(fgets(line, sizeof line, said));
        fclose(said);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 1);
        assert_non_null(strstr(line, bad[i].why));
    }
}

static const char more_lines[] = "next\tnext-to-other\t77\tCNY\tpaid\n"
                                 "limited7\tO1\t1234\tCNY\trate_limited:7*2 paid\n"
                                 "later\tO2\t1234\tCNY\tpending*3 paid\n"
                                 "twisted\tO3\t1234\tCNY\thtml not_found*2  closed\n"
                                 "slow\tO4\t1234\tCNY\tslow:400 paid\n"
                                 "counted\tO5\t1234\tCNY\tpending paid\n"
                                 "a|b*c\tO6\t1234\tCNY\tpaid\n"
                                 "silence\tO7\t1234\tCNY\tsilence\n"
                                 "cut\tO8\t1234\tCNY\tcut\n"
                                 "drip\tO9\t1234\tCNY\tdrip\n"
                                 "flood\tO10\t1234\tCNY\tflood\n"
                                 "reset\tO11\t1234\tCNY\treset\n";

static int group_setup(void **state)
{
    char text[4096] = "";
    (void)state;
    curl_global_init(CURL_GLOBAL_ALL);
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < WHOLES; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s\tOW%d\t1234\tCNY\t%s\n%s", wholes[i].word, i,
                 wholes[i].word, strcmp(wholes[i].word, "other_order") == 0 ? more_lines : "");
    }
    file_write("ledger", text);
    bank_start(&plain, "http", NULL);
    return 0;
}

static int group_teardown(void **state)
{
    static const char *const names[] = {"ledger", "bad", "cert", "key"};
    char path[64];
    (void)state;
    bank_stop(&plain);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        in_folder(names[i], path);
        unlink(path);
    }
    curl_global_cleanup();
    return rmdir(folder);
}

static const struct CMUnitTest others[] = {
    cmocka_unit_test(rate_limited_says_for_how_long),
    cmocka_unit_test(scripts_go_on_word_by_word),
    cmocka_unit_test(slow_is_late_but_true),
    cmocka_unit_test(silence_ends_with_the_client),
    cmocka_unit_test(silence_stops_nobody_else),
    cmocka_unit_test(cut_ends_in_the_middle),
    cmocka_unit_test(drip_comes_byte_by_byte),
    cmocka_unit_test(flood_has_no_end),
    cmocka_unit_test(reset_is_no_answer),
    cmocka_unit_test(strangers_are_not_found),
    cmocka_unit_test(numbers_may_be_escaped),
    cmocka_unit_test(a_mode_overrides_scripts),
    cmocka_unit_test(asks_are_counted),
    cmocka_unit_test(a_key_is_asked_for),
    cmocka_unit_test(tls_is_spoken_by_several_threads),
    cmocka_unit_test(it_stops_while_somebody_waits),
    cmocka_unit_test(a_bad_ledger_is_refused),
};
#define OTHERS (sizeof others / sizeof *others)

int main(int argc, char **argv)
{
    struct CMUnitTest tests[WHOLES + OTHERS];
    if (argc != 2) {
        fprintf(stderr, "usage: bank_test PATH-OF-makegood-bank\n");
        return 2;
    }
    program = argv[1];
    for (int i = 0; i < WHOLES; i++)
        tests[i] = (struct CMUnitTest){wholes[i].word, a_word_answers_whole, NULL, NULL,
                                       (void *)(uintptr_t)&wholes[i]};
    memcpy(tests + WHOLES, others, sizeof others);
    return cmocka_run_group_tests_name("bank", tests, group_setup, group_teardown);
}
