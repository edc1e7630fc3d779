/* A pool under test, with its loop, and a channel that asks for whatever a test wants: the order's
 * channel_data is the path. What the channel was given to interpret comes back in the evidence: the body's
 * begin as channel_number, its length as amount_minor, the content type as rule. */
#ifndef TEST_IO_DESK_H
#define TEST_IO_DESK_H

#include "line.h"

#include <errno.h>

#include "io/pool.h"

struct fake {
    struct channel head;
    char base[128]; /* "https://127.0.0.1:1234" */
    const char *method;
    const char *body;
    const char *second;     /* base of the second host */
    int64_t lifetime_ms;    /* of grants */
    const char *token_path; /* where they are */
};

struct desk {
    uv_loop_t loop;
    struct pool *pool;
    int answers;
};

static inline int fake_build(const struct channel *channel, const struct lost_order *order,
                             const struct moment *moment, struct request *out, const char **why)
{
    const struct fake *fake = (const struct fake *)channel;
    *out = (struct request){0};
    if (strcmp(order->order_no, "unaskable") == 0) {
        *why = "there is no number\nto ask by";
        return -EINVAL;
    }
    out->method = strdup(fake->method);
    assert(asprintf(&out->url, "%s%s", fake->base, order->channel_data) > 0);
    if (fake->second)
        assert(asprintf(&out->second_url, "%s%s", fake->second, order->channel_data) > 0);
    assert(asprintf(&out->headers[0], "X-Request-Id: %s", moment->request_id) > 0);
    out->headers[1] = strdup("Accept: application/json");
    out->header_count = 2;
    if (moment->token)
        assert(asprintf(&out->headers[out->header_count++], "Authorization: Bearer %s", moment->token) > 0);
    if (fake->body) {
        out->body = strdup(fake->body);
        out->body_bytes = strlen(fake->body);
    }
    snprintf(out->asked, sizeof(out->asked), "%s %s", out->method, fake->base);
    return 0;
}

static inline void fake_interpret(const struct channel *channel, const struct lost_order *order,
                                  const struct moment *moment, const struct response *response,
                                  struct evidence *out)
{
    (void)channel, (void)order, (void)moment;
    out->kind = response->http_status == 200 ? EVIDENCE_PAID : EVIDENCE_SERVER_ERROR;
    out->authentic = response->trusted;
    out->amount_minor = (int64_t)response->body_bytes;
    int shown = response->body_bytes < NUMBER_BYTES - 1 ? (int)response->body_bytes : NUMBER_BYTES - 1;
    snprintf(out->channel_number, sizeof(out->channel_number), "%.*s", shown, response->body);
    snprintf(out->rule, sizeof(out->rule), "%.48s", response->content_type);
    const char *once = response->header(response->head, "x-once");
    const char *twice = response->header(response->head, "X-Twice");
    snprintf(out->code, sizeof(out->code), "%s/%s", once ? once : "-", twice ? twice : "-");
    if (response->http_status == 401)
        out->kind = EVIDENCE_UNAUTHORIZED;
}

static inline int fake_build_close(const struct channel *channel, const struct lost_order *order,
                                   const struct moment *moment, struct request *out, const char **why)
{
    struct lost_order closing = *order;
    snprintf(closing.channel_data, sizeof(closing.channel_data), "/fine");
    return fake_build(channel, &closing, moment, out, why);
}

static inline void fake_interpret_close(const struct channel *channel, const struct lost_order *order,
                                        const struct moment *moment, const struct response *response,
                                        struct evidence *out)
{
    (void)channel, (void)order, (void)moment;
    out->kind = EVIDENCE_CLOSED;
    out->authentic = response->trusted;
}

static inline int fake_build_grant(const struct channel *channel, const struct moment *moment,
                                   struct request *out, const char **why)
{
    struct lost_order asking = {.order_no = "grant"};
    snprintf(asking.channel_data, sizeof(asking.channel_data), "%s",
             ((const struct fake *)channel)->token_path);
    return fake_build(channel, &asking, moment, out, why);
}

static inline bool fake_interpret_grant(const struct channel *channel, const struct response *response,
                                        struct grant *grant, struct evidence *out)
{
    out->kind = EVIDENCE_SERVER_ERROR;
    grant->lifetime_ms = ((const struct fake *)channel)->lifetime_ms;
    snprintf(grant->token, sizeof(grant->token), "%.*s", (int)response->body_bytes, response->body);
    return response->http_status == 200;
}

static inline void desk_done(void *self, struct question *questions)
{
    struct desk *desk = self;
    for (; questions; questions = questions->next) {
        assert_non_null(questions->evidence);
        desk->answers++;
    }
}

static inline void desk_open(struct desk *desk, int workers)
{
    struct pool_options options = {.workers = workers,
                                   .connections = 64,
                                   .user_agent = "makegood/test",
                                   .done = desk_done,
                                   .self = desk};
    memset(desk, 0, sizeof(*desk));
    assert_int_equal(uv_loop_init(&desk->loop), 0);
    assert_int_equal(pool_create(&desk->pool, &desk->loop, &options), 0);
}

static inline void desk_close(struct desk *desk)
{
    pool_destroy(desk->pool);
    while (uv_run(&desk->loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(uv_loop_close(&desk->loop), 0);
}

static inline void fake_init(struct fake *fake, const char *scheme, const char *host, unsigned port)
{
    static const struct channel_kind kind = {
        .name = "fake",
        .build = fake_build,
        .interpret = fake_interpret,
        .build_close = fake_build_close,
        .interpret_close = fake_interpret_close,
        .build_grant = fake_build_grant,
        .interpret_grant = fake_interpret_grant,
    };
    *fake = (struct fake){.method = "GET", .token_path = "/token"};
    fake->head = (struct channel){.kind = &kind,
                                  .name = "fake",
                                  .transport = {.connect_timeout_ms = 2000,
                                                .timeout_ms = 5000,
                                                .low_speed_ms = 4000,
                                                .low_speed_bytes = 10,
                                                .body_max_bytes = 64 << 10,
                                                .allow_plain_http = strcmp(scheme, "http") == 0}};
    snprintf(fake->base, sizeof(fake->base), "%s://%s:%u", scheme, host, port);
}

static inline struct lost_order order_for(const char *path)
{
    struct lost_order order = {.order_no = "A1"};
    snprintf(order.channel_data, sizeof(order.channel_data), "%s", path);
    return order;
}

static inline struct evidence ask_order(struct desk *desk, const struct fake *fake,
                                        const struct lost_order *order)
{
    struct evidence evidence;
    struct question question = {.channel = &fake->head, .order = order, .evidence = &evidence};
    int before = desk->answers;
    memset(&evidence, 0xa5, sizeof(evidence)); /* it is filled in whole */
    pool_ask(desk->pool, &question);
    pool_flush(desk->pool);
    loop_until(&desk->loop, &desk->answers, before + 1);
    return evidence;
}

static inline struct evidence ask_path(struct desk *desk, const struct fake *fake, const char *path)
{
    struct lost_order order = order_for(path);
    return ask_order(desk, fake, &order);
}

#define assert_kind(evidence, expected) \
    assert_string_equal(evidence_kind_text((evidence).kind), evidence_kind_text(expected))

#endif
