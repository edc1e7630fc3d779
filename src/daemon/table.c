/* Laying out tables: see table.h. Widths count characters, not bytes; wide ones of East Asia count as one. */
#include "daemon/table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mask.h"

void span_format(int64_t seconds, char out[SPAN_BYTES])
{
    static const struct {
        uint64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    const char *sign = seconds < 0 ? "-" : "";
    uint64_t left = seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds;
    size_t i = 0;
    while (i < 3 && left < units[i].seconds)
        i++;
    uint64_t rest = i < 3 ? left % units[i].seconds / units[i + 1].seconds : 0;
    int length = snprintf(out, SPAN_BYTES, "%s%" PRIu64 "%c", sign, left / units[i].seconds, units[i].unit);
    if (rest > 0)
        snprintf(out + length, SPAN_BYTES - (size_t)length, " %" PRIu64 "%c", rest, units[i + 1].unit);
}

static int characters(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* To be freed; NULL without memory. */
static char *cell_make(const json_t *value, enum cell cell)
{
    char text[64] = "-";
    if (json_is_string(value))
        return text_tame(*json_string_value(value) ? json_string_value(value) : "-");
    if (json_is_number(value) && cell == CELL_SPAN)
        span_format((int64_t)json_number_value(value), text);
    else if (json_is_number(value) && cell == CELL_SHARE)
        snprintf(text, sizeof(text), "%.1f%%", 100 * json_number_value(value));
    else if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof(text), "%g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof(text), "%s", json_is_true(value) ? "yes" : "no");
    return strdup(text);
}

/* Nothing stands behind the last column. */
static void cell_print(FILE *out, const char *text, int width, enum cell cell, bool last)
{
    int gap = width - characters(text);
    if (cell != CELL_TEXT)
        fprintf(out, "%*s%s", gap, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : gap, "");
    fputs(last ? "\n" : "  ", out);
}

static int columns_count(const struct table_column *columns)
{
    int count = 0;
    while (columns[count].title)
        count++;
    return count;
}

static int column_width(const struct table_column *column, const json_t *rows)
{
    size_t i;
    const json_t *row;
    int width = characters(column->title);
    json_array_foreach(rows, i, row)
    {
        char *text = cell_make(json_object_get(row, column->key), column->cell);
        if (text && characters(text) > width)
            width = characters(text);
        free(text);
    }
    return width;
}

void table_print(FILE *out, const struct table_column *columns, const json_t *rows)
{
    int count = columns_count(columns);
    int widths[32] = {0};
    size_t i;
    const json_t *row;
    for (int c = 0; c < count && c < 32; c++) {
        widths[c] = column_width(&columns[c], rows);
        cell_print(out, columns[c].title, widths[c], columns[c].cell, c == count - 1);
    }
    json_array_foreach(rows, i, row)
    {
        for (int c = 0; c < count && c < 32; c++) {
            char *text = cell_make(json_object_get(row, columns[c].key), columns[c].cell);
            cell_print(out, text ? text : "?", widths[c], columns[c].cell, c == count - 1);
            free(text);
        }
    }
}
