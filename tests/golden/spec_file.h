/* A channel's specification from a JSON file whose keys are those of the configuration. Test only; strict: an
 * unknown key or a wrong type ends the program with a sentence, so that no case passes because of a
 * misspelling. */
#ifndef MAKEGOOD_TESTS_SPEC_FILE_H
#define MAKEGOOD_TESTS_SPEC_FILE_H

#include <jansson.h>

#include "channel/http_channel.h"

#define SPEC_BLOCKS_MAX 256

struct spec_file {
    struct http_channel_spec spec; /* points into json and blocks */
    json_t *json;
    void *blocks[SPEC_BLOCKS_MAX];
    unsigned block_count;
};

void spec_file_load(struct spec_file *file, const char *path);
void spec_file_finish(struct spec_file *file);

#endif
