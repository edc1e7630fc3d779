/* makegood query: asks a channel once, by the daemon's own way of asking, and shows what came and what would be
 * decided. No database; writes nothing but what --save asks for. The loop's thread, and one worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/case_file.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/query_show.h"
#include "daemon/say.h"
#include "io/pool.h"

/* --- what to ask about ---------------------------------------------------------------------------------- */

static const struct policy *policy_find(const struct config *config, const char *name)
{
    for (int i = 0; i < config->channel_count; i++)
        if (strcmp(config->policies[i].channel, name) == 0)
            return &config->policies[i];
    return NULL;
}

static void channel_miss_say(const struct config *config, const char *name)
{
    char *names = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&names, &size);
    for (int i = 0; out && i < config->channel_count; i++)
        fprintf(out, "%s%s", i ? ", " : "", config->policies[i].channel);
    if (out)
        fclose(out);
    say_fault("%s has no channel %.40s; it has %s", config->file, name, names ? names : "others");
    free(names);
}

static bool number_take(const char *what, const char *text, char out[NUMBER_BYTES])
{
    if (!text)
        return true;
    if (!order_number_is_valid(text)) {
        say_fault("%s can not be %.80s; it has 1 to %d of A-Z a-z 0-9 _ | * -", what, text, NUMBER_BYTES - 1);
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* Both or neither. */
static bool amount_take(const struct options *options, struct trial *trial)
{
    struct lost_order *order = &trial->order;
    const char *currency = options->currency;
    if (!options->amount && !currency)
        return true;
    int exponent = currency ? currency_exponent(currency) : -1;
    trial->has_amount = options->amount && exponent >= 0 &&
                        money_parse_decimal(options->amount, exponent, &order->amount_minor) &&
                        order->amount_minor > 0;
    if (trial->has_amount)
        memcpy(order->currency, currency, CURRENCY_BYTES);
    else if (!options->amount || !currency)
        say_fault("an amount is told with its currency; write --amount 12.34 --currency CNY");
    else if (exponent < 0)
        say_fault("%.20s is no currency; write its ISO 4217 code, as CNY", currency);
    else
        say_fault("%.60s is no amount in %s; write it above zero with at most %d decimals, as --amount 12%s",
                  options->amount, currency, exponent, exponent ? ".34" : "");
    return trial->has_amount;
}

static bool data_take(const char *text, char out[CHANNEL_DATA_BYTES])
{
    json_error_t error;
    if (!text)
        return true;
    json_t *data = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    bool fits = json_is_object(data) && strlen(text) < CHANNEL_DATA_BYTES;
    json_decref(data);
    if (fits)
        memcpy(out, text, strlen(text) + 1);
    else
        say_fault("--data is no JSON object of at most %d bytes; write it as --data '{\"key\": \"value\"}'",
                  CHANNEL_DATA_BYTES - 1);
    return fits;
}

static bool method_take(const char *text, char out[METHOD_BYTES])
{
    if (text && strlen(text) >= METHOD_BYTES) {
        say_fault("--method has at most %d characters; write the one that track() is given",
                  METHOD_BYTES - 1);
        return false;
    }
    snprintf(out, METHOD_BYTES, "%s", text ? text : "");
    return true;
}

/* False: misuse was told. */
static bool query_begin(struct query *query, const struct config *config, const struct options *options)
{
    const char *name = options->operands[0];
    struct lost_order *order = &query->trial.order;
    *order = (struct lost_order){.left_ms = NO_END, .claims = 1};
    query->channel = config_channel(config, name);
    query->trial.policy = policy_find(config, name);
    if (!query->channel || !query->trial.policy) {
        channel_miss_say(config, name);
        return false;
    }
    snprintf(order->channel, sizeof(order->channel), "%s", name);
    return number_take("NUMBER", options->operands[1], order->number) &&
           number_take("--order-no", options->order_no, order->order_no) &&
           amount_take(options, &query->trial) && data_take(options->data, order->channel_data) &&
           method_take(options->method, order->method);
}

/* Built once for nothing, since the evidence has no room for the whole sentence. */
static bool query_is_askable(const struct query *query)
{
    struct request request;
    const char *why = "";
    const struct moment moment = {
        .nonce = "0", .request_id = "0", .token = query->channel->needs_grant ? "0" : NULL};
    int error = query->channel->kind->build(query->channel, &query->trial.order, &moment, &request, &why);
    if (error == 0)
        request_finish(&request);
    else
        say_fault("nobody was asked: %s; tell more about the order by --order-no, --amount with --currency, "
                  "--method "
                  "or --data",
                  why && *why ? why : strerror(-error));
    return error == 0;
}

/* --- asking --------------------------------------------------------------------------------------------- */

/* A worker's thread; ours waits meanwhile. Of several exchanges the last is kept: the evidence is about that one. */
static void on_witness(void *self, const struct request *request, const struct response *response)
{
    struct query *query = self;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    query->moment.unix_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    request_finish(&query->request);
    kept_finish(&query->answer);
    query->out_of_memory =
        request_copy(&query->request, request) < 0 || kept_copy(&query->answer, response) < 0;
}

static void on_done(void *self, struct question *questions)
{
    uv_loop_t *loop = questions ? self : NULL;
    uv_stop(loop);
}

/* 0 or a negative errno. */
static int query_ask(struct query *query)
{
    struct pool *pool = NULL;
    uv_loop_t loop;
    struct question question = {.channel = query->channel,
                                .order = &query->trial.order,
                                .evidence = &query->trial.evidence,
                                .self = query,
                                .witness = on_witness};
    struct pool_options options = {.workers = 1,
                                   .connections = 1,
                                   .user_agent = "makegood/" MAKEGOOD_VERSION,
                                   .done = on_done,
                                   .self = &loop};
    int result = uv_loop_init(&loop);
    if (result < 0)
        return result;
    result = pool_create(&pool, &loop, &options);
    if (result == 0) {
        pool_ask(pool, &question);
        pool_flush(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        pool_destroy(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&loop);
    return result;
}

/* --- afterwards ----------------------------------------------------------------------------------------- */

/* Only what was interpreted can be interpreted again. */
static bool query_save(struct query *query, const char *into)
{
    char why[CASE_WHY_BYTES] = "";
    const struct kept_answer *answer = &query->answer;
    if (!answer->whole) {
        say_fault("nothing is saved, since no whole answer came; ask again when the channel answers");
        return false;
    }
    if (query->channel->kind->is_told_by && query->channel->kind->is_told_by(query->channel, answer->body)) {
        say_fault("nothing is saved, since the answer tells a secret of ours; ask the channel to mend that");
        return false;
    }
    char *question = query_question(query);
    bool saved =
        question && case_write(&query->trial, &query->moment, answer, question, into, query->saved, why);
    free(question);
    if (!saved)
        say_fault("%s", *why ? why : "out of memory; the answer is not saved");
    if (!saved)
        *query->saved = '\0';
    return saved;
}

static bool wants_colours(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static bool query_print(const struct query *query, const struct options *options)
{
    if (options->json) {
        json_t *object = query_json(query);
        bool dumped = object && json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0;
        json_decref(object);
        if (dumped)
            fputc('\n', stdout);
        else
            say_fault("the answer can not be shown as JSON; leave --json out");
        return dumped && fflush(stdout) == 0;
    }
    query_show(stdout, wants_colours(), query, options->config_file);
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* As decide sees it: what is not authentic is no answer. */
static int exit_code(const struct evidence *evidence)
{
    enum evidence_class class = evidence_class(evidence->kind);
    if (class == EVIDENCE_LOCAL)
        return 1; /* it could be asked about: memory is out */
    return class == EVIDENCE_ANSWER && evidence->authentic ? 0 : EXIT_LOOK;
}

static int query_run(struct query *query, const struct options *options)
{
    int error = query_ask(query);
    if (error < 0) {
        say_fault("the question can not be asked: %s; free some memory or descriptors", strerror(-error));
        return 1;
    }
    trial_decide(&query->trial);
    bool saved = !options->save || query_save(query, options->save);
    if (!query_print(query, options))
        return 1;
    int code = exit_code(&query->trial.evidence);
    return code == 0 && !saved ? 1 : code;
}

int command_query(const struct options *options)
{
    struct faults faults;
    struct config *config = NULL;
    struct query *query = calloc(1, sizeof(*query));
    int code = 1;
    faults_init(&faults);
    if (!query)
        say_fault("out of memory; free some");
    else if (config_load(&config, options->config_file, &faults) < 0)
        say_faults(stderr, &faults);
    else
        code = query_begin(query, config, options) && query_is_askable(query) ? query_run(query, options)
                                                                              : EXIT_MISUSE;
    if (query) {
        request_finish(&query->request);
        kept_finish(&query->answer);
    }
    free(query);
    if (config)
        config_drop(config);
    faults_finish(&faults);
    return code;
}
