/* What the unit tests of the channel floor share: an order, a moment, a small specification, a blame. */
#ifndef MAKEGOOD_TESTS_CHANNEL_FIXTURE_H
#define MAKEGOOD_TESTS_CHANNEL_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channel/blame.h"
#include "channel/http_channel.h"
#include "channel/json.h"
#include "channel/template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct lost_order fixture_order = {.order_no = "A1",
                                                .number = "P1",
                                                .amount_minor = 1234,
                                                .currency = "EUR",
                                                .left_ms = NO_END,
                                                .claims = 1};

static const struct moment fixture_moment = {
    .unix_ms = 1700000000123, .nonce = "00112233445566778899aabbccddeeff", .request_id = "mg-1-2"};

/* Parses, or fails the test. */
static inline json_t *fixture_json(const char *text)
{
    json_t *json = json_load_strict(text, strlen(text), 1 << 20);
    assert_non_null(json);
    return json;
}

struct fixture_blame {
    struct blame blame;
    struct faults faults;
};

static inline void fixture_blame_init(struct fixture_blame *fixture)
{
    *fixture = (struct fixture_blame){.blame = {.faults = &fixture->faults}};
    faults_init(&fixture->faults);
}

/* The faults are exactly one, at this key, with these words; NULL: none. Ends the fixture. */
static inline void fixture_blame_check(struct fixture_blame *fixture, const char *key, const char *words)
{
    assert_int_equal(fixture->faults.count, key ? 1 : 0);
    assert_int_equal(fixture->blame.error, key ? -EINVAL : 0);
    if (key) {
        assert_string_equal(fixture->faults.items[0].path, key);
        assert_non_null(strstr(fixture->faults.items[0].text, words));
    }
    faults_finish(&fixture->faults);
}

/* A specification that is accepted; tests change one thing in it. The lists are static: one at a time. */
static inline struct http_channel_spec fixture_spec(void)
{
    static const char *ok[] = {"ok"};
    static struct http_condition_spec is_ok;
    static struct http_rule_spec paid;
    is_ok = (struct http_condition_spec){.at = "/status", .is = ok, .is_count = 1};
    paid = (struct http_rule_spec){.name = "paid", .evidence = "paid", .when = &is_ok, .when_count = 1};
    return (struct http_channel_spec){.name = "unit",
                                      .url = "https://a.example/{number}",
                                      .answer_number = "/id",
                                      .answer_status = "/status",
                                      .amount = {.at = "/amount"},
                                      .answer_currency = "/currency",
                                      .rules = &paid,
                                      .rule_count = 1,
                                      .transport = {.body_max_bytes = 4096}};
}

/* Creates, or fails the test. */
static inline struct channel *fixture_channel(const struct http_channel_spec *spec)
{
    struct channel *channel = NULL;
    struct faults faults;
    faults_init(&faults);
    int error = http_channel_create(&channel, spec, "", &faults);
    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].path, faults.items[i].text);
    faults_finish(&faults);
    assert_int_equal(error, 0);
    return channel;
}

#endif
