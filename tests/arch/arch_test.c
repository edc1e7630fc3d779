/* The house: includes only point down, pure floors call nothing impure, files and functions stay small. Every
 * rule is also shown to refuse what it must refuse. Runs in the project's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tree.h"

#define FILE_LINES_MOST     500
#define FUNCTION_LINES_MOST 60

/* ---- includes ---- */

#define C11 "assert errno inttypes limits stdarg stdbool stddef stdint stdio stdlib string "

/* Folders whose headers a floor may include, and system headers; NULL: any. Words end in a space. */
struct floor {
    const char *folder;
    const char *own;
    const char *system;
};

static const struct floor floors[] = {
    {"include/makegood/", "makegood ", C11},
    {"src/base/", "makegood base ", C11 "strings "},
    {"src/core/", "makegood base core ", C11},
    {"src/channel/", "makegood base core channel ",
     C11 "strings jansson openssl/crypto openssl/evp openssl/hmac openssl/sha openssl/asn1 openssl/bio "
         "openssl/bn openssl/err "
         "openssl/pem openssl/x509 curl/curl arpa/inet time "},
    {"src/io/", "makegood base core io ", NULL},
    {"src/bank/", "makegood base bank ", NULL},
    {"src/daemon/", "makegood base core channel io daemon bank ", NULL},
};

static const struct floor *floor_of(const char *path)
{
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++)
        if (strncmp(path, floors[i].folder, strlen(floors[i].folder)) == 0)
            return &floors[i];
    return NULL;
}

static bool word_is_among(const char *words, const char *word, size_t bytes)
{
    for (const char *at = words; *at; at = strchr(at, ' ') + 1)
        if (strncmp(at, word, bytes) == 0 && at[bytes] == ' ')
            return true;
    return false;
}

/* True for a line that is no include, or one that this floor may have. */
static bool include_is_allowed(const struct floor *floor, const char *line)
{
    char name[200];
    if (sscanf(line, "#include \"%199[^\"]\"", name) == 1) {
        const char *slash = strchr(name, '/');
        return slash && word_is_among(floor->own, name, (size_t)(slash - name));
    }
    if (sscanf(line, "#include <%199[^>]>", name) == 1)
        return !floor->system || (strlen(name) > 2 && word_is_among(floor->system, name, strlen(name) - 2));
    return strncmp(line, "#include", 8) != 0;
}

static void includes_point_down(void **state)
{
    (void)state;
    struct texts files = {0};
    tree_find("include", &files);
    tree_find("src", &files);
    assert_true(files.count > 20);
    for (size_t i = 0; i < files.count; i++) {
        const struct floor *floor = floor_of(files.items[i]);
        struct texts lines = {0};
        file_lines(files.items[i], &lines);
        for (size_t j = 0; j < lines.count; j++)
            if (floor && !include_is_allowed(floor, lines.items[j]))
                fail_msg("%s:%zu: this floor may not have: %s", files.items[i], j + 1, lines.items[j]);
        texts_free(&lines);
    }
    texts_free(&files);
}

static void wrong_includes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *line;
    } wrong[] = {
        {"src/channel/a.c", "#include \"io/pg.h\""},
        {"src/bank/a.c", "#include \"channel/rsa.h\""},
        {"src/io/a.c", "#include \"channel/json.h\""},
        {"src/core/a.c", "#include \"io/log.h\""},
        {"src/core/a.c", "#include \"channel/json.h\""},
        {"src/base/a.c", "#include \"core/bucket.h\""},
        {"src/core/a.c", "#include <time.h>"},
        {"src/core/a.c", "#include <pthread.h>"},
        {"src/core/a.c", "#include <jansson.h>"},
        {"src/base/a.c", "#include <sys/socket.h>"},
        {"src/channel/a.c", "#include <uv.h>"},
        {"src/io/a.c", "#include \"daemon/config.h\""},
        {"include/makegood/a.h", "#include <curl/curl.h>"},
        {"src/core/a.c", "#include \"bucket.h\""},
        {"src/core/a.c", "#include <std.h>"},
        {"src/core/a.c", "#include NAME"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (include_is_allowed(floor_of(wrong[i].path), wrong[i].line))
            fail_msg("%s may have %s", wrong[i].path, wrong[i].line);
    assert_true(include_is_allowed(floor_of("src/daemon/a.c"), "#include \"io/pg.h\""));
    assert_true(include_is_allowed(floor_of("src/io/a.c"), "#include \"core/bucket.h\""));
}

/* ---- purity ---- */

#define TEXT_SYMBOLS                                                                                        \
    "malloc calloc realloc free memcpy memmove memset memcmp memchr memmem mempcpy explicit_bzero strlen "  \
    "strnlen strcmp strncmp strcasecmp strncasecmp strchr strchrnul strrchr strstr strspn strcspn strpbrk " \
    "strdup strndup stpcpy strtol strtoul strtoll strtoull snprintf vsnprintf asprintf vasprintf bsearch "  \
    "qsort __errno_location __assert_fail __stack_chk_fail __popcountdi2 _GLOBAL_OFFSET_TABLE_ "

#define CHANNEL_SYMBOLS                                                                                      \
    TEXT_SYMBOLS "inet_pton HMAC OPENSSL_cleanse CRYPTO_memcmp EVP_Digest EVP_EncodeBlock EVP_DecodeBlock "  \
                 "EVP_MD_fetch EVP_MD_free EVP_sha256 EVP_sha1 EVP_md5 curl_easy_escape curl_free gmtime_r " \
                 "BIO_new_mem_buf BIO_new BIO_s_mem BIO_ctrl BIO_free BN_bn2dec BN_bn2hex BN_free "          \
                 "CRYPTO_free ERR_clear_error "

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* OpenSSL's keys, certificates and signatures, from texts in memory. */
static bool symbol_is_of_crypto(const char *symbol)
{
    static const char *const starts[] = {"EVP_PKEY_",   "EVP_DigestSign", "EVP_DigestVerify",
                                         "EVP_MD_CTX_", "PEM_read_bio_",  "d2i_",
                                         "i2d_",        "X509_",          "ASN1_",
                                         "OBJ_",        "OPENSSL_sk_"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (starts_with(symbol, starts[i]))
            return !strstr(symbol, "_fp") && !strstr(symbol, "_file");
    return false;
}

/* What compilers add: sanitizers and coverage. */
static bool symbol_is_of_compiler(const char *symbol)
{
    static const char *const starts[] = {"__asan_", "__ubsan_", "__tsan_",    "__sanitizer_",
                                         "__gcov_", "__llvm_",  "__odr_asan", "__hwasan_"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (starts_with(symbol, starts[i]))
            return true;
    return false;
}

static bool symbol_is_allowed(const char *allowed, bool json, const char *symbol)
{
    size_t bytes = strlen(symbol);
    if (word_is_among(allowed, symbol, bytes) || symbol_is_of_compiler(symbol))
        return true;
    if (json && symbol_is_of_crypto(symbol))
        return true;
    if (json && starts_with(symbol, "json_") && !strstr(symbol, "_load_file") &&
        !strstr(symbol, "_dump_file"))
        return true;
    bool fortified = starts_with(symbol, "__") && bytes > 6 && strcmp(symbol + bytes - 4, "_chk") == 0;
    return fortified && word_is_among(allowed, symbol + 2, bytes - 6);
}

static void library_is_pure(const char *library, const char *allowed, bool json)
{
    struct texts defined = {0};
    struct texts wanted = {0};
    program_words(NM " -P -g --defined-only " BASE_LIBRARY, &defined);
    program_words(NM " -P -g --defined-only " CORE_LIBRARY, &defined);
    program_words(NM " -P -g --defined-only " CHANNEL_LIBRARY, &defined);
    char command[1000];
    snprintf(command, sizeof(command), NM " -P -u %s", library);
    program_words(command, &wanted);
    assert_true(wanted.count > 3);
    for (size_t i = 0; i < wanted.count; i++) {
        const char *symbol = wanted.items[i];
        bool object_line = strchr(symbol, '[') || *symbol == '\0'; /* "library.a[object.o]:" */
        if (!object_line && !texts_have(&defined, symbol) && !symbol_is_allowed(allowed, json, symbol))
            fail_msg("%s calls %s, which is not pure", library, symbol);
    }
    texts_free(&defined);
    texts_free(&wanted);
}

static void base_is_pure(void **state)
{
    (void)state;
    library_is_pure(BASE_LIBRARY, TEXT_SYMBOLS, false);
}

static void core_is_pure(void **state)
{
    (void)state;
    library_is_pure(CORE_LIBRARY, TEXT_SYMBOLS, false);
}

static void channel_is_pure(void **state)
{
    (void)state;
    library_is_pure(CHANNEL_LIBRARY, CHANNEL_SYMBOLS, true);
}

static void impure_symbols_are_refused(void **state)
{
    (void)state;
    static const char *const symbols[] = {"socket",
                                          "connect",
                                          "send",
                                          "recv",
                                          "getaddrinfo",
                                          "open",
                                          "fopen",
                                          "read",
                                          "write",
                                          "fprintf",
                                          "printf",
                                          "time",
                                          "clock_gettime",
                                          "gettimeofday",
                                          "localtime_r",
                                          "pthread_mutex_lock",
                                          "usleep",
                                          "rand",
                                          "random",
                                          "getrandom",
                                          "getenv",
                                          "syslog",
                                          "uv_run",
                                          "PQexec",
                                          "curl_easy_perform",
                                          "RAND_bytes",
                                          "SSL_connect",
                                          "strtod",
                                          "setlocale",
                                          "json_load_file",
                                          "__open_chk",
                                          "st"};
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        if (symbol_is_allowed(TEXT_SYMBOLS, false, symbols[i]) ||
            symbol_is_allowed(CHANNEL_SYMBOLS, true, symbols[i]))
            fail_msg("%s passes for pure", symbols[i]);
    assert_false(symbol_is_allowed(TEXT_SYMBOLS, false, "json_loadb"));
    assert_true(symbol_is_allowed(CHANNEL_SYMBOLS, true, "json_loadb"));
    assert_true(symbol_is_allowed(TEXT_SYMBOLS, false, "__snprintf_chk"));
}

/* ---- sizes ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text);
    return bytes >= strlen(end) && strcmp(text + bytes - strlen(end), end) == 0;
}

static bool file_is_c(const char *path)
{
    return ends_with(path, ".c") || ends_with(path, ".h");
}

/* Number of the line where a function begins that is too long; 0 when there is none. */
static size_t function_too_long(const struct texts *lines)
{
    size_t opened = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->items[i], "{") == 0)
            opened = i + 1;
        if (strcmp(lines->items[i], "}") != 0 || opened == 0)
            continue;
        if (i - opened > FUNCTION_LINES_MOST) /* lines between the braces */
            return opened;
        opened = 0;
    }
    return 0;
}

static void file_is_small(const char *path)
{
    struct texts lines = {0};
    file_lines(path, &lines);
    if (lines.count > FILE_LINES_MOST)
        fail_msg("%s has %zu lines, the most is %d", path, lines.count, FILE_LINES_MOST);
    size_t function = file_is_c(path) ? function_too_long(&lines) : 0;
    if (function > 0)
        fail_msg("%s:%zu: this function has more than %d lines", path, function, FUNCTION_LINES_MOST);
    if (file_is_c(path) && (lines.count == 0 || strncmp(lines.items[0], "/*", 2) != 0))
        fail_msg("%s does not begin with a comment that says what it owns", path);
    texts_free(&lines);
}

static void files_and_functions_are_small(void **state)
{
    (void)state;
    static const char *const folders[] = {"include", "src", "tests", "bench", "sql", "scripts"};
    struct texts files = {0};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        tree_find(folders[i], &files);
    assert_true(files.count > 40);
    for (size_t i = 0; i < files.count; i++) {
        const char *path = files.items[i];
        bool script = starts_with(path, "scripts/") || ends_with(path, ".sql");
        if (file_is_c(path) || script)
            file_is_small(path);
    }
    texts_free(&files);
}

static void long_functions_are_refused(void **state)
{
    (void)state;
    struct texts lines = {0};
    texts_add(&lines, "{");
    for (int i = 0; i < FUNCTION_LINES_MOST; i++)
        texts_add(&lines, "    line;");
    texts_add(&lines, "}");
    assert_int_equal(function_too_long(&lines), 0);
    texts_add(&lines, "{");
    for (int i = 0; i <= FUNCTION_LINES_MOST; i++)
        texts_add(&lines, "    line;");
    texts_add(&lines, "}");
    assert_int_equal(function_too_long(&lines), FUNCTION_LINES_MOST + 3);
    texts_free(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(includes_point_down),
        cmocka_unit_test(wrong_includes_are_refused),
        cmocka_unit_test(base_is_pure),
        cmocka_unit_test(core_is_pure),
        cmocka_unit_test(channel_is_pure),
        cmocka_unit_test(impure_symbols_are_refused),
        cmocka_unit_test(files_and_functions_are_small),
        cmocka_unit_test(long_functions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
