/* supervisor.h - keeps N sender processes running: starts them, restarts one that dies, passes
 * signals on.
 *
 * The parent opens no outbox: an LMDB environment must not cross fork. A child whose parent dies
 * is stopped by the kernel (SIGTERM), so no sender is left behind. */
#ifndef RP_DELIVER_SUPERVISOR_H
#define RP_DELIVER_SUPERVISOR_H

#include <stdbool.h>

#include "base/err.h"

/* Forks n children that run `child(arg, number)` (number 1..n) and exit with its result. Returns
 * the exit code for the parent: 0 when all ended well after a stop or by themselves; else that of
 * a child that cannot be helped by a restart (configuration, permission, foreign outbox). A child
 * that dies otherwise is started again: at once when it had run for a second, else after one.
 *
 * SIGHUP: `reload(arg)` is called in the parent, so that children started later begin with what is
 * in force; when it says true the signal is passed on to those that run. Children begin with
 * SIGHUP blocked: none is lost on them. */
int rp_supervise(unsigned n, int (*child)(void *arg, unsigned number), bool (*reload)(void *arg),
		 void *arg);

/* A signalfd that becomes readable when the process gets SIGTERM, SIGINT or SIGHUP, which no
 * longer end it, and with `children` also SIGCHLD. -1 with errno. */
int rp_stop_signals(int children);

/* From now on a SIGHUP waits for rp_stop_signals instead of ending the process. -1 with errno. */
int rp_reload_signal_hold(void);

#endif
