/* What the store does for orders that come as messages, beside settling them: it looks at the shop's orders, and keeps what
 * could not be understood. Loop's thread only; called by the broker's source. Every answer goes back from the loop. */
#include <stdlib.h>
#include <string.h>

#include "io/number.h"
#include "io/pg_array.h"
#include "io/store_inner.h"

static const struct pg_statement statement_look = {
    "makegood_look_messages",
    "SELECT done, amount_minor, currency FROM makegood.look_messages($1, $2, $3, $4)", 4};
static const struct pg_statement statement_unread = {"makegood_message_unread",
                                                     "SELECT makegood.message_unread($1, $2, $3)", 3};

struct glance {
    store_looked done;
    void *self;
    int count;
};

static void looked_read(const PGresult *rows, int row, struct looked *out)
{
    const char *currency = PQgetvalue(rows, row, 2);
    *out = (struct looked){.done = strcmp(PQgetvalue(rows, row, 0), "t") == 0};
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
    struct looked *looked = good ? calloc((size_t)glance.count, sizeof(*looked)) : NULL;
    for (int i = 0; looked && i < glance.count; i++)
        looked_read(answer->rows, i, &looked[i]);
    glance.done(glance.self, looked, glance.count);
    free(looked);
}

static bool look_call(struct store *store, const struct lost_order *orders, int count, struct glance *glance)
{
    struct pg_array numbers = {0}, channels = {0}, tokens = {0}, moments = {0};
    struct pg_value values[4];
    pg_array_start(&numbers, PG_TEXT);
    pg_array_start(&channels, PG_TEXT);
    pg_array_start(&tokens, PG_UUID);
    pg_array_start(&moments, PG_INT8);
    for (int i = 0; i < count; i++) {
        pg_array_text(&numbers, orders[i].order_no);
        pg_array_text(&channels, orders[i].channel);
        pg_array_uuid(&tokens, orders[i].token);
        pg_array_number(&moments, orders[i].claimed_us);
    }
    bool good = pg_array_end(&numbers, &values[0]) && pg_array_end(&channels, &values[1]) &&
                pg_array_end(&tokens, &values[2]) && pg_array_end(&moments, &values[3]);
    good = good && pg_call(store_claim_line(store), &statement_look, values, on_looked, glance) == 0;
    pg_array_finish(&numbers);
    pg_array_finish(&channels);
    pg_array_finish(&tokens);
    pg_array_finish(&moments);
    return good;
}

void store_look(struct store *store, const struct lost_order *orders, int count, store_looked done,
                void *self)
{
    struct glance *glance = calloc(1, sizeof(*glance));
    if (glance)
        *glance = (struct glance){done, self, count};
    if (glance && look_call(store, orders, count, glance))
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
