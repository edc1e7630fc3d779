/* The ledger of the simulated bank: see ledger.h. Owns the file's mapping, the orders and their index. Loaded
 * on the main thread; found in by the server's threads. Never changes the file. */
#include "bank/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELDS      5
#define NUMBER_MAX  64
#define SCRIPTS_MAX 65535

struct field {
    const char *text;
    size_t length;
};

__attribute__((format(printf, 2, 3))) static int fail(char why[WHY_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, WHY_BYTES, format, arguments);
    va_end(arguments);
    return -1;
}

static uint32_t number_hash(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return (uint32_t)(hash ^ hash >> 32);
}

const char *ledger_number(const struct ledger *ledger, const struct order *order)
{
    return ledger->text + order->at;
}

const char *ledger_order_no(const struct ledger *ledger, const struct order *order)
{
    return ledger->text + order->at + order->number_length + 1;
}

/* The slot that holds the number, or the free one where it belongs. */
static uint32_t *slot_of(const struct ledger *ledger, const char *number, size_t length)
{
    uint32_t at = number_hash(number, length) & ledger->mask;
    while (ledger->slots[at]) {
        const struct order *order = &ledger->orders[ledger->slots[at] - 1];
        if (order->number_length == length && memcmp(ledger_number(ledger, order), number, length) == 0)
            break;
        at = (at + 1) & ledger->mask;
    }
    return &ledger->slots[at];
}

struct order *ledger_find(const struct ledger *ledger, const char *number, size_t length)
{
    uint32_t slot = *slot_of(ledger, number, length);
    return slot ? &ledger->orders[slot - 1] : NULL;
}

static int file_map(struct ledger *ledger, const char *file, char why[WHY_BYTES])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        fail(why, "the ledger %s can not be opened: %s", file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    ledger->text_bytes = (size_t)status.st_size;
    if (ledger->text_bytes > 0 && ledger->text_bytes < UINT32_MAX)
        ledger->text = mmap(NULL, ledger->text_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (ledger->text && ledger->text != MAP_FAILED)
        return 0;
    ledger->text = NULL;
    return fail(why, "the ledger %s can not be read: it must be a file with 1 byte to 4 GiB", file);
}

static bool number_is_valid(const struct field *field)
{
    for (size_t i = 0; i < field->length; i++) {
        unsigned char c = (unsigned char)field->text[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("_|*-", c)))
            return false;
    }
    return field->length >= 1 && field->length <= NUMBER_MAX;
}

static bool amount_read(const struct field *field, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < field->length; i++) {
        if (field->text[i] < '0' || field->text[i] > '9')
            return false;
        *out = *out * 10 + (field->text[i] - '0');
    }
    return field->length >= 1 && field->length <= 15; /* 15 digits can not overflow */
}

static bool currency_read(const struct field *field, char out[4])
{
    for (int i = 0; field->length == 3 && i < 3; i++) {
        if (field->text[i] < 'A' || field->text[i] > 'Z')
            return false;
        out[i] = (char)(field->text[i] | 32);
    }
    out[3] = '\0';
    return field->length == 3;
}

/* Orders share their scripts: a ledger has many lines and few fates. */
static int script_intern(struct ledger *ledger, const struct field *field, uint16_t *out, const char **why)
{
    for (uint32_t i = 0; i < ledger->script_count; i++) {
        const char *text = ledger->scripts[i]->text;
        if (strncmp(text, field->text, field->length) == 0 && text[field->length] == '\0') {
            *out = (uint16_t)i;
            return 0;
        }
    }
    *why = "the ledger has too many different scripts";
    if (ledger->script_count == SCRIPTS_MAX)
        return -1;
    void *scripts = realloc(ledger->scripts, (ledger->script_count + 1) * sizeof *ledger->scripts);
    *why = "out of memory";
    if (!scripts)
        return -1;
    ledger->scripts = scripts;
    if (script_parse(field->text, field->length, &ledger->scripts[ledger->script_count], why) < 0)
        return -1;
    *out = (uint16_t)ledger->script_count++;
    return 0;
}

static bool fields_split(const char *line, const char *end, struct field fields[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        const char *tab = i < FIELDS - 1 ? memchr(line, '\t', (size_t)(end - line)) : end;
        if (!tab)
            return false;
        fields[i] = (struct field){line, (size_t)(tab - line)};
        line = tab + 1;
    }
    return true;
}

/* NULL, or what is wrong with the line. */
static const char *order_read(struct ledger *ledger, const char *line, const char *end)
{
    struct field fields[FIELDS];
    struct order *order = &ledger->orders[ledger->count];
    const char *why = NULL;
    if (!fields_split(line, end, fields))
        return "it needs five fields, separated by tabs: number, order_no, amount_minor, currency, script";
    if (!number_is_valid(&fields[0]) || !number_is_valid(&fields[1]))
        return "number and order_no must be 1 to 64 of [A-Za-z0-9_|*-]";
    if (!amount_read(&fields[2], &order->amount_minor))
        return "amount_minor must be 1 to 15 digits";
    if (!currency_read(&fields[3], order->currency))
        return "currency must be three upper-case letters";
    if (script_intern(ledger, &fields[4], &order->script, &why) < 0)
        return why;
    order->at = (uint32_t)(line - ledger->text);
    order->number_length = (uint8_t)fields[0].length;
    order->order_no_length = (uint8_t)fields[1].length;
    uint32_t *slot = slot_of(ledger, fields[0].text, fields[0].length);
    if (*slot)
        return "its number is there already, on an earlier line";
    *slot = ++ledger->count;
    return NULL;
}

static int tables_make(struct ledger *ledger)
{
    uint32_t lines = 1;
    uint32_t size = 2;
    for (size_t i = 0; i < ledger->text_bytes; i++)
        lines += ledger->text[i] == '\n';
    while (size < lines * 2)
        size *= 2;
    ledger->mask = size - 1;
    ledger->orders = calloc(lines, sizeof *ledger->orders);
    ledger->slots = calloc(size, sizeof *ledger->slots);
    return ledger->orders && ledger->slots ? 0 : -1;
}

static int lines_read(struct ledger *ledger, const char *file, char why[WHY_BYTES])
{
    const char *end = ledger->text + ledger->text_bytes;
    int number = 0;
    for (const char *line = ledger->text; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        const char *wrong = order_read(ledger, line, stop);
        if (wrong)
            return fail(why, "line %d of the ledger %s: %s", number + 1, file, wrong);
        line = stop + 1;
    }
    return 0;
}

int ledger_open(struct ledger *ledger, const char *file, char why[WHY_BYTES])
{
    memset(ledger, 0, sizeof *ledger);
    if (file_map(ledger, file, why) < 0)
        return -1;
    if (tables_make(ledger) < 0)
        fail(why, "the ledger %s does not fit into memory", file);
    else if (lines_read(ledger, file, why) == 0)
        return 0;
    ledger_close(ledger);
    return -1;
}

void ledger_close(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->script_count; i++)
        script_destroy(ledger->scripts[i]);
    free(ledger->scripts);
    free(ledger->orders);
    free(ledger->slots);
    if (ledger->text)
        munmap(ledger->text, ledger->text_bytes);
    memset(ledger, 0, sizeof *ledger);
}
