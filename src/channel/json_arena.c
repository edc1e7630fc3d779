/* An arena for jansson: see json_arena.h. jansson's allocator is one for the whole process, so ours tells by
 * the address what is the arena's; no lock, since each thread has its own. */
#include "channel/json_arena.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA_BYTES (32 << 10) /* an answer of some 4 KB; longer ones go on with malloc */

static _Thread_local struct arena {
    _Alignas(max_align_t) char bytes[ARENA_BYTES];
    size_t used;
    int live; /* pieces that jansson did not free yet */
    bool is_open;
} arena;

static void *arena_take(size_t wanted)
{
    const size_t step = _Alignof(max_align_t);
    size_t bytes = (wanted + step - 1) / step * step;
    if (!arena.is_open || bytes < wanted || bytes > ARENA_BYTES - arena.used)
        return malloc(wanted);
    void *taken = arena.bytes + arena.used;
    arena.used += bytes;
    arena.live++;
    return taken;
}

static void arena_give(void *taken)
{
    if ((uintptr_t)taken - (uintptr_t)arena.bytes < ARENA_BYTES)
        arena.live--;
    else
        free(taken);
}

void json_arena_install(void)
{
    static bool is_installed; /* written once: threads that read already may come later */
    if (!is_installed)
        json_set_alloc_funcs(arena_take, arena_give);
    is_installed = true;
}

void json_arena_open(void)
{
    assert(!arena.is_open);
    arena.is_open = true;
}

void json_arena_close(void)
{
    assert(arena.is_open && arena.live == 0);
    arena.is_open = false;
    arena.used = 0;
}
