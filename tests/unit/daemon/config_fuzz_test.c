/* The sample, cut and bitten at random from a fixed seed: loading ends in a configuration or in faults, never
 * in a crash, a leak, or neither. */
#include "fixture.h"

#include <stdint.h>

#define ROUNDS 5000

static uint64_t luck = 0x6d616b65676f6f64;

/* xorshift: the same on every machine. */
static size_t luck_below(size_t bound)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return (size_t)(luck % bound);
}

static size_t text_bite(char *text, size_t bytes)
{
    static const char bites[] = "\0\n\t :#-*&!|>'\"%@`{}[],?<~\x80\xff\xef\xbb\xbf"
                                "019azAZ";
    size_t kind = luck_below(5);
    size_t at = luck_below(bytes);
    size_t length = luck_below(40) < bytes - at ? luck_below(40) : 1;
    if (kind == 0)
        return at + 1; /* cut off */
    if (kind == 1) {
        text[at] = bites[luck_below(sizeof(bites) - 1)];
    } else if (kind == 2) {
        text[at] ^= (char)(1 << luck_below(8));
    } else if (length < bytes - at) {
        size_t from = luck_below(bytes - length);
        memmove(text + (kind == 3 ? at : from), text + (kind == 3 ? at + length : at),
                kind == 3 ? bytes - at - length : length); /* drop, or copy elsewhere */
        return kind == 3 ? bytes - length : bytes;
    }
    return bytes;
}

static void bitten_files_end_well(void **state)
{
    char *sample = sample_text(*state);
    size_t whole = strlen(sample);
    char *text = malloc(whole + 1);
    int loaded = 0;
    assert_non_null(text);
    for (int i = 0; i < ROUNDS; i++) {
        struct faults faults;
        struct config *config = NULL;
        size_t bytes = whole;
        memcpy(text, sample, whole);
        for (size_t bites = 1 + luck_below(6); bites > 0 && bytes > 64; bites--)
            bytes = text_bite(text, bytes);
        int result = text_load_bytes(*state, text, bytes, &config, &faults);
        assert_true(result == 0 ? config && faults.count == 0 : result == -22 && !config && faults.count > 0);
        for (size_t fault = 0; fault < faults.count; fault++)
            assert_true(faults.items[fault].text && *faults.items[fault].text && faults.items[fault].file);
        if (config)
            config_drop(config);
        loaded += result == 0;
        faults_finish(&faults);
    }
    assert_true(loaded > ROUNDS / 20 && loaded < ROUNDS - ROUNDS / 20); /* it bites, and not only to death */
    free(text);
    free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bitten_files_end_well)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
