/* The key table itself. A row's numbers are in the type's base unit: milliseconds, bytes, elements. */
#include "daemon/config_keys.h"

#include <string.h>

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define KIB       1024LL
#define MIB       (1024 * KIB)

#define TOP(member)       offsetof(struct config_draft, member)
#define CHANNEL(member)   offsetof(struct channel_draft, member)
#define SPEC(member)      offsetof(struct channel_draft, spec.member)
#define POLICY(member)    offsetof(struct channel_draft, policy.member)
#define TRANSPORT(member) offsetof(struct channel_draft, spec.transport.member)
#define RULE(member)      offsetof(struct http_rule_spec, member)
#define WHEN(member)      offsetof(struct http_condition_spec, member)
#define HEADER(member)    offsetof(struct http_header_spec, member)
#define PLAN(member)      offsetof(struct plan_draft, member)

#define FOR(type) (1u << CHANNEL_##type)
#define BUILT_IN  (FOR(ALIPAY) | FOR(WECHATPAY) | FOR(UNIONPAY))

#define ROW(path_, type_, offset_, min_, max_, ...)                                                          \
    {                                                                                                        \
        .path = (path_), .type = KEY_##type_, .offset = (offset_), .min = (min_), .max = (max_), __VA_ARGS__ \
    }

/* The sections of the table are made by macros of their own, so that a row is what it says and nothing else.
 */
#define FIXED(path, type, offset, min, max, ...) \
    ROW(path, type, offset, min, max, .reload = false, __VA_ARGS__)
#define RELOADS(path, type, offset, min, max, ...) \
    ROW(path, type, offset, min, max, .reload = true, __VA_ARGS__)
#define TABLE_KEY(path, type, min, max, ...) \
    FIXED("order_table" path, type, KEY_NOWHERE, min, max, __VA_ARGS__)
#define COLUMN(path, ...) TABLE_KEY(path, TEXT, 1, 63, __VA_ARGS__)
#define CHANNEL_KEY(path, type, offset, min, max, ...) \
    RELOADS("channels[]." path, type, offset, min, max, __VA_ARGS__)
#define HTTP_KEY(path, type, offset, min, max, ...) \
    CHANNEL_KEY(path, type, offset, min, max, .types = FOR(HTTP), __VA_ARGS__)
#define SIGNING_KEY(for_, path, type, offset, min, max, ...) \
    CHANNEL_KEY(path, type, offset, min, max, .types = (for_), __VA_ARGS__)
#define POINTER(path, offset, ...) HTTP_KEY(path, TEXT, offset, 0, 256, .otherwise = "none", __VA_ARGS__)

const struct config_key config_key_root = {.path = "", .type = KEY_MAPPING};

const struct config_key config_keys[] = {
    FIXED("instance", TEXT, TOP(config.instance), 1, 64, .otherwise = "HOST-PID", .sample = "#shop-1",
          .sentence = "This daemon's name in the audit; give each of several daemons its own."),
    RELOADS("log_level", CHOICE, TOP(log_level), 1, 16, .unit = "error|warning|notice|info|debug",
            .value = "notice",
            .sentence = "The least urgent events that are logged; info is a line for every settled order."),

    FIXED("listen", TEXT, TOP(config.listen), 1, 128, .otherwise = "no server", .sample = "#127.0.0.1:9470",
          .sentence =
              "Where /metrics, /healthz, /readyz and the status page are served: a loopback address as "
              "127.0.0.1:9470 or [::1]:9470, or unix:/run/makegood/web.sock (for its owner and group)."),
    RELOADS("page_password_file", TEXT, TOP(page_password_file), 1, 4096,
            .otherwise = "no orders on the page", .sample = "#/etc/makegood/page.password",
            .sentence =
                "The status page shows single orders to who knows the password in this file, under any "
                "name; on a Unix socket to everybody. A path as in secret_file."),

    FIXED("database", MAPPING, KEY_NOWHERE, 0, 0,
          .sentence = "The database that holds the shop's order table; makegood's schema lies in it too."),
    FIXED("database.url", TEXT, TOP(config.database_url), 1, 4096,
          .sample = "host=/run/postgresql dbname=shop user=makegood",
          .sentence = "The daemon's connection string, for libpq; several hosts are fine, as "
                      "host=a,b target_session_attrs=read-write."),
    FIXED("database.migrate_url", TEXT, TOP(config.migrate_url), 1, 4096, .otherwise = "as database.url",
          .sample = "host=/run/postgresql dbname=shop user=postgres",
          .sentence = "The connection string of `makegood migrate`, whose role may create and own things."),
    FIXED("database.operator_url", TEXT, TOP(config.operator_url), 1, 4096, .otherwise = "as database.url",
          .sample = "#host=/run/postgresql dbname=shop",
          .sentence =
              "The connection string of the commands for operators; without a user in it, each is known by "
              "the own login."),
    FIXED("database.prepared", BOOLEAN, TOP(config.prepared), 0, 1, .value = "true",
          .sentence = "Prepared statements; false behind PgBouncer in transaction mode."),
    FIXED("database.connect_timeout", DURATION, TOP(config.connect_timeout_ms), 100, MINUTE_MS, .value = "5s",
          .sentence = "How long a connection may take to stand."),
    FIXED("database.call_timeout", DURATION, TOP(config.call_timeout_ms), 100, 10 * MINUTE_MS, .value = "15s",
          .sentence = "How long one call may take before the connection is given up."),

    FIXED("operators", MAPPING, KEY_NOWHERE, 0, 0, .otherwise = "the defaults below",
          .sentence = "What people may do by hand; `makegood migrate` brings it into the database."),
    FIXED("operators.approve_above", TEXT, TOP(config.approve_above), 1, 20,
          .otherwise = "nobody has to approve", .sample = "1000",
          .sentence =
              "An order above this amount, in units of its currency, is resolved by hand only with the "
              "approval of a second login."),

    RELOADS("engine", MAPPING, KEY_NOWHERE, 0, 0, .otherwise = "the defaults below",
            .sentence = "How orders are scanned, claimed and settled."),
    FIXED("engine.wake", CHOICE, TOP(config.wake), 1, 16, .unit = "precise|poll",
          .otherwise = "precise; poll where database.prepared is false", .sample = "#precise",
          .sentence = "precise: sleeps until the next order is due, and hears of those that are due earlier. "
                      "poll: scans the table."),
    RELOADS("engine.poll_interval", DURATION, TOP(config.engine.poll_ms), 10, HOUR_MS, .value = "1s",
            .sample = "1s", .sentence = "wake: poll: how often the table is scanned."),
    RELOADS("engine.rescan_interval", DURATION, TOP(config.engine.rescan_ms), 100, HOUR_MS, .value = "30s",
            .sentence = "wake: precise: how often it is scanned nevertheless, for orders that went unheard."),
    RELOADS("engine.batch_size", INTEGER, TOP(config.engine.batch_size), 1, BATCH_MAX, .unit = "orders",
            .value = "500", .sample = "500", .sentence = "Orders per claim and per settlement."),
    FIXED("engine.in_flight", INTEGER, TOP(config.engine.in_flight), 1, 100000, .unit = "orders",
          .value = "2000", .sample = "2000",
          .sentence = "Bound of the orders in memory at once; each takes about 3 KiB."),
    FIXED("engine.workers", INTEGER, TOP(config.workers), 1, 64, .unit = "threads", .value = "2",
          .sample = "2", .sentence = "Threads that talk to the channels."),
    RELOADS("engine.lease", DURATION, TOP(config.engine.lease_ms), SECOND_MS, HOUR_MS, .value = "60s",
            .sample = "60s",
            .sentence =
                "How long a claimed order is ours; after a crash it is due again when the lease ends."),
    RELOADS("engine.collect", DURATION, TOP(config.engine.collect_ms), 0, SECOND_MS, .value = "20ms",
            .sentence = "How long an answered order waits for companions before they are settled together."),
    RELOADS("engine.crash_limit", INTEGER, TOP(config.engine.crash_limit), 1, 1000, .unit = "claims",
            .value = "5",
            .sentence =
                "Claims without a settlement after which an order is asked alone; twice that parks it."),
    RELOADS("engine.settle_cap", INTEGER, TOP(config.engine.settle_cap), 0, 1000000,
            .unit = "orders a minute", .value = "0",
            .sentence =
                "How many orders may end per minute, all daemons together; 0: no cap. The rest waits."),
    RELOADS("engine.stop_timeout", DURATION, TOP(config.stop_ms), 0, 10 * MINUTE_MS, .value = "20s",
            .sentence = "How long SIGTERM waits for what is in flight; leases take care of the rest."),

    TABLE_KEY("", MAPPING, 0, 0,
              .sentence = "The shop's own order table; `makegood migrate` installs a change."),
    TABLE_KEY(".table", TEXT, 1, 127, .sample = "public.orders",
              .sentence = "The table with its schema; it lies in the same database."),
    COLUMN(".key", .sample = "order_no", .sentence = "Column of the order number, with a unique index."),
    COLUMN(".status", .sample = "status", .sentence = "Column of the order's status."),
    COLUMN(".amount", .sample = "total_cents", .sentence = "Column of the amount to be paid."),
    TABLE_KEY(".amount_unit", CHOICE, 1, 16, .unit = "minor|decimal", .sample = "minor",
              .sentence = "How that column counts: minor units (1234), or decimals (12.34)."),
    COLUMN(".currency", .otherwise = "see currency_fixed", .sample = "currency",
           .sentence = "Column of the ISO 4217 currency; or use currency_fixed."),
    TABLE_KEY(".currency_fixed", TEXT, 3, 3, .otherwise = "see currency", .sample = "#CNY",
              .sentence = "The one currency of all orders, as CNY; where the table has no such column."),
    COLUMN(".channel", .otherwise = "none", .sample = "#channel",
           .sentence = "Column that names the channel an order is paid through; the trigger needs it."),
    COLUMN(".channel_number", .otherwise = "none", .sample = "#channel_number",
           .sentence =
               "Column of the channel's own number; with it an order that is paid twice is detected."),
    COLUMN(".paid_at", .otherwise = "none", .sample = "#paid_at",
           .sentence = "Column that gets the time when an order becomes paid."),
    COLUMN(".created_at", .otherwise = "none", .sample = "#created_at",
           .sentence = "Column of the order's creation; `makegood adopt` needs it."),
    COLUMN(".expires_at", .otherwise = "none", .sample = "#expires_at",
           .sentence = "Column of the time after which an order can not be paid any more."),
    TABLE_KEY(".search_path", TEXT, 1, 256, .value = "public",
              .sentence = "Schemas that the shop's own triggers on the table expect, with commas between."),
    TABLE_KEY(".unpaid", TEXTS, 1, 64, .sample = "[created, paying]",
              .sentence = "Statuses of an unpaid order."),
    TABLE_KEY(".paid", MAPPING, 0, 0, .sentence = "What becomes of an order that was paid."),
    TABLE_KEY(".paid.write", TEXT, 1, 64, .sample = "paid", .sentence = "The status that is written."),
    TABLE_KEY(".paid.from", TEXTS, 1, 64, .sample = "[created, paying]",
              .sentence = "Statuses that may be left for it; any other is left alone and told."),
    TABLE_KEY(".paid.also", TEXTS, 0, 64, .otherwise = "none", .sample = "[shipped]",
              .sentence = "Statuses that mean paid as well: the order went on from there."),
    TABLE_KEY(
        ".paid.late_from", TEXTS, 0, 64, .otherwise = "closed.write", .sample = "#[closed]",
        .sentence =
            "Closed statuses that a late payment may leave, where a channel accepts it (late: accept)."),
    TABLE_KEY(".closed", MAPPING, 0, 0,
              .sentence = "What becomes of an order that can not be paid any more."),
    TABLE_KEY(".closed.write", TEXT, 1, 64, .sample = "closed", .sentence = "The status that is written."),
    TABLE_KEY(".closed.from", TEXTS, 1, 64, .sample = "[created, paying]",
              .sentence = "Statuses that may be left for it."),
    TABLE_KEY(".closed.also", TEXTS, 0, 64, .otherwise = "none", .sample = "#[cancelled]",
              .sentence = "Statuses that mean closed as well."),
    TABLE_KEY(".refunded", MAPPING, 0, 0, .otherwise = "refunded orders are parked",
              .sentence = "What becomes of an order whose money went back, all of it."),
    TABLE_KEY(".refunded.write", TEXT, 1, 64, .sample = "refunded",
              .sentence = "The status that is written."),
    TABLE_KEY(".refunded.from", TEXTS, 1, 64, .sample = "[created, paying, paid]",
              .sentence = "Statuses that may be left for it."),
    TABLE_KEY(".refunded.also", TEXTS, 0, 64, .otherwise = "none", .sample = "#[returned]",
              .sentence = "Statuses that mean refunded as well."),
    TABLE_KEY(".trigger", BOOLEAN, 0, 1, .value = "false",
              .sentence = "A trigger on the table tracks and resolves, without touching the shop's code."),

    FIXED("rocketmq", MAPPING, KEY_NOWHERE, 0, 0, .otherwise = "all orders come from the table",
          .sentence =
              "Apache RocketMQ 5, for channels whose orders come as delayed messages (source: rocketmq)."),
    FIXED("rocketmq.endpoint", TEXT, TOP(config.rocketmq.endpoint), 3, 255, .otherwise = "none",
          .sample = "#127.0.0.1:8081", .sentence = "HOST:PORT of the proxy's gRPC port."),
    FIXED("rocketmq.group", TEXT, TOP(config.rocketmq.group), 1, 120, .value = "makegood",
          .sample = "makegood",
          .sentence = "The consumer group, which all daemons share; let it retry often."),
    FIXED("rocketmq.ca_file", TEXT, TOP(config.rocketmq.ca_file), 1, 4096, .otherwise = "no TLS",
          .sample = "#/etc/makegood/rocketmq-ca.pem", .sentence = "Certificates to verify the proxy by."),
    FIXED("rocketmq.access_key", TEXT, TOP(config.rocketmq.access_key), 1, 120, .otherwise = "none",
          .sample = "#makegood", .sentence = "Who we are, where the proxy asks; with secret_key_file."),
    FIXED("rocketmq.secret_key_file", TEXT, TOP(config.rocketmq.secret_file), 1, 4096, .otherwise = "none",
          .sample = "#/etc/makegood/rocketmq.key",
          .sentence = "The access key's secret, in a file as secret_file."),
    FIXED("rocketmq.max_delay", DURATION, TOP(config.rocketmq.max_delay_ms), SECOND_MS, 400 * DAY_MS,
          .value = "1d",
          .sentence = "How long proxy and broker keep a message at most; longer delays go by hops."),

    RELOADS("channels", LIST, TOP(channels), 1, 256, .size = sizeof(struct channel_draft),
            .sentence = "One entry for each account at a payment provider that can be asked."),
    CHANNEL_KEY("name", TEXT, SPEC(name), 1, CHANNEL_BYTES - 1, .sample = "stripe",
                .sentence = "Its name, as track() uses it: small letters, digits, _ and -."),
    CHANNEL_KEY(
        "type",
        CHOICE,
        CHANNEL(type), 1, 16, .unit = "http|alipay|wechatpay|unionpay", .value = "http",
        .sentence =
            "http: HTTPS and JSON, described by the keys below. The others are built in: they sign, and "
            "verify what they are answered."),
    CHANNEL_KEY("url", TEXT, SPEC(url), 1, 2048, .optional_for = BUILT_IN,
                .sample = "https://api.stripe.com/v1/payment_intents/{number}?expand%5B%5D=latest_charge",
                .sentence = "Whom to ask; the built-in types know that. http: a template of {number} "
                            "{order_no} {amount_minor} {amount_decimal} {currency} "
                            "{currency_lower} {timestamp} {timestamp_ms} {nonce} {request_id} {data.KEY}; "
                            "{{ and }} are braces."),
    HTTP_KEY("method", CHOICE, SPEC(method), 1, 16, .unit = "GET|POST", .value = "GET",
             .sentence = "How it is asked."),
    HTTP_KEY("headers", LIST, SPEC(headers), 0, 16, .otherwise = "none",
             .size = sizeof(struct http_header_spec),
             .sample = "- name: Stripe-Version\n"
                       "  value: 2026-07-29.dahlia\n",
             .sentence = "Headers of its own; Accept, Content-Type and X-Request-Id are sent anyway."),
    HTTP_KEY("headers[].name", TEXT, HEADER(name), 1, 128, .sentence = "the header's name"),
    HTTP_KEY("headers[].value", TEXT, HEADER(value), 1, 1024, .sentence = "its value, a template"),
    HTTP_KEY("body", TEXT, SPEC(body), 1, 16 * KIB, .otherwise = "none",
             .sample = "#'{\"number\": \"{number}\"}'",
             .sentence = "What is posted, a template; values are escaped for the place they stand in."),
    HTTP_KEY("body_type", CHOICE, SPEC(body_type), 1, 16, .unit = "json|form", .value = "json",
             .sentence = "What the body is."),
    HTTP_KEY("auth", MAPPING, KEY_NOWHERE, 0, 0, .otherwise = "none",
             .sentence = "How the question is authenticated, with the secret of secret_file."),
    HTTP_KEY("auth.type", CHOICE, SPEC(auth), 1, 16, .unit = "none|header|basic|bearer|hmac-sha256|oauth2",
             .value = "none", .sample = "bearer", .sentence = "The way it is done."),
    HTTP_KEY("auth.header", TEXT, SPEC(auth_header), 1, 128, .otherwise = "none", .sample = "#X-Signature",
             .sentence = "header and hmac-sha256: the header's name."),
    HTTP_KEY("auth.user", TEXT, SPEC(auth_user), 1, 256, .otherwise = "none", .sample = "#shop",
             .sentence = "basic: the user. oauth2: the client's id."),
    HTTP_KEY(
        "auth.token_url", TEXT, SPEC(auth_token_url), 1, 2048, .otherwise = "none",
        .sample = "#https://api-m.paypal.com/v1/oauth2/token",
        .sentence =
            "oauth2: where an access token is had by client credentials; it is kept, and renewed in time."),
    HTTP_KEY("auth.scope", TEXT, SPEC(auth_scope), 1, 1024, .otherwise = "none", .sample = "#payments.read",
             .sentence = "oauth2: the scope that is asked for."),
    HTTP_KEY("auth.text", TEXT, SPEC(auth_text), 1, 4096, .otherwise = "none",
             .sample = "#\"{timestamp}{method}{path}{body}\"",
             .sentence = "hmac-sha256: what is signed, a template; also {method} {path} {query} {body}."),
    HTTP_KEY("auth.value", TEXT, SPEC(auth_value), 1, 1024, .otherwise = "{signature}",
             .sample = "#t={timestamp},v1={signature}",
             .sentence = "hmac-sha256: the header's value, a template with {signature}."),
    HTTP_KEY("auth.encoding", CHOICE, SPEC(auth_encoding), 1, 16, .unit = "hex|base64", .value = "hex",
             .sentence = "hmac-sha256: how the signature is written."),
    HTTP_KEY("secret_file", TEXT, CHANNEL(secret_file), 1, 4096, .otherwise = "none",
             .sample = "/etc/makegood/stripe.key",
             .sentence =
                 "File that holds the secret and nothing else, readable by the daemon alone; a relative "
                 "path is looked for in $CREDENTIALS_DIRECTORY."),
    CHANNEL_KEY(
        "merchant", TEXT, SPEC(merchant), 1, 256, .otherwise = "not compared", .sample = "\"true\"",
        .sentence =
            "Our account. http: as answers name it at answer.merchant (here: they must be of live mode). "
            "wechatpay: mchid, or sp_mchid; required. unionpay: merId; required."),
    SIGNING_KEY(FOR(ALIPAY) | FOR(WECHATPAY), "app_id", TEXT, CHANNEL(app_id), 1, 64,
                .otherwise = "not compared", .sample = "#\"2021001161683774\"",
                .sentence =
                    "alipay: the application, required. wechatpay: answers for another appid are not ours."),
    SIGNING_KEY(
        FOR(WECHATPAY), "sub_merchant", TEXT, CHANNEL(sub_merchant), 1, 64, .otherwise = "none: direct mode",
        .sample = "#\"1900000109\"",
        .sentence =
            "wechatpay: sub_mchid, for a service provider; channel_data.sub_mchid of an order comes first."),
    SIGNING_KEY(FOR(WECHATPAY), "serial", TEXT, CHANNEL(serial), 1, 64, .otherwise = "none",
                .sample = "#5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
                .sentence = "wechatpay: serial number of the merchant's certificate, in hex; required."),
    SIGNING_KEY(FOR(WECHATPAY), "second_url", TEXT, CHANNEL(second_url), 1, 2048,
                .otherwise = "https://api2.mch.weixin.qq.com beside the usual url",
                .sample = "#https://api2.mch.weixin.qq.com",
                .sentence = "wechatpay: another host, for when the first can not be reached."),
    SIGNING_KEY(
        BUILT_IN, "private_key_file", TEXT, CHANNEL(private_key_file), 1, 4096, .otherwise = "none",
        .sample = "#/etc/makegood/apiclient_key.pem",
        .sentence =
            "Our key that requests are signed with, in a file as secret_file; required. PEM, or Alipay's "
            "bare base64."),
    SIGNING_KEY(FOR(ALIPAY) | FOR(WECHATPAY), "public_key_file", TEXT, CHANNEL(public_key_file), 1, 4096,
                .otherwise = "none", .sample = "#/etc/makegood/pub_key.pem",
                .sentence =
                    "The provider's public key, which answers are verified with. alipay: this, or the three "
                    "certificates."),
    SIGNING_KEY(FOR(WECHATPAY), "public_key_id", TEXT, CHANNEL(public_key_id), 1, 128, .otherwise = "none",
                .sample = "#PUB_KEY_ID_0116161616161616161616161616161616",
                .sentence = "wechatpay: the name of that public key."),
    SIGNING_KEY(FOR(WECHATPAY), "platform_certificate_files", TEXTS, CHANNEL(platform_certificate_files), 0,
                16, .otherwise = "none", .sample = "#[/etc/makegood/wechatpay_platform.pem]",
                .sentence =
                    "wechatpay: platform certificates; both kinds may be there, an answer names its key."),
    SIGNING_KEY(FOR(UNIONPAY), "certificate_file", TEXT, CHANNEL(certificate_file), 1, 4096,
                .otherwise = "none", .sample = "#/etc/makegood/acp_sign.crt",
                .sentence = "unionpay: our own certificate that we sign with; required."),
    SIGNING_KEY(FOR(ALIPAY), "app_certificate_file", TEXT, CHANNEL(certificate_file), 1, 4096,
                .otherwise = "none", .sample = "#/etc/makegood/app_certificate.crt",
                .sentence = "alipay: the application's certificate, in certificate mode."),
    SIGNING_KEY(FOR(ALIPAY), "alipay_certificate_file", TEXT, CHANNEL(alipay_certificate_file), 1, 4096,
                .otherwise = "none", .sample = "#/etc/makegood/alipay_certificate.crt",
                .sentence = "alipay: Alipay's certificate, in certificate mode."),
    SIGNING_KEY(FOR(ALIPAY) | FOR(UNIONPAY), "root_certificates_file", TEXT, CHANNEL(root_certificates_file),
                1, 4096, .otherwise = "none", .sample = "#/etc/makegood/root_certificates.crt",
                .sentence =
                    "The provider's root certificates. alipay: in certificate mode. unionpay: required."),
    SIGNING_KEY(FOR(ALIPAY), "app_auth_token_file", TEXT, CHANNEL(app_auth_token_file), 1, 4096,
                .otherwise = "none", .sample = "#/etc/makegood/app_auth_token",
                .sentence = "alipay: the token of the merchant we act for, in a file as secret_file."),
    SIGNING_KEY(FOR(UNIONPAY), "signer", TEXT, CHANNEL(signer), 1, 256, .otherwise = "中国银联股份有限公司",
                .sample = "#00040000:SIGN",
                .sentence =
                    "unionpay: whom the certificate that signed an answer must name, in its common name "
                    "alone or between two @."),

#include "daemon/config_keys_http.inc"

    CHANNEL_KEY(
        "schedule", DURATIONS, POLICY(schedule), 1, 30 * DAY_MS, .unit = "one to 32, spaces between",
        .value = "5s 30s 1m 3m 5m 10m 30m 1h", .sample = "5s 30s 1m 3m 5m 10m 30m 1h",
        .typed =
            {[CHANNEL_ALIPAY] = "5s 15s 30s 1m 3m 5m 10m 30m 1h", [CHANNEL_UNIONPAY] = "5m 5m 20m 30m 1h"},
        .sentence = "Delays of the questions, each after the answer before; the last one repeats."),
    CHANNEL_KEY(
        "schedules", LIST, CHANNEL(plans), 0, PLANS_MAX, .otherwise = "none",
        .size = sizeof(struct plan_draft), .sample = "- {method: us_bank_account, schedule: 1h 6h 24h}\n",
        .sentence =
            "Schedules for some orders; the first that fits is followed, from the second question on."),
    CHANNEL_KEY("schedules[].method", TEXT, PLAN(method), 1, METHOD_BYTES - 1, .otherwise = "any",
                .sentence = "of this payment method, as track() was told"),
    CHANNEL_KEY(
        "schedules[].until", DURATION, PLAN(plan.until_ms), SECOND_MS, 400 * DAY_MS, .otherwise = "always",
        .sentence =
            "while the attempt is younger than this; what follows goes on at the number of answers so far"),
    CHANNEL_KEY("schedules[].schedule", DURATIONS, PLAN(plan.schedule), 1, 30 * DAY_MS,
                .unit = "one to 32, spaces between", .sentence = "the delays of those questions"),
    CHANNEL_KEY("jitter", PERCENT, POLICY(jitter_percent), 0, 50, .value = "20%",
                .sentence = "Every delay is spread by up to this share, up or down."),
    CHANNEL_KEY("error_first", DURATION, POLICY(error_first_ms), 10, DAY_MS, .value = "5s",
                .sentence = "Delay after the first error; it doubles with each further one ..."),
    CHANNEL_KEY("error_max", DURATION, POLICY(error_max_ms), 10, 30 * DAY_MS, .value = "10m",
                .sentence = "... up to here. Errors never use up the schedule."),
    CHANNEL_KEY("not_found_grace", DURATION, POLICY(not_found_grace_ms), 0, 30 * DAY_MS, .value = "10m",
                .sample = "10m",
                .sentence = "After the end of an attempt, \"not found\" stays open for so long."),
    CHANNEL_KEY("horizon", DURATION, POLICY(horizon_ms), SECOND_MS, 400 * DAY_MS, .value = "24h",
                .sample = "24h",
                .sentence = "End of an attempt that names no expiry, counted from its creation."),
    CHANNEL_KEY(
        "close_at_horizon", BOOLEAN, POLICY(closes), 0, 1, .value = "no",
        .sentence =
            "What is still pending at its end is closed at the channel, where the attempt named its expiry; "
            "this says: also where it did not. alipay, wechatpay, and http with close."),
    CHANNEL_KEY("tail", DURATIONS, POLICY(tail), SECOND_MS, 400 * DAY_MS,
                .unit = "up to 32, spaces between, or none", .otherwise = "none", .sample = "#10m 25h 7d",
                .typed = {[CHANNEL_ALIPAY] = "10m 25h 7d",
                          [CHANNEL_WECHATPAY] = "10m 25h 7d",
                          [CHANNEL_UNIONPAY] = "10m 25h 7d"},
                .sentence = "A closed order is asked about so long after its closing, for a late success."),
    CHANNEL_KEY(
        "late",
        CHOICE,
        CHANNEL(late), 1, 16, .unit = "park|accept", .value = "park",
        .sentence =
            "A late success: parked as late_payment, or accepted, and the closed order becomes paid."),
    CHANNEL_KEY("shadow", BOOLEAN, POLICY(shadow), 0, 1, .value = "no",
                .sentence = "Asks and audits, and nothing comes of it; the audit says what would have been."),
    CHANNEL_KEY("maintenance", TEXTS, CHANNEL(maintenance), 0, WINDOWS_MAX, .otherwise = "none",
                .sample = "#[\"Sun 02:00-04:30 +08:00\", \"23:55-00:10\"]",
                .sentence = "Windows in which the channel is not asked: days, hours, offset from UTC."),
    CHANNEL_KEY("probe", DURATION, POLICY(probe_ms), 10, DAY_MS, .value = "5m",
                .sentence = "Pace of questions that wait for something else than the order."),
    CHANNEL_KEY("attempt_limit", INTEGER, POLICY(attempt_limit), 0, 1000000, .unit = "answers", .value = "0",
                .sentence = "Answers after which an unfinished order is parked; 0: never."),
    CHANNEL_KEY("unknown_limit", INTEGER, POLICY(unknown_limit), 1, 1000, .unit = "answers", .value = "3",
                .sentence = "Unknown states in a row after which an order is parked."),
    CHANNEL_KEY("accept_flagged", BOOLEAN, POLICY(accept_flagged), 0, 1, .value = "no",
                .sentence = "Paid with a refund or dispute flag beside it counts as paid."),

    CHANNEL_KEY("source", CHOICE, CHANNEL(source), 1, 16, .unit = "table|rocketmq", .value = "table",
                .sentence = "Where its lost orders come from: rows that track() makes, or delayed messages."),
    CHANNEL_KEY("topic", TEXT, CHANNEL(topic), 1, 127, .otherwise = "lost_order", .sample = "#lost_order",
                .sentence =
                    "source: rocketmq: the topic; channels that share one wait for each other there."),
    CHANNEL_KEY("safety_net", BOOLEAN, POLICY(safety_net), 0, 1, .value = "no",
                .sentence =
                    "source: rocketmq: rows that track() made beside the messages are asked at their time; "
                    "without, scans find the few that operators put back."),

    CHANNEL_KEY("concurrency", INTEGER, POLICY(concurrency), 1, 10000, .unit = "questions", .value = "32",
                .sample = "32", .sentence = "Questions under way at once."),
    CHANNEL_KEY("rate", INTEGER, POLICY(rate_per_second), 1, 1000000, .unit = "per second", .value = "20",
                .typed = {[CHANNEL_UNIONPAY] = "5"}, .sample = "20",
                .sentence = "Questions per second in the long run."),
    CHANNEL_KEY("burst", INTEGER, POLICY(burst), 1, 1000000, .unit = "questions", .otherwise = "as rate",
                .sample = "#20", .sentence = "Questions that may follow at once after a pause."),
    CHANNEL_KEY("connect_timeout", DURATION, TRANSPORT(connect_timeout_ms), 10, MINUTE_MS, .value = "5s",
                .sentence = "How long a connection may take to stand, TLS included."),
    CHANNEL_KEY("timeout", DURATION, TRANSPORT(timeout_ms), 10, 5 * MINUTE_MS, .value = "10s",
                .sample = "10s", .sentence = "How long one whole question may take."),
    CHANNEL_KEY("low_speed_time", DURATION, TRANSPORT(low_speed_ms), SECOND_MS, 5 * MINUTE_MS, .value = "10s",
                .sentence = "An answer that is slower than low_speed_bytes per second for so long is cut."),
    CHANNEL_KEY("low_speed_bytes", SIZE, TRANSPORT(low_speed_bytes), 1, MIB, .value = "10B",
                .sentence = "See low_speed_time."),
    CHANNEL_KEY("body_max", SIZE, TRANSPORT(body_max_bytes), KIB, 16 * MIB, .value = "64KiB",
                .sentence = "Cap on an answer's body."),
    CHANNEL_KEY("retry_after_max", DURATION, POLICY(retry_after_max_ms), 10, DAY_MS, .value = "5m",
                .sentence = "Cap on the pause that a channel may ask for by Retry-After."),
    CHANNEL_KEY("breaker_failures", INTEGER, POLICY(breaker_failures), 1, 1000, .unit = "faults",
                .value = "10", .sentence = "Faults in a row that open the circuit breaker."),
    CHANNEL_KEY("breaker_open", DURATION, POLICY(breaker_open_ms), 10, HOUR_MS, .value = "5s",
                .sentence = "How long it stays open at first; that doubles with each failing probe ..."),
    CHANNEL_KEY("breaker_open_max", DURATION, POLICY(breaker_open_max_ms), 10, DAY_MS, .value = "2m",
                .sentence = "... up to here."),
    CHANNEL_KEY("guard", PERCENT, POLICY(guard_percent), 0, 100, .value = "50%",
                .sentence =
                    "Share of doubtful parkings among recent answers that halts the channel; 0%: never."),
    CHANNEL_KEY("found_lately", DURATION, POLICY(found_lately_ms), SECOND_MS, 30 * DAY_MS, .value = "1h",
                .sentence = "Something found within this time proves that the account is the right one."),
    CHANNEL_KEY("ca_file", TEXT, TRANSPORT(ca_file), 1, 4096, .otherwise = "the system's",
                .sample = "#/etc/makegood/stripe-ca.pem",
                .sentence = "Certificates to verify the channel by, an absolute path."),
    CHANNEL_KEY("proxy", TEXT, TRANSPORT(proxy), 1, 1024, .otherwise = "none",
                .sample = "#http://proxy.internal:3128",
                .sentence = "As http://proxy.internal:3128; the environment's proxies are never used."),
    CHANNEL_KEY("allow_plain_http", BOOLEAN, TRANSPORT(allow_plain_http), 0, 1, .value = "no",
                .sentence = "http:// to a loopback address is fine, for tests."),
    {.path = NULL},
};
