/* What the store does for orders that come as messages, beside settling them: it looks at the shop's orders, and keeps what
 * could not be understood. Loop's thread only; called by the broker's source. Every answer goes back from the loop. */
#include <stdlib.h>
#include <string.h>

#include "io/number.h"
#include "io/pg_array.h"
#include "io/store_inner.h"

static const struct pg_statement statement_look = {
    "makegood_look_messages",
    "SELECT look, amount_minor, currency FROM makegood.look_messages($1, $2, $3, $4, $5, $6, $7)", 7};
static const struct pg_statement statement_unread = {"makegood_message_unread",
                                                     "SELECT makegood.message_unread($1, $2, $3)", 3};

struct glance {
    store_looked done;
    void *self;
    int count;
};

static enum message_look look_read(const char *text)
{
    if (strcmp(text, "done") == 0)
        return LOOK_DONE;
    return strcmp(text, "wait") == 0 ? LOOK_WAIT : LOOK_ASK;
}

static void looked_read(const PGresult *rows, int row, struct looked *out)
{
    const char *currency = PQgetvalue(rows, row, 2);
    *out = (struct looked){.look = look_read(PQgetvalue(rows, row, 0))};
    out->known = number_parse(PQgetvalue(rows, row, 1), 1, INT64_MAX, &out->amount_minor) &&
                 strlen(currency) == CURRENCY_BYTES - 1;
    if (out->known)
        memcpy(out->currency, currency, CURRENCY_BYTES);
}

static void on_looked(void *self, const struct pg_answer *answer)
{
    struct glance glance = *(struct glance *)self;
    free(self);
    bool good = answer->ok && PQntuples(answer->rows) == glance.count;
    struct looked *looked = good ? calloc((size_t)glance.count + 1, sizeof(*looked)) : NULL;
    for (int i = 0; looked && i < glance.count; i++)
        looked_read(answer->rows, i, &looked[i]);
    glance.done(glance.self, looked, glance.count);
    free(looked);
}

enum look_column { NUMBERS, CHANNELS, ATTEMPTS, TOKENS, MOMENTS, BEFORES, REQUESTS, LOOK_COLUMNS };

static bool look_call(struct store *store, const struct lost_order *orders, const struct step *before,
                      int count, struct glance *glance)
{
    static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_UUID, PG_INT8, PG_INT8, PG_TEXT};
    struct pg_array columns[LOOK_COLUMNS] = {0};
    struct pg_value values[LOOK_COLUMNS];
    bool good = true;
    for (int i = 0; i < LOOK_COLUMNS; i++)
        pg_array_start(&columns[i], types[i]);
    for (int i = 0; i < count; i++) {
        pg_array_text(&columns[NUMBERS], orders[i].order_no);
        pg_array_text(&columns[CHANNELS], orders[i].channel);
        pg_array_text(&columns[ATTEMPTS], orders[i].attempt);
        pg_array_uuid(&columns[TOKENS], orders[i].token);
        pg_array_number(&columns[MOMENTS], orders[i].claimed_us);
        pg_array_number(&columns[BEFORES], before[i].due_us);
        pg_array_text(&columns[REQUESTS], before[i].request_id);
    }
    for (int i = 0; i < LOOK_COLUMNS; i++)
        good = good && pg_array_end(&columns[i], &values[i]);
    good = good && pg_call(store_claim_line(store), &statement_look, values, on_looked, glance) == 0;
    for (int i = 0; i < LOOK_COLUMNS; i++)
        pg_array_finish(&columns[i]);
    return good;
}

void store_look(struct store *store, const struct lost_order *orders, const struct step *before, int count,
                store_looked done, void *self)
{
    struct glance *glance = calloc(1, sizeof(*glance));
    if (glance)
        *glance = (struct glance){done, self, count};
    if (glance && look_call(store, orders, before, count, glance))
        return;
    free(glance);
    done(self, NULL, count);
}

struct keeping {
    void (*done)(void *self, bool kept);
    void *self;
};

static void on_kept(void *self, const struct pg_answer *answer)
{
    struct keeping keeping = *(struct keeping *)self;
    free(self);
    keeping.done(keeping.self, answer->ok);
}

void store_message_unread(struct store *store, const char *order_no, const char *channel, const char *why,
                          void (*done)(void *self, bool kept), void *self)
{
    const struct pg_value values[] = {pg_text(order_no), pg_text(channel), pg_text(why)};
    struct keeping *keeping = calloc(1, sizeof(*keeping));
    if (keeping)
        *keeping = (struct keeping){done, self};
    if (keeping && pg_call(store_talk_line(store), &statement_unread, values, on_kept, keeping) == 0)
        return;
    free(keeping);
    done(self, false);
}
