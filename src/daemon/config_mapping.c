/* From the tree of texts to JSON, by the key table, and what must hold between the keys. Runs on the thread
 * that loads the configuration; whether the table looks like that is the database's to say (makegood.verify).
 */
#include "daemon/config_mapping.h"

#include <jansson.h>
#include <string.h>

#include "base/quantity.h"

static json_t *mapping_object(const struct config_key *parent, const struct config_slot *slots);

static json_t *texts_array(const struct config_slot *slot)
{
    json_t *array = json_array();
    char *const *texts = slot->value;
    for (uint32_t i = 0; i < slot->count; i++)
        json_array_append_new(array, json_string(texts[i]));
    return array;
}

static json_t *key_value(const struct config_key *key, const struct config_slot *slot)
{
    const char *text = key->value;
    bool truth = false;
    if (key->type == KEY_TEXTS)
        return texts_array(slot);
    if (key->type == KEY_MAPPING)
        return slot->value ? mapping_object(key, slot->value) : json_null();
    if (slot->value)
        text = slot->value;
    if (key->type == KEY_BOOLEAN)
        return json_boolean(text && quantity_parse_boolean(text, &truth) && truth);
    return text ? json_string(text) : json_null();
}

static json_t *mapping_object(const struct config_key *parent, const struct config_slot *slots)
{
    json_t *object = json_object();
    const struct config_key *key = NULL;
    for (size_t i = 0; (key = config_key_next(parent, key)) != NULL; i++)
        json_object_set_new(object, config_key_name(key), key_value(key, &slots[i]));
    return object;
}

/* --- what must hold between the keys -------------------------------------------------------------------- */

static bool is_given(const json_t *mapping, const char *key)
{
    return !json_is_null(json_object_get(mapping, key));
}

static void currency_check(struct config_reader *reader, const json_t *mapping)
{
    const char *fixed = json_string_value(json_object_get(mapping, "currency_fixed"));
    if (is_given(mapping, "currency") && fixed)
        config_blame(reader, "order_table.currency_fixed",
                     "the currency is mapped to a column already; keep one of currency and currency_fixed");
    if (!is_given(mapping, "currency") && !fixed)
        config_blame(reader, "order_table.currency",
                     "the currency is missing; name its column, or fix one for all orders by currency_fixed");
    if (fixed && currency_exponent(fixed) < 0)
        config_blame(reader, "order_table.currency_fixed",
                     "\"%.40s\" is no ISO 4217 currency; write three upper-case letters, as CNY", fixed);
}

static bool array_has(const json_t *array, const char *text)
{
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
            return true;
    }
    return false;
}

/* Whether a status means this: it is written for it, or stands among its `also`. */
static bool status_means(const json_t *mapping, const char *target, const char *status)
{
    const json_t *section = json_object_get(mapping, target);
    const char *written = json_string_value(json_object_get(section, "write"));
    return (written && strcmp(written, status) == 0) || array_has(json_object_get(section, "also"), status);
}

static void status_check(struct config_reader *reader, const json_t *mapping, const char *target,
                         const char *key, const char *status)
{
    static const char *const targets[] = {"paid", "closed", "refunded"};
    char path[64];
    snprintf(path, sizeof(path), "order_table.%s.%s", target, key);
    if (array_has(json_object_get(mapping, "unpaid"), status))
        config_blame(reader, path, "the status %.64s means unpaid as well; give each status one meaning",
                     status);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]) && strcmp(targets[i], target) != 0; i++)
        if (status_means(mapping, targets[i], status))
            config_blame(reader, path, "the status %.64s means %s as well; give each status one meaning",
                         status, targets[i]);
}

static void target_check(struct config_reader *reader, const json_t *mapping, const char *target)
{
    const json_t *section = json_object_get(mapping, target);
    const char *written = json_string_value(json_object_get(section, "write"));
    size_t i;
    json_t *value;
    if (written)
        status_check(reader, mapping, target, "write", written);
    json_array_foreach(json_object_get(section, "also"), i, value)
    {
        if (json_is_string(value))
            status_check(reader, mapping, target, "also", json_string_value(value));
    }
    if (written && array_has(json_object_get(section, "from"), written)) {
        char path[64];
        snprintf(path, sizeof(path), "order_table.%s.from", target);
        config_blame(reader, path, "the status %.64s can not be left for itself; remove it here", written);
    }
}

static void late_check(struct config_reader *reader, const json_t *mapping)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(json_object_get(mapping, "paid"), "late_from"), i, value)
    {
        const char *status = json_string_value(value);
        if (status && !status_means(mapping, "closed", status))
            config_blame(
                reader, "order_table.paid.late_from",
                "the status %.64s does not mean closed; name statuses among closed.write and closed.also",
                status);
    }
}

static void mapping_check(struct config_reader *reader, const json_t *mapping)
{
    currency_check(reader, mapping);
    target_check(reader, mapping, "paid");
    target_check(reader, mapping, "closed");
    target_check(reader, mapping, "refunded");
    late_check(reader, mapping);
    if (json_is_true(json_object_get(mapping, "trigger")) && !is_given(mapping, "channel"))
        config_blame(reader, "order_table.trigger",
                     "the trigger must know which channel an order is paid through; map the column "
                     "order_table.channel, or set trigger to false");
}

char *config_mapping_make(struct config_reader *reader, const struct config_slot *root)
{
    const struct config_key *section = config_key_child(&config_key_root, "order_table");
    const struct config_slot *slot = config_slot_child(&config_key_root, root, "order_table");
    if (!slot->value)
        return strdup("{}"); /* blamed already */
    json_t *mapping = mapping_object(section, slot->value);
    mapping_check(reader, mapping);
    char *text = json_dumps(mapping, JSON_COMPACT);
    json_decref(mapping);
    return text;
}

bool config_mapping_has(const char *mapping, const char *key)
{
    json_t *object = json_loads(mapping, JSON_REJECT_DUPLICATES, NULL);
    bool has = object && json_object_get(object, key) && is_given(object, key);
    json_decref(object);
    return has;
}
