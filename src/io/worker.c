/* A worker's thread: takes questions from its inbox, carries them, leaves answers in its outbox. Blocks in
 * epoll_wait only; wakes for its sockets, libcurl's timer and its bell. Knows nothing of the engine or the
 * loop but the mailbox. Its transfers and grants stand in kits, one per channel: kit.h. */
#include "io/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "io/kit.h"

#define EVENTS_MAX 128
#define POST_AT    32 /* answers that are worth waking the loop for while more are coming in */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- lists of questions --------------------------------------------------------------------------------- */

void list_push(struct question_list *list, struct question *question)
{
    question->next = NULL;
    *(list->last ? &list->last->next : &list->first) = question;
    list->last = question;
    list->count++;
}

void list_move(struct question_list *from, struct question_list *to)
{
    if (!from->first)
        return;
    *(to->last ? &to->last->next : &to->first) = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct question_list){0};
}

/* --- questions and answers ------------------------------------------------------------------------------ */

static void no_memory_tell(struct worker *worker, struct question *question)
{
    *question->evidence = (struct evidence){.kind = EVIDENCE_UNASKABLE, .code = "out of memory"};
    list_push(&worker->answered, question);
}

/* purse: of the grant that it carries, NULL: of none. */
static void question_send(struct worker *worker, struct question *question, const struct purse *purse)
{
    struct transfer *transfer = transfer_take(worker, question->channel);
    const char *token = purse ? purse->grant->token : NULL;
    if (!transfer) {
        no_memory_tell(worker, question);
        return;
    }
    transfer->grant_number = purse ? purse->number : 0;
    if (!transfer_begin(transfer, question, token)) {
        transfer_put(worker, transfer);
        list_push(&worker->answered, question);
    } else if (curl_multi_add_handle(worker->multi, transfer->easy) != CURLM_OK) {
        transfer_end(transfer, CURLE_OUT_OF_MEMORY);
        transfer_put(worker, transfer);
        list_push(&worker->answered, question);
    }
}

/* Fetching a grant came to its end. Whoever waits goes on with it, or with the old one while that serves, or has the
 * fault for an answer. */
static void grant_arrive(struct worker *worker, struct kit *kit, const struct grant *grant,
                         const struct evidence *fault)
{
    struct question_list waiting = {0};
    bool serves =
        purse_fill(&kit->purse, grant, ++worker->grants, now_ms()) || purse_token(&kit->purse, now_ms());
    list_move(&kit->waiting, &waiting);
    while (waiting.first) {
        struct question *question = waiting.first;
        waiting.first = question->next;
        if (serves) {
            question_send(worker, question, &kit->purse);
            continue;
        }
        *question->evidence =
            grant ? (struct evidence){.kind = EVIDENCE_UNASKABLE, .code = "out of memory"} : *fault;
        list_push(&worker->answered, question);
    }
}

static void grant_fetch(struct worker *worker, struct kit *kit, const struct channel *channel)
{
    struct evidence fault = {.kind = EVIDENCE_UNASKABLE, .code = "out of memory"};
    struct transfer *transfer = transfer_take(worker, channel);
    bool begun = transfer && transfer_begin_grant(transfer, channel, &fault);
    kit->purse.fetching = true;
    if (begun && curl_multi_add_handle(worker->multi, transfer->easy) == CURLM_OK)
        return;
    if (begun)
        transfer_drop(transfer);
    if (transfer)
        transfer_put(worker, transfer);
    grant_arrive(worker, kit, NULL, &fault);
}

/* Whoever finds that the grant is due waits for the new one, although the old one may serve: so there is no fetch
 * without a question under way, and none outlives its channel. */
static void question_start(struct worker *worker, struct question *question)
{
    const struct channel *channel = question->channel;
    if (!channel->needs_grant) {
        question_send(worker, question, NULL);
        return;
    }
    struct kit *kit = kit_of(worker, channel);
    if (!kit) {
        no_memory_tell(worker, question);
        return;
    }
    bool due = purse_is_due(&kit->purse, now_ms());
    if (!due && purse_token(&kit->purse, now_ms())) {
        question_send(worker, question, &kit->purse);
        return;
    }
    list_push(&kit->waiting, question);
    if (due)
        grant_fetch(worker, kit, channel);
}

static void grant_end(struct worker *worker, struct transfer *transfer, CURLcode result)
{
    struct grant grant;
    struct evidence fault;
    struct kit *kit = transfer->kit;
    bool granted = transfer_end_grant(transfer, result, &grant, &fault);
    grant_arrive(worker, kit, granted ? &grant : NULL, &fault);
    explicit_bzero(&grant, sizeof(grant));
    transfer_put(worker, transfer);
}

/* A token may be revoked before its time: asked once more with a new one. */
static bool question_renews(struct transfer *transfer, CURLcode result)
{
    struct question *question = transfer->question;
    if (!transfer->channel->needs_grant || question->renewed || !transfer_is_refused(transfer, result))
        return false;
    question->renewed = true;
    purse_refuse(&transfer->kit->purse, transfer->grant_number);
    return true;
}

static void transfer_ends(struct worker *worker, struct transfer *transfer, CURLcode result)
{
    struct question *question = transfer->question;
    if (transfer_turns(transfer, result) && curl_multi_add_handle(worker->multi, transfer->easy) == CURLM_OK)
        return;
    if (!question) {
        grant_end(worker, transfer, result);
    } else if (question_renews(transfer, result)) {
        transfer_drop(transfer);
        transfer_put(worker, transfer);
        question_start(worker, question);
    } else {
        transfer_end(transfer, result);
        transfer_put(worker, transfer);
        list_push(&worker->answered, question);
    }
}

static void transfers_end(struct worker *worker)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(worker->multi, &left));) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result; /* the message goes with its handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        curl_multi_remove_handle(worker->multi, transfer->easy);
        transfer_ends(worker, transfer, result);
    }
}

/* --- the mailbox ---------------------------------------------------------------------------------------- */

void worker_ring(struct worker *worker)
{
    eventfd_write(worker->bell_fd, 1); /* can only fail when it rings already */
}

/* False when it is time to stop. */
static bool mail_take(struct worker *worker)
{
    eventfd_t rung;
    struct question_list questions = {0};
    eventfd_read(worker->bell_fd, &rung);
    pthread_mutex_lock(&worker->mailbox->mutex);
    list_move(&worker->inbox, &questions);
    bool forget = worker->forget;
    bool stop = worker->stop;
    worker->forget = false;
    pthread_mutex_unlock(&worker->mailbox->mutex);
    if (forget) /* first: a new channel may live at the old one's address */
        kits_forget(worker);
    while (!stop && questions.first) {
        struct question *question = questions.first;
        questions.first = question->next;
        question_start(worker, question);
    }
    return !stop;
}

static void mail_post(struct worker *worker)
{
    if (!worker->answered.first)
        return;
    pthread_mutex_lock(&worker->mailbox->mutex);
    bool rung = worker->outbox.first != NULL;
    list_move(&worker->answered, &worker->outbox);
    pthread_mutex_unlock(&worker->mailbox->mutex);
    if (!rung)
        uv_async_send(worker->mailbox->answered);
}

/* --- libcurl's sockets and timer ------------------------------------------------------------------------ */

/* Never fails: libcurl would give up the whole multi. What could not be watched times out. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *known)
{
    struct worker *worker = self;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(worker->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
        epoll_ctl(worker->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    if (!known)
        curl_multi_assign(worker->multi, fd, worker);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *self)
{
    struct worker *worker = self;
    (void)multi;
    worker->due_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    return 0;
}

static int wait_ms(const struct worker *worker)
{
    if (worker->due_ms < 0)
        return -1;
    int64_t left_ms = worker->due_ms - now_ms();
    return left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

static int curl_events(uint32_t events)
{
    int mask = 0;
    if (events & EPOLLIN)
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        mask |= CURL_CSELECT_ERR;
    return mask;
}

/* One round; false when it is time to stop. Answers are posted before it would sleep, or when enough came together:
 * waking the loop for each one costs more than the answer. */
static bool worker_turn(struct worker *worker)
{
    struct epoll_event events[EVENTS_MAX];
    int running;
    bool goes_on = true;
    int patience_ms = worker->answered.first ? 0 : wait_ms(worker);
    int count = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, patience_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == worker->bell_fd)
            goes_on = mail_take(worker);
        else
            curl_multi_socket_action(worker->multi, events[i].data.fd, curl_events(events[i].events),
                                     &running);
    }
    if (goes_on && worker->due_ms >= 0 && worker->due_ms <= now_ms()) {
        worker->due_ms = -1;
        curl_multi_socket_action(worker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    transfers_end(worker);
    if (count <= 0 || worker->answered.count >= POST_AT || !goes_on)
        mail_post(worker);
    return goes_on;
}

static void *worker_run(void *self)
{
    pthread_setname_np(pthread_self(), "makegood-worker");
    while (worker_turn(self))
        ;
    return NULL;
}

/* --- start and end -------------------------------------------------------------------------------------- */

static int multi_make(struct worker *worker, int connections)
{
    CURLM *multi = worker->multi = curl_multi_init();
    if (!multi)
        return -ENOMEM;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, worker);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, worker);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return 0;
}

/* Signals are the loop's. */
static int thread_start(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, worker_run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->runs = error == 0;
    return -error;
}

int worker_start(struct worker *worker, struct mailbox *mailbox, const char *user_agent, int connections)
{
    *worker = (struct worker){.mailbox = mailbox, .user_agent = user_agent, .due_ms = -1, .epoll_fd = -1};
    worker->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->bell_fd >= 0)
        worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = worker->bell_fd};
    int result =
        worker->epoll_fd >= 0 && epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->bell_fd, &event) == 0
            ? multi_make(worker, connections)
            : -errno;
    if (result == 0)
        result = thread_start(worker);
    if (result < 0)
        worker_finish(worker);
    return result;
}

void worker_finish(struct worker *worker)
{
    if (worker->runs)
        pthread_join(worker->thread, NULL);
    kits_finish(worker);
    if (worker->multi)
        curl_multi_cleanup(worker->multi);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    if (worker->bell_fd >= 0)
        close(worker->bell_fd);
}
