/* What stage.c and expect.c share: the stage itself. Nobody else includes this. */
#ifndef MAKEGOOD_STAGE_INNER_H
#define MAKEGOOD_STAGE_INNER_H

#include "makegood/engine.h"

#define POLICIES 4
#define JOBS     32
#define WORDS    24

struct stage {
    struct policy policies[POLICIES];
    int policy_count;
    bool policies_said; /* the first `policy` after start or reload begins a new list */
    struct engine_config config;
    struct engine *engine;
    int64_t now_ms;
    int64_t next_ms;
    char claim[256]; /* "main=4 other=2", "" when none is under way */
    struct lost_order rows[JOBS];
    int row_count;
    struct job *asked[JOBS];
    int asked_count;
    struct batch *settles[4];
    int settle_count;
    struct batch *releases[4];
    int release_count;
    bool noted[NOTES];
    char *words[WORDS];
    int word_count;
    char *why;
    unsigned why_bytes;
};

/* Says why the story fails; always false. */
__attribute__((format(printf, 2, 3))) bool stage_fails(struct stage *stage, const char *format, ...);
int64_t stage_number(const char *text);                               /* "5s" -> 5000 */
struct job *stage_asked_job(struct stage *stage, const char *number); /* or NULL */

bool expect_claim(struct stage *stage);
bool expect_asked(struct stage *stage);
bool expect_not_asked(struct stage *stage);
bool expect_settle(struct stage *stage);
bool expect_release(struct stage *stage);
bool expect_note(struct stage *stage);
bool expect_idle(struct stage *stage);
bool expect_no(struct stage *stage);

#endif
