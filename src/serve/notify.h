/* notify.h - tells systemd how a service is (sd_notify(3)): that it is ready, alive, or about to
 * stop. Without a NOTIFY_SOCKET in the environment all of it does nothing.
 *
 * The protocol is a datagram to a unix socket: no library is needed for it. Nothing waits: a
 * datagram that the socket cannot take is lost, and the next one says the same. */
#ifndef RP_SERVE_NOTIFY_H
#define RP_SERVE_NOTIFY_H

#include <stdint.h>

/* Lines such as "READY=1\nSTATUS=...". */
void rp_notify(const char *lines);

/* How often "WATCHDOG=1" has to be said: half of what WATCHDOG_USEC asks for. 0: never. */
int64_t rp_notify_watchdog_ms(void);

#endif
