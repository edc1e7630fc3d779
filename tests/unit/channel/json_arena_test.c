/* The arena: jansson's memory while an answer is read, and malloc's whenever it is not. */
#include "channel/json_arena.h"

#include <pthread.h>
#include <stdalign.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define TEXT "{\"id\":\"P1\",\"list\":[1,2.5,null,{\"deep\":\"text\"}]}"

/* jansson's allocator, as it was installed. */
static json_malloc_t take;
static json_free_t give;

static int install(void **state)
{
    (void)state;
    json_arena_install();
    json_arena_install(); /* as a second channel does */
    json_get_alloc_funcs(&take, &give);
    return 0;
}

/* Where an answer begins in this thread's arena. */
static char *arena_start(void)
{
    json_arena_open();
    char *start = take(1);
    give(start);
    json_arena_close();
    return start;
}

static void what_was_closed_is_used_again(void **state)
{
    (void)state;
    char *start = arena_start();
    for (int i = 0; i < 3; i++) {
        json_arena_open();
        json_t *json = fixture_json(TEXT);
        char *after = take(1);
        assert_true(after > start && after < start + (1 << 15));
        give(after);
        json_decref(json);
        json_arena_close();
        assert_ptr_equal(arena_start(), start);
    }
}

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    unsigned char *pieces[100];
    json_arena_open();
    for (unsigned i = 0; i < COUNT(pieces); i++) {
        pieces[i] = take(i);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (unsigned i = 0; i < COUNT(pieces); i++) {
        for (unsigned j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i);
        give(pieces[i]);
    }
    json_arena_close();
}

static void memory_from_outside_is_freed_inside(void **state)
{
    (void)state;
    json_t *outside = fixture_json(TEXT);
    char *text = json_dumps(outside, JSON_COMPACT);
    json_arena_open();
    json_t *inside = fixture_json(text);
    assert_true(json_equal(outside, inside));
    json_decref(outside);
    json_decref(inside);
    json_arena_close();
    assert_string_equal(text, TEXT);
    free(text); /* who took a text outside frees it himself */
}

#define ELEMENTS 20000

/* An array of "a", read into many times the arena's memory. */
static void long_text_write(char text[4 * ELEMENTS + 2])
{
    for (size_t i = 0; i < ELEMENTS; i++)
        memcpy(text + 4 * i, i ? ",\"a\"" : "[\"a\"", 4);
    memcpy(text + 4 * ELEMENTS, "]", 2);
}

static void what_does_not_fit_comes_from_malloc(void **state)
{
    (void)state;
    static char text[4 * ELEMENTS + 2];
    long_text_write(text);
    char *start = arena_start();
    json_arena_open();
    json_t *json = fixture_json(text);
    assert_int_equal(json_array_size(json), ELEMENTS);
    for (size_t i = 0; i < ELEMENTS; i++)
        assert_string_equal(json_string_value(json_array_get(json, i)), "a");
    json_decref(json);
    json_arena_close();
    assert_ptr_equal(arena_start(), start);
}

struct reader {
    pthread_t thread;
    pthread_barrier_t *all_live;
    char *start;
    unsigned read;
};

static void *read_often(void *self)
{
    struct reader *reader = self;
    reader->start = arena_start();
    pthread_barrier_wait(reader->all_live);
    for (int i = 0; i < 2000; i++) {
        json_arena_open();
        json_t *json = json_load_strict(TEXT, strlen(TEXT), strlen(TEXT));
        reader->read += json_value_is(json_object_get(json, "id"), "P1");
        json_decref(json);
        json_arena_close();
    }
    return NULL;
}

static void every_thread_has_its_own(void **state)
{
    (void)state;
    struct reader readers[4] = {0};
    pthread_barrier_t all_live;
    pthread_barrier_init(&all_live, NULL, COUNT(readers));
    for (size_t i = 0; i < COUNT(readers); i++) {
        readers[i].all_live = &all_live;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_often, &readers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(readers); i++)
        pthread_join(readers[i].thread, NULL);
    for (size_t i = 0; i < COUNT(readers); i++) {
        assert_int_equal(readers[i].read, 2000);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(readers[i].start, readers[j].start);
    }
    pthread_barrier_destroy(&all_live);
}

static void keep_beyond_the_end(void)
{
    json_arena_open();
    fixture_json(TEXT);
    json_arena_close();
}

static void open_twice(void)
{
    json_arena_open();
    json_arena_open();
}

static void close_what_is_closed(void)
{
    json_arena_close();
}

static void misuse_ends_the_program(void **state)
{
    (void)state;
    static void (*const misuses[])(void) = {keep_beyond_the_end, open_twice, close_what_is_closed};
    for (size_t i = 0; i < COUNT(misuses); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(STDERR_FILENO);
            misuses[i]();
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_closed_is_used_again),
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(memory_from_outside_is_freed_inside),
        cmocka_unit_test(what_does_not_fit_comes_from_malloc),
        cmocka_unit_test(every_thread_has_its_own),
        cmocka_unit_test(misuse_ends_the_program),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
