/* What a story expects of the engine. Called by stage.c; changes nothing but what was noted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stage_inner.h"

bool expect_claim(struct stage *stage)
{
    char wanted[256] = "";
    for (int i = 2; i < stage->word_count; i++) {
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof(wanted) - used, "%s%s", i > 2 ? " " : "", stage->words[i]);
    }
    return strcmp(wanted, stage->claim) == 0 ||
           stage_fails(stage, "expected the claim `%s`, there is `%s`", wanted, stage->claim);
}

bool expect_asked(struct stage *stage)
{
    for (int i = 2; i < stage->word_count; i++)
        if (!stage_asked_job(stage, stage->words[i]))
            return stage_fails(stage, "%s is not being asked", stage->words[i]);
    return true;
}

bool expect_not_asked(struct stage *stage)
{
    for (int i = 3; i < stage->word_count; i++)
        if (stage_asked_job(stage, stage->words[i]))
            return stage_fails(stage, "%s is being asked", stage->words[i]);
    return true;
}

static struct job *job_in(struct batch *batch, const char *number, size_t length)
{
    for (int i = 0; i < batch->count; i++)
        if (strlen(batch->jobs[i]->order.number) == length &&
            memcmp(batch->jobs[i]->order.number, number, length) == 0)
            return batch->jobs[i];
    return NULL;
}

/* "A1=retry:5s", "A1=park:amount_mismatch", "A1=paid", "A1=closed:10s/tail": kind, delay or reason, and phase where the
 * story names them. */
static void verdict_say(const struct verdict *verdict, const char *expected, char out[96])
{
    const char *kind = verdict_kind_text(verdict->kind);
    const char *colon = strchr(expected, ':');
    const char *slash = strchr(expected, '/');
    char delay[32] = "";
    if (colon)
        snprintf(delay, sizeof(delay), "%.*s", (int)(slash ? slash - colon - 1 : 20), colon + 1);
    if (verdict->kind == VERDICT_PARK)
        snprintf(out, 96, "%s:%s", kind, park_reason_text(verdict->reason));
    else if (colon && stage_number(delay) == verdict->due_in_ms)
        snprintf(out, 96, "%s:%s", kind, delay);
    else if (colon || verdict->kind == VERDICT_RETRY)
        snprintf(out, 96, "%s:%" PRId64, kind, verdict->due_in_ms);
    else
        snprintf(out, 96, "%s", kind);
    if (slash)
        snprintf(out + strlen(out), 96 - strlen(out), "/%s", phase_text(verdict->phase));
}

/* As the newest settle says it. */
bool expect_settle(struct stage *stage)
{
    if (stage->settle_count == 0)
        return stage_fails(stage, "no settle is under way");
    struct batch *batch = stage->settles[stage->settle_count - 1];
    if (batch->count != stage->word_count - 2)
        return stage_fails(stage, "the settle carries %d orders", batch->count);
    for (int i = 2; i < stage->word_count; i++) {
        const char *equals = strchr(stage->words[i], '=');
        struct job *job = equals ? job_in(batch, stage->words[i], (size_t)(equals - stage->words[i])) : NULL;
        if (!job)
            return stage_fails(stage, "%s is not in the settle", stage->words[i]);
        char seen[96];
        verdict_say(&job->verdict, equals + 1, seen);
        if (strcmp(equals + 1, seen) != 0)
            return stage_fails(stage, "expected %s, there is %s", stage->words[i], seen);
    }
    return true;
}

bool expect_release(struct stage *stage)
{
    if (stage->release_count == 0)
        return stage_fails(stage, "no release is under way");
    struct batch *batch = stage->releases[stage->release_count - 1];
    for (int i = 2; i < stage->word_count; i++)
        if (!job_in(batch, stage->words[i], strlen(stage->words[i])))
            return stage_fails(stage, "%s is not released", stage->words[i]);
    return batch->count == stage->word_count - 2 ||
           stage_fails(stage, "%d orders are released", batch->count);
}

static bool note_was_heard(struct stage *stage, const char *text, bool *heard)
{
    enum note_kind kind;
    if (!note_kind_parse(text, &kind))
        return stage_fails(stage, "there is no note %s", text);
    *heard = stage->noted[kind];
    stage->noted[kind] = false;
    return true;
}

bool expect_note(struct stage *stage)
{
    bool heard = false;
    return note_was_heard(stage, stage->words[2], &heard) &&
           (heard || stage_fails(stage, "no note %s", stage->words[2]));
}

bool expect_idle(struct stage *stage)
{
    return engine_is_idle(stage->engine) || stage_fails(stage, "the engine is not idle");
}

bool expect_no(struct stage *stage)
{
    bool heard = false;
    if (strcmp(stage->words[2], "claim") == 0)
        return !stage->claim[0] || stage_fails(stage, "there is the claim `%s`", stage->claim);
    if (strcmp(stage->words[2], "settle") == 0)
        return stage->settle_count == 0 || stage_fails(stage, "a settle is under way");
    if (strcmp(stage->words[2], "note") != 0 || stage->word_count < 4)
        return stage_fails(stage, "expect no what?");
    return note_was_heard(stage, stage->words[3], &heard) &&
           (!heard || stage_fails(stage, "there was a note %s", stage->words[3]));
}
