/* stop.h - SIGINT and SIGTERM ask a verb to end; it does so where it can, and leaves things in
 * order. */
#ifndef RP_CTL_COMMON_STOP_H
#define RP_CTL_COMMON_STOP_H

#include <poll.h>
#include <stdbool.h>

#define RP_EXIT_INTERRUPTED 130

/* From here on the two signals only set a flag. Writes and waits are interrupted, also those that
 * begin later: who is asked to end does not wait more than a second for whoever reads stdout or
 * stderr, and what is left to say then is lost. */
void rp_stop_catch(void);
bool rp_stop_asked(void);
/* As poll(2), but a signal that came any time before ends it too. Result: as poll; -1 also when
 * asked to stop. */
int rp_stop_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

#endif
