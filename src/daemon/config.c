/* Loading a configuration: shape, tree, values, checks, channels, and out comes one immutable value. Runs on
 * the loop's thread, or in a command. */
#include "daemon/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_channel.h"
#include "daemon/config_checks.h"
#include "daemon/config_keys.h"
#include "daemon/config_mapping.h"
#include "daemon/config_secret.h"
#include "daemon/config_shape.h"
#include "daemon/config_tree.h"
#include "daemon/config_values.h"

#define FILE_BYTES     (1024 * 1024)
#define PASSWORD_BYTES 256

/* --- the file ------------------------------------------------------------------------------------------- */

struct file_text {
    char *text;
    size_t bytes;
};

static void file_text_drop(struct file_text *file)
{
    if (file->text)
        explicit_bzero(file->text, file->bytes); /* a connection string may hold a password */
    free(file->text);
}

static int file_take(int descriptor, struct file_text *out)
{
    *out = (struct file_text){.text = malloc(FILE_BYTES + 1)};
    ssize_t got = 1;
    if (!out->text)
        return -ENOMEM;
    while (got > 0 && out->bytes <= FILE_BYTES) {
        got = read(descriptor, out->text + out->bytes, FILE_BYTES + 1 - out->bytes);
        out->bytes += got > 0 ? (size_t)got : 0;
    }
    int result = got < 0 ? -errno : out->bytes > FILE_BYTES ? -EFBIG : 0;
    return result;
}

static int file_read(const char *name, struct file_text *out, struct faults *faults)
{
    struct stat status;
    int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int result = descriptor < 0 || fstat(descriptor, &status) < 0 ? -errno : 0;
    if (result == 0)
        result = S_ISREG(status.st_mode) ? file_take(descriptor, out) : -EISDIR;
    if (descriptor >= 0)
        close(descriptor);
    if (result == -EFBIG)
        faults_add(faults, name, 0, NULL, "the file is larger than %d KiB; name the configuration file",
                   FILE_BYTES / 1024);
    else if (result == -EISDIR)
        faults_add(faults, name, 0, NULL, "this is not a regular file; name the configuration file");
    else if (result < 0 && result != -ENOMEM)
        faults_add(faults, name, 0, NULL, "the file can not be read: %s; correct its path or its rights",
                   strerror(-result));
    return result == 0 || result == -ENOMEM ? result : -EINVAL;
}

/* --- the parts ------------------------------------------------------------------------------------------ */

static char *text_own(struct config_reader *reader, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        reader->error = -ENOMEM;
    return copy;
}

static char *instance_default(void)
{
    char host[65] = "";
    char *name = NULL;
    gethostname(host, sizeof(host) - 1);
    return asprintf(&name, "%.40s-%ld", *host ? host : "host", (long)getpid()) < 0 ? NULL : name;
}

/* From texts of the tree to texts of our own. */
static void config_own(struct config_reader *reader, struct config *config, const struct config_draft *draft)
{
    static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
    *config = draft->config;
    config->instance = draft->config.instance ? text_own(reader, draft->config.instance) : instance_default();
    if (!config->instance)
        reader->error = -ENOMEM;
    config->database_url = text_own(reader, draft->config.database_url);
    config->migrate_url = text_own(reader, draft->config.migrate_url);
    config->approve_above = text_own(reader, draft->config.approve_above);
    config->operator_url = text_own(reader, draft->config.operator_url);
    config->listen = text_own(reader, draft->config.listen);
    config->wake = text_own(reader, draft->config.wake);
    config->rocketmq.endpoint = text_own(reader, draft->config.rocketmq.endpoint);
    config->rocketmq.group = text_own(reader, draft->config.rocketmq.group);
    config->rocketmq.ca_file = text_own(reader, draft->config.rocketmq.ca_file);
    config->rocketmq.access_key = text_own(reader, draft->config.rocketmq.access_key);
    config->rocketmq.secret_file = text_own(reader, draft->config.rocketmq.secret_file);
    config->precise = draft->config.wake ? strcmp(draft->config.wake, "precise") == 0 : config->prepared;
    config->file = text_own(reader, reader->file);
    for (int i = 0; draft->log_level && i < (int)(sizeof(levels) / sizeof(levels[0])); i++)
        if (strcmp(levels[i], draft->log_level) == 0)
            config->log_level = 3 + i; /* syslog's priorities */
}

static void password_make(struct config_reader *reader, struct config *config, const char *file)
{
    char why[512];
    config->page_password = file ? secret_read(file, SECRECY_GUARDED, why, sizeof(why)) : NULL;
    if (file && !config->page_password && !*why)
        reader->error = -ENOMEM;
    else if (file && !config->page_password)
        config_blame(reader, "page_password_file", "%s", why);
    else if (file && strlen(config->page_password) > PASSWORD_BYTES)
        config_blame(reader, "page_password_file",
                     "the password is longer than %d bytes; choose a shorter one", PASSWORD_BYTES);
}

static void broker_secret_make(struct config_reader *reader, struct config *config, const char *file)
{
    char why[512];
    config->rocketmq.secret_key = file ? secret_read(file, SECRECY_GUARDED, why, sizeof(why)) : NULL;
    if (file && !config->rocketmq.secret_key && !*why)
        reader->error = -ENOMEM;
    else if (file && !config->rocketmq.secret_key)
        config_blame(reader, "rocketmq.secret_key_file", "%s", why);
}

static void windows_make(struct config_reader *reader, struct channel_draft *draft, unsigned channel)
{
    struct policy *policy = &draft->policy;
    char path[CONFIG_PATH_BYTES];
    if (draft->maintenance_count > WINDOWS_MAX) {
        snprintf(path, sizeof(path), "channels[%u].maintenance", channel);
        config_blame(reader, path, "there are more than %d windows; join some", WINDOWS_MAX);
        return;
    }
    for (unsigned i = 0; i < draft->maintenance_count; i++) {
        snprintf(path, sizeof(path), "channels[%u].maintenance[%u]", channel, i);
        if (!window_parse(draft->maintenance[i], &policy->windows[policy->window_count++]))
            config_blame(reader, path,
                         "\"%.40s\" is no window; write it as 23:30-00:30, or as Sun 02:00-04:30 +08:00",
                         draft->maintenance[i]);
    }
}

static void policy_make(struct channel_draft *draft)
{
    struct policy *policy = &draft->policy;
    snprintf(policy->channel, sizeof(policy->channel), "%s", draft->spec.name ? draft->spec.name : "");
    policy->timeout_ms = draft->spec.transport.timeout_ms;
    if (draft->spec.auth && strcmp(draft->spec.auth, "oauth2") == 0)
        policy->timeout_ms *= 4; /* token, question, and both once more after a 401 */
    policy->accept_late = draft->late && strcmp(draft->late, "accept") == 0;
    policy->by_message = draft->source && strcmp(draft->source, "rocketmq") == 0;
    for (unsigned i = 0; i < draft->plan_count && i < PLANS_MAX; i++) {
        struct schedule_plan *plan = &policy->plans[policy->plan_count++];
        *plan = draft->plans[i].plan;
        snprintf(plan->method, sizeof(plan->method), "%s",
                 draft->plans[i].method ? draft->plans[i].method : "");
    }
    if (!policy->burst)
        policy->burst = policy->rate_per_second;
}

static void channels_make(struct config_reader *reader, struct config *config, struct config_draft *draft)
{
    config->channels = calloc(draft->channel_count + 1, sizeof(struct channel *));
    config->policies = calloc(draft->channel_count + 1, sizeof(*config->policies));
    config->topics = calloc(draft->channel_count + 1, sizeof(char *));
    bool good = config->channels && config->policies && config->topics;
    config->channel_count = good ? (int)draft->channel_count : 0;
    if (!good)
        reader->error = -ENOMEM;
    for (int i = 0; i < config->channel_count; i++) {
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "channels[%d]", i);
        config->channels[i] = config_channel_make(reader, &draft->channels[i], prefix);
        config->policies[i] = draft->channels[i].policy;
        if (config->policies[i].by_message)
            config->topics[i] =
                text_own(reader, draft->channels[i].topic ? draft->channels[i].topic : "lost_order");
    }
    config->engine.policies = config->policies;
    config->engine.policy_count = config->channel_count;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static void config_make(struct config_reader *reader, const struct config_slot *root, struct config *config)
{
    struct config_draft draft;
    config_layer_begin(reader);
    config_values_read(reader, root, &draft);
    for (unsigned i = 0; i < draft.channel_count; i++)
        policy_make(&draft.channels[i]);
    for (unsigned i = 0; i < draft.channel_count; i++)
        windows_make(reader, &draft.channels[i], i);
    config_layer_begin(reader);
    config_checks_run(reader, &draft);
    config_own(reader, config, &draft);
    if (!reader->sealed) {
        password_make(reader, config, draft.page_password_file);
        broker_secret_make(reader, config, config->rocketmq.secret_file);
    }
    channels_make(reader, config, &draft);
    config_layer_begin(reader);
    config->mapping = config_mapping_make(reader, root);
    if (!config->mapping)
        reader->error = -ENOMEM;
}

static int text_load(struct config *config, const char *name, const struct file_text *file, bool sealed,
                     struct faults *faults)
{
    struct config_lines lines;
    struct config_tree *tree = NULL;
    size_t before = faults->count;
    int result = config_shape_read(&lines, name, file->text, file->bytes, faults);
    if (result == 0)
        result = config_tree_load(&tree, name, file->text, file->bytes, faults);
    if (result == 0) {
        struct config_reader reader = {.file = name, .lines = &lines, .faults = faults, .sealed = sealed};
        config_make(&reader, config_tree_root(tree), config);
        config_reader_finish(&reader);
        result = reader.error;
    }
    config_tree_drop(tree);
    config_lines_finish(&lines);
    return result < 0 ? result : faults->count > before ? -EINVAL : 0;
}

/* By line, those of one line as they came. */
static void faults_sort(struct faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        struct fault fault = faults->items[i];
        size_t j = i;
        for (; j > 0 && faults->items[j - 1].line > fault.line; j--)
            faults->items[j] = faults->items[j - 1];
        faults->items[j] = fault;
    }
}

static int file_load(struct config **out, const char *file, bool sealed, struct faults *faults)
{
    struct file_text text = {0};
    struct config *config = calloc(1, sizeof(*config));
    *out = NULL;
    if (!config)
        return -ENOMEM;
    int result = file_read(file, &text, faults);
    if (result == 0)
        result = text_load(config, file, &text, sealed, faults);
    file_text_drop(&text);
    config->references = 1;
    if (result == 0)
        *out = config;
    else
        config_drop(config);
    faults_sort(faults);
    return result;
}

int config_load(struct config **out, const char *file, struct faults *faults)
{
    return file_load(out, file, false, faults);
}

int config_load_sealed(struct config **out, const char *file, struct faults *faults)
{
    return file_load(out, file, true, faults);
}

struct config *config_hold(struct config *config)
{
    assert(config->references > 0);
    config->references++;
    return config;
}

static void url_drop(char *url)
{
    if (url)
        explicit_bzero(url, strlen(url));
    free(url);
}

void config_drop(struct config *config)
{
    assert(config->references > 0);
    if (--config->references > 0)
        return;
    for (int i = 0; i < config->channel_count; i++)
        if (config->channels[i])
            config->channels[i]->kind->destroy(config->channels[i]); /* wipes its secret */
    free(config->channels);
    free(config->policies);
    for (int i = 0; i < config->channel_count; i++)
        free(config->topics[i]);
    free(config->topics);
    free(config->rocketmq.endpoint);
    free(config->rocketmq.group);
    free(config->rocketmq.ca_file);
    free(config->rocketmq.access_key);
    free(config->rocketmq.secret_file);
    secret_drop(config->rocketmq.secret_key);
    url_drop(config->database_url);
    url_drop(config->migrate_url);
    url_drop(config->operator_url);
    secret_drop(config->page_password);
    free(config->listen);
    free(config->wake);
    free(config->instance);
    free(config->approve_above);
    free(config->mapping);
    free(config->file);
    free(config);
}

const char *config_topic(const struct config *config, const char *name)
{
    for (int i = 0; i < config->channel_count; i++)
        if (strcmp(config->policies[i].channel, name) == 0)
            return config->topics[i];
    return NULL;
}

static bool is_among(const char *const *texts, const char *text)
{
    for (; *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}

const char **config_topics(const struct config *config)
{
    const char **topics = calloc((size_t)config->channel_count + 1, sizeof(*topics));
    int count = 0;
    for (int i = 0; topics && config->topics && i < config->channel_count; i++)
        if (config->topics[i] && !is_among(topics, config->topics[i]))
            topics[count++] = config->topics[i];
    return topics;
}

const struct channel *config_channel(const struct config *config, const char *name)
{
    for (int i = 0; i < config->channel_count; i++)
        if (config->channels[i] && strcmp(config->channels[i]->name, name) == 0)
            return config->channels[i];
    return NULL;
}

const struct policy *config_policy(const struct config *config, const char *name)
{
    for (int i = 0; i < config->channel_count; i++)
        if (strcmp(config->policies[i].channel, name) == 0)
            return &config->policies[i];
    return NULL;
}
