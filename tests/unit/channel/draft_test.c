/* A growing text. */
#include "fixture.h"

static void it_grows(void **state)
{
    (void)state;
    struct draft draft = {0};
    for (int i = 0; i < 10000; i++)
        draft_say(&draft, "ab");
    draft_add(&draft, "cde", 1);
    char *text = draft_take(&draft);
    assert_int_equal(strlen(text), 20001);
    assert_string_equal(text + 19998, "abc");
    assert_null(draft.bytes);
    free(text);
}

static void nothing_is_an_empty_text(void **state)
{
    (void)state;
    struct draft draft = {0};
    char *text = draft_take(&draft);
    assert_string_equal(text, "");
    free(text);
}

/* Else copies of a secret would stay behind. */
static void a_reserved_text_is_never_moved(void **state)
{
    (void)state;
    struct draft draft = {0};
    draft_reserve(&draft, 1000);
    const char *bytes = draft.bytes;
    for (int i = 0; i < 1000; i++)
        draft_say(&draft, "x");
    assert_ptr_equal(draft.bytes, bytes);
    char *text = draft_take(&draft);
    assert_ptr_equal(text, bytes);
    assert_int_equal(strlen(text), 1000);
    free(text);
}

static void a_failure_sticks(void **state)
{
    (void)state;
    struct draft draft = {0};
    draft_say(&draft, "some");
    draft_add(&draft, NULL, SIZE_MAX);
    draft_say(&draft, "more");
    assert_true(draft.failed);
    assert_null(draft_take(&draft));
    draft_say(&draft, "again");
    char *text = draft_take(&draft);
    assert_string_equal(text, "again");
    free(text);
}

static void a_dropped_draft_is_empty(void **state)
{
    (void)state;
    struct draft draft = {0};
    draft_say(&draft, "some");
    draft_drop(&draft);
    assert_null(draft.bytes);
    assert_int_equal(draft.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows),
        cmocka_unit_test(nothing_is_an_empty_text),
        cmocka_unit_test(a_reserved_text_is_never_moved),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(a_dropped_draft_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
