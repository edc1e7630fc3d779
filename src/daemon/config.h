/* Configuration: one immutable value, made from a YAML file. Reloading makes a new one and swaps it.
 *
 * Every key is one row of the key table in src/daemon/config_keys.c: path, type, unit, range, default,
 * whether reload applies it, and one sentence. The parser, `makegood config` and the sample file are made
 * from that table. */
#ifndef MAKEGOOD_CONFIG_H
#define MAKEGOOD_CONFIG_H

#include <stdio.h>

#include "makegood/channel.h"
#include "makegood/engine.h"
#include "makegood/fault.h"

/* The broker that some channels' orders come from; no endpoint: none do. */
struct rocketmq_config {
    char *endpoint; /* HOST:PORT of the proxy */
    char *ca_file;  /* NULL: no TLS */
    char *group;
    char *access_key; /* NULL: none is asked for */
    char *secret_file;
    char *secret_key; /* what is in it */
    int64_t max_delay_ms;
};

struct config {
    char *file;
    char *instance; /* this daemon's name in the audit; default HOST-PID */

    char *listen;        /* of the web server; NULL: none */
    char *page_password; /* NULL: the page shows no orders, but on a Unix socket */

    char *database_url;  /* the daemon's connection string */
    char *migrate_url;   /* the migrator's; NULL: database_url */
    char *approve_above; /* an amount; NULL: nobody has to approve */
    char *operator_url;  /* the operators'; NULL: database_url */
    bool prepared;       /* prepared statements; false behind PgBouncer in transaction mode */
    char *wake;          /* precise, poll, or NULL */
    bool precise;        /* what comes of it: wakes when orders are due, instead of scanning */
    int64_t connect_timeout_ms;
    int64_t call_timeout_ms;

    struct engine_config engine; /* policies points into this value */
    int workers;
    int64_t stop_ms; /* bound of a graceful stop */
    int log_level;   /* syslog priority */

    char *mapping; /* order_table as the JSON object of install_mapping */

    struct rocketmq_config rocketmq;

    struct policy *policies; /* one per channel, same order */
    char **topics;           /* likewise; NULL: from the table */
    struct channel **channels;
    int channel_count;

    int references; /* loop's thread only */
};

/* 0 and a configuration with one reference; -EINVAL and at least one fault; -ENOMEM. */
int config_load(struct config **out, const char *file, struct faults *faults);
/* The same without secrets and without channels, which are NULL: for those who talk to the database alone, and may not read
 * what the daemon reads. */
int config_load_sealed(struct config **out, const char *file, struct faults *faults);
struct config *config_hold(struct config *config);
void config_drop(struct config *config); /* the last one wipes secrets and frees */

const struct channel *config_channel(const struct config *config, const char *name); /* or NULL */
const struct policy *config_policy(const struct config *config, const char *name);   /* likewise */
const char *config_topic(const struct config *config, const char *name);             /* likewise; or NULL */
/* Of all channels, each once, ended by NULL; freed by the caller, the texts are the configuration's. NULL without memory. */
const char **config_topics(const struct config *config);

/* `makegood config`: every key for people, and `makegood config --sample`: the commented sample file. */
void config_print_keys(FILE *out);
void config_print_sample(FILE *out);

#endif
