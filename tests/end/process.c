/* Child processes of the end suites: see process.h. Owns the list of living children and the pipe to the guardian. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 32
#define ARGUMENTS    24
#define RUN_MS       60000

static pid_t children[CHILDREN_MAX];
static int guardian_pipe = -1;
static pid_t guardian;

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int64_t ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

/* --- children ------------------------------------------------------------------------------------------------- */

static pid_t *child_slot(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == pid)
            return &children[i];
    fail_msg("there is no room for another child process");
    return NULL;
}

/* In the child: argv as it is, nothing shared but the outputs. */
static void become(const char *const argv[], int out, int err, const char *const more[])
{
    char *copies[ARGUMENTS] = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (int i = 0; argv[i] && i < ARGUMENTS - 1; i++)
        copies[i] = strdup(argv[i]);
    for (int i = 0; more && more[i]; i++)
        putenv(strdup(more[i]));
    execvp(copies[0], copies);
    _exit(127);
}

static pid_t child_start(const char *const argv[], int out, int err, const char *const more[])
{
    pid_t *slot = child_slot(0);
    fflush(stdout);
    *slot = fork();
    assert_true(*slot >= 0);
    if (*slot == 0)
        become(argv, out, err, more);
    return *slot;
}

pid_t process_start(const char *const argv[], const char *log, const char *const more[])
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    pid_t pid = child_start(argv, fd, fd, more);
    close(fd);
    return pid;
}

/* True when it ended, and how. */
static bool child_reap(pid_t pid, int *code)
{
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) != pid)
        return false;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *child_slot(pid) = 0;
    return true;
}

bool process_lives(pid_t pid)
{
    siginfo_t info = {0};
    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

int process_wait(pid_t pid, int64_t deadline_ms)
{
    int code = -1;
    int64_t end_ms = now_ms() + deadline_ms;
    while (!child_reap(pid, &code)) {
        if (now_ms() > end_ms)
            fail_msg("process %d did not end within %lld ms", (int)pid, (long long)deadline_ms);
        sleep_ms(5);
    }
    return code;
}

void process_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    process_wait(pid, 10000);
}

void process_kill_all(void)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] > 0)
            process_kill(children[i]);
}

/* --- to the end ------------------------------------------------------------------------------------------------ */

struct capture {
    int fd;
    char *out; /* or NULL */
    size_t length;
};

/* False at the end of the output. */
static bool capture_read(struct capture *capture)
{
    char scrap[4096];
    ssize_t got = read(capture->fd, scrap, sizeof(scrap));
    for (ssize_t i = 0; i < got && capture->out && capture->length + 1 < OUTPUT_BYTES; i++)
        capture->out[capture->length++] = scrap[i];
    if (capture->out)
        capture->out[capture->length] = '\0';
    return got > 0 || (got < 0 && errno == EINTR);
}

static void captures_read(struct capture captures[2], int64_t end_ms)
{
    struct pollfd fds[2] = {{captures[0].fd, POLLIN, 0}, {captures[1].fd, POLLIN, 0}};
    while ((fds[0].fd >= 0 || fds[1].fd >= 0) && now_ms() < end_ms) {
        poll(fds, 2, 200);
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !capture_read(&captures[i]))
                fds[i].fd = -1;
    }
}

int run(const char *const argv[], char out[OUTPUT_BYTES], char err[OUTPUT_BYTES])
{
    int outs[2];
    int errs[2];
    assert_int_equal(pipe2(outs, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errs, O_CLOEXEC), 0);
    pid_t pid = child_start(argv, outs[1], errs[1], NULL);
    close(outs[1]);
    close(errs[1]);
    struct capture captures[2] = {{outs[0], out, 0}, {errs[0], err, 0}};
    captures_read(captures, now_ms() + RUN_MS);
    close(outs[0]);
    close(errs[0]);
    return process_wait(pid, RUN_MS);
}

/* --- the guardian ---------------------------------------------------------------------------------------------- */

static void clean_step(const char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        char *copies[ARGUMENTS] = {0};
        for (int i = 0; argv[i]; i++)
            copies[i] = strdup(argv[i]);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execvp(copies[0], copies);
        _exit(127);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void guard(const char *folder, int alive)
{
    char byte;
    char cluster[256];
    setsid(); /* a Ctrl-C is for the suite, not for the one that cleans up after it */
    snprintf(cluster, sizeof(cluster), "%s/cluster", folder);
    while (read(alive, &byte, 1) < 0 && errno == EINTR)
        continue;
    clean_step((const char *const[]){SOURCE_DIR "/scripts/cluster", "stop", cluster, "immediate", NULL});
    if (!getenv("MAKEGOOD_KEEP"))
        clean_step((const char *const[]){"rm", "-rf", folder, NULL});
    _exit(0);
}

void guardian_start(const char *folder)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(stdout);
    guardian = fork();
    if (guardian == 0) {
        close(ends[1]);
        guard(folder, ends[0]);
    }
    close(ends[0]);
    guardian_pipe = ends[1];
}

void guardian_dismiss(void)
{
    if (guardian_pipe < 0)
        return;
    close(guardian_pipe);
    guardian_pipe = -1;
    while (waitpid(guardian, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* --- files ----------------------------------------------------------------------------------------------------- */

char *file_read(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = fopen(path, "re");
    if (!file || getdelim(&text, &bytes, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    if (file)
        fclose(file);
    return text;
}

void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}
