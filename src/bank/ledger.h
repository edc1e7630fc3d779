/* The ledger: every order the simulated bank knows, read from a TSV file: number, order_no, amount_minor,
 * currency, script. Loaded once, before the threads start; afterwards only the counters of an order change,
 * atomically. */
#ifndef BANK_LEDGER_H
#define BANK_LEDGER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "bank/script.h"

#define WHY_BYTES 512

enum end { END_OPEN, END_CLOSED, END_PAID };

/* Kept small: the benchmark's ledger has 400,000. The texts stay in the file's mapping. */
struct order {
    int64_t amount_minor;
    uint32_t at; /* of the number, in the ledger's text; the order number follows it */
    uint16_t script;
    uint8_t number_length;
    uint8_t order_no_length;
    char currency[4];   /* lower case, as in answers */
    atomic_uchar ended; /* by a close: enum end */
    atomic_uint asked;
    atomic_uint question; /* hash of the last X-Request-Id; 0: none */
    atomic_uint step;     /* asks answered by the order's own script */
    atomic_uint told_paid;
    atomic_llong first_us; /* asked first, since 1970; 0: not yet */
};

struct ledger {
    char *text;
    size_t text_bytes;
    struct order *orders;
    uint32_t count;
    uint32_t *slots; /* open addressing: index + 1 into orders, 0 is free */
    uint32_t mask;
    struct script **scripts; /* distinct ones */
    uint32_t script_count;
};

/* 0, or -1 and a sentence in why. */
int ledger_open(struct ledger *ledger, const char *file, char why[WHY_BYTES]);
void ledger_close(struct ledger *ledger);

/* NULL when the ledger has no such number. */
struct order *ledger_find(const struct ledger *ledger, const char *number, size_t length);

/* Not NUL-terminated: number_length and order_no_length say how long. */
const char *ledger_number(const struct ledger *ledger, const struct order *order);
const char *ledger_order_no(const struct ledger *ledger, const struct order *order);

#endif
