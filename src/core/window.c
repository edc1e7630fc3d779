/* Maintenance windows. Pure; any thread; wall time is given. */
#include "makegood/window.h"

#include <string.h>

#define DAY_MINUTES (24 * 60)
#define EVERY_DAY   0x7f
#define DAYS        7
#define EPOCH_DAY   4 /* 1970-01-01 was a Thursday */

static const char *const day_names[DAYS] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int day_of(const char *name)
{
    for (int day = 0; day < DAYS; day++)
        if (strncmp(name, day_names[day], 3) == 0)
            return day;
    return -1;
}

/* "Sun", "Mon-Fri", "Sat,Sun"; the text behind it, or NULL. */
static const char *days_parse(const char *text, unsigned *out_days)
{
    *out_days = 0;
    for (;;) {
        int first = day_of(text);
        int last = first < 0 || text[3] != '-' ? first : day_of(text + 4);
        if (first < 0 || last < 0)
            return NULL;
        for (int day = first;; day = (day + 1) % DAYS) {
            *out_days |= 1u << day;
            if (day == last)
                break;
        }
        text += text[3] == '-' ? 7 : 3;
        if (*text != ',')
            return text;
        text++;
    }
}

static const char *two_digits_parse(const char *text, int *out)
{
    if (!text || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return NULL;
    *out = (text[0] - '0') * 10 + text[1] - '0';
    return text + 2;
}

/* "HH:MM" in minutes; 24:00 is the end of the day. The text behind it, or NULL. */
static const char *clock_parse(const char *text, int *out_minutes)
{
    int hours = 0;
    int minutes = 0;
    text = two_digits_parse(text, &hours);
    text = text && *text == ':' ? two_digits_parse(text + 1, &minutes) : NULL;
    *out_minutes = hours * 60 + minutes;
    return minutes < 60 && *out_minutes <= DAY_MINUTES ? text : NULL;
}

bool window_parse(const char *text, struct window *out)
{
    int offset = 0;
    *out = (struct window){.days = EVERY_DAY};
    if (*text < '0' || *text > '9') {
        text = days_parse(text, &out->days);
        if (!text || *text++ != ' ')
            return false;
    }
    text = clock_parse(text, &out->from_minute);
    text = text && *text == '-' ? clock_parse(text + 1, &out->to_minute) : NULL;
    if (!text || out->from_minute == out->to_minute || out->from_minute == DAY_MINUTES)
        return false;
    if (*text == ' ' && (text[1] == '+' || text[1] == '-')) {
        bool west = text[1] == '-';
        text = clock_parse(text + 2, &offset);
        out->offset_minutes = west ? -offset : offset;
    }
    return text && !*text && offset <= 14 * 60;
}

/* One that ends before it begins reaches into the next day. */
bool window_holds(const struct window *window, int64_t utc_s)
{
    int64_t local = utc_s / 60 + window->offset_minutes;
    int minute = (int)(local % DAY_MINUTES);
    int today = (int)((local / DAY_MINUTES + EPOCH_DAY) % DAYS);
    int yesterday = (today + DAYS - 1) % DAYS;
    bool begins_today = window->days >> today & 1;
    if (window->from_minute < window->to_minute)
        return begins_today && minute >= window->from_minute && minute < window->to_minute;
    return (begins_today && minute >= window->from_minute) ||
           (window->days >> yesterday & 1 && minute < window->to_minute);
}
