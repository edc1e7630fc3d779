/* Templates and URLs, from hostile configurations and hostile rows: lines of template, number and channel_data. Where the
 * template holds no control character, what comes out of it holds none; and no row chooses whom we ask. */
#include <stdlib.h>
#include <string.h>

#include "channel/json.h"
#include "channel/template.h"
#include "channel/url.h"
#include "fuzz.h"

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* One line of the input, moved past it. */
static char *line_take(const uint8_t **at, size_t *left)
{
    const uint8_t *end = *left ? memchr(*at, '\n', *left) : NULL;
    size_t length = end ? (size_t)(end - *at) : *left;
    char *line = strndup((const char *)*at, length);
    fuzz_demand(line != NULL, "there is memory");
    *at += length + (end != NULL);
    *left -= length + (end != NULL);
    return line;
}

static void expand_check(const char *text, const struct template_values *values, struct blame *blame)
{
    struct template template;
    const char *why = NULL;
    template_compile(&template, text, SCOPE_ORDER, "fuzz", blame);
    for (int place = PLACE_URL; !blame->error && place <= PLACE_SIGNED; place++) {
        struct draft draft = {0};
        int error = template_expand(&template, values, (enum template_place)place, &draft, &why);
        char *out = error ? NULL : draft_take(&draft);
        fuzz_demand(out || (why && *why), "what can not be expanded has a reason");
        fuzz_demand(!out || has_control(text) || !has_control(out),
                    "no control character comes in by a value");
        free(out);
        draft_drop(&draft);
    }
    template_finish(&template);
}

static void url_check(const char *text, const struct template_values *values, struct blame *blame)
{
    struct template template;
    char *url = NULL;
    const char *why = NULL;
    size_t host = strncmp(text, "https://", 8) == 0 ? 8 + strcspn(text + 8, "/?#") : 0;
    url_compile(&template, text, false, "fuzz", blame);
    if (!blame->error && url_build(&template, values, &url, &why) == 0) {
        fuzz_demand(host > 8 && strncmp(url, text, host) == 0, "the host is the configuration's");
        fuzz_demand(strchr("/?", url[host]) != NULL, "the host ends where the configuration ends it");
        fuzz_demand(!has_control(url) && !strpbrk(url, " #\"<>\\"), "a URL is one");
    }
    free(url);
    template_finish(&template);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct moment moment = {.unix_ms = 1700000000123, .nonce = "00", .request_id = "mg-1-2"};
    const struct money_form form = {.decimal = false};
    struct lost_order order = {.order_no = "A1", .amount_minor = 1234, .currency = "EUR"};
    struct faults faults;
    struct faults url_faults;
    faults_init(&faults);
    faults_init(&url_faults);
    char *text = line_take(&bytes, &length);
    char *number = line_take(&bytes, &length);
    char *data_text = line_take(&bytes, &length);
    if (order_number_is_valid(number))
        memcpy(order.number, number, strlen(number) + 1);
    json_t *data = json_load_strict(data_text, strlen(data_text), CHANNEL_DATA_BYTES);
    struct template_values values = {
        .order = &order, .moment = &moment, .form = &form, .data = json_is_object(data) ? data : NULL};
    expand_check(text, &values, &(struct blame){.faults = &faults});
    url_check(text, &values, &(struct blame){.faults = &url_faults});
    json_decref(data);
    free(text);
    free(number);
    free(data_text);
    faults_finish(&faults);
    faults_finish(&url_faults);
    return 0;
}
