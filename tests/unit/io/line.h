/* A connection under test, with its loop and what it told. */
#ifndef TEST_IO_LINE_H
#define TEST_IO_LINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/pg.h"
#include "place.h"

struct line {
    uv_loop_t loop;
    struct pg *pg;
    int ups, downs;
    int replies; /* so far */
    char reason[512];
};

/* What came of one call. */
struct reply {
    struct line *line;
    int turn; /* 1 for the first answer on its line; 0: none yet */
    bool ok;
    enum failure failure;
    char sqlstate[6];
    char message[256];
    char text[1024]; /* first column of the first row */
    int rows;
};

static inline void line_up(void *self)
{
    ((struct line *)self)->ups++;
}

static inline void line_down(void *self, const char *reason)
{
    struct line *line = self;
    line->downs++;
    snprintf(line->reason, sizeof(line->reason), "%s", reason);
}

static inline void line_open_with(struct line *line, const struct pg_options *options)
{
    static const struct pg_events events = {.up = line_up, .down = line_down};
    memset(line, 0, sizeof(*line));
    assert_int_equal(uv_loop_init(&line->loop), 0);
    assert_int_equal(pg_create(&line->pg, &line->loop, options, &events, line), 0);
}

static inline struct pg_options options_for(const char *conninfo, bool prepared)
{
    return (struct pg_options){.conninfo = conninfo,
                               .application_name = "makegood-test",
                               .prepared = prepared,
                               .connect_timeout_ms = 3000,
                               .call_timeout_ms = 10000,
                               .backoff_first_ms = 20,
                               .backoff_max_ms = 200};
}

static inline void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static inline void on_deadline_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Runs the loop until *counter reaches least. */
static inline void loop_until(uv_loop_t *loop, const int *counter, int least)
{
    bool late = false;
    uv_timer_t *deadline = malloc(sizeof(*deadline));
    uv_timer_init(loop, deadline);
    deadline->data = &late;
    uv_update_time(loop);
    uv_timer_start(deadline, on_deadline, 15000, 0);
    while (*counter < least && !late)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)deadline, on_deadline_closed);
    uv_run(loop, UV_RUN_NOWAIT);
    if (late)
        fail_msg("the loop waited 15 s in vain");
}

static inline void line_until(struct line *line, const int *counter, int least)
{
    loop_until(&line->loop, counter, least);
}

static inline void line_open(struct line *line, const char *conninfo, bool prepared)
{
    struct pg_options options = options_for(conninfo, prepared);
    line_open_with(line, &options);
    line_until(line, &line->ups, 1);
}

static inline void line_close(struct line *line)
{
    pg_destroy(line->pg);
    while (uv_run(&line->loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(uv_loop_close(&line->loop), 0);
}

static inline void on_reply(void *self, const struct pg_answer *answer)
{
    struct reply *reply = self;
    assert_int_equal(reply->turn, 0); /* exactly once */
    reply->turn = ++reply->line->replies;
    reply->ok = answer->ok;
    reply->failure = answer->failure;
    snprintf(reply->sqlstate, sizeof(reply->sqlstate), "%s", answer->sqlstate);
    snprintf(reply->message, sizeof(reply->message), "%s", answer->message);
    reply->rows = answer->ok ? PQntuples(answer->rows) : 0;
    if (reply->rows > 0)
        snprintf(reply->text, sizeof(reply->text), "%s", PQgetvalue(answer->rows, 0, 0));
}

static inline void call_with(struct line *line, struct reply *reply, const struct pg_statement *statement,
                             const struct pg_value *values)
{
    *reply = (struct reply){.line = line};
    assert_int_equal(pg_call(line->pg, statement, values, on_reply, reply), 0);
    assert_int_equal(reply->turn, 0); /* never from inside */
}

/* At most one parameter, as text. */
static inline void call(struct line *line, struct reply *reply, const struct pg_statement *statement,
                        const char *value)
{
    const struct pg_value values[] = {pg_text(value)};
    call_with(line, reply, statement, values);
}

/* Asks and waits. */
static inline struct reply ask_with(struct line *line, const struct pg_statement *statement,
                                    const struct pg_value *values)
{
    struct reply reply;
    call_with(line, &reply, statement, values);
    line_until(line, &reply.turn, 1);
    return reply;
}

static inline struct reply ask(struct line *line, const struct pg_statement *statement, const char *value)
{
    const struct pg_value values[] = {pg_text(value)};
    return ask_with(line, statement, values);
}

#define STATEMENT(id, params_, sql_) static const struct pg_statement id = {#id, sql_, params_}

#endif
