/* makegood config: every key for people, or the sample file. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/commands.h"
#include "daemon/config.h"

int command_config(const struct options *options)
{
    if (options->sample)
        config_print_sample(stdout);
    else
        config_print_keys(stdout);
    return EXIT_SUCCESS;
}
