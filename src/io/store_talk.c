/* The store's small talk: what is neither claimed nor settled, on a connection of its own. Loop's thread only; called by
 * the daemon. Every answer goes back from the loop. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/log.h"
#include "io/pg_array.h"
#include "io/store_inner.h"
#include "io/store_read.h"

#define NO_MEMORY "out of memory"
#define SEAL_ROWS "20000" /* a fraction of a second */

static const struct pg_statement statement_announce = {"makegood_announce",
                                                       "SELECT makegood.announce($1, $2)", 2};
static const struct pg_statement statement_backlog = {
    "makegood_backlog", "SELECT waiting, parked, oldest_age_ms FROM makegood.backlog()", 0};
static const struct pg_statement statement_verify = {"makegood_verify",
                                                     "SELECT fault, mend FROM makegood.verify($1, $2)", 2};
static const struct pg_statement statement_months = {"makegood_months", "SELECT makegood.prepare_months()",
                                                     0};
static const struct pg_statement statement_beat = {
    "makegood_beat",
    "SELECT place, living, halted, array_to_string(paused, ' ') FROM makegood.beat($1, $2, $3, $4)", 4};
static const struct pg_statement statement_seal = {"makegood_seal", "SELECT makegood.seal(" SEAL_ROWS ")", 0};
static const struct pg_statement statement_leave = {"makegood_leave", "SELECT makegood.leave($1)", 1};

/* A question with a `done` of its own. */
struct talk {
    void (*backlog_done)(void *self, const struct backlog *found);
    void (*verify_done)(void *self, bool answered, const struct faults *faults);
    void (*beat_done)(void *self, const struct heard *heard, enum failure failure);
    void (*leave_done)(void *self);
    void *self;
};

static struct talk *talk_make(void *self)
{
    struct talk *talk = calloc(1, sizeof(*talk));
    if (talk)
        talk->self = self;
    return talk;
}

static void on_told(void *self, const struct pg_answer *answer)
{
    (void)self;
    if (!answer->ok)
        log_event(LOG_WARNED, "call_failed", "sqlstate", answer->sqlstate, "detail", answer->message, NULL);
}

static void tell(struct store *store, const struct pg_statement *statement, const struct pg_value *values)
{
    if (pg_call(store_talk_line(store), statement, values, on_told, NULL) < 0)
        log_event(LOG_WARNED, "call_failed", "detail", NO_MEMORY, NULL);
}

void store_announce(struct store *store, const struct policy *policies, int count)
{
    struct pg_array channels = {0};
    struct pg_array delays = {0};
    struct pg_value values[2];
    pg_array_start(&channels, PG_TEXT);
    pg_array_start(&delays, PG_INT8);
    for (int i = 0; i < count; i++) {
        pg_array_text(&channels, policies[i].channel);
        pg_array_number(&delays, policies[i].schedule.delays_ms[0]);
    }
    if (pg_array_end(&channels, &values[0]) && pg_array_end(&delays, &values[1]))
        tell(store, &statement_announce, values);
    pg_array_finish(&channels);
    pg_array_finish(&delays);
}

void store_prepare_months(struct store *store)
{
    tell(store, &statement_months, NULL);
}

static void on_backlog(void *self, const struct pg_answer *answer)
{
    struct talk talk = *(struct talk *)self;
    struct backlog found = {0};
    const char *why = answer->ok ? backlog_read(answer->rows, &found) : answer->message;
    free(self);
    talk.backlog_done(talk.self, why ? NULL : &found);
}

void store_backlog(struct store *store, void (*done)(void *self, const struct backlog *found), void *self)
{
    struct talk *talk = talk_make(self);
    if (talk)
        talk->backlog_done = done;
    if (talk && pg_call(store_talk_line(store), &statement_backlog, NULL, on_backlog, talk) == 0)
        return;
    free(talk);
    done(self, NULL);
}

/* The schema is not there, or not for us: told as a fault like any other. Faults that memory has no room for
 * must not make a database fit. */
static bool faults_read(const struct pg_answer *answer, struct faults *out)
{
    if (!answer->ok && answer->failure != FAILURE_SCHEMA)
        return false;
    if (!answer->ok)
        faults_add(out, NULL, 0, NULL,
                   "the database can not be asked whether it is fit (%s); run makegood migrate",
                   answer->message);
    int rows = answer->ok ? PQntuples(answer->rows) : 1;
    for (int i = 0; answer->ok && i < rows; i++)
        faults_add(out, NULL, 0, NULL, "%s; %s", PQgetvalue(answer->rows, i, 0),
                   PQgetvalue(answer->rows, i, 1));
    return out->count == (size_t)rows;
}

static void on_verify(void *self, const struct pg_answer *answer)
{
    struct talk talk = *(struct talk *)self;
    struct faults faults;
    free(self);
    faults_init(&faults);
    bool answered = faults_read(answer, &faults);
    talk.verify_done(talk.self, answered, &faults);
    faults_finish(&faults);
}

void store_verify(struct store *store, int version, const char *mapping,
                  void (*done)(void *self, bool answered, const struct faults *faults), void *self)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", version);
    const struct pg_value values[] = {pg_text(number), pg_text(mapping)};
    struct talk *talk = talk_make(self);
    if (talk)
        talk->verify_done = done;
    if (talk && pg_call(store_talk_line(store), &statement_verify, values, on_verify, talk) == 0)
        return;
    free(talk);
    struct faults none = {0};
    done(self, false, &none);
}

static void on_beat(void *self, const struct pg_answer *answer)
{
    struct talk talk = *(struct talk *)self;
    struct heard heard = {0};
    const char *why = answer->ok ? heard_read(answer->rows, &heard) : answer->message;
    free(self);
    if (answer->ok && why)
        log_event(LOG_FAILED, "beat_misread", "detail", why, NULL);
    talk.beat_done(talk.self, why ? NULL : &heard, answer->ok ? FAILURE_SCHEMA : answer->failure);
}

void store_beat(struct store *store, const char *version, int64_t period_ms, const char *lanes,
                void (*done)(void *self, const struct heard *heard, enum failure failure), void *self)
{
    char period[24];
    snprintf(period, sizeof(period), "%" PRId64, period_ms);
    const struct pg_value values[] = {pg_text(store_instance(store)), pg_text(version), pg_text(period),
                                      pg_text(lanes)};
    struct talk *talk = talk_make(self);
    if (talk)
        talk->beat_done = done;
    if (talk && pg_call(store_talk_line(store), &statement_beat, values, on_beat, talk) == 0)
        return;
    free(talk);
    done(self, NULL, FAILURE_LATER);
}

static void on_left(void *self, const struct pg_answer *answer)
{
    struct talk talk = *(struct talk *)self;
    free(self);
    on_told(NULL, answer);
    talk.leave_done(talk.self);
}

void store_leave(struct store *store, void (*done)(void *self), void *self)
{
    const struct pg_value values[] = {pg_text(store_instance(store))};
    struct talk *talk = talk_make(self);
    if (talk)
        talk->leave_done = done;
    if (talk && pg_call(store_talk_line(store), &statement_leave, values, on_left, talk) == 0)
        return;
    free(talk);
    done(self);
}

/* A piece that was full has another one behind it. */
static void on_sealed(void *self, const struct pg_answer *answer)
{
    struct store *store = self;
    if (!answer->ok)
        log_event(LOG_WARNED, "call_failed", "sqlstate", answer->sqlstate, "detail", answer->message, NULL);
    else if (atoll(PQgetvalue(answer->rows, 0, 0)) >= atoll(SEAL_ROWS))
        store_seal(store);
}

void store_seal(struct store *store)
{
    if (pg_call(store_talk_line(store), &statement_seal, NULL, on_sealed, store) < 0)
        log_event(LOG_WARNED, "call_failed", "detail", NO_MEMORY, NULL);
}
