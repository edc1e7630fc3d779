/* A temporary folder of a test's own, and what runs in it: commands, a private PostgreSQL (scripts/cluster),
 * other servers. Everything is stopped and removed by place_leave. For the tests of src/io. */
#ifndef TEST_IO_PLACE_H
#define TEST_IO_PLACE_H

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char folder[64];
    char conninfo[256];
    bool has_cluster;
};

__attribute__((format(printf, 1, 2))) static inline int run(const char *format, ...)
{
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    assert(length > 0 && (size_t)length < sizeof(command));
    return system(command);
}

/* Others may pass through it: PostgreSQL refuses root and runs as a user of its own then. */
static inline void place_enter(struct place *place)
{
    memset(place, 0, sizeof(*place));
    snprintf(place->folder, sizeof(place->folder), "/tmp/makegood-io-XXXXXX");
    assert(mkdtemp(place->folder) && chmod(place->folder, 0755) == 0);
}

/* Starts it, the first time makes it. */
static inline void place_start_cluster(struct place *place)
{
    place->has_cluster = true;
    snprintf(place->conninfo, sizeof(place->conninfo), "host=%s/pg/socket user=postgres dbname=postgres",
             place->folder);
    assert(run("scripts/cluster start %s/pg -o fsync=off -o max_connections=20 >%s/cluster.log",
               place->folder, place->folder) == 0);
}

static inline void place_stop_cluster(struct place *place, const char *mode)
{
    assert(run("scripts/cluster stop %s/pg %s", place->folder, mode) == 0);
}

static inline void place_leave(struct place *place)
{
    if (place->has_cluster)
        run("scripts/cluster stop %s/pg immediate", place->folder);
    run("rm -rf %s", place->folder);
}

__attribute__((format(printf, 2, 3))) static inline void write_file(const char *path, const char *format, ...)
{
    va_list arguments;
    FILE *file = fopen(path, "w");
    assert(file);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    assert(fclose(file) == 0 && chmod(path, 0644) == 0);
}

/* As postgres where we are root and the program refuses that. Ends with the test, however that ends. */
static inline pid_t program_start(bool as_postgres, const char *const *arguments)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct passwd *user = as_postgres && geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (setgroups(0, NULL) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        _exit(126);
    char *copy[16] = {0};
    for (int i = 0; arguments[i] && i < 15; i++)
        copy[i] = strdup(arguments[i]);
    execv(copy[0], copy);
    _exit(127);
}

static inline void program_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
