/* Templates: compiling and expanding with the escaping of the place. */
#include "fixture.h"

static const struct money_form form;

static int expand(const char *text, unsigned scope, enum template_place place, const struct lost_order *order,
                  const char *data, char **out, const char **why)
{
    struct fixture_blame fixture;
    struct template template;
    struct draft draft = {0};
    json_t *json = data ? fixture_json(data) : NULL;
    struct template_values values = {.order = order,
                                     .moment = &fixture_moment,
                                     .form = &form,
                                     .data = json,
                                     .method = "GET",
                                     .path = "/p",
                                     .query = "",
                                     .body = "{}",
                                     .signature = "a+/="};
    fixture_blame_init(&fixture);
    template_compile(&template, text, scope, "key", &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    int error = template_expand(&template, &values, place, &draft, why);
    *out = draft_take(&draft);
    static char kept[256];
    if (error) {
        snprintf(kept, sizeof(kept), "%s", *why);
        *why = kept;
    }
    template_finish(&template);
    json_decref(json);
    return error;
}

static void check(const char *text, unsigned scope, enum template_place place, const char *data,
                  const char *expected)
{
    char *out;
    const char *why = "";
    assert_int_equal(expand(text, scope, place, &fixture_order, data, &out, &why), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void check_unaskable(const char *text, enum template_place place, const struct lost_order *order,
                            const char *data, const char *words)
{
    char *out;
    const char *why = "";
    assert_int_equal(expand(text, SCOPE_ORDER, place, order, data, &out, &why), -EINVAL);
    assert_non_null(strstr(why, words));
    free(out);
}

static void every_placeholder_has_its_value(void **state)
{
    (void)state;
    check("{number} {order_no} {amount_minor} {amount_decimal} {currency} {currency_lower}", SCOPE_ORDER,
          PLACE_JSON, NULL, "P1 A1 1234 12.34 EUR eur");
    check("{timestamp} {timestamp_ms} {nonce} {request_id}", SCOPE_ORDER, PLACE_JSON, NULL,
          "1700000000 1700000000123 00112233445566778899aabbccddeeff mg-1-2");
    check("{data.a}{data.b-c}{data.D_1}", SCOPE_ORDER, PLACE_JSON, "{\"a\":\"x\",\"b-c\":-7,\"D_1\":false}",
          "x-7false");
    check("{method} {path} {query} {body}", SCOPE_SIGNED, PLACE_SIGNED, NULL, "GET /p  {}");
    check("{signature}", SCOPE_SIGNATURE, PLACE_HEADER, NULL, "a+/=");
}

static void literals_and_braces(void **state)
{
    (void)state;
    check("", SCOPE_ORDER, PLACE_URL, NULL, "");
    check("plain & simple", SCOPE_ORDER, PLACE_URL, NULL, "plain & simple");
    check("{{{number}}}", SCOPE_ORDER, PLACE_JSON, NULL, "{P1}");
    check("{{number}}", SCOPE_ORDER, PLACE_JSON, NULL, "{number}");
    check("{{}}{{{{", SCOPE_ORDER, PLACE_JSON, NULL, "{}{{");
}

static void values_are_escaped_by_their_place(void **state)
{
    (void)state;
    const char *data = "{\"v\":\"a b/?&=+%\\\"\\\\é\"}";
    check("{data.v}", SCOPE_ORDER, PLACE_URL, data, "a%20b%2F%3F%26%3D%2B%25%22%5C%C3%A9");
    check("{data.v}", SCOPE_ORDER, PLACE_FORM, data, "a%20b%2F%3F%26%3D%2B%25%22%5C%C3%A9");
    check("{data.v}", SCOPE_ORDER, PLACE_JSON, data, "a b/?&=+%\"\\é");
    check("{data.v}", SCOPE_ORDER, PLACE_SIGNED, data, "a b/?&=+%\"\\é");
    check_unaskable("{data.v}", PLACE_HEADER, &fixture_order, data, "header");
    check("{data.v}", SCOPE_ORDER, PLACE_HEADER, "{\"v\":\"a|b*c-d_e\"}", "a|b*c-d_e");
    check("{amount_decimal}", SCOPE_ORDER, PLACE_HEADER, NULL, "12.34");
}

static void bad_values_make_an_order_unaskable(void **state)
{
    (void)state;
    static const char *const numbers[] = {"", "a b", "a/b", "../x", "a\r\nb", "\xc3\xa9", "a%62", "a.b"};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct lost_order order = fixture_order;
        snprintf(order.number, sizeof(order.number), "%s", numbers[i]);
        snprintf(order.order_no, sizeof(order.order_no), "%s", numbers[i]);
        for (enum template_place place = PLACE_URL; place <= PLACE_SIGNED; place++) {
            check_unaskable("x{number}", place, &order, NULL, "{number}");
            check_unaskable("x{order_no}", place, &order, NULL, "{order_no}");
        }
    }
    static const char *const data[] = {
        "{}",         "{\"v\":null}",         "{\"v\":\"\"}",       "{\"v\":1.5}",
        "{\"v\":[]}", "{\"v\":\"a\\u0007\"}", "{\"v\":\"\\u007f\"}"};
    for (size_t i = 0; i < COUNT(data); i++)
        check_unaskable("{data.v}", PLACE_JSON, &fixture_order, data[i], "\"v\"");
    check_unaskable("{data.v}", PLACE_JSON, &fixture_order, NULL, "\"v\"");
}

static void bad_money_makes_an_order_unaskable(void **state)
{
    (void)state;
    struct lost_order order = fixture_order;
    memcpy(order.currency, "eur", 4);
    check_unaskable("{currency}", PLACE_JSON, &order, NULL, "capital");
    check_unaskable("{currency_lower}", PLACE_JSON, &order, NULL, "capital");
    check_unaskable("{amount_decimal}", PLACE_JSON, &order, NULL, "{amount_decimal}");
    memcpy(order.currency, "EUR", 4);
    order.amount_minor = -5;
    check_unaskable("{amount_minor}", PLACE_JSON, &order, NULL, "{amount_minor}");
}

static void the_need_of_data_is_known(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    struct template template;
    fixture_blame_init(&fixture);
    template_compile(&template, "a{number}", SCOPE_ORDER, "key", &fixture.blame);
    assert_false(template.needs_data);
    template_finish(&template);
    template_compile(&template, "a{data.x}", SCOPE_ORDER, "key", &fixture.blame);
    assert_true(template.needs_data);
    template_finish(&template);
    fixture_blame_check(&fixture, NULL, NULL);
}

static void bad_templates_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scope;
        const char *words;
    } rows[] = {{"{secret}", SCOPE_ORDER, "secret_file"},
                {"{secret}", SCOPE_SIGNED | SCOPE_ORDER, "secret_file"},
                {"{nope}", SCOPE_ORDER, "known here are {number}"},
                {"{Number}", SCOPE_ORDER, "unknown"},
                {"{number }", SCOPE_ORDER, "unknown"},
                {"{}", SCOPE_ORDER, "unknown"},
                {"{data}", SCOPE_ORDER, "unknown"},
                {"{data.}", SCOPE_ORDER, "unknown"},
                {"{data.a.b}", SCOPE_ORDER, "unknown"},
                {"{method}", SCOPE_ORDER, "unknown"},
                {"{signature}", SCOPE_ORDER | SCOPE_SIGNED, "unknown"},
                {"{body}", SCOPE_ORDER | SCOPE_SIGNATURE, "unknown"},
                {"{number", SCOPE_ORDER, "never closed"},
                {"{", SCOPE_ORDER, "never closed"},
                {"a}", SCOPE_ORDER, "closes nothing"},
                {"{number}}", SCOPE_ORDER, "closes nothing"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture_blame fixture;
        struct template template;
        fixture_blame_init(&fixture);
        template_compile(&template, rows[i].text, rows[i].scope, "key", &fixture.blame);
        template_finish(&template);
        fixture_blame_check(&fixture, "key", rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_placeholder_has_its_value),
        cmocka_unit_test(literals_and_braces),
        cmocka_unit_test(values_are_escaped_by_their_place),
        cmocka_unit_test(bad_values_make_an_order_unaskable),
        cmocka_unit_test(bad_money_makes_an_order_unaskable),
        cmocka_unit_test(the_need_of_data_is_known),
        cmocka_unit_test(bad_templates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
