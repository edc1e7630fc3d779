/* The official objects of Stripe and PayPal, read by the ready files: each status that they may have is known, and no object
 * but the payment asked about is taken for it. */
#include "shipped.h"

#include <jansson.h>

#include "makegood/channel.h"

static struct evidence read_by(const struct config *config, const char *number, int64_t amount_minor,
                               const json_t *answer)
{
    const struct channel *channel = config->channels[0];
    struct lost_order order = {
        .order_no = "A1", .amount_minor = amount_minor, .currency = "USD", .left_ms = NO_END};
    struct moment moment = {.unix_ms = 1700000000000};
    struct evidence evidence = {.kind = EVIDENCE_NONE};
    snprintf(order.number, sizeof(order.number), "%s", number);
    char *body = json_dumps(answer, JSON_COMPACT);
    struct response response = {
        .http_status = 200, .body = body, .body_bytes = strlen(body), .content_type = "", .trusted = true};
    channel->kind->interpret(channel, &order, &moment, &response, &evidence);
    free(body);
    return evidence;
}

static json_t *vector(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "tests/vectors/%s.json", name);
    json_t *object = json_load_file(path, 0, NULL);
    if (!object)
        fail_msg("%s can not be read", path);
    return object;
}

static void kind_is(enum evidence_kind expected, struct evidence found, const char *of)
{
    if (found.kind != expected)
        fail_msg("%s: %s instead of %s", of, evidence_kind_text(found.kind), evidence_kind_text(expected));
}

/* ---- Stripe ---- */

static struct config *stripe_load(void)
{
    return shipped_load(SHIPPED "stripe.yaml", "merchant: \"true\"", "merchant: \"false\"");
}

static void stripes_payment_intent_is_read(void **state)
{
    (void)state;
    struct config *config = stripe_load();
    json_t *intent = vector("stripe/payment_intent");
    const char *id = json_string_value(json_object_get(intent, "id"));
    kind_is(EVIDENCE_PENDING, read_by(config, id, 1000, intent), "requires_payment_method");
    kind_is(EVIDENCE_OTHER_ORDER, read_by(config, "pi_other", 1000, intent), "another number");
    json_decref(intent);
    config_drop(config);
}

static void stripes_other_objects_prove_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"charge", "refund",           "dispute",
                                        "event",  "checkout_session", "balance_transaction"};
    struct config *config = stripe_load();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "stripe/%s", names[i]);
        json_t *object = vector(path);
        kind_is(EVIDENCE_OTHER_ORDER, read_by(config, "pi_1PgafyB7WZ01zgkWSjxsAJo3", 1000, object), names[i]);
        /* Even asked about by its own id it is no payment that was received. */
        const char *id = json_string_value(json_object_get(object, "id"));
        struct evidence evidence = read_by(config, id, 1000, object);
        assert_true(evidence.kind != EVIDENCE_PAID && evidence.kind != EVIDENCE_PAID_FLAGGED &&
                    evidence.kind != EVIDENCE_REFUNDED);
        json_decref(object);
    }
    config_drop(config);
}

/* ---- PayPal ---- */

/* An order in this status, with one capture or one authorization in another (NULL: none). */
static json_t *paypal_order(const char *status, const char *kind, const char *part_status)
{
    json_t *payments = json_object();
    if (kind)
        json_object_set_new(payments, kind,
                            json_pack("[{s:s, s:s, s:{s:s, s:s}}]", "id", "C1", "status", part_status,
                                      "amount", "currency_code", "USD", "value", "100.00"));
    return json_pack("{s:s, s:s, s:[{s:{s:s}, s:o}]}", "id", "O1", "status", status, "purchase_units",
                     "payee", "merchant_id", "7BFHPMZ9VEDJA", "payments", payments);
}

static void every_status_of_paypals_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *list, *kind;
    } parts[] = {{"capture_status", "captures"}, {"authorization_status", "authorizations"}};
    struct config *config = shipped_load(SHIPPED "paypal.yaml", NULL, NULL);
    json_t *vectors = vector("paypal/enums_and_example");
    json_t *enums = json_object_get(vectors, "enums");
    size_t i;
    json_t *status;
    json_array_foreach(json_object_get(enums, "order_status"), i, status)
    {
        bool completed = strcmp(json_string_value(status), "COMPLETED") == 0;
        json_t *order = paypal_order(json_string_value(status), completed ? "captures" : NULL, "COMPLETED");
        struct evidence evidence = read_by(config, "O1", 10000, order);
        bool voided = strcmp(json_string_value(status), "VOIDED") == 0;
        kind_is(completed ? EVIDENCE_PAID
                : voided  ? EVIDENCE_CLOSED
                          : EVIDENCE_PENDING,
                evidence, json_string_value(status));
        json_decref(order);
    }
    for (size_t part = 0; part < 2; part++)
        json_array_foreach(json_object_get(enums, parts[part].list), i, status)
        {
            json_t *order = paypal_order("COMPLETED", parts[part].kind, json_string_value(status));
            struct evidence evidence = read_by(config, "O1", 10000, order);
            /* Captured without a capture contradicts itself: a person looks. */
            bool strange = part == 1 && strcmp(json_string_value(status), "CAPTURED") == 0;
            if ((evidence.kind == EVIDENCE_UNKNOWN_STATE) != strange || !evidence.authentic)
                fail_msg("%s %s: %s", parts[part].kind, json_string_value(status),
                         evidence_kind_text(evidence.kind));
            json_decref(order);
        }
    json_decref(vectors);
    config_drop(config);
}

static void paypals_example_of_a_request_is_no_answer(void **state)
{
    (void)state;
    struct config *config = shipped_load(SHIPPED "paypal.yaml", NULL, NULL);
    json_t *vectors = vector("paypal/enums_and_example");
    kind_is(EVIDENCE_UNMATCHED,
            read_by(config, "O1", 10000, json_object_get(vectors, "example_create_order_request")),
            "the example");
    json_decref(vectors);
    config_drop(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stripes_payment_intent_is_read),
        cmocka_unit_test(stripes_other_objects_prove_nothing),
        cmocka_unit_test(every_status_of_paypals_is_known),
        cmocka_unit_test(paypals_example_of_a_request_is_no_answer),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
