/* supervisor.h - keeps N sender processes running: starts them, restarts those that die, passes
 * signals on.
 *
 * The parent opens no outbox: an LMDB environment must not cross fork. When the parent dies, the
 * kernel stops its children (SIGTERM), so no sender is left behind. */
#ifndef RP_DELIVER_SUPERVISOR_H
#define RP_DELIVER_SUPERVISOR_H

#include <stdbool.h>

#include "base/err.h"

/* Forks n children. Each runs `child(arg, number)`, with a number from 1 to n, and exits with its
 * result. Returns when all children have ended, and returns the exit code for the parent. 0: all
 * ended well, after a stop or by themselves. Else it is the code of a child that a restart would
 * not help (configuration, permission, not an outbox). A child that dies otherwise is started
 * again: at once when it had run for a second, else after a second.
 *
 * At a SIGHUP the parent calls `reload(arg)`, so that children started later begin with the new
 * settings. When reload returns true, the signal is passed on to the children that run. Children
 * begin with the signals of rp_stop_signals_hold held, so none is lost. */
int rp_supervise(unsigned n, int (*child)(void *arg, unsigned number), bool (*reload)(void *arg),
		 void *arg);

/* A signalfd for SIGTERM, SIGINT and SIGHUP, and with `children` for SIGCHLD. These signals no
 * longer end the process. The caller closes it. -1: errno says why. */
int rp_stop_signals(int children);

/* From now on SIGTERM, SIGINT and SIGHUP wait for rp_stop_signals; they do not end the process, nor
 * a program that it becomes. -1: errno says why. */
int rp_stop_signals_hold(void);

#endif
