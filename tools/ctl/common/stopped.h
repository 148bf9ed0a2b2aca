/* stopped.h - who stands still with the outbox open? Linux's /proc knows what no lock tells. */
#ifndef RP_CTL_COMMON_STOPPED_H
#define RP_CTL_COMMON_STOPPED_H

#include <sys/types.h>

/* A process that is stopped (SIGSTOP, a debugger) and has DIR/data.mdb mapped, else one that has
 * DIR itself open, as while it opens the outbox; the lowest pid of several. 0: none is found; one
 * of another user cannot be looked into, and a frozen container does not count as stopped. */
pid_t rp_stopped_find(const char *dir);

#endif
