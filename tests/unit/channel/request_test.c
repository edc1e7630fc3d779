/* The end of a request. */
#include "fixture.h"

static void a_finished_request_is_empty(void **state)
{
    (void)state;
    struct request request = {.method = strdup("POST"),
                              .url = strdup("https://a.example/"),
                              .headers = {strdup("A: b"), strdup("C: d")},
                              .header_count = 2,
                              .body = strdup("{}"),
                              .body_bytes = 2,
                              .asked = "POST https://a.example/"};
    struct request empty;
    memset(&empty, 0, sizeof(empty));
    request_finish(&request);
    assert_memory_equal(&request, &empty, sizeof(request));
}

static void an_empty_request_can_be_finished(void **state)
{
    (void)state;
    struct request request = {0};
    request_finish(&request);
    request_finish(&request);
    assert_int_equal(request.header_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_request_is_empty),
        cmocka_unit_test(an_empty_request_can_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
