/* Stored answers: written and read again, what is refused, and how records are compared. */
#include <ftw.h>
#include <limits.h>

#include "fixture.h"

#include "daemon/case_file.h"
#include "daemon/record.h"

static char root[64];
static char why[CASE_WHY_BYTES];

static int folder_setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/makegood-cases-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int what, struct FTW *place)
{
    (void)status, (void)what, (void)place;
    return remove(path);
}

static int folder_teardown(void **state)
{
    (void)state;
    return nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct policy policy = {.channel = "shop"};
static const char body[] = "{\"a\":\n\n1}\0\xff";

static struct trial trial_make(void)
{
    return (struct trial){.policy = &policy,
                          .order = {.order_no = "A1",
                                    .number = "pi|1*",
                                    .method = "card",
                                    .channel_data = "{\"k\": \"v\"}",
                                    .currency = "CNY",
                                    .amount_minor = 1234},
                          .has_amount = true,
                          .evidence = {.kind = EVIDENCE_PAID,
                                       .authentic = true,
                                       .has_amount = true,
                                       .amount_minor = 1234,
                                       .currency = "CNY",
                                       .rule = "settled"},
                          .verdict = {.kind = VERDICT_PARK, .reason = PARK_FLAGGED, .rule = "flagged"}};
}

static const char *header_of(const void *head, const char *name)
{
    (void)head;
    return strcmp(name, "Wechatpay-Nonce") == 0 ? "n1" : NULL;
}

static void answer_store(char folder[PATH_MAX])
{
    struct trial trial = trial_make();
    struct moment moment = {.unix_ms = 1700000000123};
    struct kept_answer answer;
    struct response response = {.http_status = 201,
                                .body = body,
                                .body_bytes = sizeof(body) - 1,
                                .content_type = "text/x",
                                .trusted = true,
                                .header = header_of};
    char into[96];
    snprintf(into, sizeof(into), "%s/new", root);
    assert_int_equal(kept_copy(&answer, &response), 0);
    if (!case_write(&trial, &moment, &answer, "GET\n", into, folder, why))
        fail_msg("%s", why);
    kept_finish(&answer);
}

static void what_is_written_is_read(void **state)
{
    char folder[PATH_MAX];
    struct case_file file;
    (void)state;
    answer_store(folder);
    assert_non_null(strstr(folder, "/new/20231114T221320Z-shop-pi_1_"));
    if (!case_read(&file, root, folder, why))
        fail_msg("%s", why);
    assert_string_equal(file.order.channel, "shop");
    assert_string_equal(file.order.order_no, "A1");
    assert_string_equal(file.order.number, "pi|1*");
    assert_string_equal(file.order.method, "card");
    assert_string_equal(file.order.channel_data, "{\"k\":\"v\"}");
    assert_string_equal(file.order.currency, "CNY");
    assert_true(file.has_amount && file.order.amount_minor == 1234 && file.order.left_ms == NO_END);
    assert_true(file.trusted && file.moment.unix_ms == 1700000000123);
    struct response response = kept_response(&file.answer, true);
    assert_int_equal(response.http_status, 201);
    assert_int_equal(response.body_bytes, sizeof(body) - 1);
    assert_memory_equal(response.body, body, sizeof(body) - 1);
    assert_string_equal(response.content_type, "text/x");
    assert_string_equal(response.header(response.head, "wechatpay-nonce"), "n1");
    assert_null(response.header(response.head, "wechatpay"));
    assert_string_equal(json_string_value(json_object_get(file.evidence, "rule")), "settled");
    assert_string_equal(json_string_value(json_object_get(file.verdict, "reason")), "flagged");
    case_finish(&file);
}

static void nobody_else_may_read_it(void **state)
{
    static const char *const names[] = {"", "/order.json", "/response", "/expect.json", "/question"};
    char folder[PATH_MAX];
    char path[PATH_MAX + 16];
    struct stat status;
    (void)state;
    umask(0);
    answer_store(folder);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", folder, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, i ? 0600 : 0700);
    }
    umask(022);
}

static void nothing_is_written_over(void **state)
{
    char first[PATH_MAX];
    char second[PATH_MAX];
    (void)state;
    answer_store(first);
    answer_store(second);
    assert_string_equal(second + strlen(first), "-2");
}

/* --- faulty files --------------------------------------------------------------------------------------- */

static void file_put(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    text_write(path, text, strlen(text), 0600);
}

static void folder_put(const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static bool case_reads(const char *name)
{
    char folder[160];
    struct case_file file;
    snprintf(folder, sizeof(folder), "%s/%s", root, name);
    bool read = case_read(&file, root, folder, why);
    if (read)
        case_finish(&file);
    return read;
}

static void check_refused(const char *file, const char *text, const char *part)
{
    folder_put("c");
    file_put("c/order.json", "{\"number\": \"n1\"}");
    file_put("c/expect.json", "{\"evidence\": {\"kind\": \"paid\"}}");
    file_put("c/response", "HTTP/1.1 200 OK\nA: b\n\n{}");
    assert_true(case_reads("c"));
    char name[32];
    snprintf(name, sizeof(name), "c/%s", file);
    file_put(name, text);
    assert_false(case_reads("c"));
    if (!strstr(why, part) || !strpbrk(why, ";"))
        fail_msg("\"%s\" does not say \"%s\" and a mend", why, part);
    folder_teardown(NULL);
    folder_setup(NULL);
}

static void faulty_files_are_refused(void **state)
{
    (void)state;
    check_refused("order.json", "{", "c/order.json:1: ");
    check_refused("order.json", "[]", "this is no object");
    check_refused("order.json", "{\"number\": \"a\", \"number\": \"b\"}", "duplicate");
    check_refused("order.json", "{\"number\": \"a b\"}", "no order can have");
    check_refused("order.json", "{\"channel\": \"A/B\"}", "no order can have");
    check_refused("order.json", "{\"amount_minor\": 1.5}", "no order can have");
    check_refused("order.json", "{\"currency\": \"CNYX\"}", "no order can have");
    check_refused("expect.json", "{\"verdict\": {\"kind\": \"paid\"}}", "records no evidence");
    check_refused("expect.json", "{\"evidence\": {}, \"verdict\": \"paid\"}", "records no evidence");
    check_refused("response", "", "can not be read");
    check_refused("response", "HTTP/1.1 200", "can not be read");
    check_refused("response", "HTTP/1.1 200 OK\nA: b\n", "can not be read");
    check_refused("response", "200 OK\n\n{}", "can not be read");
}

static void folders_above_lend_their_files(void **state)
{
    (void)state;
    folder_put("p");
    folder_put("p/c");
    file_put("p/order.json", "{\"number\": \"n1\"}");
    file_put("p/c/expect.json", "{\"evidence\": {\"kind\": \"paid\"}}");
    file_put("p/c/response", "HTTP/2 404\n\n");
    assert_true(case_reads("p/c"));
    char folder[160];
    struct case_file file;
    snprintf(folder, sizeof(folder), "%s/p/c", root); /* now it is the root itself: nothing is above it */
    assert_false(case_read(&file, folder, folder, why));
    assert_non_null(strstr(why, "has no order.json; "));
}

/* --- records -------------------------------------------------------------------------------------------- */

static char differences[200];

static void on_differs(void *self, const char *field, const char *recorded, const char *present)
{
    size_t used = strlen(differences);
    assert_null(self);
    snprintf(differences + used, sizeof(differences) - used, "%s:%s:%s ", field, recorded, present);
}

static void check_compare(const char *recorded, const char *present, const char *expected)
{
    json_error_t error;
    json_t *before = json_loads(recorded, 0, &error);
    json_t *now = json_loads(present, 0, &error);
    int spaces = 0;
    *differences = '\0';
    for (const char *at = expected; *at; at++)
        spaces += *at == ' ';
    assert_int_equal(record_compare(before, now, on_differs, NULL), spaces);
    assert_string_equal(differences, expected);
    json_decref(before);
    json_decref(now);
}

static void records_are_compared(void **state)
{
    (void)state;
    check_compare("{\"kind\":\"paid\"}", "{\"kind\":\"paid\",\"authentic\":true,\"merchant_differs\":false}",
                  "");
    check_compare("{\"kind\":\"paid\"}", "{\"kind\":\"closed\",\"authentic\":false}",
                  "kind:paid:closed authentic:true:false ");
    check_compare("{\"amount_minor\":1}", "{\"currency\":\"CNY\"}", "amount_minor:1:- currency:-:CNY ");
    check_compare("{}", "{\"rule\":\"r\",\"code\":\"c\",\"body_digest\":\"d\"}", "");
    check_compare("{\"rule\":\"r\",\"code\":\"c\"}", "{\"rule\":\"s\"}", "rule:r:s code:c:- ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_written_is_read),        CASE(nobody_else_may_read_it),
        CASE(nothing_is_written_over),        CASE(faulty_files_are_refused),
        CASE(folders_above_lend_their_files), cmocka_unit_test(records_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
