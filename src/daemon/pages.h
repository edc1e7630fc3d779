/* What the daemon serves on the address of `listen`: metrics, health, and the status page. Loop's thread only. Asks the
 * database every ten seconds for the figures that a scrape and the page then tell; only who may see single orders has it
 * asked. */
#ifndef MAKEGOOD_PAGES_H
#define MAKEGOOD_PAGES_H

#include "daemon/daemon.h"

struct pages;

/* 0 and NULL where nothing is to be listened at; else a negative errno, and it was logged why. */
int pages_create(struct pages **out, struct daemon *daemon, const struct pg_options *pg);
/* NULL is fine. Before the loop is closed. */
void pages_destroy(struct pages *pages);

/* NULL: ready to work; else why not, in one sentence. */
const char *daemon_unready(const struct daemon *daemon);

#endif
