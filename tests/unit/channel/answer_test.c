/* Reading an answer: whose it is, its money, its status. */
#include "channel/answer.h"

#include "fixture.h"

static struct answer compiled(void)
{
    struct fixture_blame fixture;
    struct answer answer;
    struct http_channel_spec spec = fixture_spec();
    spec.answer_order_no = "/order";
    spec.answer_merchant = "/shop";
    spec.merchant = "M1";
    spec.answer_code = "/code";
    spec.answer_channel_number = "/no";
    spec.refunded_amount.at = "/back";
    fixture_blame_init(&fixture);
    answer_compile(&answer, &spec, &fixture.blame);
    fixture_blame_check(&fixture, NULL, NULL);
    return answer;
}

static enum naming naming(const struct answer *answer, const struct lost_order *order, const char *text)
{
    json_t *json = fixture_json(text);
    enum naming found = answer_naming(answer, order, json);
    json_decref(json);
    return found;
}

static void ours_is_one_equal_and_none_different(void **state)
{
    (void)state;
    struct answer answer = compiled();
    struct lost_order unknown = fixture_order;
    unknown.number[0] = '\0';
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":\"P1\"}"), NAMING_OURS);
    assert_int_equal(naming(&answer, &fixture_order, "{\"order\":\"A1\"}"), NAMING_OURS);
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":\"P1\",\"order\":\"A1\"}"), NAMING_OURS);
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":\"P1\",\"order\":\"A2\"}"), NAMING_OTHER);
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":\"P2\",\"order\":\"A1\"}"), NAMING_OTHER);
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":[\"P1\"]}"), NAMING_OTHER);
    assert_int_equal(naming(&answer, &fixture_order, "{\"id\":null}"), NAMING_NONE);
    assert_int_equal(naming(&answer, &fixture_order, "{}"), NAMING_NONE);
    assert_int_equal(naming(&answer, &unknown, "{\"id\":\"P2\"}"), NAMING_NONE);
    assert_int_equal(naming(&answer, &unknown, "{\"id\":\"\"}"), NAMING_NONE);
    assert_int_equal(naming(&answer, &unknown, "{\"id\":\"P2\",\"order\":\"A1\"}"), NAMING_OURS);
    answer_finish(&answer);
}

static void a_merchant_differs_only_when_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool differs;
    } rows[] = {{"{}", false},
                {"{\"shop\":null}", false},
                {"{\"shop\":\"M1\"}", false},
                {"{\"shop\":\"M2\"}", true},
                {"{\"shop\":1}", true},
                {"{\"shop\":\"\"}", true}};
    struct answer answer = compiled();
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *json = fixture_json(rows[i].text);
        assert_int_equal(answer_merchant_differs(&answer, json), rows[i].differs);
        json_decref(json);
    }
    answer_finish(&answer);
}

static void the_status_goes_before_the_code(void **state)
{
    (void)state;
    struct answer answer = compiled();
    char scratch[JSON_NUMBER_BYTES];
    json_t *both = fixture_json("{\"status\":5,\"code\":\"E1\"}");
    json_t *code = fixture_json("{\"status\":null,\"code\":\"E1\"}");
    json_t *odd = fixture_json("{\"status\":{},\"code\":\"E1\"}");
    assert_true(answer_has_status(&answer, both) && answer_has_status(&answer, odd));
    assert_false(answer_has_status(&answer, code));
    assert_string_equal(answer_code(&answer, both, scratch), "5");
    assert_string_equal(answer_code(&answer, code, scratch), "E1");
    assert_null(answer_code(&answer, odd, scratch));
    json_decref(both);
    json_decref(code);
    json_decref(odd);
    answer_finish(&answer);
}

static void a_channel_number_must_be_one(void **state)
{
    (void)state;
    struct answer answer = compiled();
    char scratch[JSON_NUMBER_BYTES];
    json_t *json = fixture_json("{\"no\":4711}");
    assert_string_equal(answer_channel_number(&answer, json, scratch), "4711");
    json_object_set_new(json, "no", json_string("a b"));
    assert_null(answer_channel_number(&answer, json, scratch));
    json_object_del(json, "no");
    assert_null(answer_channel_number(&answer, json, scratch));
    json_decref(json);
    answer_finish(&answer);
}

static void money_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct answer answer = compiled();
    struct evidence found = {0};
    json_t *json = fixture_json("{\"amount\":5,\"currency\":\"eur\",\"back\":2}");
    assert_true(answer_money(&answer, json, &found));
    assert_true(found.has_amount && found.amount_minor == 5 && found.has_refunded &&
                found.refunded_minor == 2);
    assert_string_equal(found.currency, "EUR");
    json_object_del(json, "back");
    assert_true(answer_money(&answer, json, &found));
    assert_false(found.has_refunded);
    found = (struct evidence){0};
    json_object_set_new(json, "amount", json_real(5.0));
    assert_false(answer_money(&answer, json, &found));
    assert_false(found.has_amount || *found.currency);
    json_decref(json);
    answer_finish(&answer);
}

static void a_merchant_has_two_halves(void **state)
{
    (void)state;
    struct http_channel_spec with_pointer = fixture_spec();
    struct http_channel_spec with_name = fixture_spec();
    struct fixture_blame fixture;
    struct answer answer;
    with_pointer.answer_merchant = "/shop";
    with_name.merchant = "M1";
    fixture_blame_init(&fixture);
    answer_compile(&answer, &with_pointer, &fixture.blame);
    answer_finish(&answer);
    fixture_blame_check(&fixture, "merchant", "missing");
    fixture_blame_init(&fixture);
    answer_compile(&answer, &with_name, &fixture.blame);
    answer_finish(&answer);
    fixture_blame_check(&fixture, "answer.merchant", "never compared");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_is_one_equal_and_none_different),
        cmocka_unit_test(a_merchant_differs_only_when_named),
        cmocka_unit_test(the_status_goes_before_the_code),
        cmocka_unit_test(a_channel_number_must_be_one),
        cmocka_unit_test(money_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_merchant_has_two_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
