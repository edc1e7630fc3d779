/* Inside the store: what store.c and store_talk.c share. Nobody else includes this. */
#ifndef MAKEGOOD_STORE_INNER_H
#define MAKEGOOD_STORE_INNER_H

#include "io/store.h"

/* The connection for what is neither claimed nor settled; such calls wait for no settlement that is under way. */
struct pg *store_talk_line(struct store *store);
/* For claims, and for what comes before them. */
struct pg *store_claim_line(struct store *store);
const char *store_instance(const struct store *store);

#endif
