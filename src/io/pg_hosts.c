/* The hosts of a connection string, so that an attempt may begin with another one. libpq tries a string's
 * hosts in turn, but a host that swallows packets would use up every attempt's time: after a timeout the list
 * is turned by one. Pure text; called by pg_connect.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/pg_inner.h"

static int option_copy(const PQconninfoOption *options, const char *keyword, char **out)
{
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) != 0 || !options->val || !*options->val)
            continue;
        *out = strdup(options->val);
        return *out ? 0 : -ENOMEM;
    }
    return 0;
}

int pg_hosts_init(struct pg_hosts *hosts, const char *conninfo)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &error);
    PQfreemem(error); /* it may repeat a password */
    if (!options)
        return -EINVAL;
    *hosts = (struct pg_hosts){0};
    int result = option_copy(options, "host", &hosts->host);
    if (result == 0)
        result = option_copy(options, "hostaddr", &hosts->hostaddr);
    if (result == 0)
        result = option_copy(options, "port", &hosts->port);
    PQconninfoFree(options);
    if (result < 0)
        pg_hosts_finish(hosts);
    return result;
}

void pg_hosts_finish(struct pg_hosts *hosts)
{
    free(hosts->host);
    free(hosts->hostaddr);
    free(hosts->port);
}

int pg_hosts_count(const struct pg_hosts *hosts)
{
    const char *list = hosts->hostaddr ? hosts->hostaddr : hosts->host;
    int count = 1;
    for (const char *c = list ? strchr(list, ',') : NULL; c; c = strchr(c + 1, ','))
        count++;
    return count;
}

char *pg_hosts_turned(const char *list, int turn)
{
    const char *start = list;
    for (; turn > 0; turn--) {
        const char *comma = strchr(start, ',');
        start = comma ? comma + 1 : list;
    }
    size_t length = strlen(list);
    size_t tail = strlen(start);
    char *turned = malloc(length + 1);
    if (!turned)
        return NULL;
    memcpy(turned, start, tail);
    if (start > list) {
        turned[tail] = ',';
        memcpy(turned + tail + 1, list, length - tail - 1); /* all before the comma in front of start */
    }
    turned[length] = '\0';
    return turned;
}
