/* Forms: see form.h. */
#include "bank/form.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *unescape(char *text)
{
    for (char *at = text; (at = strchr(at, '+'));)
        *at = ' ';
    MHD_http_unescape(text);
    return text;
}

bool form_read(struct form *form, char *text)
{
    for (char *part; (part = strsep(&text, "&"));) {
        char *value = strchr(part, '=');
        if (!value)
            continue;
        if (form->count == FORM_MAX)
            return false;
        *value++ = '\0';
        form->pairs[form->count++] = (struct pair){unescape(part), unescape(value)};
    }
    return true;
}

const char *form_value(const struct form *form, const char *name)
{
    for (unsigned i = 0; i < form->count; i++)
        if (strcmp(form->pairs[i].name, name) == 0)
            return form->pairs[i].value;
    return NULL;
}

static int pair_compare(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

char *form_join(struct form *form, const char *const *without, bool skip_empty, size_t *length)
{
    char *text = NULL;
    const char *between = "";
    FILE *file = open_memstream(&text, length);
    if (!file)
        return NULL;
    qsort(form->pairs, form->count, sizeof(form->pairs[0]), pair_compare);
    for (unsigned i = 0; i < form->count; i++) {
        const struct pair *pair = &form->pairs[i];
        if (is_among(without, pair->name) || (skip_empty && !*pair->value))
            continue;
        fprintf(file, "%s%s=%s", between, pair->name, pair->value);
        between = "&";
    }
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}
