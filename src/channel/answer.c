/* Reading an answer through the configured pointers. Compiled by the thread that loads the configuration,
 * used by the workers. Total: a value of the wrong type is a value that differs. */
#include "channel/answer.h"

#include <stdlib.h>
#include <string.h>

void answer_compile(struct answer *out, const struct http_channel_spec *spec, struct blame *blame)
{
    *out = (struct answer){.merchant = blame_copy(blame, spec->merchant)};
    pointer_compile(&out->number, spec->answer_number, true, "answer.number", blame);
    pointer_compile(&out->order_no, spec->answer_order_no, true, "answer.order_no", blame);
    pointer_compile(&out->merchant_at, spec->answer_merchant, false, "answer.merchant", blame);
    pointer_compile(&out->status, spec->answer_status, false, "answer.status", blame);
    pointer_compile(&out->code, spec->answer_code, false, "answer.code", blame);
    pointer_compile(&out->channel_number, spec->answer_channel_number, false, "answer.channel_number", blame);
    pointer_compile(&out->currency, spec->answer_currency, true, "answer.currency", blame);
    amount_compile(&out->amount, &spec->amount, "answer.amount", blame);
    amount_compile(&out->refunded, &spec->refunded_amount, "answer.refunded", blame);
    money_form_compile(&out->form, spec, blame);
    bool has_pointer = spec->answer_merchant && *spec->answer_merchant;
    bool has_merchant = spec->merchant && *spec->merchant;
    if (has_pointer && !has_merchant)
        blame_key(blame, "merchant",
                  "answer.merchant is compared with merchant, which is missing; write our account's "
                  "name at the channel");
    if (has_merchant && !has_pointer)
        blame_key(blame, "answer.merchant",
                  "merchant is never compared without answer.merchant; write the pointer to the "
                  "merchant in the answer, or remove merchant");
}

void answer_finish(struct answer *answer)
{
    struct pointer *pointers[] = {&answer->number, &answer->order_no, &answer->merchant_at,   &answer->status,
                                  &answer->code,   &answer->currency, &answer->channel_number};
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
        pointer_finish(pointers[i]);
    amount_finish(&answer->amount);
    amount_finish(&answer->refunded);
    money_form_finish(&answer->form);
    free(answer->merchant);
    *answer = (struct answer){0};
}

/* NULL: not configured, or not there. */
static const json_t *value_at(const struct pointer *pointer, const json_t *root)
{
    const json_t *value = pointer_is_given(pointer) ? pointer_find(pointer, root) : NULL;
    return json_is_there(value) ? value : NULL;
}

struct names {
    const char *expected;
    size_t seen;
    bool differs;
};

static bool name_see(void *self, const json_t *value)
{
    struct names *names = self;
    if (!json_is_there(value))
        return true;
    names->seen++;
    names->differs = names->differs || !json_value_is(value, names->expected);
    return true;
}

/* Every element must name it: one that does not may be anybody's, and is no empty list either. */
static enum naming value_naming(const struct pointer *pointer, const char *expected, const json_t *root)
{
    struct names names = {.expected = expected};
    if (!pointer_is_given(pointer) || !*expected)
        return NAMING_NONE;
    pointer_each(pointer, root, name_see, &names);
    if (names.differs || names.seen < pointer_elements(pointer, root))
        return NAMING_OTHER;
    return names.seen ? NAMING_OURS : NAMING_NONE;
}

enum naming answer_naming(const struct answer *answer, const struct lost_order *order, const json_t *root)
{
    enum naming number = value_naming(&answer->number, order->number, root);
    enum naming order_no = value_naming(&answer->order_no, order->order_no, root);
    return number > order_no ? number : order_no;
}

bool answer_merchant_differs(const struct answer *answer, const json_t *root)
{
    return answer->merchant && value_naming(&answer->merchant_at, answer->merchant, root) == NAMING_OTHER;
}

bool answer_has_status(const struct answer *answer, const json_t *root)
{
    return value_at(&answer->status, root) != NULL;
}

const char *answer_code(const struct answer *answer, const json_t *root, char scratch[JSON_NUMBER_BYTES])
{
    const json_t *status = value_at(&answer->status, root);
    return json_value_text(status ? status : value_at(&answer->code, root), scratch);
}

const char *answer_channel_number(const struct answer *answer, const json_t *root,
                                  char scratch[JSON_NUMBER_BYTES])
{
    const json_t *paid = amount_number(&answer->amount, root);
    const char *text = json_value_text(paid ? paid : value_at(&answer->channel_number, root), scratch);
    return text && order_number_is_valid(text) ? text : NULL;
}

bool answer_money(const struct answer *answer, const json_t *root, struct evidence *out)
{
    char currency[CURRENCY_BYTES];
    int64_t minor;
    if (!currency_read(&answer->currency, root, currency) ||
        !amount_read(&answer->amount, &answer->form, currency, root, &minor))
        return false;
    memcpy(out->currency, currency, CURRENCY_BYTES);
    out->amount_minor = minor;
    out->has_amount = true;
    out->has_refunded = amount_read(&answer->refunded, &answer->form, currency, root, &out->refunded_minor);
    return true;
}
