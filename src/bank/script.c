/* Scripts of the simulated bank: see script.h. Pure: no socket, clock, lock or log. Called by the ledger
 * while it loads and by the control, and for every ask by the server's threads. */
#include "bank/script.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    uint32_t argument_max;
    const char *meaning;
} words[WORDS] = {
#define X(name, text, argument_max, meaning) [WORD_##name] = {text, argument_max, meaning},
    WORD_LIST(X)
#undef X
};

const char *word_text(enum word word)
{
    return words[word].text;
}
const char *word_meaning(enum word word)
{
    return words[word].meaning;
}

static bool word_find(const char *text, size_t length, enum word *out)
{
    for (int i = 0; i < WORDS; i++) {
        if (strlen(words[i].text) == length && memcmp(words[i].text, text, length) == 0) {
            *out = (enum word)i;
            return true;
        }
    }
    return false;
}

/* Digits from *at up to end or the first other byte; false when there are none or the value passes max. */
static bool number_read(const char **at, const char *end, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    const char *start = *at;
    while (*at < end && **at >= '0' && **at <= '9' && value <= max)
        value = value * 10 + (uint64_t)(*(*at)++ - '0');
    *out = (uint32_t)value;
    return *at > start && value <= max;
}

/* "*times" and ":argument", in either order. */
static const char *suffixes_parse(const char *at, const char *end, struct step *out, uint32_t *times)
{
    while (at < end) {
        char sign = *at++;
        if (sign == '*' && (!number_read(&at, end, UINT32_MAX / 2, times) || *times == 0))
            return "the script repeats a word by something else than a number from 1";
        if (sign == ':' && !number_read(&at, end, words[out->word].argument_max, &out->argument))
            return "the script gives a word an argument that it does not take, or one that is too large";
        if (sign != '*' && sign != ':')
            return "the script has a word of another form than name[*times][:argument]";
    }
    return NULL;
}

static const char *step_parse(const char *at, const char *end, struct step *out, uint32_t *times)
{
    size_t name = 0;
    while (at + name < end && at[name] != '*' && at[name] != ':')
        name++;
    if (!word_find(at, name, &out->word))
        return "the script holds a word that the bank does not know: see makegood bank --help";
    *times = 1;
    out->argument = words[out->word].argument_max ? 1 : 0;
    return suffixes_parse(at + name, end, out, times);
}

static const char *steps_parse(struct script *script)
{
    uint64_t until = 0;
    for (const char *at = script->text + strspn(script->text, " "); *at; at += strspn(at, " ")) {
        const char *end = at + strcspn(at, " ");
        struct step *step = &script->steps[script->count++];
        uint32_t times = 0;
        const char *why = step_parse(at, end, step, &times);
        if (why)
            return why;
        until += times;
        step->until = until < UINT32_MAX ? (uint32_t)until : UINT32_MAX;
        at = end;
    }
    if (script->count == 0)
        return "the script is empty: it needs at least one word";
    return script->steps[script->count - 1].word == WORD_SLOW
               ? "the script ends in slow: it needs a word after it, to answer as that one"
               : NULL;
}

int script_parse(const char *text, size_t length, struct script **out, const char **why)
{
    size_t most = length / 2 + 1; /* the shortest word and its space take two bytes at least */
    struct script *script = malloc(sizeof *script + most * sizeof(struct step));
    *why = "out of memory";
    if (!script)
        return -ENOMEM;
    script->count = 0;
    script->text = strndup(text, length);
    if (!script->text) {
        free(script);
        return -ENOMEM;
    }
    *why = steps_parse(script);
    if (*why) {
        script_destroy(script);
        return -EINVAL;
    }
    *out = script;
    return 0;
}

void script_destroy(struct script *script)
{
    if (script)
        free(script->text);
    free(script);
}

struct fate script_fate(const struct script *script, uint32_t ask)
{
    int at = 0;
    while (at < script->count - 1 && ask >= script->steps[at].until)
        at++;
    struct fate fate = {0};
    for (; script->steps[at].word == WORD_SLOW; at++)
        fate.delay_ms += script->steps[at].argument;
    fate.word = script->steps[at].word;
    fate.argument = script->steps[at].argument;
    return fate;
}
