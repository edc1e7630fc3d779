/* Compiling the common head of a channel. Called by every create function of this floor; keeps nothing of what it was
 * given. */
#include "channel/head.h"

#include <stdio.h>
#include <stdlib.h>

void head_compile(struct channel *head, const char *name, const struct transport *transport,
                  struct blame *blame)
{
    if (!name || !channel_name_is_valid(name))
        blame_key(blame, "name", "a channel's name has 1 to %d small letters, digits, \"_\" or \"-\"",
                  CHANNEL_BYTES - 1);
    snprintf(head->name, sizeof(head->name), "%s", name ? name : "");
    head->transport = *transport;
    head->transport.ca_file = blame_copy(blame, transport->ca_file);
    head->transport.proxy = blame_copy(blame, transport->proxy);
    if (transport->body_max_bytes <= 0)
        blame_key(blame, "body_max", "the cap on an answer's body must be at least one byte, as 64KiB");
}

void head_ends(struct channel *head, int64_t end)
{
    if (end > 0 && (!head->credential_end || end < head->credential_end))
        head->credential_end = end;
}

void head_finish(struct channel *head)
{
    free(head->transport.ca_file);
    free(head->transport.proxy);
}
