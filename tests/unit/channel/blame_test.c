/* Faults of a specification, with their key paths. */
#include "fixture.h"

static void a_key_is_prefixed(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    fixture_blame_init(&fixture);
    fixture.blame.prefix = "channels[3]";
    blame_key(&fixture.blame, "url", "the %s is wrong", "thing");
    assert_string_equal(fixture.faults.items[0].text, "the thing is wrong");
    fixture_blame_check(&fixture, "channels[3].url", "wrong");
}

static void without_a_prefix_the_key_stands_alone(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    fixture_blame_init(&fixture);
    fixture.blame.prefix = "";
    blame_key(&fixture.blame, "url", "no");
    fixture_blame_check(&fixture, "url", "no");
}

static void lack_of_memory_outweighs_a_fault(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    fixture_blame_init(&fixture);
    blame_key(&fixture.blame, "url", "no");
    blame_memory(&fixture.blame);
    blame_key(&fixture.blame, "url", "no");
    assert_int_equal(fixture.blame.error, -ENOMEM);
    assert_int_equal(fixture.faults.count, 2);
    faults_finish(&fixture.faults);
}

static void a_long_sentence_is_cut_not_overrun(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    char words[3000];
    memset(words, 'w', sizeof(words));
    words[sizeof(words) - 1] = '\0';
    fixture_blame_init(&fixture);
    blame_key(&fixture.blame, "url", "%s", words);
    assert_true(strlen(fixture.faults.items[0].text) < 1000);
    fixture_blame_check(&fixture, "url", "www");
}

static void texts_are_copied(void **state)
{
    (void)state;
    struct fixture_blame fixture;
    struct texts texts;
    const char *items[] = {"one", NULL, "three"};
    fixture_blame_init(&fixture);
    texts_copy(&texts, items, 3, &fixture.blame);
    assert_int_equal(texts.count, 3);
    assert_string_equal(texts.items[0], "one");
    assert_string_equal(texts.items[1], "");
    assert_ptr_not_equal(texts.items[2], items[2]);
    texts_finish(&texts);
    texts_copy(&texts, NULL, 0, &fixture.blame);
    assert_int_equal(texts.count, 0);
    texts_finish(&texts);
    fixture_blame_check(&fixture, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_prefixed),
        cmocka_unit_test(without_a_prefix_the_key_stands_alone),
        cmocka_unit_test(lack_of_memory_outweighs_a_fault),
        cmocka_unit_test(a_long_sentence_is_cut_not_overrun),
        cmocka_unit_test(texts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
