/* Looking: what the schema tells to people, as JSON, over a connection of its own, so that nothing that settles ever waits
 * for it. Reads only. Loop's thread only. */
#ifndef MAKEGOOD_LOOK_H
#define MAKEGOOD_LOOK_H

#include "io/pg.h"

/* X(NAME, arguments, SQL) */
#define LOOK_LIST(X)                                                                                         \
    X(OVERVIEW, 0, "SELECT makegood.overview()")                                                             \
    X(OVER_TIME, 1, "SELECT coalesce(jsonb_agg(t), '[]') FROM makegood.over_time($1::interval) AS t")        \
    X(ORDERS, 7,                                                                                             \
      "SELECT coalesce(jsonb_agg(o), '[]') FROM makegood.orders($1, $2, $3::boolean, $4, $5::interval, $6, " \
      "$7::integer) AS o")                                                                                   \
    X(EXPLAIN, 1, "SELECT coalesce(jsonb_agg(e), '[]') FROM makegood.explain($1) AS e")                      \
    X(HISTORY, 1, "SELECT coalesce(jsonb_agg(h), '[]') FROM makegood.history($1) AS h")

enum look_kind {
#define X(name, ...) LOOK_##name,
    LOOK_LIST(X)
#undef X
        LOOK_KINDS
};

#define LOOK_ARGUMENTS_MAX 7

struct look;

/* json is valid during the callback; NULL: it could not be had. */
typedef void (*look_done)(void *self, const char *json);

int look_create(struct look **out, uv_loop_t *loop, const struct pg_options *options);
/* Answers those that wait, with nothing. */
void look_destroy(struct look *look);
/* As many arguments as the kind has; NULL: an SQL null. Only without memory done is called from inside. */
void look_ask(struct look *look, enum look_kind kind, const char *const *arguments, look_done done,
              void *self);

#endif
