/* Mutations of the golden answers: whatever comes, interpret ends with an evidence kind, and never says that
 * money moved unless the answer names our number, an amount and a currency. The seed is fixed, so every run
 * sees the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "case.h"
#include "channel/rules.h"

#define SEED      20240229u
#define MUTATIONS 60000
#define CASES_MAX 1000
#define BODY_MAX  200000

struct fuzz {
    struct golden cases[CASES_MAX];
    size_t count;
    uint64_t random;
    char *body; /* BODY_MAX bytes */
    size_t length;
    unsigned kinds[EVIDENCE_KINDS];
};

static uint32_t random_next(struct fuzz *fuzz, uint32_t below)
{
    fuzz->random = fuzz->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fuzz->random >> 33) % (below ? below : 1);
}

/* ---- the oracle: reads pointers as text, by itself ---- */

/* Follows a pointer, stars as well, and calls visit for every value; stops at false. No golden pointer has a
 * "~". */
typedef bool (*oracle_visit)(json_t *value, void *self);
static bool oracle_each(json_t *node, const char *pointer, oracle_visit visit, void *self)
{
    char name[64];
    if (!node)
        return true;
    if (!pointer || !*pointer)
        return visit(node, self);
    size_t length = strcspn(pointer + 1, "/");
    snprintf(name, sizeof(name), "%.*s", (int)length, pointer + 1);
    const char *rest = pointer + 1 + length;
    if (strcmp(name, "*") != 0)
        return oracle_each(json_is_array(node) ? json_array_get(node, strtoul(name, NULL, 10))
                                               : json_object_get(node, name),
                           rest, visit, self);
    size_t i;
    json_t *child;
    json_array_foreach(node, i, child)
    {
        if (!oracle_each(child, rest, visit, self))
            return false;
    }
    return true;
}

static bool is_text(json_t *value, const char *text)
{
    char digits[32];
    if (json_is_boolean(value))
        return strcmp(text, json_is_true(value) ? "true" : "false") == 0;
    snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(value));
    return strcmp(text, json_is_string(value)    ? json_string_value(value)
                        : json_is_integer(value) ? digits
                                                 : "\n") == 0;
}

struct claim {
    const struct golden *golden;
    unsigned ours;
    unsigned others;
    unsigned amounts;
    unsigned bad_amounts;
    unsigned currencies;
    unsigned bad_currencies;
    const char *number;
    const char *currency; /* as interpret says */
};

static bool count_number(json_t *value, void *self)
{
    struct claim *claim = self;
    if (!json_is_null(value) && *claim->number)
        *(is_text(value, claim->number) ? &claim->ours : &claim->others) += 1;
    return true;
}

static bool digits_and_point(const char *text, bool point)
{
    size_t whole = strspn(text, "0123456789");
    if (!whole)
        return false;
    text += whole;
    if (point && *text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    return *text == '\0';
}

static bool keep_value(json_t *value, void *self)
{
    *(json_t **)self = value;
    return true;
}

static bool count_amount(json_t *element, void *self)
{
    struct claim *claim = self;
    const struct http_channel_spec *spec = &claim->golden->spec.spec;
    const struct http_amount_spec *amount = &spec->amount;
    bool decimal = spec->amount_format && strcmp(spec->amount_format, "decimal") == 0;
    json_t *value = NULL;
    json_t *where = NULL;
    oracle_each(element, amount->at, keep_value, &value);
    bool counts = !amount->where_at;
    if (amount->where_at)
        oracle_each(element, amount->where_at, keep_value, &where);
    for (unsigned i = 0; i < amount->where_is_count; i++)
        counts = counts || is_text(where, amount->where_is[i]);
    if (!counts)
        return true;
    bool fine = json_is_string(value) ? digits_and_point(json_string_value(value), decimal)
                                      : !decimal && json_is_integer(value) && json_integer_value(value) >= 0;
    claim->amounts++;
    claim->bad_amounts += !fine;
    return true;
}

static bool count_currency(json_t *value, void *self)
{
    struct claim *claim = self;
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    claim->currencies++;
    claim->bad_currencies += strcasecmp(text, claim->currency) != 0;
    return true;
}

static void check_claim(const struct golden *golden, const struct evidence *found, const char *body,
                        size_t length)
{
    const struct http_channel_spec *spec = &golden->spec.spec;
    struct claim claim = {.golden = golden, .number = golden->order.number, .currency = found->currency};
    json_error_t error;
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    if (spec->answer_number)
        oracle_each(root, spec->answer_number, count_number, &claim);
    claim.number = golden->order.order_no;
    if (spec->answer_order_no)
        oracle_each(root, spec->answer_order_no, count_number, &claim);
    oracle_each(root, spec->amount.over, count_amount, &claim);
    oracle_each(root, spec->answer_currency, count_currency, &claim);
    assert_true(strlen(found->currency) == 3 && strspn(found->currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3);
    assert_true(claim.ours > 0 && claim.others == 0);
    assert_true(claim.amounts > 0 && claim.bad_amounts == 0);
    assert_true(claim.currencies > 0 && claim.bad_currencies == 0);
    json_decref(root);
}

/* ---- the mutations ---- */

static void splice(struct fuzz *fuzz, size_t at, size_t remove, const char *bytes, size_t insert)
{
    if (fuzz->length - remove + insert > BODY_MAX)
        return;
    memmove(fuzz->body + at + insert, fuzz->body + at + remove, fuzz->length - at - remove);
    memcpy(fuzz->body + at, bytes, insert);
    fuzz->length += insert - remove;
}

static size_t somewhere(struct fuzz *fuzz)
{
    return random_next(fuzz, (uint32_t)fuzz->length);
}

static void mutate_byte(struct fuzz *fuzz)
{
    fuzz->body[somewhere(fuzz)] = (char)random_next(fuzz, 256);
}

static void mutate_bit(struct fuzz *fuzz)
{
    fuzz->body[somewhere(fuzz)] ^= (char)(1 << random_next(fuzz, 8));
}

static void mutate_cut(struct fuzz *fuzz)
{
    fuzz->length = somewhere(fuzz);
}

static void mutate_remove(struct fuzz *fuzz)
{
    size_t at = somewhere(fuzz);
    splice(fuzz, at, random_next(fuzz, (uint32_t)(fuzz->length - at)) % 40, "", 0);
}

static void mutate_token(struct fuzz *fuzz)
{
    static const char *const tokens[] = {
        "null",  "true", "-1",    "0",    "1e400",   "9223372036854775807",
        "1.5",   "[]",   "{}",    "\"\"", "\\u0000", "\"id\":\"x\",",
        "[[[[[", "}",    "],",    ",",    "\xff",    "\"status\":\"succeeded\"",
        "\"",    "usd",  "10.99", "\\",   "NaN",     "\"COMPLETED\""};
    const char *token = tokens[random_next(fuzz, sizeof(tokens) / sizeof(tokens[0]))];
    splice(fuzz, somewhere(fuzz), 0, token, strlen(token));
}

/* Replaces a whole scalar: keeps the JSON well-formed, so that the reading is reached. */
static void mutate_scalar(struct fuzz *fuzz)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "-1",
                                         "1099.0",
                                         "[]",
                                         "{}",
                                         "\"\"",
                                         "\"1099\"",
                                         "\"usd\"",
                                         "\"12.34\"",
                                         "12",
                                         "\"COMPLETED\"",
                                         "\"succeeded\"",
                                         "\"SETTLED\""};
    size_t at = somewhere(fuzz);
    while (at < fuzz->length && fuzz->body[at] != ':')
        at++;
    for (at++; at < fuzz->length && fuzz->body[at] == ' '; at++)
        ;
    size_t end = at;
    while (end < fuzz->length && !strchr(",}]\n", fuzz->body[end]))
        end++;
    if (at >= fuzz->length)
        return;
    const char *value = values[random_next(fuzz, sizeof(values) / sizeof(values[0]))];
    splice(fuzz, at, end - at, value, strlen(value));
}

static void mutate_repeat(struct fuzz *fuzz)
{
    char piece[64];
    size_t at = somewhere(fuzz);
    size_t length = random_next(fuzz, (uint32_t)(fuzz->length - at)) % sizeof(piece);
    memcpy(piece, fuzz->body + at, length);
    splice(fuzz, somewhere(fuzz), 0, piece, length);
}

static void mutate_graft(struct fuzz *fuzz)
{
    const struct response *other = &fuzz->cases[random_next(fuzz, (uint32_t)fuzz->count)].response;
    size_t length = other->body_bytes < 3000 ? other->body_bytes : 3000;
    size_t at = somewhere(fuzz);
    size_t rest = fuzz->length - at;
    splice(fuzz, at, rest < length ? rest : length, other->body, length);
}

static void mutate(struct fuzz *fuzz, const struct golden *golden)
{
    static void (*const ways[])(struct fuzz *) = {mutate_byte,   mutate_bit,    mutate_cut,    mutate_remove,
                                                  mutate_token,  mutate_scalar, mutate_scalar, mutate_scalar,
                                                  mutate_repeat, mutate_graft};
    fuzz->length = golden->response.body_bytes < BODY_MAX ? golden->response.body_bytes : BODY_MAX;
    memcpy(fuzz->body, golden->response.body, fuzz->length);
    for (unsigned times = 1 + random_next(fuzz, 3); times && fuzz->length; times--)
        ways[random_next(fuzz, sizeof(ways) / sizeof(ways[0]))](fuzz);
}

/* ---- the test ---- */

static void fuzz_add(void *self, const char *folder)
{
    struct fuzz *fuzz = self;
    assert_true(fuzz->count < CASES_MAX);
    struct golden *golden = &fuzz->cases[fuzz->count];
    golden_load(golden, folder);
    if (golden->channel && golden->bytes && golden->response.body_bytes < 8192)
        fuzz->count++;
    else
        golden_finish(golden);
}

static void fuzz_once(struct fuzz *fuzz)
{
    const struct golden *golden = &fuzz->cases[random_next(fuzz, (uint32_t)fuzz->count)];
    struct response response = golden->response;
    struct evidence found = {0};
    mutate(fuzz, golden);
    char *exact = malloc(fuzz->length ? fuzz->length : 1); /* at its size, so that a sanitizer sees the end */
    assert_non_null(exact);
    memcpy(exact, fuzz->body, fuzz->length);
    response.body = exact;
    response.body_bytes = fuzz->length;
    if (random_next(fuzz, 4) == 0)
        response.http_status = (int)random_next(fuzz, 1000);
    golden->channel->kind->interpret(golden->channel, &golden->order, &golden->moment, &response, &found);
    assert_true(found.kind > EVIDENCE_UNASKABLE && found.kind < EVIDENCE_KINDS);
    assert_true(found.authentic == response.trusted);
    assert_true(response.trusted || found.kind == EVIDENCE_UNTRUSTED);
    assert_true(found.has_amount || !kind_is_payment(found.kind));
    fuzz->kinds[found.kind]++;
    if (kind_is_payment(found.kind))
        check_claim(golden, &found, exact, response.body_bytes);
    free(exact);
}

static void mutations_never_prove_a_payment(void **state)
{
    (void)state;
    struct fuzz *fuzz = calloc(1, sizeof(*fuzz));
    assert_non_null(fuzz);
    fuzz->random = SEED;
    fuzz->body = malloc(BODY_MAX);
    assert_non_null(fuzz->body);
    golden_walk("tests/golden/cases", fuzz_add, fuzz);
    assert_true(fuzz->count > 100);
    for (int i = 0; i < MUTATIONS; i++)
        fuzz_once(fuzz);
    /* The mutations reach the reading, not only the parser. */
    assert_true(fuzz->kinds[EVIDENCE_PAID] > 100 && fuzz->kinds[EVIDENCE_REFUNDED] > 10);
    assert_true(fuzz->kinds[EVIDENCE_UNKNOWN_STATE] > 100 && fuzz->kinds[EVIDENCE_OTHER_ORDER] > 100);
    for (size_t i = 0; i < fuzz->count; i++)
        golden_finish(&fuzz->cases[i]);
    free(fuzz->body);
    free(fuzz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutations_never_prove_a_payment)};
    return cmocka_run_group_tests_name("mutation", tests, NULL, NULL);
}
