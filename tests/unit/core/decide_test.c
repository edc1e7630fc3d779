/* decide: total over every evidence, counter, age and policy, true to the laws, and printed as doc/decide.md.
 * With MAKEGOOD_WRITE_DOC=1 the page is written anew instead of compared. Runs in the project's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "makegood/decide.h"

#define ROWS_MOST 100
#define AMOUNT    1234
#define DOC       "doc/decide.md"

/* ---- every situation ---- */

struct choice {
    struct lost_order order;
    struct evidence evidence;
    struct policy policy;
    struct situation situation;
};

/* Mixed radix: every call takes the next digit of the number. */
static int digit(uint64_t *number, int base)
{
    int value = (int)(*number % (uint64_t)base);
    *number /= (uint64_t)base;
    return value;
}

#define PICK(number, array) (array)[digit(number, (int)(sizeof(array) / sizeof((array)[0])))]

static void evidence_choose(uint64_t *number, struct evidence *out)
{
    static const char *const currencies[] = {"CNY", "USD", ""};
    static const int64_t amounts[] = {AMOUNT, AMOUNT - 1, 0};
    static const int64_t retries_ms[] = {0, 7000, INT64_MAX};
    *out = (struct evidence){.kind = (enum evidence_kind)digit(number, EVIDENCE_KINDS)};
    out->authentic = digit(number, 2);
    out->merchant_differs = digit(number, 2);
    out->has_amount = digit(number, 2);
    out->amount_minor = PICK(number, amounts);
    snprintf(out->currency, sizeof(out->currency), "%s", PICK(number, currencies));
    out->has_refunded = digit(number, 2);
    out->refunded_minor = PICK(number, amounts);
    out->retry_after_ms = PICK(number, retries_ms);
}

static void order_choose(uint64_t *number, struct lost_order *out)
{
    static const int64_t lefts_ms[] = {NO_END, 100000, 1, 0, -5000, -100000};
    static const int64_t ages_ms[] = {0, 50000, 10000000, -40000};
    static const int counters[] = {0, 1, 5, 100000};
    *out = (struct lost_order){.amount_minor = AMOUNT, .currency = "CNY"};
    out->left_ms = PICK(number, lefts_ms);
    out->age_ms = PICK(number, ages_ms);
    out->answers = PICK(number, counters);
    out->errors = PICK(number, counters);
    out->unknowns = PICK(number, counters);
    out->phase = (enum phase)digit(number, PHASES);
}

static void policy_choose(uint64_t *number, struct policy *out)
{
    *out = (struct policy){
        .schedule = {{5000, 30000}, 2},
        .error_first_ms = 1000,
        .error_max_ms = 60000,
        .not_found_grace_ms = 30000,
        .horizon_ms = 3600000,
        .probe_ms = 20000,
        .unknown_limit = 3,
        .retry_after_max_ms = 120000,
        .tail = {{10000, 70000}, 0},
    };
    out->jitter_percent = digit(number, 2) * 50;
    out->attempt_limit = digit(number, 2) * 6;
    out->accept_flagged = digit(number, 2);
    out->can_close = digit(number, 2);
    out->closes = digit(number, 2);
    out->tail.length = digit(number, 2) * 2;
    out->accept_late = digit(number, 2);
}

static void choose(uint64_t number, struct choice *out)
{
    static const int64_t sinces_ms[] = {0, 20000};
    static const uint32_t chances[] = {0, UINT32_MAX};
    evidence_choose(&number, &out->evidence);
    order_choose(&number, &out->order);
    policy_choose(&number, &out->policy);
    out->situation.since_claim_ms = PICK(&number, sinces_ms);
    out->situation.credentials_proven = digit(&number, 2);
    out->situation.chance = PICK(&number, chances);
}

/* ---- the laws, said a second time and not by the table ---- */

static int64_t left_ms(const struct choice *choice)
{
    const struct lost_order *order = &choice->order;
    int64_t left = order->left_ms == NO_END ? choice->policy.horizon_ms - order->age_ms : order->left_ms;
    return left - choice->situation.since_claim_ms;
}

static bool money_matches(const struct evidence *evidence)
{
    return evidence->authentic && !evidence->merchant_differs && evidence->has_amount &&
           evidence->amount_minor == AMOUNT && strcmp(evidence->currency, "CNY") == 0;
}

static void endings_have_proof(const struct choice *choice, const struct verdict *verdict)
{
    const struct evidence *evidence = &choice->evidence;
    bool flagged = evidence->kind == EVIDENCE_PAID_FLAGGED && choice->policy.accept_flagged;
    bool final_not_found = evidence->kind == EVIDENCE_NOT_FOUND && choice->situation.credentials_proven &&
                           left_ms(choice) + choice->policy.not_found_grace_ms <= 0;
    if (verdict->kind == VERDICT_PAID)
        assert_true((evidence->kind == EVIDENCE_PAID || flagged) && money_matches(evidence));
    if (verdict->kind == VERDICT_REFUNDED)
        assert_true(evidence->kind == EVIDENCE_REFUNDED && money_matches(evidence) &&
                    evidence->has_refunded && evidence->refunded_minor == AMOUNT);
    bool tail_ends = choice->order.phase == PHASE_TAIL && evidence->kind == EVIDENCE_NOT_FOUND;
    if (verdict->kind == VERDICT_CLOSED)
        assert_true(evidence->authentic &&
                    (evidence->kind == EVIDENCE_CLOSED || final_not_found || tail_ends));
}

/* What is asked while closing is whether it may be closed, not what it is. */
static void closing_settles_nothing(const struct choice *choice, const struct verdict *verdict)
{
    if (choice->order.phase != PHASE_CLOSING)
        return;
    bool asked = evidence_class(choice->evidence.kind) != EVIDENCE_LOCAL;
    assert_int_equal(verdict->kind, asked ? VERDICT_RETRY : VERDICT_PARK);
    if (asked)
        assert_int_equal(verdict->phase, PHASE_CHECK);
}

static bool may_close(const struct choice *choice)
{
    return choice->policy.can_close && (choice->policy.closes || choice->order.left_ms != NO_END);
}

static void only_what_is_pending_at_its_end_is_closed(const struct choice *choice,
                                                      const struct verdict *verdict)
{
    enum phase phase = choice->order.phase;
    if (verdict->kind != VERDICT_CLOSE)
        return;
    assert_true(choice->evidence.authentic && choice->evidence.kind == EVIDENCE_PENDING);
    assert_true(may_close(choice) && left_ms(choice) <= 0);
    assert_true(phase == PHASE_OPEN || (phase == PHASE_CHECK && choice->order.answers < 5));
    assert_int_equal(verdict->phase, PHASE_CLOSING);
}

static void the_tail_begins_with_closing_and_lasts(const struct choice *choice, const struct verdict *verdict)
{
    bool was = choice->order.phase == PHASE_TAIL;
    bool enters = verdict->kind == VERDICT_CLOSED && choice->policy.tail.length > 0;
    assert_int_equal(verdict->phase == PHASE_TAIL, was || enters);
    assert_int_equal(verdict->late, verdict->kind == VERDICT_PAID && was && choice->policy.accept_late);
    if (enters && !was)
        assert_in_range(verdict->due_in_ms, 5000, 15000);
}

static void proof_ends(const struct choice *choice, const struct verdict *verdict)
{
    const struct evidence *evidence = &choice->evidence;
    const struct lost_order *order = &choice->order;
    bool tail_goes_on = order->phase == PHASE_TAIL && order->answers + 1 < choice->policy.tail.length;
    if (order->phase == PHASE_CLOSING)
        return;
    if (evidence->kind == EVIDENCE_PAID && money_matches(evidence))
        assert_int_equal(verdict->kind, VERDICT_PAID);
    if (evidence->kind == EVIDENCE_CLOSED && evidence->authentic && !evidence->merchant_differs)
        assert_int_equal(verdict->kind, tail_goes_on ? VERDICT_RETRY : VERDICT_CLOSED);
}

static void only_answers_count(const struct choice *choice, const struct verdict *verdict)
{
    const struct lost_order *order = &choice->order;
    enum evidence_kind kind = choice->evidence.kind;
    bool answer = evidence_class(kind) == EVIDENCE_ANSWER && choice->evidence.authentic;
    bool closing_begins = order->phase == PHASE_OPEN && verdict->phase == PHASE_CLOSING;
    bool tail_begins = order->phase != PHASE_TAIL && verdict->phase == PHASE_TAIL;
    if (closing_begins || tail_begins)
        assert_int_equal(verdict->answers, 0);
    else
        assert_int_equal(verdict->answers, order->answers + (answer && order->phase != PHASE_CHECK));
    assert_int_equal(verdict->errors, answer ? 0 : order->errors + 1);
    if (!answer)
        assert_int_equal(verdict->unknowns, order->unknowns);
    else
        assert_int_equal(verdict->unknowns, kind == EVIDENCE_UNKNOWN_STATE ? order->unknowns + 1 : 0);
    bool local = evidence_class(kind) == EVIDENCE_LOCAL;
    if (!answer && !local) /* no fault ends or parks an order, however old it is */
        assert_int_equal(verdict->kind, VERDICT_RETRY);
}

static void limits_end_in_parking(const struct choice *choice, const struct verdict *verdict)
{
    const struct policy *policy = &choice->policy;
    const struct lost_order *order = &choice->order;
    if (!choice->evidence.authentic || order->phase == PHASE_CLOSING)
        return;
    bool used_up = policy->attempt_limit > 0 && order->answers + 1 >= policy->attempt_limit;
    bool over = left_ms(choice) <= 0;
    bool in_vain = order->phase == PHASE_CHECK && order->answers >= 5;
    if (choice->evidence.kind == EVIDENCE_PENDING && order->phase == PHASE_TAIL)
        assert_int_equal(verdict->kind,
                         order->answers + 1 < policy->tail.length ? VERDICT_RETRY : VERDICT_PARK);
    else if (choice->evidence.kind == EVIDENCE_PENDING && over && may_close(choice) && !in_vain)
        assert_int_equal(verdict->kind, VERDICT_CLOSE);
    else if (choice->evidence.kind == EVIDENCE_PENDING)
        assert_int_equal(verdict->kind, used_up || over || in_vain ? VERDICT_PARK : VERDICT_RETRY);
    if (choice->evidence.kind == EVIDENCE_UNKNOWN_STATE)
        assert_int_equal(verdict->kind,
                         order->unknowns + 1 >= policy->unknown_limit ? VERDICT_PARK : VERDICT_RETRY);
}

static void delays_are_sane(const struct choice *choice, const struct verdict *verdict)
{
    const struct policy *policy = &choice->policy;
    if (!verdict_puts_off(verdict->kind))
        return;
    assert_true(verdict->due_in_ms > 0);
    assert_true(verdict->due_in_ms <= policy->retry_after_max_ms);
    if (choice->evidence.kind == EVIDENCE_RATE_LIMITED && choice->evidence.retry_after_ms > 0)
        assert_true(verdict->due_in_ms >= 7000);
    bool pending = choice->evidence.kind == EVIDENCE_PENDING && choice->evidence.authentic &&
                   (choice->order.phase == PHASE_OPEN || choice->order.phase == PHASE_CHECK) &&
                   verdict->kind == VERDICT_RETRY;
    if (pending) /* asked at the end of its life at the latest */
        assert_true(verdict->due_in_ms <= left_ms(choice));
}

static void verdict_is_whole(const struct verdict *verdict)
{
    assert_true((int)verdict->kind >= 0 && verdict->kind < VERDICT_KINDS);
    assert_int_equal(verdict->kind == VERDICT_PARK, verdict->reason != PARK_NOTHING);
    assert_non_null(verdict->rule);
}

/* ---- the sweep ---- */

static int row_of(const char *rule)
{
    struct decide_row_view row;
    for (int i = 0; decide_row(i, &row); i++)
        if (strcmp(row.rule, rule) == 0)
            return i;
    return -1;
}

static void decide_is_total_and_keeps_the_laws(void **state)
{
    (void)state;
    bool seen[ROWS_MOST] = {false};
    uint64_t number = 1;
    for (int i = 0; i < 3000000; i++) {
        struct choice choice;
        number = number * 6364136223846793005u + 1442695040888963407u;
        choose(number >> 8, &choice);
        struct verdict verdict = decide(&choice.order, &choice.evidence, &choice.policy, &choice.situation);
        verdict_is_whole(&verdict);
        endings_have_proof(&choice, &verdict);
        proof_ends(&choice, &verdict);
        only_answers_count(&choice, &verdict);
        limits_end_in_parking(&choice, &verdict);
        delays_are_sane(&choice, &verdict);
        closing_settles_nothing(&choice, &verdict);
        only_what_is_pending_at_its_end_is_closed(&choice, &verdict);
        the_tail_begins_with_closing_and_lasts(&choice, &verdict);
        int row = row_of(verdict.rule);
        assert_in_range(row, 0, ROWS_MOST - 1);
        seen[row] = true;
    }
    struct decide_row_view row;
    for (int i = 0; decide_row(i, &row); i++)
        if (!seen[i])
            fail_msg("no situation comes to the rule '%s'", row.rule);
}

/* ---- the table ---- */

static void every_kind_ends_in_an_unconditional_row(void **state)
{
    (void)state;
    bool ended[EVIDENCE_KINDS] = {false};
    struct decide_row_view row;
    for (int i = 0; decide_row(i, &row); i++) {
        if (ended[row.evidence])
            fail_msg("the rule '%s' stands behind the unconditional row of its evidence", row.rule);
        ended[row.evidence] = strcmp(row.condition, "always") == 0;
    }
    for (int i = 0; i < (int)EVIDENCE_KINDS; i++)
        if (!ended[i])
            fail_msg("evidence '%s' has no unconditional row", evidence_kind_text((enum evidence_kind)i));
}

static void rules_have_names_of_their_own(void **state)
{
    (void)state;
    struct decide_row_view row;
    for (int i = 0; decide_row(i, &row); i++)
        assert_int_equal(row_of(row.rule), i);
    assert_false(decide_row(-1, &row));
}

/* ---- the page ---- */

static void words_print(FILE *page, const char *condition)
{
    for (; *condition; condition++)
        fputc(*condition == '_' ? ' ' : *condition, page);
}

static void table_print(FILE *page)
{
    struct decide_row_view row;
    fprintf(page, "| evidence | when | verdict | reason | rule |\n|---|---|---|---|---|\n");
    for (int i = 0; decide_row(i, &row); i++) {
        fprintf(page, "| %s | ", evidence_kind_text(row.evidence));
        words_print(page, row.condition);
        fprintf(page, " | **%s** | %s | `%s` |\n", verdict_kind_text(row.verdict),
                park_reason_text(row.reason), row.rule);
    }
}

static void lists_print(FILE *page)
{
    static const char *const classes[] = {"answer", "fault", "local"};
    fprintf(page, "\n## Evidence\n\n| evidence | class | meaning |\n|---|---|---|\n");
#define X(id, text, class, meaning) \
    fprintf(page, "| %s | %s | %s |\n", text, classes[EVIDENCE_##class], meaning);
    EVIDENCE_KIND_LIST(X)
#undef X
    fprintf(page, "\n## Verdicts\n\n| verdict | meaning |\n|---|---|\n");
#define X(id, text, meaning) fprintf(page, "| %s | %s |\n", text, meaning);
    VERDICT_KIND_LIST(X)
#undef X
    fprintf(page, "\n## Reasons of parking\n\n| reason | meaning |\n|---|---|\n");
#define X(id, text, doubt, sentence) \
    if (PARK_##id != PARK_NOTHING)   \
        fprintf(page, "| %s | %s%s |\n", text, sentence, (doubt) ? " (doubt)" : "");
    PARK_REASON_LIST(X)
#undef X
}

static char *page_make(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    assert_non_null(page);
    fprintf(
        page,
        "# How an answer becomes a verdict\n\n"
        "This page is printed from the table in `src/core/decide.c` by `tests/unit/core/decide_test.c`\n"
        "(`MAKEGOOD_WRITE_DOC=1` writes it anew); the test fails when they differ.\n\n"
        "Read from top to bottom: the first row of the evidence whose condition holds decides. An answer "
        "that\n"
        "is not authentic is read as `unauthentic`, whatever it says. Only evidence of the class *answer*\n"
        "uses up an attempt; a fault never ends an order.\n\n");
    table_print(page);
    lists_print(page);
    fprintf(
        page,
        "\nReasons marked *(doubt)* say that our reading of the channel may be wrong: too large a share of\n"
        "them among its recent answers halts the channel. The reasons from `poison` on are found by the\n"
        "database while settling or tracking.\n");
    assert_int_equal(fclose(page), 0);
    return text;
}

static void the_page_shows_the_table(void **state)
{
    (void)state;
    char *made = page_make();
    const char *write = getenv("MAKEGOOD_WRITE_DOC");
    FILE *file = fopen(DOC, write ? "w" : "r");
    if (!file)
        fail_msg("%s can not be opened: run this in the project's root", DOC);
    if (write) {
        assert_true(fputs(made, file) >= 0);
    } else {
        static char kept[100000];
        kept[fread(kept, 1, sizeof(kept) - 1, file)] = '\0';
        if (strcmp(kept, made) != 0)
            fail_msg("%s differs from the table: write it anew with MAKEGOOD_WRITE_DOC=1", DOC);
    }
    assert_int_equal(fclose(file), 0);
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decide_is_total_and_keeps_the_laws),
        cmocka_unit_test(every_kind_ends_in_an_unconditional_row),
        cmocka_unit_test(rules_have_names_of_their_own),
        cmocka_unit_test(the_page_shows_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
