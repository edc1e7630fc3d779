/* makegood config: every key for people, or the sample file. */
#include <stdio.h>

#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/say.h"

int command_config(const struct options *options)
{
    if (options->sample)
        config_print_sample(stdout);
    else
        config_print_keys(stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    say_fault("the output can not be written; make room, or send it elsewhere");
    return 1;
}
