/* Reads the command line by the table of commands, prints help out of it, and calls one command. One thread. */
#include "daemon/cli.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/command.h"
#include "daemon/say.h"

#define LETTERS 256 /* options without a letter of their own are known to getopt by numbers from here */

static const struct option_row {
    const char *word;
    const char *value; /* "": a flag */
    size_t offset;     /* in struct options */
    int letter;
} option_rows[OPTIONS] = {
#define X(name, word_, member, letter_, value_)                         \
    [OPTION_##name] = {word_, value_, offsetof(struct options, member), \
                       letter_ ? letter_ : LETTERS + OPTION_##name},
    OPTION_LIST(X)
#undef X
};

/* --- help ----------------------------------------------------------------------------------------------- */

/* "-c, --config FILE" */
static int option_spell(const struct option_row *row, char *out, size_t bytes)
{
    char letter[8] = "    ";
    if (row->letter < LETTERS)
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    return snprintf(out, bytes, "%s--%s%s%s", letter, row->word, *row->value ? " " : "", row->value);
}

static void synopsis_print(FILE *out, const struct command *command)
{
    fprintf(out, "makegood %s", command->name);
    for (int i = 0; command->options[i].name; i++) {
        const struct option_row *row = &option_rows[command->options[i].name];
        if (row->letter < LETTERS)
            fprintf(out, " -%c %s", row->letter, row->value);
        else
            fprintf(out, " [--%s%s%s]", row->word, *row->value ? " " : "", row->value);
        if (i == 0 && *command->operands)
            fprintf(out, " %s", command->operands);
    }
    fputc('\n', out);
}

static void command_help(const struct command *command)
{
    synopsis_print(stdout, command);
    printf("\n%s\n", command->text);
    for (int i = 0; command->options[i].name; i++) {
        char spelled[64];
        option_spell(&option_rows[command->options[i].name], spelled, sizeof(spelled));
        printf("  %-24s %s\n", spelled, command->options[i].sentence);
    }
}

static void help_print(FILE *out)
{
    fputs("makegood " MAKEGOOD_VERSION
          ": asks payment channels about lost orders and settles them in the shop's database.\n\n",
          out);
    for (const struct command *command = cli_commands; command->name; command++)
        fprintf(out, "  makegood %-10s %s\n", command->name, command->summary);
    fputs("  makegood bank       plays payment providers, so that a shop can rehearse\n"
          "\nTo begin:\n"
          "  makegood config --sample > makegood.yaml       a complete file; map your order table, describe "
          "a channel\n"
          "  makegood migrate -c makegood.yaml              makes the schema beside your tables\n"
          "  makegood check -c makegood.yaml --order A1001  rehearses one settlement and rolls it back\n"
          "  makegood query -c makegood.yaml stripe pi_3Nk  asks a channel once, shows all, writes nothing\n"
          "  makegood run -c makegood.yaml --progress       settles what is due\n\n"
          "makegood COMMAND --help says more about a command; makegood --version prints the version.\n",
          out);
}

/* --- options and operands ------------------------------------------------------------------------------- */

static bool command_takes(const struct command *command, int option)
{
    for (int i = 0; command->options[i].name; i++)
        if ((int)command->options[i].name == option)
            return true;
    return false;
}

static int option_of_letter(int letter)
{
    for (int i = 1; i < OPTIONS; i++)
        if (option_rows[i].letter == letter)
            return i;
    return OPTION_NONE;
}

/* False: it was there already. */
static bool option_take(struct options *options, const struct option_row *row, const char *value)
{
    char *at = (char *)options + row->offset;
    const char *before;
    if (!*row->value) {
        *(bool *)at = true;
        return true;
    }
    memcpy(&before, at, sizeof(before));
    memcpy(at, &value, sizeof(value));
    return !before;
}

/* Words of the command's operands; those in brackets may be left away. */
static int operands_count(const char *operands, bool required)
{
    int count = 0;
    for (const char *at = operands; *at; at += strspn(at, " ")) {
        count += !required || *at != '[';
        at += strcspn(at, " ");
    }
    return count;
}

/* What getopt left, moved to the end. */
static bool operands_take(const struct command *command, int argc, char **argv, struct options *out)
{
    int count = argc - optind;
    int most = operands_count(command->operands, false);
    assert(most <= OPERANDS_MAX);
    for (int i = 0; i < count && i < most; i++)
        out->operands[i] = argv[optind + i];
    if (count > most)
        say_fault("%s takes no argument like %s; makegood %s --help shows how", command->name,
                  argv[optind + most], command->name);
    else if (count < operands_count(command->operands, true))
        say_fault("%s lacks what to work on, %s; makegood %s --help shows how", command->name,
                  command->operands, command->name);
    else
        return true;
    return false;
}

static void long_options_make(struct option out[OPTIONS + 1])
{
    for (int i = 1; i < OPTIONS; i++)
        out[i - 1] =
            (struct option){option_rows[i].word, *option_rows[i].value ? required_argument : no_argument,
                            NULL, option_rows[i].letter};
    out[OPTIONS - 1] = (struct option){"help", no_argument, NULL, 'h'};
    out[OPTIONS] = (struct option){0};
}

/* 0: go on; else exit with this code, less one: --help was asked for, or misuse was told. */
static int options_parse(const struct command *command, int argc, char **argv, struct options *out)
{
    struct option long_options[OPTIONS + 1];
    int letter;
    opterr = 0;
    long_options_make(long_options);
    while ((letter = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
        const char *word = argv[optind - 1];
        const struct option_row *row = &option_rows[option_of_letter(letter)];
        if (letter == 'h') {
            command_help(command);
            return 1 + EXIT_SUCCESS;
        }
        if (letter == '?')
            say_fault("%s has no option %s; makegood %s --help lists what it has", command->name, word,
                      command->name);
        else if (letter == ':')
            say_fault("the option %s needs a value; makegood %s --help shows how", word, command->name);
        else if (!command_takes(command, option_of_letter(letter)))
            say_fault("%s does not take the option --%s; makegood %s --help lists what it takes",
                      command->name, row->word, command->name);
        else if (!option_take(out, row, optarg))
            say_fault("the option --%s is given twice; keep one", row->word);
        else
            continue;
        return 1 + EXIT_MISUSE;
    }
    return operands_take(command, argc, argv, out) ? 0 : 1 + EXIT_MISUSE;
}

/* --- running -------------------------------------------------------------------------------------------- */

static int command_start(const struct command *command, int argc, char **argv)
{
    struct options options = {0};
    int end = options_parse(command, argc, argv, &options);
    if (end)
        return end - 1;
    if (command_takes(command, OPTION_CONFIG) && !options.config_file) {
        say_fault("%s needs a configuration; write makegood %s -c FILE", command->name, command->name);
        return EXIT_MISUSE;
    }
    return command->run(&options);
}

static void unknown_say(const char *word)
{
    char names[512] = "";
    for (const struct command *command = cli_commands; command->name; command++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s, ", command->name);
    say_fault("there is no command %s; write %sor bank (makegood --help says more)", word, names);
}

static int words_do(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (const struct command *command = cli_commands; command->name; command++)
        if (strcmp(command->name, word) == 0)
            return command_start(command, argc - 1, argv + 1);
    if (strcmp(word, "bank") == 0) /* no part of the daemon: it reads its own options */
        return bank_command(argc - 1, argv + 1);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        help_print(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("makegood " MAKEGOOD_VERSION);
        return EXIT_SUCCESS;
    }
    if (*word)
        unknown_say(word);
    else
        help_print(stderr);
    return EXIT_MISUSE;
}

/* What could not be written, as on a full disk, was not told. */
static int output_end(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    say_fault("the output can not be written; make room, or send it elsewhere");
    return EXIT_FAULT;
}

int cli_run(int argc, char **argv)
{
    return output_end(words_do(argc, argv));
}
