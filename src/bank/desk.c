/* The desk: see desk.h. Stripe's way in is the short one, for benchmarks are run through it. */
#include "bank/desk.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bank/provider.h"

#define STRIPE "/v1/payment_intents/"
#define CANCEL "/cancel"

bool desk_take(struct desk *desk, const char *bytes, size_t count)
{
    char *body =
        desk->body_bytes + count <= BODY_MOST ? realloc(desk->body, desk->body_bytes + count + 1) : NULL;
    if (!body)
        return false;
    memcpy(body + desk->body_bytes, bytes, count);
    desk->body_bytes += count;
    body[desk->body_bytes] = '\0';
    desk->body = body;
    return true;
}

void desk_finish(struct desk *desk)
{
    free(desk->question);
    free(desk->body);
}

/* "/ACCOUNT/path/rest", the account being optional: what follows the path, or NULL. */
static const char *path_split(const char *url, const char *path, char account[ACCOUNT_BYTES])
{
    const char *at = strstr(url, path);
    size_t length = at && at > url ? (size_t)(at - url - 1) : 0;
    account[0] = '\0';
    if (!at || length >= ACCOUNT_BYTES)
        return NULL;
    memcpy(account, url + (at > url), length);
    account[length] = '\0';
    return at + strlen(path);
}

/* ---- Stripe ---- */

static bool key_is_right(const char *key, struct MHD_Connection *connection)
{
    static const char bearer[] = "Bearer ";
    const char *given =
        key ? MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization") : NULL;
    return !key || (given && strncmp(given, bearer, sizeof bearer - 1) == 0 &&
                    strcmp(given + sizeof bearer - 1, key) == 0);
}

static struct order *stripe_meet(struct desk *desk, struct bank *bank, struct MHD_Connection *connection,
                                 const char *number, const char *method, struct answer *out)
{
    size_t length = number ? strcspn(number, "/") : 0;
    desk->closes = number && strcmp(method, "POST") == 0 && strcmp(number + length, CANCEL) == 0;
    if (!key_is_right(bank->key, connection)) {
        bank->counters.answers[WORD_UNAUTHORIZED]++;
        answer_error(401, out);
        return NULL;
    }
    struct order *order = NULL;
    if (number && (desk->closes || !number[length]))
        order = ledger_find(&bank->ledger, number, length);
    if (!order) {
        bank->counters.unlisted++;
        answer_error(404, out);
    }
    return order;
}

/* ---- the others ---- */

static const struct provider *provider_find(const struct bank *bank, const char *url,
                                            char account[ACCOUNT_BYTES], const char **rest)
{
    static const struct provider *const providers[] = {&wechatpay, &wechatpay_partner, &alipay,
                                                       &unionpay,  &paypal_order,      &paypal_token};
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if ((*rest = path_split(url, providers[i]->path, account)) &&
            (bank->keys || !providers[i]->needs_keys))
            return providers[i];
    return NULL;
}

static struct order *provider_meet(struct desk *desk, struct bank *bank, const struct provider *provider,
                                   struct answer *out)
{
    struct question *question = desk->question;
    bool read = provider->read(question, out);
    desk->closes = question->verb == VERB_CLOSE;
    if (!read) {
        bank->counters.answers[WORD_UNAUTHORIZED] += out->status == 401;
        return NULL;
    }
    struct order *order = ledger_find(&bank->ledger, question->number, strlen(question->number));
    if (!order) {
        bank->counters.unlisted++;
        provider->unknown(question, out);
    }
    return order;
}

static bool question_make(struct desk *desk, struct bank *bank, struct MHD_Connection *connection,
                          const struct sent *sent, const char *rest)
{
    desk->question = calloc(1, sizeof *desk->question);
    if (desk->question)
        *desk->question = (struct question){.connection = connection,
                                            .keys = bank->keys,
                                            .secret = bank->key,
                                            .tokens = &bank->tokens,
                                            .method = sent->method,
                                            .target = sent->target,
                                            .rest = rest,
                                            .body = desk->body};
    return desk->question != NULL;
}

/* ---- the fate ---- */

/* libcurl sends a question again by itself when a kept connection turns out to be dead: still the same
 * question. */
static bool is_sent_again(struct order *order, struct MHD_Connection *connection)
{
    const char *id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Request-Id");
    uint32_t hash = id ? 2166136261u : 0; /* FNV-1a */
    for (; id && *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return atomic_exchange(&order->question, hash) == hash && hash != 0;
}

/* What a close ended stays so, whatever the script says about an unpaid order. */
static enum word word_settle(struct order *order, enum word word, bool closes)
{
    if (word != WORD_UNPAID && word != WORD_PENDING && word != WORD_PAID_AT_CLOSE)
        return word;
    enum end end = word == WORD_PAID_AT_CLOSE ? END_PAID : END_CLOSED;
    unsigned char open = END_OPEN;
    if (closes)
        atomic_compare_exchange_strong(&order->ended, &open, (unsigned char)end);
    if (order->ended != END_OPEN)
        return order->ended == END_CLOSED ? WORD_CLOSED : WORD_PAID;
    return word == WORD_PENDING ? WORD_PENDING : WORD_UNPAID;
}

static void moment_note(struct order *order)
{
    struct timespec now;
    long long none = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_compare_exchange_strong(&order->first_us, &none, now.tv_sec * 1000000LL + now.tv_nsec / 1000);
}

static void fate_find(struct desk *desk, struct bank *bank, struct MHD_Connection *connection,
                      const char *account)
{
    if (!desk->closes && !is_sent_again(desk->order, connection))
        desk->order->asked++;
    moment_note(desk->order);
    desk->fate = modes_fate(bank, account, desk->order);
    desk->fate.word = word_settle(desk->order, desk->fate.word, desk->closes);
    bank->counters.answers[desk->fate.word]++;
}

void desk_meet(struct desk *desk, struct bank *bank, struct MHD_Connection *connection,
               const struct sent *sent, struct answer *out)
{
    char account[ACCOUNT_BYTES];
    const char *rest = path_split(sent->url, STRIPE, account);
    desk->provider = rest ? NULL : provider_find(bank, sent->url, account, &rest);
    if (!desk->provider)
        desk->order = stripe_meet(desk, bank, connection, rest, sent->method, out);
    else if (question_make(desk, bank, connection, sent, rest))
        desk->order = provider_meet(desk, bank, desk->provider, out);
    else
        answer_error(500, out);
    if (desk->closes)
        bank->counters.closes++;
    else if (desk->provider != &paypal_token)
        bank->counters.asks++;
    if (desk->order)
        fate_find(desk, bank, connection, account);
}

/* ---- the answer ---- */

static void report_about(const struct ledger *ledger, const struct order *order, struct report *out)
{
    out->number = ledger_number(ledger, order);
    out->number_length = order->number_length;
    out->amount_minor = order->amount_minor;
    out->currency = order->currency;
}

/* The next order of the ledger: genuine, positive, and about somebody else. */
static void report_about_next(const struct ledger *ledger, const struct order *order, struct report *out)
{
    report_about(ledger, &ledger->orders[(uint32_t)(order - ledger->orders + 1) % ledger->count], out);
    if (ledger->count > 1)
        return;
    out->number = "another0";
    out->number_length = 8;
}

static void report_make(const struct ledger *ledger, const struct order *order, const struct fate *fate,
                        struct report *out)
{
    *out = (struct report){.word = WORD_PAID, .forgery = WORD_PAID};
    report_about(ledger, order, out);
    if (fate->word == WORD_OTHER_ORDER)
        report_about_next(ledger, order, out);
    else if (fate->word == WORD_WRONG_AMOUNT)
        out->amount_minor++;
    else if (fate->word == WORD_WRONG_CURRENCY)
        out->currency = strcmp(order->currency, "usd") == 0 ? "eur" : "usd";
    else if (fate->word >= WORD_BAD_SIGNATURE && fate->word <= WORD_TWO_NODES)
        out->forgery = fate->word;
    else if (fate->word == WORD_UNSIGNED_404)
        *out = (struct report){.word = WORD_NOT_FOUND,
                               .forgery = WORD_NO_SIGNATURE,
                               .number = out->number,
                               .number_length = out->number_length,
                               .currency = "cny"};
    else if (fate->word != WORD_CUT && fate->word != WORD_DRIP)
        out->word = fate->word;
    if (fate->word == WORD_RATE_LIMITED)
        out->retry_after_s = fate->argument;
}

void desk_tell(struct desk *desk, const struct ledger *ledger, struct answer *out)
{
    struct report report;
    if ((desk->fate.word == WORD_PAID || desk->fate.word == WORD_DRIP) && !desk->closes)
        desk->order->told_paid++;
    if (!desk->provider) {
        (desk->closes ? answer_cancel : answer_write)(ledger, desk->order, &desk->fate, out);
        return;
    }
    report_make(ledger, desk->order, &desk->fate, &report);
    if (!answer_broken(desk->fate.word, report.number, report.number_length, out))
        desk->provider->tell(desk->question, &report, out);
}
