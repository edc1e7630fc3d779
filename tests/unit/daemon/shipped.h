/* The ready files of config/channels, loaded as they ship, with the files that they name in a folder of ours. Key material is
 * made anew in every run by the openssl command. */
#ifndef MAKEGOOD_TESTS_DAEMON_SHIPPED_H
#define MAKEGOOD_TESTS_DAEMON_SHIPPED_H

#include "fixture.h"

#define SHIPPED "config/channels/"
#define FILES   "/etc/makegood/"

#define HEAD                                                                                                 \
    "database: {url: host=/x}\n"                                                                             \
    "order_table: {table: public.o, key: k, status: s, amount: a, amount_unit: minor, currency: c, unpaid: " \
    "[new],\n"                                                                                               \
    "  paid: {write: paid, from: [new]}, closed: {write: shut, from: [new]}}\n"

struct world {
    struct fixture fixture;
    char keys[96]; /* what stands in for FILES */
};

static struct world world;

static inline int world_open(void **state)
{
    char command[800];
    (void)state;
    fixture_open(&world.fixture);
    snprintf(world.keys, sizeof(world.keys), "%s/keys/", world.fixture.folder);
    snprintf(
        command, sizeof(command),
        "mkdir %s && cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 100 -subj /CN=bank -keyout key "
        "-out certificate 2>/dev/null && openssl genrsa 2>/dev/null | openssl rsa -pubout -out public "
        "2>/dev/null && echo sk_test > secret && chmod 600 key secret",
        world.keys, world.keys);
    return system(command);
}

static inline int world_close(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", world.keys);
    assert_int_equal(system(command), 0);
    fixture_close(&world.fixture);
    return 0;
}

static inline char *file_text(const char *name)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t bytes = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    assert_in_range(bytes, 1, (1 << 16) - 2);
    return text;
}

/* What a file of that name holds. */
static inline const char *material_of(const char *name)
{
    if (strstr(name, "private_key") || strstr(name, "apiclient_key") || strstr(name, "merchant_key"))
        return "key";
    if (strstr(name, "public_key"))
        return "public";
    return strstr(name, "cert.pem") || strstr(name, ".crt") ? "certificate" : "secret";
}

/* The file behind HEAD, its paths led to our folder. To be freed. */
static inline char *configuration_make(const char *text)
{
    char *made = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&made, &bytes);
    assert_non_null(out);
    fputs(HEAD, out);
    for (const char *at = text; *at;) {
        if (strncmp(at, FILES, strlen(FILES)) != 0) {
            fputc(*at++, out);
            continue;
        }
        char name[96];
        size_t length = strcspn(at, "],} \n");
        assert_in_range(length, strlen(FILES) + 1, sizeof(name) - 1);
        snprintf(name, sizeof(name), "%.*s", (int)length, at);
        fprintf(out, "%s%s", world.keys, material_of(name));
        at += length;
    }
    assert_int_equal(fclose(out), 0);
    return made;
}

static inline struct config *shipped_load(const char *name, const char *from, const char *to)
{
    char *text = file_text(name);
    if (from)
        text = text_replace(text, from, to);
    char *configuration = configuration_make(text);
    struct config *config = text_load(&world.fixture, configuration);
    free(configuration);
    free(text);
    return config;
}

#endif
