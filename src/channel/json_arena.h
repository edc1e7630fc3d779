/* Memory for reading one answer. jansson allocates several times for every value and frees it all a moment
 * later. While an arena is open on a thread, jansson gets its memory there from a buffer of that thread's own,
 * freeing only counts, and all of it is given back at once. What does not fit comes from malloc as ever.
 *
 * Between open and close a thread makes and drops its json_t, and hands none of them out. */
#ifndef MAKEGOOD_CHANNEL_JSON_ARENA_H
#define MAKEGOOD_CHANNEL_JSON_ARENA_H

/* Before the first open, on the thread that creates channels. */
void json_arena_install(void);
void json_arena_open(void);
void json_arena_close(void);

#endif
