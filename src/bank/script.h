/* Scripts: the fate of an order at the simulated bank, as the list of answers it will get.
 *
 *   script   = word *( " " word )          the last one repeats for ever
 *   word     = name [ "*" times ] [ ":" argument ]      or the other way round
 *
 * Pure; a script is immutable after script_parse and is read by all threads. */
#ifndef BANK_SCRIPT_H
#define BANK_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

/* X(NAME, text, largest argument or 0 when it takes none, meaning) */
#define WORD_LIST(X)                                                                           \
    X(PAID, "paid", 0, "paid: the whole amount received")                                      \
    X(CLOSED, "closed", 0, "canceled")                                                         \
    X(REFUNDED, "refunded", 0, "paid, and all of it returned")                                 \
    X(REFUND_PART, "refund_part", 0, "paid, and half of it returned")                          \
    X(DISPUTED, "disputed", 0, "paid, and disputed")                                           \
    X(PENDING, "pending", 0, "processing")                                                     \
    X(UNPAID, "unpaid", 0, "requires_payment_method")                                          \
    X(UNKNOWN_STATE, "unknown_state", 0, "a status outside the list")                          \
    X(NOT_FOUND, "not_found", 0, "404")                                                        \
    X(WRONG_AMOUNT, "wrong_amount", 0, "paid, one minor unit more than asked")                 \
    X(WRONG_CURRENCY, "wrong_currency", 0, "paid, in another currency")                        \
    X(OTHER_ORDER, "other_order", 0, "the genuine answer about the next order of the ledger")  \
    X(GARBAGE, "garbage", 0, "200 with broken JSON")                                           \
    X(HTML, "html", 0, "200 with a captive portal's page")                                     \
    X(SERVER_ERROR, "server_error", 0, "500")                                                  \
    X(UNAUTHORIZED, "unauthorized", 0, "401")                                                  \
    X(RATE_LIMITED, "rate_limited", 86400, "429 with Retry-After: SECONDS (1 when not given)") \
    X(SILENCE, "silence", 0, "no answer until the client hangs up")                            \
    X(CUT, "cut", 0, "the connection closed in the middle of the body")                        \
    X(DRIP, "drip", 0, "one byte of the body per second")                                      \
    X(FLOOD, "flood", 0, "a body without end")                                                 \
    X(RESET, "reset", 0, "the connection reset instead of an answer")                          \
    X(BAD_GATEWAY, "bad_gateway", 0, "502 with a proxy's page")                                \
    X(BAD_SIGNATURE, "bad_signature", 0, "paid, under a wrong signature")                      \
    X(STALE_SIGNATURE, "stale_signature", 0, "paid, signed ten minutes ago (wechatpay)")       \
    X(NO_SIGNATURE, "no_signature", 0, "paid, without a signature")                            \
    X(UNKNOWN_SIGNER, "unknown_signer", 0, "paid, signed by a serial that nobody knows")       \
    X(WRONG_NODE, "wrong_node", 0, "paid, signed as the answer of another method (alipay)")    \
    X(TWO_NODES, "two_nodes", 0, "paid, its node there twice (alipay)")                        \
    X(UNSIGNED_404, "unsigned_404", 0, "not_found, without a signature")                       \
    X(PAID_AT_CLOSE, "paid_at_close", 0, "unpaid; paid just before we close it")               \
    X(SLOW, "slow", 600000, "MS milliseconds later, the answer of the next word")              \
    X(OWN, "own", 0, "in a mode: what the order's own script says")

enum word {
#define X(name, ...) WORD_##name,
    WORD_LIST(X)
#undef X
        WORDS
};

const char *word_text(enum word word);
const char *word_meaning(enum word word);

struct step {
    enum word word;
    uint32_t argument;
    uint32_t until; /* the number of the first ask that this step does not answer */
};

struct script {
    char *text;
    int count;
    struct step steps[];
};

/* What one ask gets. */
struct fate {
    enum word word; /* never SLOW */
    uint32_t argument;
    uint32_t delay_ms;
};

/* 0, -EINVAL with a sentence in why, or -ENOMEM. */
int script_parse(const char *text, size_t length, struct script **out, const char **why);
void script_destroy(struct script *script);

/* The answer to the ask with this number, from 0. */
struct fate script_fate(const struct script *script, uint32_t ask);

#endif
