/* Showing what one question brought: for people, or as JSON for scripts. Any thread; writes to the stream alone. */
#ifndef MAKEGOOD_QUERY_SHOW_H
#define MAKEGOOD_QUERY_SHOW_H

#include <jansson.h>
#include <limits.h>

#include "daemon/kept.h"
#include "daemon/trial.h"

struct query {
    const struct channel *channel;
    struct trial trial;
    struct request request;    /* as it was sent; method NULL: nothing was */
    struct kept_answer answer; /* as it came */
    struct moment moment;      /* when it came */
    char saved[PATH_MAX];      /* the folder; "": not saved */
    bool out_of_memory;        /* while it was copied: shown as nothing sent */
};

/* Aligned; colours only where asked for. config_file: for the command that replays what was saved. */
void query_show(FILE *out, bool colours, const struct query *query, const char *config_file);

/* One object, or NULL without memory. */
json_t *query_json(const struct query *query);

/* The question alone, secrets masked; a new text, or NULL without memory. */
char *query_question(const struct query *query);

#endif
