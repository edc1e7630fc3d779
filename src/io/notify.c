/* systemd's notification protocol: one datagram per message to the socket that $NOTIFY_SOCKET names, a path
 * or, behind an @, an abstract name. Keeps nothing; loop's thread only. */
#include "io/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "io/number.h"

#define STATUS_BYTES 512

static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(out->sun_path))
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, name, length);
    if (name[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static void tell(const char *text)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t length = name ? address_of(name, &address) : 0;
    int fd = length ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    close(fd);
}

void notify_ready(void)
{
    tell("READY=1\n");
}

/* systemd 253 and later compare the time with that of its own signal. */
void notify_reloading(void)
{
    struct timespec now;
    char text[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(text);
}

void notify_stopping(int64_t bound_ms)
{
    char text[80];
    snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\n", (bound_ms + 1000) * 1000);
    tell(text);
}

void notify_status(const char *text)
{
    char line[STATUS_BYTES];
    snprintf(line, sizeof(line), "STATUS=%s", text);
    for (char *c = line; *c; c++)
        if (*c == '\n')
            *c = ' ';
    tell(line);
}

void notify_watchdog(void)
{
    tell("WATCHDOG=1\n");
}

int64_t notify_watchdog_interval_ms(void)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    int64_t microseconds = 0;
    int64_t meant = getpid();
    if (!interval || !number_parse(interval, 0, INT64_MAX, &microseconds))
        return 0;
    if (pid && (!number_parse(pid, 1, INT32_MAX, &meant) || meant != getpid()))
        return 0;
    return microseconds / 1000;
}
