/* makegood-mail: what a shop, and a look into the letter-box, need for the demo, the benchmarks and the tests: sends messages that
 * it reads from stdin, or prints those that come. One thread. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "io/rocketmq.h"

#define SLOTS      64 /* sends under way */
#define AGAIN_MS   500
#define TRIES_MOST 120
#define TOPICS_MAX 16

static const char usage[] =
    "usage: makegood-mail ENDPOINT GROUP send TOPIC...             lines on stdin: TOPIC, milliseconds "
    "since\n"
    "                                                              1970, identifier, body, with tabs "
    "between\n"
    "       makegood-mail ENDPOINT GROUP receive SECONDS TOPIC...  prints bodies, acknowledges nothing\n";

struct mail;

struct slot {
    struct mail *mail;
    uv_timer_t timer; /* until it is sent again */
    char *line;
    size_t room;
    struct mq_draft draft; /* points into line */
    int tries;
};

struct mail {
    uv_loop_t loop;
    struct rocketmq *mq;
    const char *topics[TOPICS_MAX + 1];
    int seconds; /* 0: sends */
    uv_timer_t end;
    struct slot slots[SLOTS];
    int under_way;
    long sent;
    bool begun, ended;
    int exit_code;
};

static void mail_end(struct mail *mail, int exit_code)
{
    if (mail->ended)
        return;
    mail->ended = true;
    mail->exit_code = exit_code;
    uv_stop(&mail->loop);
}

/* --- sending -------------------------------------------------------------------------------------------- */

static void slot_fill(struct slot *slot);
static void on_again(uv_timer_t *timer);

static bool may_be_repeated(enum mq_result result)
{
    return result == MQ_UNKNOWN || result == MQ_BUSY ||
           result == MQ_WRONG_TYPE; /* the last: no broker, for a moment */
}

static void on_sent(void *self, enum mq_result result, const char *reason)
{
    struct slot *slot = self;
    if (slot->mail->ended)
        return;
    if (result == MQ_OK) {
        slot->mail->sent++;
        slot_fill(slot);
    } else if (may_be_repeated(result) && ++slot->tries < TRIES_MOST) {
        uv_timer_start(&slot->timer, on_again, AGAIN_MS, 0);
    } else {
        fprintf(stderr, "makegood-mail: %s can not be sent to topic %s: %s\n", slot->draft.id,
                slot->draft.topic, reason);
        mail_end(slot->mail, EX_UNAVAILABLE);
    }
}

static void slot_send(struct slot *slot)
{
    rocketmq_send(slot->mail->mq, &slot->draft, on_sent, slot);
}

static bool line_read(struct slot *slot)
{
    ssize_t length = getline(&slot->line, &slot->room, stdin);
    if (length <= 0)
        return false;
    char *rest = slot->line;
    slot->line[strcspn(slot->line, "\n")] = '\0';
    const char *topic = strsep(&rest, "\t");
    const char *deliver = strsep(&rest, "\t");
    const char *id = strsep(&rest, "\t");
    if (!rest) {
        fprintf(stderr, "makegood-mail: a line lacks a tab: %s\n%s", slot->line, usage);
        mail_end(slot->mail, EX_DATAERR);
        return false;
    }
    slot->tries = 0;
    slot->draft = (struct mq_draft){.topic = topic,
                                    .id = id,
                                    .body = (const uint8_t *)rest,
                                    .length = strlen(rest),
                                    .deliver_ms = atoll(deliver)};
    return true;
}

/* With the next line; without one, the last slot ends it all. */
static void slot_fill(struct slot *slot)
{
    if (line_read(slot))
        slot_send(slot);
    else if (--slot->mail->under_way == 0)
        mail_end(slot->mail, EX_OK);
}

/* --- receiving ------------------------------------------------------------------------------------------ */

static void on_received(void *self, enum mq_result result, const char *reason,
                        const struct mq_message *messages, int count)
{
    struct slot *slot = self;
    for (int i = 0; i < count; i++)
        printf("%.*s\n", (int)messages[i].length, (const char *)messages[i].body);
    if (result != MQ_OK && !slot->mail->ended)
        fprintf(stderr, "makegood-mail: %s\n", reason);
    if (!slot->mail->ended)
        uv_timer_start(&slot->timer, on_again, result == MQ_OK ? 0 : AGAIN_MS, 0);
}

static void topic_receive(struct slot *slot)
{
    rocketmq_receive(slot->mail->mq, slot->draft.topic, RECEIVE_MAX, on_received, slot);
}

static void on_again(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    if (slot->mail->seconds > 0)
        topic_receive(slot);
    else
        slot_send(slot);
}

static void on_end(uv_timer_t *timer)
{
    mail_end(timer->data, EX_OK);
}

/* --- the session ---------------------------------------------------------------------------------------- */

static void on_up(void *self)
{
    struct mail *mail = self;
    if (mail->begun)
        return;
    mail->begun = true;
    if (mail->seconds > 0) {
        uv_timer_start(&mail->end, on_end, (uint64_t)mail->seconds * 1000, 0);
        for (int i = 0; mail->topics[i]; i++) {
            mail->slots[i].draft.topic = mail->topics[i];
            topic_receive(&mail->slots[i]);
        }
        return;
    }
    mail->under_way = SLOTS;
    for (int i = 0; i < SLOTS; i++)
        slot_fill(&mail->slots[i]);
}

static void on_down(void *self, enum mq_result result, const char *reason)
{
    struct mail *mail = self;
    if (!mail->ended)
        fprintf(stderr, "makegood-mail: %s: %s\n", mq_result_text(result), reason);
}

static void mail_run(struct mail *mail, const char *endpoint, const char *group)
{
    char id[64];
    snprintf(id, sizeof(id), "makegood-mail-%d-%ld", (int)getpid(), (long)time(NULL));
    static const struct rocketmq_events events = {on_up, on_down};
    struct rocketmq_options options = {.endpoint = endpoint,
                                       .group = group,
                                       .topics = mail->topics,
                                       .client_id = id,
                                       .invisible_ms = 3600 * 1000,
                                       .poll_ms = 5000,
                                       .timeout_ms = 5000};
    if (uv_loop_init(&mail->loop) != 0 ||
        rocketmq_create(&mail->mq, &mail->loop, &options, &events, mail) < 0) {
        fprintf(stderr, "makegood-mail: out of memory\n");
        exit(EX_OSERR);
    }
    uv_timer_init(&mail->loop, &mail->end);
    mail->end.data = mail;
    for (int i = 0; i < SLOTS; i++) {
        mail->slots[i].mail = mail;
        uv_timer_init(&mail->loop, &mail->slots[i].timer);
        mail->slots[i].timer.data = &mail->slots[i];
    }
    uv_run(&mail->loop, UV_RUN_DEFAULT);
    rocketmq_destroy(mail->mq);
    uv_close((uv_handle_t *)&mail->end, NULL);
    for (int i = 0; i < SLOTS; i++)
        uv_close((uv_handle_t *)&mail->slots[i].timer, NULL);
    uv_run(&mail->loop, UV_RUN_DEFAULT);
    uv_loop_close(&mail->loop);
    for (int i = 0; i < SLOTS; i++)
        free(mail->slots[i].line);
}

int main(int count, char *words[])
{
    static struct mail mail;
    bool receives = count >= 6 && strcmp(words[3], "receive") == 0;
    int first = receives ? 5 : 4;
    mail.seconds = receives ? atoi(words[4]) : 0;
    if (count < 5 || count - first > TOPICS_MAX ||
        (receives ? mail.seconds <= 0 : strcmp(words[3], "send") != 0)) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    for (int i = first; i < count; i++)
        mail.topics[i - first] = words[i];
    mail_run(&mail, words[1], words[2]);
    if (!receives)
        printf("%ld\n", mail.sent);
    return mail.exit_code;
}
