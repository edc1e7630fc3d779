/* Looking: see look.h. Owns its connection; a question's memory lasts until its answer. */
#include "io/look.h"

#include <errno.h>
#include <stdlib.h>

struct look {
    struct pg *pg;
};

struct glance {
    look_done done;
    void *self;
};

static const struct pg_statement statements[] = {
#define X(kind_, params_, sql_) {.name = "makegood_look_" #kind_, .sql = (sql_), .params = (params_)},
    LOOK_LIST(X)
#undef X
};

/* Whoever claims and settles says that the database went and came: it is the same one. */
static void on_up(void *self)
{
    (void)self;
}

static void on_down(void *self, const char *reason)
{
    (void)self;
    (void)reason;
}

int look_create(struct look **out, uv_loop_t *loop, const struct pg_options *options)
{
    static const struct pg_events events = {.up = on_up, .down = on_down};
    struct look *look = calloc(1, sizeof(*look));
    if (!look)
        return -ENOMEM;
    int result = pg_create(&look->pg, loop, options, &events, look);
    if (result < 0)
        free(look);
    else
        *out = look;
    return result;
}

void look_destroy(struct look *look)
{
    pg_destroy(look->pg);
    free(look);
}

static void on_answer(void *self, const struct pg_answer *answer)
{
    struct glance glance = *(struct glance *)self;
    bool told = answer->ok && PQntuples(answer->rows) == 1 && !PQgetisnull(answer->rows, 0, 0);
    free(self);
    glance.done(glance.self, told ? PQgetvalue(answer->rows, 0, 0) : NULL);
}

void look_ask(struct look *look, enum look_kind kind, const char *const *arguments, look_done done,
              void *self)
{
    struct pg_value values[LOOK_ARGUMENTS_MAX];
    struct glance *glance = malloc(sizeof(*glance));
    for (int i = 0; i < statements[kind].params; i++)
        values[i] = pg_text(arguments[i]);
    if (glance)
        *glance = (struct glance){done, self};
    if (glance && pg_call(look->pg, &statements[kind], values, on_answer, glance) == 0)
        return;
    free(glance);
    done(self, NULL);
}
