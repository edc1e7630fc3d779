/* Lines for people. Any thread; used by the one-shot commands, the daemon logs instead (io/log.h). */
#include "daemon/say.h"

#include <stdarg.h>
#include <stdlib.h>

static void say_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}

void say_faults(FILE *out, const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        say_text(out, fault->file ? fault->file : "makegood");
        if (fault->line > 0)
            fprintf(out, ":%d", fault->line);
        fputs(": ", out);
        if (fault->path) {
            say_text(out, fault->path);
            fputs(": ", out);
        }
        say_text(out, fault->text ? fault->text : "out of memory");
        fputc('\n', out);
    }
}

void say_fault(const char *format, ...)
{
    char *sentence = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&sentence, format, arguments);
    va_end(arguments);
    fputs("makegood: ", stderr);
    say_text(stderr, length < 0 ? "out of memory" : sentence);
    fputc('\n', stderr);
    if (length >= 0)
        free(sentence);
}
