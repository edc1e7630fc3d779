/* Making a channel. Every single refusal is a golden case under tests/golden/cases/refused. */
#include "fixture.h"

static void a_channel_keeps_nothing_of_its_specification(void **state)
{
    (void)state;
    char name[] = "unit";
    char url[] = "https://a.example/{number}";
    char secret[] = "s1";
    char ca[] = "/etc/ca.pem";
    struct http_channel_spec spec = fixture_spec();
    spec.name = name;
    spec.url = url;
    spec.auth = "bearer";
    spec.secret = secret;
    spec.transport.ca_file = ca;
    spec.transport.timeout_ms = 77;
    struct channel *channel = fixture_channel(&spec);
    memset(name, 'x', 4);
    memset(url, 'x', 4);
    memset(secret, 'x', 2);
    memset(ca, 'x', 4);
    assert_string_equal(channel->name, "unit");
    assert_string_equal(channel->kind->name, "http");
    assert_string_equal(channel->transport.ca_file, "/etc/ca.pem");
    assert_null(channel->transport.proxy);
    assert_true(channel->transport.timeout_ms == 77);
    struct request request;
    const char *why;
    assert_int_equal(channel->kind->build(channel, &fixture_order, &fixture_moment, &request, &why), 0);
    assert_string_equal(request.url, "https://a.example/P1");
    assert_string_equal(request.headers[request.header_count - 1], "Authorization: Bearer s1");
    request_finish(&request);
    channel->kind->destroy(channel);
}

static void all_faults_are_told_at_once_with_the_prefix(void **state)
{
    (void)state;
    struct http_channel_spec spec = fixture_spec();
    struct channel *channel = (struct channel *)1;
    struct faults faults;
    spec.name = NULL;
    spec.method = "PUT";
    spec.url = "ftp://a.example/";
    spec.transport.body_max_bytes = 0;
    spec.rule_count = 0;
    faults_init(&faults);
    assert_int_equal(http_channel_create(&channel, &spec, "channels[2]", &faults), -EINVAL);
    assert_null(channel);
    static const char *const paths[] = {"channels[2].name", "channels[2].body_max", "channels[2].method",
                                        "channels[2].url", "channels[2].rules"};
    assert_int_equal(faults.count, COUNT(paths));
    for (size_t i = 0; i < faults.count; i++)
        assert_string_equal(faults.items[i].path, paths[i]);
    faults_finish(&faults);
}

static void an_empty_specification_is_refused_in_peace(void **state)
{
    (void)state;
    struct http_channel_spec spec = {0};
    struct channel *channel;
    struct faults faults;
    faults_init(&faults);
    assert_int_equal(http_channel_create(&channel, &spec, NULL, &faults), -EINVAL);
    assert_true(faults.count >= 3);
    faults_finish(&faults);
}

static void no_fault_tells_a_secret(void **state)
{
    (void)state;
    static const char *const auths[] = {"none", "header", "basic", "bearer", "hmac-sha256", "what"};
    for (size_t i = 0; i < COUNT(auths); i++) {
        struct http_channel_spec spec = fixture_spec();
        struct channel *channel;
        struct faults faults;
        spec.url = "https://a.example/topsecret/{x}";
        spec.auth = auths[i];
        spec.secret = "topsecret";
        faults_init(&faults);
        assert_int_equal(http_channel_create(&channel, &spec, "", &faults), -EINVAL);
        for (size_t j = 0; j < faults.count; j++)
            assert_null(strstr(faults.items[j].text, "topsecret"));
        faults_finish(&faults);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_keeps_nothing_of_its_specification),
        cmocka_unit_test(all_faults_are_told_at_once_with_the_prefix),
        cmocka_unit_test(an_empty_specification_is_refused_in_peace),
        cmocka_unit_test(no_fault_tells_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
