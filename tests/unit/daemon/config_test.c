/* Configurations that are right: what becomes of them, the sample file, the key table. */
#include "fixture.h"

#include <jansson.h>

#include "base/quantity.h"
#include "daemon/config_keys.h"
#include "daemon/config_values.h"

#define SAMPLE_FILE "config/makegood.yaml"

/* --- the key table -------------------------------------------------------------------------------------- */

static bool is_number(const struct config_key *key)
{
    return key->type == KEY_DURATION || key->type == KEY_SIZE || key->type == KEY_INTEGER ||
           key->type == KEY_PERCENT || key->type == KEY_BOOLEAN;
}

static void every_default_is_in_range(void **state)
{
    (void)state;
    int numbers = 0;
    for (const struct config_key *key = config_keys; key->path; key++) {
        int64_t number = 0;
        if (is_number(key) && key->value) {
            numbers++;
            if (!config_number_parse(key, key->value, &number))
                fail_msg("%s: the default %s is not in its range", key->path, key->value);
        }
        if (key->type == KEY_CHOICE && key->value && !strstr(key->unit, key->value))
            fail_msg("%s: the default %s is no choice", key->path, key->value);
        if (is_number(key) && key->min > key->max)
            fail_msg("%s: the range is empty", key->path);
    }
    assert_true(numbers > 30);
}

static void every_key_is_explained(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    config_print_keys(out);
    fclose(out);
    for (const struct config_key *key = config_keys; key->path; key++) {
        char line[160];
        snprintf(line, sizeof(line), "\n%s\n", key->path);
        assert_non_null(strstr(text, line));
        assert_true(strlen(key->sentence) > 10);
        assert_false(key->value && key->otherwise);
        assert_true(key->type != KEY_INTEGER || key->unit);
    }
    free(text);
}

static void every_key_stands_below_its_parent(void **state)
{
    (void)state;
    const struct config_key *parents[16] = {&config_key_root};
    int depth = 0;
    for (const struct config_key *key = config_keys; key->path; key++) {
        while (depth > 0 && config_key_child(parents[depth], config_key_name(key)) != key)
            depth--;
        assert_ptr_equal(config_key_child(parents[depth], config_key_name(key)), key);
        if (key->type == KEY_MAPPING || key->type == KEY_LIST)
            parents[++depth] = key;
    }
}

/* --- the sample ----------------------------------------------------------------------------------------- */

static char *file_text(const char *file)
{
    char *text = calloc(1, 1 << 20);
    FILE *in = fopen(file, "r");
    assert_non_null(text);
    if (in) {
        assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
        fclose(in);
    }
    return text;
}

static void the_sample_is_the_file_of_the_tree(void **state)
{
    (void)state;
    char *sample = sample_text(NULL);
    if (getenv("MAKEGOOD_WRITE_DOC"))
        text_write(SAMPLE_FILE, sample, strlen(sample), 0644);
    char *file = file_text(SAMPLE_FILE);
    if (strcmp(file, sample) != 0)
        fail_msg(SAMPLE_FILE
                 " is not what `makegood config --sample` prints; run this test with MAKEGOOD_WRITE_DOC=1");
    free(file);
    free(sample);
}

static void the_sample_loads(void **state)
{
    char *text = sample_text(*state);
    struct config *config = text_load(*state, text);
    assert_int_equal(config->channel_count, 1);
    assert_string_equal(config->policies[0].channel, "stripe");
    assert_ptr_equal(config_channel(config, "stripe"), config->channels[0]);
    assert_null(config_channel(config, "stripes"));
    assert_string_equal(config->channels[0]->name, "stripe");
    assert_string_equal(config->database_url, "host=/run/postgresql dbname=shop user=makegood");
    assert_ptr_equal(config->engine.policies, config->policies);
    config_drop(config);
    free(text);
}

static void the_sample_lacks_nothing_but_its_secret(void **state)
{
    struct faults faults;
    struct config *config = NULL;
    char *text = sample_text(NULL);
    assert_int_equal(text_load_bytes(*state, text, strlen(text), &config, &faults), -22);
    assert_null(config);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].path, "channels[0].secret_file");
    assert_true(faults.items[0].line > 100);
    faults_finish(&faults);
    free(text);
}

static bool is_allowed(const char *path)
{
    static const char *const allowed[] = {"page_password_file",
                                          "rocketmq.access_key",
                                          "rocketmq.secret_key_file",
                                          "order_table.currency_fixed",
                                          "channels[0].body",
                                          "channels[0].ca_file",
                                          "channels[0].answer.amount.where_at",
                                          "channels[0].answer.amount.where_is",
                                          "channels[0].answer.amount.number_at",
                                          "channels[0].answer.refunded.where_at",
                                          "channels[0].answer.refunded.where_is"};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (path && strcmp(allowed[i], path) == 0)
            return true;
    return false;
}

/* Whoever takes the # away has a file that loads, but for keys that exclude one another. */
static void every_commented_line_may_be_used(void **state)
{
    char *text = sample_text(*state);
    int lines = 0;
    for (char *line = text; line; line = strchr(line + 1, '\n')) {
        char *mark = line + strspn(line, "\n ");
        if (*mark != '#' || mark[1] == ' ')
            continue;
        struct faults faults;
        struct config *config = NULL;
        *mark = ' ';
        memmove(mark, mark + 1, strcspn(mark + 1, "\n"));
        mark[strcspn(mark, "\n") - 1] = ' ';
        int result = text_load_bytes(*state, text, strlen(text), &config, &faults);
        for (size_t i = 0; i < faults.count; i++)
            if (!is_allowed(faults.items[i].path))
                fail_msg("line %d: %s: %s", faults.items[i].line, faults.items[i].path, faults.items[i].text);
        if (result == 0)
            config_drop(config);
        faults_finish(&faults);
        memmove(mark + 1, mark, strcspn(mark, "\n") - 1);
        *mark = '#';
        lines++;
    }
    assert_true(lines > 40);
    free(text);
}

/* --- values --------------------------------------------------------------------------------------------- */

#define DATABASE "database: {url: host=/x}\n"
#define TABLE                                                                                         \
    "order_table: {table: public.o, key: k, status: s, amount: a, amount_unit: minor, currency: c,\n" \
    "  unpaid: [new], paid: {write: paid, from: [new]}, closed: {write: shut, from: [new]}}\n"
#define ANSWER                                                                                         \
    "    answer: &answer {number: /id, status: /status, amount: {at: /amount}, currency: /currency}\n" \
    "    rules: &rules [{evidence: paid, when: [{at: /status, is: [paid]}]}]\n"

static void defaults_hold(void **state)
{
    struct config *config = text_load(*state, DATABASE TABLE "channels:\n  - name: one\n"
                                                             "    url: https://x.example/{number}\n" ANSWER);
    const struct policy *policy = &config->policies[0];
    const struct transport *transport = &config->channels[0]->transport;
    assert_int_equal(config->engine.poll_ms, 1000);
    assert_int_equal(config->engine.batch_size, 500);
    assert_int_equal(config->engine.in_flight, 2000);
    assert_int_equal(config->engine.lease_ms, 60000);
    assert_int_equal(config->engine.collect_ms, 20);
    assert_int_equal(config->engine.crash_limit, 5);
    assert_int_equal(config->workers, 2);
    assert_int_equal(config->stop_ms, 20000);
    assert_int_equal(config->log_level, 5);
    assert_true(config->prepared);
    assert_null(config->migrate_url);
    assert_non_null(strrchr(config->instance, '-'));
    assert_int_equal(atoi(strrchr(config->instance, '-') + 1), getpid());
    assert_int_equal(policy->schedule.length, 8);
    assert_int_equal(policy->schedule.delays_ms[0], 5000);
    assert_int_equal(policy->schedule.delays_ms[7], 3600000);
    assert_int_equal(policy->jitter_percent, 20);
    assert_int_equal(policy->rate_per_second, 20);
    assert_int_equal(policy->burst, 20);
    assert_int_equal(policy->timeout_ms, 10000);
    assert_int_equal(policy->guard_percent, 50);
    assert_int_equal(policy->unknown_limit, 3);
    assert_false(policy->accept_flagged);
    assert_int_equal(transport->timeout_ms, 10000);
    assert_int_equal(transport->connect_timeout_ms, 5000);
    assert_int_equal(transport->body_max_bytes, 65536);
    assert_null(transport->proxy);
    assert_false(transport->allow_plain_http);
    config_drop(config);
}

static void what_is_written_holds(void **state)
{
    struct config *config = text_load(
        *state,
        "instance: i1\nlog_level: debug\nengine: {workers: 3, lease: 2m}\n"
        "database: {url: 'host=/x', migrate_url: 'postgresql:///shop', prepared: no, call_timeout: "
        "250ms}\n" TABLE "channels:\n  - name: one\n    url: https://x.example/{number}\n" ANSWER
        "    burst: 7\n    schedule: '  1s  1m '\n    accept_flagged: yes\n    low_speed_bytes: 1KiB\n"
        "  - name: two\n    url: http://127.0.0.1:1/{number}\n    allow_plain_http: true\n    answer: "
        "*answer\n"
        "    rules: *rules\n    proxy: http://p:1\n");
    assert_string_equal(config->instance, "i1");
    assert_int_equal(config->log_level, 7);
    assert_false(config->prepared);
    assert_string_equal(config->migrate_url, "postgresql:///shop");
    assert_int_equal(config->call_timeout_ms, 250);
    assert_int_equal(config->engine.lease_ms, 120000);
    assert_int_equal(config->engine.policy_count, 2);
    assert_int_equal(config->policies[0].burst, 7);
    assert_int_equal(config->policies[0].schedule.length, 2);
    assert_true(config->policies[0].accept_flagged);
    assert_int_equal(config->channels[0]->transport.low_speed_bytes, 1024);
    assert_string_equal(config->channels[1]->name, "two");
    assert_string_equal(config->channels[1]->transport.proxy, "http://p:1");
    config_drop(config);
}

static void the_mapping_is_the_contracts(void **state)
{
    struct config *config = text_load(*state, DATABASE TABLE "channels:\n  - name: one\n"
                                                             "    url: https://x.example/{number}\n" ANSWER);
    json_t *expected = json_pack(
        "{s:s s:s s:s s:s s:s s:s s:n s:n s:n s:n s:n s:n s:s s:[s] s:{s:s s:[s] s:[] s:[]}"
        " s:{s:s s:[s] s:[]} s:n s:b}",
        "table", "public.o", "key", "k", "status", "s", "amount", "a", "amount_unit", "minor", "currency",
        "c", "currency_fixed", "channel", "channel_number", "paid_at", "created_at", "expires_at",
        "search_path", "public", "unpaid", "new", "paid", "write", "paid", "from", "new", "also", "late_from",
        "closed", "write", "shut", "from", "new", "also", "refunded", "trigger", 0);
    json_t *mapping = json_loads(config->mapping, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(expected);
    assert_true(json_equal(mapping, expected));
    json_decref(mapping);
    json_decref(expected);
    config_drop(config);
}

static void the_last_one_frees(void **state)
{
    char *text = sample_text(*state);
    struct config *config = text_load(*state, text);
    assert_ptr_equal(config_hold(config), config);
    config_drop(config);
    assert_string_equal(config->policies[0].channel, "stripe");
    config_drop(config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_in_range),
        cmocka_unit_test(every_key_is_explained),
        cmocka_unit_test(every_key_stands_below_its_parent),
        cmocka_unit_test(the_sample_is_the_file_of_the_tree),
        cmocka_unit_test(the_sample_loads),
        cmocka_unit_test(the_sample_lacks_nothing_but_its_secret),
        cmocka_unit_test(every_commented_line_may_be_used),
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(what_is_written_holds),
        cmocka_unit_test(the_mapping_is_the_contracts),
        cmocka_unit_test(the_last_one_frees),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
