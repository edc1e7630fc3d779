/* Inside the pages: what pages.c, pages_health.c and pages_look.c share. Nobody else includes this. */
#ifndef MAKEGOOD_PAGES_INNER_H
#define MAKEGOOD_PAGES_INNER_H

#include <jansson.h>

#include "daemon/pages.h"
#include "io/look.h"
#include "io/web.h"

#define PLAIN   "text/plain; charset=utf-8"
#define FRESH_S 60 /* older figures are not told */

struct pages {
    struct daemon *daemon;
    struct web *web;
    struct look *look;
    uv_timer_t timer;
    int looking; /* glances at the database under way */
    json_t *overview;
    json_t *over_time; /* of the last day; NULL: not known yet */
    int64_t overview_s;
};

/* A page compiled in. */
struct page_file {
    const char *path;
    const char *type;
    const char *bytes;
    size_t length;
};
extern const struct page_file page_files[]; /* ended by a NULL path */

typedef void (*page_answer)(struct pages *pages, struct web_visit *visit);

void text_answer(struct web_visit *visit, unsigned status, const char *type, const char *text);
bool pages_are_fresh(const struct pages *pages);

/* pages_health.c */
void healthz_answer(struct pages *pages, struct web_visit *visit);
void readyz_answer(struct pages *pages, struct web_visit *visit);
void metrics_answer(struct pages *pages, struct web_visit *visit);

/* pages_look.c */
void summary_answer(struct pages *pages, struct web_visit *visit);
void orders_page_answer(struct pages *pages, struct web_visit *visit);
void orders_answer(struct pages *pages, struct web_visit *visit);
void explain_answer(struct pages *pages, struct web_visit *visit);
void history_answer(struct pages *pages, struct web_visit *visit);
void file_answer(struct web_visit *visit, const char *path);

#endif
