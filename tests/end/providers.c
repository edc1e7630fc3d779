/* Five providers for a stage: see providers.h. Owns no more than the names; the bank and the keys are the stage's. */
#include "providers.h"

#include <stdlib.h>

const char *const providers[PROVIDERS] = {"wechatpay", "alipay", "unionpay", "paypal", "stripe"};

void providers_open(const struct shop *shop)
{
    stage_open(shop);
    snprintf(stage.keys, sizeof(stage.keys), "%s/keys", stage.folder);
}

/* UnionPay asks by the time of the payment as well. */
int providers_order(const char *channel, const char *script, const char *expires_in)
{
    int n = (int)db_number(stage.db, "SELECT coalesce(max(n), 0) + 1 FROM truth.attempt");
    stage_order_at(n, script, 1000 + n * 37LL, channel, expires_in);
    db_do(stage.db,
          "UPDATE truth.attempt SET number = 'PAY' || lpad(n::text, 8, '0'),"
          " data = '{\"txn_time\": \"20260101000000\"}' WHERE n = %d",
          n);
    return n;
}

/* A pace for tests; answers have their time, also on a busy machine. */
static const char pace[] =
    "    timeout: %s\n    connect_timeout: 2s\n    low_speed_time: 1s\n    concurrency: 64\n"
    "    rate: 2000\n    burst: 200\n    schedule: 200ms 300ms 500ms\n"
    "    error_first: 150ms\n    error_max: 500ms\n    not_found_grace: 500ms\n"
    "    probe: 300ms\n    retry_after_max: 400ms\n    breaker_failures: 40\n"
    "    breaker_open: 150ms\n    breaker_open_max: 500ms\n    guard: 0%%\n%s";

char *providers_lines(const char *timeout, const char *more)
{
    static char out[OUTPUT_BYTES];
    static char err[OUTPUT_BYTES];
    char port[16], ca[96], secret[96], text[2048];
    snprintf(port, sizeof(port), "%d", stage.bank_port);
    snprintf(ca, sizeof(ca), "%s/tls/ca.crt", world_folder);
    snprintf(secret, sizeof(secret), "%s/bank.key", world_folder);
    snprintf(text, sizeof(text), pace, timeout ? timeout : "5s", more);
    if (run((const char *const[]){SOURCE_DIR "/tests/end/providers.sh", BANK_PROGRAM, stage.keys, port, ca,
                                  secret, text, NULL},
            out, err) != 0)
        fail_msg("providers.sh: %s", err);
    return strdup(out);
}

void providers_start(const char *more)
{
    char *lines = providers_lines(NULL, more);
    daemon_start(0, &(struct settings){.more = lines, .lease = "30s"});
    free(lines);
}
