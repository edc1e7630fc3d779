/* The two shops, and the configuration file that a test's daemon gets: see stage.h. */
#include "stage.h"

const struct shop orders_shop = {
    .name = "orders",
    .mapping = "  table: public.orders\n"
               "  key: order_no\n"
               "  status: status\n"
               "  amount: total_cents\n"
               "  amount_unit: minor\n"
               "  currency: currency\n"
               "  paid_at: paid_at\n"
               "  created_at: created_at\n"
               "  unpaid: [created, paying]\n"
               "  paid: {write: paid, from: [created, paying], also: [shipped]}\n"
               "  closed: {write: closed, from: [created, paying]}\n"
               "  refunded: {write: refunded, from: [created, paying, paid]}\n",
    .insert = "INSERT INTO public.orders (order_no, total_cents, currency)"
              " SELECT DISTINCT ON (order_no) order_no, amount, currency FROM truth.attempt"
              " ON CONFLICT DO NOTHING",
    .key_of_n = "'ORD-' || lpad(n::text, 6, '0')",
    .table = "public.orders",
    .key = "order_no",
    .status = "status",
    .paid = "'paid'",
    .closed = "'closed'",
    .unpaid = "'paying'",
};

const struct shop purchases_shop = {
    .name = "purchases",
    .mapping = "  table: shop.purchases\n"
               "  search_path: shop\n"
               "  key: id\n"
               "  status: state\n"
               "  amount: price\n"
               "  amount_unit: decimal\n"
               "  currency_fixed: CNY\n"
               "  channel_number: trade_no\n"
               "  paid_at: paid_on\n"
               "  unpaid: [0, 1]\n"
               "  paid: {write: 2, from: [0, 1], also: [3]}\n"
               "  closed: {write: 9, from: [0, 1]}\n",
    .insert = "INSERT INTO shop.purchases (id, price)"
              " SELECT DISTINCT ON (order_no) order_no::bigint, amount / 100.0 FROM truth.attempt"
              " ON CONFLICT DO NOTHING",
    .key_of_n = "n::text",
    .table = "shop.purchases",
    .key = "id",
    .status = "state",
    .paid = "2",
    .closed = "9",
    .unpaid = "1",
};

static const char *value_or(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

static void engine_print(FILE *file, const struct settings *settings)
{
    fprintf(file,
            "engine:\n  poll_interval: 100ms\n  in_flight: 300\n  batch_size: 100\n  lease: %s\n"
            "  stop_timeout: %s\n",
            value_or(settings->lease, "3s"), value_or(settings->stop_timeout, "10s"));
}

static void rules_print(FILE *file, const struct settings *settings)
{
    fprintf(file,
            "    answer:\n      number: /id\n      order_no: /metadata/order_no\n      status: /status\n"
            "      code: /error/code\n      amount: {at: %s}\n"
            "      refunded: {at: /latest_charge/amount_refunded}\n      currency: /currency\n"
            "      channel_number: /latest_charge/id\n    rules:\n"
            "      - {name: refunded, evidence: refunded, http: [200],\n"
            "         when: [{at: /status, is: [succeeded]},\n"
            "                {at: /latest_charge/amount_refunded, match: none, is: [0]}]}\n"
            "      - {name: disputed, evidence: paid_flagged, http: [200],\n"
            "         when: [{at: /status, is: [succeeded]}, {at: /latest_charge/disputed, is: [true]}]}\n"
            "      - {name: paid, evidence: paid, http: [200], when: [%s]}\n"
            "      - {name: pending, evidence: pending, http: [200],\n"
            "         when: [{at: /status, is: [processing, requires_payment_method]}]}\n"
            "      - {name: canceled, evidence: closed, http: [200], when: [{at: /status, is: [canceled]}]}\n"
            "      - {name: missing, evidence: not_found, http: [404],\n"
            "         when: [{at: /error/code, is: [resource_missing]}]}\n",
            value_or(settings->amount_at, "/amount_received"),
            value_or(settings->paid_when, "{at: /status, is: [succeeded]}"));
}

/* Both channels; `dead` is the same account where nobody listens. */
static void channel_print(FILE *file, const struct settings *settings, const char *name, int port)
{
    fprintf(file,
            "  - name: %s\n    url: https://localhost:%d/%s/v1/payment_intents/{number}\n"
            "    ca_file: %s/tls/ca.crt\n    auth: {type: bearer}\n    secret_file: %s/bank.key\n"
            "    timeout: %s\n    connect_timeout: 2s\n    low_speed_time: %s\n    concurrency: 64\n    "
            "rate: %s\n"
            "    burst: %s\n    schedule: %s\n    error_first: 150ms\n    error_max: 500ms\n"
            "    not_found_grace: 500ms\n    horizon: %s\n    probe: 300ms\n    retry_after_max: 400ms\n"
            "    breaker_failures: 40\n    breaker_open: 150ms\n    breaker_open_max: 500ms\n    guard: %s\n",
            name, port, name, world_folder, world_folder, value_or(settings->timeout, "1s"),
            value_or(settings->low_speed, "1s"), value_or(settings->rate, "2000"),
            value_or(settings->burst, "200"), value_or(settings->schedule, "200ms 300ms 500ms"),
            value_or(settings->horizon, "10m"), value_or(settings->guard, "0%"));
    rules_print(file, settings);
}

void config_write(const char *path, const struct settings *settings, const char *instance)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "instance: %s\nlog_level: %s\n%sdatabase:\n"
            "  url: host=%s port=%s dbname=%s user=%s password=%s\n"
            "  migrate_url: host=%s dbname=%s user=end_migrator\n"
            "  prepared: %s\n  call_timeout: %s\n",
            instance, value_or(settings->log_level, "notice"), value_or(settings->top, ""),
            value_or(settings->host, world_host), value_or(settings->port, "5432"),
            value_or(settings->database, stage.database), value_or(settings->user, "end_daemon"),
            value_or(settings->password, PASSWORD), world_host, stage.database,
            value_or(settings->prepared, "true"), value_or(settings->call_timeout, "5s"));
    engine_print(file, settings);
    fprintf(file, "order_table:\n%schannels:\n", value_or(settings->mapping, stage.shop->mapping));
    channel_print(file, settings, "main", stage.bank_port ? stage.bank_port : dead_port);
    fputs(value_or(settings->more, ""), file);
    channel_print(file, settings, "dead", dead_port);
    fputs(value_or(settings->dead, ""), file);
    assert_int_equal(fclose(file), 0);
}
