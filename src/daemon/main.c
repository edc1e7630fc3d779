/* The program: reads the command line, closes what could leak or mislead (environment, core dumps), and calls
 * one command. One thread until `run` starts its workers. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bank/command.h"
#include "daemon/commands.h"
#include "daemon/say.h"

#define EXIT_MISUSE 2

struct command {
    const char *name;
    int (*run)(const struct options *options);
    const char *takes; /* letters of its options */
    const char *synopsis;
    const char *help;
    int operands; /* how many words it needs beside its options */
};

static const struct command commands[] = {
    {"run", command_run, "cp", "makegood run -c FILE [--progress]",
     "Runs the daemon until SIGTERM. SIGHUP reads FILE again; a faulty one is refused whole.\n\n"
     "  -c, --config FILE   the configuration\n"
     "      --progress      a line about the progress every second, on stdout\n",
     0},
    {"check", command_check, "co", "makegood check -c FILE [--order NUMBER]",
     "Says whether FILE and its database are fit to run: each fault with its place and its mend. Changes "
     "nothing;\n"
     "exit code 0 when fit, else 1.\n\n"
     "  -c, --config FILE   the configuration\n"
     "      --order NUMBER  also settles this unpaid order as paid, and rolls that back\n",
     0},
    {"migrate", command_migrate, "c", "makegood migrate -c FILE",
     "Brings the database to this program's schema and installs the mapping of the order table. Doing it "
     "again does\n"
     "nothing. Connects by database.migrate_url.\n\n"
     "  -c, --config FILE   the configuration\n",
     0},
    {"adopt", command_adopt, "csn", "makegood adopt -c FILE --since SPAN [--channel NAME]",
     "Tracks the unpaid orders that exist already. Doing it again does nothing.\n\n"
     "  -c, --config FILE   the configuration\n"
     "      --since SPAN    how far to look back, as 2d\n"
     "      --channel NAME  the channel of orders whose table does not say\n",
     0},
    {"query", command_query, "cOauMdSj",
     "makegood query -c FILE CHANNEL NUMBER [--amount 12.34 --currency CNY] [--save DIR] [--json]",
     "Asks CHANNEL once about the payment that it knows as NUMBER, and shows the request (secrets\n"
     "masked), the answer, what it proves, and what would be decided about an attempt made just now.\n"
     "Uses no database and writes nothing.\n"
     "Exit code 0: an answer about this number; 3: none (timeout, unauthorized, ...); 1: FILE is faulty;\n"
     "2: misuse.\n\n"
     "  -c, --config FILE   the configuration\n"
     "      --order-no N    the shop's order number, where the channel is asked or answers by it\n"
     "      --amount 12.34  what the order costs, and in\n"
     "      --currency CNY  which currency; without them the amount is not checked\n"
     "      --method M      the payment method\n"
     "      --data JSON     what the channel needs beside the number, as track() is given it\n"
     "      --save DIR      keeps question and answer in a new folder in DIR, for makegood replay;\n"
     "                      answers hold personal data, so its files are readable by you alone\n"
     "      --json          one JSON object, for scripts\n",
     2},
    {"replay", command_replay, "cn", "makegood replay -c FILE DIR [--channel NAME]",
     "Reads the stored answers in DIR (makegood query --save) by the rules of FILE, each at its recorded\n"
     "moment, and shows where evidence or verdict would differ from the recorded one. Uses no network and\n"
     "no database.\n"
     "Exit code 0: nothing differs; 3: something does; 1: FILE or a stored answer is faulty; 2: misuse.\n\n"
     "  -c, --config FILE   the configuration\n"
     "      --channel NAME  the channel of stored answers whose order.json names none\n",
     1},
    {"config", command_config, "m", "makegood config [--sample]",
     "Prints every key of the configuration: type, range, default, and whether a reload applies it.\n\n"
     "      --sample        prints a complete, commented file to begin with\n",
     0},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"order", required_argument, NULL, 'o'},
    {"since", required_argument, NULL, 's'},
    {"channel", required_argument, NULL, 'n'},
    {"sample", no_argument, NULL, 'm'},
    {"progress", no_argument, NULL, 'p'},
    {"order-no", required_argument, NULL, 'O'},
    {"amount", required_argument, NULL, 'a'},
    {"currency", required_argument, NULL, 'u'},
    {"method", required_argument, NULL, 'M'},
    {"data", required_argument, NULL, 'd'},
    {"save", required_argument, NULL, 'S'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* --- the surroundings ----------------------------------------------------------------------------------- */

static bool is_kept(const char *variable)
{
    static const char *const kept[] = {"PATH=",
                                       "HOME=",
                                       "LANG=",
                                       "LC_",
                                       "TZ=",
                                       "TERM=",
                                       "NO_COLOR=",
                                       "CREDENTIALS_DIRECTORY=",
                                       "NOTIFY_SOCKET=",
                                       "WATCHDOG_USEC=",
                                       "WATCHDOG_PID=",
                                       "INVOCATION_ID=",
                                       "JOURNAL_STREAM=",
                                       "ASAN_OPTIONS=",
                                       "UBSAN_OPTIONS=",
                                       "TSAN_OPTIONS=",
                                       "LSAN_OPTIONS="};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
            return true;
    return false;
}

/* PG*, *_PROXY, SSL* and the like would change what the configuration says. */
static void environment_clear(void)
{
    extern char **environ;
    size_t kept = 0;
    for (size_t i = 0; environ && environ[i]; i++)
        if (is_kept(environ[i]))
            environ[kept++] = environ[i];
    if (environ)
        environ[kept] = NULL;
}

#ifdef __has_feature
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Secrets are in memory: no core dump, and nobody of the same user may look. The leak checker would have to.
 */
static void memory_close(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (!SANITIZED)
        prctl(PR_SET_DUMPABLE, 0);
}

/* --- help ----------------------------------------------------------------------------------------------- */

static void help_print(FILE *out)
{
    fputs("makegood " MAKEGOOD_VERSION
          ": asks payment channels about lost orders and settles them in the shop's database.\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s\n", commands[i].synopsis);
    fputs("  " BANK_SYNOPSIS "\n", out);
    fputs("\nTo begin:\n"
          "  makegood config --sample > makegood.yaml       a complete file; map your order table, describe "
          "a channel\n"
          "  makegood migrate -c makegood.yaml              makes the schema beside your tables\n"
          "  makegood check -c makegood.yaml --order A1001  rehearses one settlement and rolls it back\n"
          "  makegood query -c makegood.yaml stripe pi_3Nk  asks a channel once, shows all, writes nothing\n"
          "  makegood run -c makegood.yaml --progress       settles what is due\n\n"
          "makegood COMMAND --help says more about a command; makegood --version prints the version.\n",
          out);
}

static void command_help(const struct command *command)
{
    printf("%s\n\n%s", command->synopsis, command->help);
}

/* --- the command line ----------------------------------------------------------------------------------- */

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static bool option_take(struct options *options, int letter, const char *value)
{
    const char **texts[] = {
        ['c'] = &options->config_file, ['o'] = &options->order,    ['s'] = &options->since,
        ['n'] = &options->channel,     ['O'] = &options->order_no, ['a'] = &options->amount,
        ['u'] = &options->currency,    ['M'] = &options->method,   ['d'] = &options->data,
        ['S'] = &options->save};
    bool *flags[] = {['m'] = &options->sample, ['p'] = &options->progress, ['j'] = &options->json};
    if (letter < (int)(sizeof(flags) / sizeof(flags[0])) && flags[letter]) {
        *flags[letter] = true;
        return true;
    }
    bool again = *texts[letter] != NULL;
    *texts[letter] = value;
    return !again;
}

/* What getopt left, moved to the end. */
static bool operands_take(const struct command *command, int argc, char **argv, struct options *out)
{
    int count = argc - optind;
    for (int i = 0; i < count && i < command->operands; i++)
        out->operands[i] = argv[optind + i];
    if (count > command->operands)
        say_fault("%s takes no argument like %s; makegood %s --help shows how", command->name,
                  argv[optind + command->operands], command->name);
    else if (count < command->operands)
        say_fault("%s lacks what to work on, %s; makegood %s --help shows how", command->name,
                  command->operands == 2 ? "CHANNEL and NUMBER" : "DIR", command->name);
    return count == command->operands;
}

/* 0: go on; else exit with this code, less one: --help was asked for, or misuse was told. */
static int options_parse(const struct command *command, int argc, char **argv, struct options *out)
{
    int letter;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
        const char *word = argv[optind - 1];
        if (letter == 'h') {
            command_help(command);
            return 1 + EXIT_SUCCESS;
        }
        if (letter == '?')
            say_fault("%s has no option %s; makegood %s --help lists what it has", command->name, word,
                      command->name);
        else if (letter == ':')
            say_fault("the option %s needs a value; makegood %s --help shows how", word, command->name);
        else if (!strchr(command->takes, letter))
            say_fault("%s does not take the option %s; makegood %s --help lists what it takes", command->name,
                      optarg && optind > 1 && word == optarg ? argv[optind - 2] : word, command->name);
        else if (!option_take(out, letter, optarg))
            say_fault("the option for %s is given twice; keep one", optarg);
        else
            continue;
        return 1 + EXIT_MISUSE;
    }
    return operands_take(command, argc, argv, out) ? 0 : 1 + EXIT_MISUSE;
}

static int command_start(const struct command *command, int argc, char **argv)
{
    struct options options = {0};
    int end = options_parse(command, argc, argv, &options);
    if (end)
        return end - 1;
    if (strchr(command->takes, 'c') && !options.config_file) {
        say_fault("%s needs a configuration; write %s", command->name, command->synopsis);
        return EXIT_MISUSE;
    }
    return command->run(&options);
}

int main(int argc, char **argv)
{
    environment_clear();
    memory_close();
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *command = command_find(word);
    if (command)
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
        say_fault("there is no command %s; write run, check, migrate, adopt, query, replay, config or bank "
                  "(makegood --help "
                  "says more)",
                  word);
    else
        help_print(stderr);
    return EXIT_MISUSE;
}
