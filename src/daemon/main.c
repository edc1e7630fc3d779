/* The program: closes what could leak or mislead (environment, core dumps), and does what the command line says. One thread until `run` starts its workers. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "daemon/cli.h"

/* --- the surroundings ----------------------------------------------------------------------------------- */

static bool is_kept(const char *variable)
{
    static const char *const kept[] = {"PATH=",
                                       "HOME=",
                                       "LANG=",
                                       "LC_",
                                       "TZ=",
                                       "TERM=",
                                       "NO_COLOR=",
                                       "CREDENTIALS_DIRECTORY=",
                                       "NOTIFY_SOCKET=",
                                       "WATCHDOG_USEC=",
                                       "WATCHDOG_PID=",
                                       "INVOCATION_ID=",
                                       "JOURNAL_STREAM=",
                                       "ASAN_OPTIONS=",
                                       "UBSAN_OPTIONS=",
                                       "TSAN_OPTIONS=",
                                       "LSAN_OPTIONS="};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
            return true;
    return false;
}

/* PG*, *_PROXY, SSL* and the like would change what the configuration says. */
static void environment_clear(void)
{
    extern char **environ;
    size_t kept = 0;
    for (size_t i = 0; environ && environ[i]; i++)
        if (is_kept(environ[i]))
            environ[kept++] = environ[i];
    if (environ)
        environ[kept] = NULL;
}

#ifdef __has_feature
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Secrets are in memory: no core dump, and nobody of the same user may look. The leak checker would have to.
 */
static void memory_close(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (!SANITIZED)
        prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
    environment_clear();
    memory_close();
    return cli_run(argc, argv);
}
