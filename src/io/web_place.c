/* Where the web server may listen: loopback addresses and Unix sockets. Pure. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "io/web.h"

#define UNIX "unix:"

static bool refuse(char why[WEB_WHY_BYTES], const char *text, const char *sentence)
{
    snprintf(why, WEB_WHY_BYTES, "\"%.60s\" %s", text, sentence);
    return false;
}

static bool socket_parse(const char *text, struct web_place *out, char why[WEB_WHY_BYTES])
{
    struct sockaddr_un *address = (struct sockaddr_un *)&out->address;
    const char *path = text + strlen(UNIX);
    if (*path != '/' || strlen(path) >= sizeof(address->sun_path))
        return refuse(why, text, "is no path of a socket; write it as unix:/run/makegood/web.sock");
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path) + 1);
    out->address_bytes = sizeof(*address);
    return true;
}

/* 1 to 65535, in digits alone; else 0. */
static in_port_t port_parse(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= 5 && !text[digits] ? strtol(text, NULL, 10) : 0;
    return port <= 65535 ? (in_port_t)port : 0;
}

/* An IPv6 address stands in brackets. */
static bool address_parse(const char *host, in_port_t port, struct web_place *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->address;
    if (strcmp(host, "[::1]") == 0) {
        *six = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
        out->address_bytes = sizeof(*six);
        return true;
    }
    *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    out->address_bytes = sizeof(*four);
    return inet_pton(AF_INET, host, &four->sin_addr) == 1 &&
           ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool web_place_parse(const char *text, struct web_place *out, char why[WEB_WHY_BYTES])
{
    char host[64];
    const char *colon = strrchr(text, ':');
    *out = (struct web_place){0};
    if (strncmp(text, UNIX, strlen(UNIX)) == 0)
        return socket_parse(text, out, why);
    in_port_t port = colon ? port_parse(colon + 1) : 0;
    snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - text) : 0, text);
    if (port == 0 || !address_parse(host, port, out))
        return refuse(why, text,
                      "is no loopback address with a port; write it as 127.0.0.1:9470, [::1]:9470 or "
                      "unix:/run/makegood/web.sock");
    snprintf(out->hosts[0], sizeof(out->hosts[0]), "%s:%d", host, port);
    snprintf(out->hosts[1], sizeof(out->hosts[1]), "localhost:%d", port);
    return true;
}
