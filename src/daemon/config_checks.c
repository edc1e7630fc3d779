/* Cross checks, each with its mend. Runs on the thread that loads the configuration; opens nothing but files
 * that the configuration names. */
#include "daemon/config_checks.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/quantity.h"
#include "io/web.h"

#define LEASE_MARGIN_MS    1000
#define LEAST_INVISIBLE_MS 10000 /* the proxy refuses less */
#define TOPIC_LETTERS      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-%|"

/* The sentence never repeats the string: it may hold a password, and so may libpq's message. */
static void url_check(struct config_reader *reader, const char *path, const char *url)
{
    PQconninfoOption *options = url ? PQconninfoParse(url, NULL) : NULL;
    if (url && !options)
        config_blame(reader, path,
                     "this is not a connection string of libpq; write it as host=/run/postgresql dbname=shop "
                     "user=makegood, or as postgresql://makegood@/shop?host=/run/postgresql");
    PQconninfoFree(options);
}

static void approval_check(struct config_reader *reader, const char *amount)
{
    size_t units = amount ? strspn(amount, "0123456789") : 0;
    size_t parts = amount && amount[units] == '.' ? strspn(amount + units + 1, "0123456789") : 0;
    if (amount && (units == 0 || amount[units + (parts ? parts + 1 : 0)]))
        config_blame(reader, "operators.approve_above", "\"%.40s\" is no amount; write it as 1000 or 999.99",
                     amount);
}

static void listen_check(struct config_reader *reader, const char *listen)
{
    struct web_place place;
    char why[WEB_WHY_BYTES];
    if (listen && !web_place_parse(listen, &place, why))
        config_blame(reader, "listen", "%s", why);
}

static void wake_check(struct config_reader *reader, const struct config *config)
{
    if (config->wake && strcmp(config->wake, "precise") == 0 && !config->prepared)
        config_blame(
            reader, "engine.wake",
            "a connection behind PgBouncer in transaction mode (database.prepared: false) hears nothing; "
            "write poll, or leave this key out");
}

static void lease_check(struct config_reader *reader, const struct config_draft *draft)
{
    const struct engine_config *engine = &draft->config.engine;
    const struct channel_draft *slowest = NULL;
    char least[QUANTITY_TEXT_BYTES];
    for (unsigned i = 0; i < draft->channel_count; i++)
        if (!slowest || draft->channels[i].policy.timeout_ms > slowest->policy.timeout_ms)
            slowest = &draft->channels[i];
    if (!slowest || !engine->lease_ms)
        return;
    int64_t least_ms = slowest->policy.timeout_ms + engine->collect_ms + LEASE_MARGIN_MS;
    quantity_format_duration(least_ms, least);
    if (engine->lease_ms < least_ms)
        config_blame(
            reader, "engine.lease",
            "an order would be claimed again while channel %s may still be answering; write at least %s "
            "(its timeout, engine.collect and a second), or shorten that timeout",
            slowest->spec.name ? slowest->spec.name : "", least);
}

static void order_check(struct config_reader *reader, unsigned channel, int64_t first, int64_t last,
                        const char *first_key, const char *last_key)
{
    char path[CONFIG_PATH_BYTES];
    snprintf(path, sizeof(path), "channels[%u].%s", channel, first_key);
    if (first > last && last > 0)
        config_blame(reader, path, "it is longer than %s; shorten it, or raise %s", last_key, last_key);
}

static void name_check(struct config_reader *reader, const struct config_draft *draft, unsigned channel)
{
    char path[CONFIG_PATH_BYTES];
    const char *name = draft->channels[channel].spec.name;
    snprintf(path, sizeof(path), "channels[%u].name", channel);
    for (unsigned i = 0; name && i < channel; i++) {
        const char *other = draft->channels[i].spec.name;
        if (other && strcmp(other, name) == 0) {
            config_blame(reader, path, "channels[%u] has the name %.40s already; give each its own", i, name);
            return;
        }
    }
}

static void ca_file_check(struct config_reader *reader, unsigned channel, const char *file)
{
    char path[CONFIG_PATH_BYTES];
    snprintf(path, sizeof(path), "channels[%u].ca_file", channel);
    if (file && *file != '/')
        config_blame(reader, path, "\"%.200s\" is relative; write an absolute path", file);
    else if (file && access(file, R_OK) != 0)
        config_blame(reader, path, "%.200s can not be read: %m; correct the path or its rights", file);
}

static void proxy_check(struct config_reader *reader, unsigned channel, const char *proxy)
{
    static const char *const schemes[] = {"http://", "https://", "socks5h://"};
    char path[CONFIG_PATH_BYTES];
    for (size_t i = 0; proxy && i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(proxy, schemes[i], strlen(schemes[i])) == 0 && proxy[strlen(schemes[i])])
            return;
    snprintf(path, sizeof(path), "channels[%u].proxy", channel);
    if (proxy)
        config_blame(reader, path, "this is no proxy; write it as http://HOST:PORT, https:// or socks5h://");
}

static void tail_check(struct config_reader *reader, unsigned channel, const struct schedule *tail)
{
    char path[CONFIG_PATH_BYTES];
    snprintf(path, sizeof(path), "channels[%u].tail", channel);
    for (int i = 1; i < tail->length; i++)
        if (tail->delays_ms[i] <= tail->delays_ms[i - 1]) {
            config_blame(reader, path,
                         "each time must be later than the one before: they are counted from the closing");
            return;
        }
}

static void source_check(struct config_reader *reader, const struct config_draft *draft, unsigned channel)
{
    const struct channel_draft *channel_draft = &draft->channels[channel];
    const char *topic = channel_draft->topic;
    bool by_message = channel_draft->policy.by_message;
    char path[CONFIG_PATH_BYTES];
    snprintf(path, sizeof(path), "channels[%u].source", channel);
    if (by_message && !draft->config.rocketmq.endpoint)
        config_blame(reader, path, "no broker is named; write a section rocketmq with its endpoint");
    else if (by_message && draft->config.engine.lease_ms > 0 &&
             draft->config.engine.lease_ms < LEAST_INVISIBLE_MS)
        config_blame(reader, path, "a message is ours for at least 10s; write engine.lease: 10s or more");
    snprintf(path, sizeof(path), "channels[%u].topic", channel);
    if (topic && topic[strspn(topic, TOPIC_LETTERS)])
        config_blame(reader, path, "\"%.40s\" is no topic; use letters, digits, _ and -", topic);
    snprintf(path, sizeof(path), "channels[%u].safety_net", channel);
    if (channel_draft->policy.safety_net && !by_message)
        config_blame(reader, path, "its orders come from the table; write source: rocketmq beside it, or no");
}

/* The sentence never repeats the secret's name. */
static void broker_check(struct config_reader *reader, const struct config_draft *draft)
{
    const char *endpoint = draft->config.rocketmq.endpoint;
    const char *colon = endpoint ? strrchr(endpoint, ':') : NULL;
    if (endpoint && (!colon || colon == endpoint || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")]))
        config_blame(reader, "rocketmq.endpoint", "\"%.80s\" is no HOST:PORT; write it as 127.0.0.1:8081",
                     endpoint);
    if (!draft->config.rocketmq.access_key != !draft->config.rocketmq.secret_file)
        config_blame(reader, "rocketmq.access_key",
                     "it and secret_key_file go together; write both, or neither");
}

static void channel_check(struct config_reader *reader, const struct config_draft *draft, unsigned channel)
{
    const struct policy *policy = &draft->channels[channel].policy;
    const struct transport *transport = &draft->channels[channel].spec.transport;
    name_check(reader, draft, channel);
    order_check(reader, channel, policy->error_first_ms, policy->error_max_ms, "error_first", "error_max");
    order_check(reader, channel, policy->breaker_open_ms, policy->breaker_open_max_ms, "breaker_open",
                "breaker_open_max");
    ca_file_check(reader, channel, transport->ca_file);
    proxy_check(reader, channel, transport->proxy);
    tail_check(reader, channel, &policy->tail);
    source_check(reader, draft, channel);
}

void config_checks_run(struct config_reader *reader, const struct config_draft *draft)
{
    const struct config *config = &draft->config;
    listen_check(reader, config->listen);
    url_check(reader, "database.url", config->database_url);
    url_check(reader, "database.migrate_url", config->migrate_url);
    url_check(reader, "database.operator_url", config->operator_url);
    approval_check(reader, config->approve_above);
    wake_check(reader, config);
    broker_check(reader, draft);
    lease_check(reader, draft);
    for (unsigned i = 0; i < draft->channel_count; i++)
        channel_check(reader, draft, i);
    if (config->engine.in_flight > 0 && (unsigned)config->engine.in_flight < draft->channel_count)
        config_blame(reader, "engine.in_flight", "there are %u channels; write at least one order for each",
                     draft->channel_count);
}
