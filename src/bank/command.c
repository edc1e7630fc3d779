/* makegood bank: simulated payment channels for rehearsals, tests and benchmarks. Reads a ledger of
 * orders with their fates and answers on 127.0.0.1 until SIGTERM. The main thread parses the command line,
 * starts the server and waits for the signal. It is a test's peer and settles nothing. */
#include "bank/command.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/bank.h"
#include "bank/paste.h"

struct arguments {
    const char *ledger, *tls_cert, *tls_key, *key, *keys;
    int port;
    bool config;
    unsigned threads, token_lifetime_s;
};

static void help_print(void)
{
    printf("usage: makegood bank --ledger FILE [--port 0] [--keys DIR | --tls-cert FILE --tls-key FILE]\n"
           "                     [--key SECRET] [--token-lifetime SECONDS] [--threads N]\n\n"
           "Plays payment channels on 127.0.0.1 until SIGTERM, so that a shop can rehearse:\n"
           "  stripe     GET [/ACCOUNT]/v1/payment_intents/NUMBER, POST .../NUMBER/cancel; --key is its key\n"
           "  paypal     POST [/ACCOUNT]/v1/oauth2/token (any client with --key as its secret),\n"
           "             GET [/ACCOUNT]/v2/checkout/orders/NUMBER\n"
           "  wechatpay  [/ACCOUNT]/v3/pay/[partner/]transactions/out-trade-no/NUMBER[/close]\n"
           "  alipay     [/ACCOUNT]/gateway.do: alipay.trade.query and alipay.trade.close\n"
           "  unionpay   [/ACCOUNT]/gateway/api/queryTrans.do\n"
           "The last three sign, and check our signature: they need --keys. What DIR lacks is made: an "
           "authority\n"
           "and a server's certificate for TLS, and for each channel both sides' keys and certificates.\n\n"
           "makegood bank --keys DIR --port N --config prints a channels: section to paste, with these "
           "files.\n\n"
           "The ledger's lines: number, order_no, amount_minor, currency, script; separated by tabs.\n"
           "A script is a list of answers, the last one repeats: name[*times][:argument] ...\n"
           "A close takes the next answer too: it ends what is unpaid or pending. Where a channel signs "
           "nothing\n"
           "(stripe, paypal), an answer with a false signature is simply paid.\n\n");
    for (int i = 0; i < WORDS; i++)
        printf("  %-17s%s\n", word_text((enum word)i), word_meaning((enum word)i));
    printf("\nFor tests, on the same port: /_bank/stats, /_bank/asks, /_bank/firsts and "
           "/_bank/mode?script=SCRIPT[&account=NAME],\n"
           "which overrides every order's script (an empty one ends that).\n");
}

/* False on anything but a number from 0 to max. */
static bool number_read(const char *text, long max, long *out)
{
    char *end = NULL;
    *out = strtol(text, &end, 10);
    return end != text && *end == '\0' && *out >= 0 && *out <= max;
}

static const struct option names[] = {{"ledger", required_argument, NULL, 'l'},
                                      {"port", required_argument, NULL, 'p'},
                                      {"tls-cert", required_argument, NULL, 'c'},
                                      {"tls-key", required_argument, NULL, 'k'},
                                      {"threads", required_argument, NULL, 't'},
                                      {"key", required_argument, NULL, 's'},
                                      {"keys", required_argument, NULL, 'K'},
                                      {"token-lifetime", required_argument, NULL, 'T'},
                                      {"config", no_argument, NULL, 'C'},
                                      {"help", no_argument, NULL, 'h'},
                                      {0}};

/* NULL, or what is wrong. */
static const char *argument_take(int name, const char *text, struct arguments *out)
{
    long number = 0;
    switch (name) {
    case 'l':
        out->ledger = text;
        return NULL;
    case 'c':
        out->tls_cert = text;
        return NULL;
    case 'k':
        out->tls_key = text;
        return NULL;
    case 's':
        out->key = text;
        return NULL;
    case 'C':
        out->config = true;
        return NULL;
    case 'K':
        out->keys = text;
        return NULL;
    case 'T':
        if (!number_read(text, 86400, &number) || number == 0)
            return "--token-lifetime takes seconds from 1 to 86400";
        out->token_lifetime_s = (unsigned)number;
        return NULL;
    case 'p':
        if (!number_read(text, 65535, &number))
            return "--port takes a number up to 65535; 0 chooses a free one";
        out->port = (int)number;
        return NULL;
    case 't':
        if (!number_read(text, 64, &number) || number == 0)
            return "--threads takes a number from 1 to 64";
        out->threads = (unsigned)number;
        return NULL;
    default:
        return "an argument is unknown or lacks its value";
    }
}

/* 0: go on; otherwise the exit code plus one. */
static int arguments_read(int argc, char **argv, struct arguments *out)
{
    const char *why = NULL;
    opterr = 0;
    for (int name; !why && (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (name == 'h') {
            help_print();
            return 1;
        }
        why = argument_take(name, optarg, out);
    }
    if (!why && optind < argc)
        why = "an argument is unknown";
    if (!why && out->config && (!out->keys || out->port == 0))
        why = "--config needs --keys DIR, and --port with the number that the bank will have";
    if (!why && !out->ledger && !out->config)
        why = "--ledger FILE is missing";
    if (!why && !out->tls_cert != !out->tls_key)
        why = "--tls-cert and --tls-key go together";
    if (why)
        fprintf(stderr, "makegood bank: %s; see --help\n", why);
    return why ? 3 : 0;
}

/* The whole file as a text that the caller frees; NULL and a line on stderr when that is not possible. */
static char *file_read(const char *name)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(name, "re");
    ssize_t length = file ? getdelim(&text, &size, '\0', file) : -1;
    if (file)
        fclose(file);
    if (length > 0)
        return text;
    fprintf(stderr, "makegood bank: %s can not be read: it must be a PEM file\n", name);
    free(text);
    return NULL;
}

/* Signals are taken by sigwait: blocked before the first thread starts, so that all threads inherit it. */
static void signals_block(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int bank_serve(struct bank *bank, const struct serve_options *options, const sigset_t *signals)
{
    struct MHD_Daemon *daemon = NULL;
    int port = 0;
    int taken = 0;
    if (room_open(&bank->room) < 0 || serve_start(bank, options, &daemon, &port) < 0) {
        fprintf(stderr,
                "makegood bank: can not listen on 127.0.0.1:%d: is the port free, and are the certificate "
                "and its key PEM files?\n",
                options->port);
        return 1;
    }
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    sigwait(signals, &taken);
    room_close(&bank->room);
    MHD_stop_daemon(daemon);
    room_finish(&bank->room);
    return 0;
}

/* With keys and without a certificate of one's own: the one among the keys. */
static void tls_choose(struct arguments *arguments, char cert[PATH_MAX], char key[PATH_MAX])
{
    if (!arguments->keys || arguments->tls_cert)
        return;
    snprintf(cert, PATH_MAX, "%s/%s.crt", arguments->keys, identity_file(IDENTITY_SERVER));
    snprintf(key, PATH_MAX, "%s/%s.key", arguments->keys, identity_file(IDENTITY_SERVER));
    arguments->tls_cert = cert;
    arguments->tls_key = key;
}

/* 0, or a sentence was told. */
static int bank_open(struct bank *bank, struct keys *keys, const struct arguments *arguments)
{
    char why[WHY_BYTES] = "there is no randomness for tokens";
    bank->keys = arguments->keys ? keys : NULL;
    modes_init(&bank->modes);
    if (tokens_open(&bank->tokens, arguments->token_lifetime_s) &&
        (!arguments->keys || keys_open(keys, arguments->keys, why) == 0) &&
        ledger_open(&bank->ledger, arguments->ledger, why) == 0)
        return 0;
    fprintf(stderr, "makegood bank: %s\n", why);
    return -1;
}

static int config_print(const struct arguments *arguments)
{
    struct keys keys;
    char why[WHY_BYTES];
    int code = keys_open(&keys, arguments->keys, why) == 0 ? 0 : 1;
    if (code == 0)
        paste_print(&keys, arguments->keys, arguments->port);
    else
        fprintf(stderr, "makegood bank: %s\n", why);
    keys_close(&keys);
    return code;
}

static int bank_run(struct arguments *arguments, const sigset_t *signals)
{
    struct bank bank = {.key = arguments->key};
    struct keys keys = {0};
    char cert_file[PATH_MAX], key_file[PATH_MAX];
    int code = 1;
    if (bank_open(&bank, &keys, arguments) == 0) {
        tls_choose(arguments, cert_file, key_file);
        char *cert = arguments->tls_cert ? file_read(arguments->tls_cert) : NULL;
        char *key = arguments->tls_key ? file_read(arguments->tls_key) : NULL;
        struct serve_options options = {arguments->port, arguments->threads, cert, key};
        if (!arguments->tls_cert || (cert && key))
            code = bank_serve(&bank, &options, signals);
        free(cert);
        free(key);
    }
    modes_finish(&bank.modes);
    ledger_close(&bank.ledger);
    keys_close(&keys);
    return code;
}

int bank_command(int argc, char **argv)
{
    struct arguments arguments = {.threads = 1, .token_lifetime_s = 32400};
    sigset_t signals;
    int wrong = arguments_read(argc, argv, &arguments);
    if (wrong)
        return wrong - 1;
    if (arguments.config)
        return config_print(&arguments);
    signals_block(&signals);
    return bank_run(&arguments, &signals);
}
