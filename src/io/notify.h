/* What systemd is told (sd_notify's protocol, in a few lines): datagrams to $NOTIFY_SOCKET. Loop's thread
 * only. Every function does nothing when nobody listens, and never blocks. */
#ifndef MAKEGOOD_NOTIFY_H
#define MAKEGOOD_NOTIFY_H

#include <stdint.h>

void notify_ready(void); /* also ends a reload */
void notify_reloading(void);
void notify_stopping(int64_t bound_ms); /* also asks for that much time, and a second */
void notify_status(const char *text);   /* one line */
void notify_watchdog(void);

/* How often systemd wants to hear notify_watchdog of this process; 0: never. Feed at half of it. */
int64_t notify_watchdog_interval_ms(void);

#endif
