/* Lines of the log on stderr. Owns the least priority and the prefix, set once at the start and again by a
 * reload. Any thread; a line is put together on the stack and leaves in one write(2), so lines never mix.
 * Never allocates, never blocks on a lock, never fails. */
#include "io/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 8192 /* a longer line is cut, and says so */
#define CUT_MARK   " cut=true\n"

static atomic_int least_written = LOG_TOLD;
static atomic_bool for_journal = false;

struct line {
    size_t length;
    bool cut;
    char bytes[LINE_BYTES];
};

void log_start(enum log_priority least, bool journal)
{
    atomic_store(&least_written, (int)least);
    atomic_store(&for_journal, journal);
}

enum log_priority log_level(void)
{
    return (enum log_priority)atomic_load(&least_written);
}

static void line_add(struct line *line, const char *bytes, size_t length)
{
    if (line->cut || line->length + length > sizeof(line->bytes) - sizeof(CUT_MARK)) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

/* Bytes of the UTF-8 character that begins here, or 0: not one that may be shown as it is. The second byte's
 * range keeps out overlong forms, surrogates, what is past U+10FFFF, and the C1 control characters. */
static size_t character_length(const unsigned char *text)
{
    static const struct {
        unsigned char first, last, low, high, length;
    } rows[] = {{0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text[0] < rows[i].first || text[0] > rows[i].last)
            continue;
        if (text[1] < rows[i].low || text[1] > rows[i].high)
            return 0;
        for (size_t j = 2; j < rows[i].length; j++)
            if ((text[j] & 0xc0) != 0x80)
                return 0;
        return rows[i].length;
    }
    return 0;
}

static bool needs_quotes(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("\"=\\", *c))
            return true;
    return *value == '\0';
}

/* One character; returns the bytes taken. */
static size_t character_add(struct line *line, const char *value)
{
    static const char escapes[] = "\n\r\t\"\\";
    static const char names[] = "nrt\"\\";
    const char *found = strchr(escapes, *value);
    unsigned char byte = (unsigned char)*value;
    char escaped[5];
    if (found) {
        escaped[0] = '\\';
        escaped[1] = names[found - escapes];
        line_add(line, escaped, 2);
        return 1;
    }
    size_t length = byte >= 0x80 ? character_length((const unsigned char *)value) : 1;
    if (length == 0 || byte < ' ' || byte == 0x7f) {
        snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
        line_add(line, escaped, 4);
        return 1;
    }
    line_add(line, value, length);
    return length;
}

static void value_add(struct line *line, const char *value)
{
    bool quoted = needs_quotes(value);
    if (quoted)
        line_add(line, "\"", 1);
    while (*value)
        value += character_add(line, value);
    if (quoted)
        line_add(line, "\"", 1);
}

static void pair_add(struct line *line, const char *key, const char *value)
{
    line_add(line, key, strlen(key));
    line_add(line, "=", 1);
    value_add(line, value);
}

static void line_write(struct line *line)
{
    const char *end = line->cut ? CUT_MARK : "\n";
    memcpy(line->bytes + line->length, end, strlen(end));
    line->length += strlen(end);
    ssize_t written;
    do
        written = write(STDERR_FILENO, line->bytes, line->length);
    while (written < 0 && errno == EINTR);
}

void log_event(enum log_priority priority, const char *event, ...)
{
    if (priority > log_level())
        return;
    struct line line;
    line.length = 0;
    line.cut = false;
    const char prefix[] = {'<', (char)('0' + (int)priority), '>'};
    if (atomic_load(&for_journal))
        line_add(&line, prefix, sizeof(prefix));
    pair_add(&line, "event", event);
    va_list pairs;
    va_start(pairs, event);
    for (const char *key; (key = va_arg(pairs, const char *));) {
        const char *value = va_arg(pairs, const char *);
        if (!value)
            continue;
        line_add(&line, " ", 1);
        pair_add(&line, key, value);
    }
    va_end(pairs);
    line_write(&line);
}
