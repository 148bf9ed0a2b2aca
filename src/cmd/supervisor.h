/* supervisor.h - keeps worker processes running: starts them, restarts those that die, passes
 * signals on.
 *
 * The parent opens no outbox: an LMDB environment must not cross fork. When the parent dies, the
 * kernel stops its workers (SIGTERM), so none is left behind. */
#ifndef RP_CMD_SUPERVISOR_H
#define RP_CMD_SUPERVISOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* How a worker ended: `exit` is -1 after a signal, `signal` 0 after an exit. */
struct rp_worker_end {
	unsigned number;
	pid_t pid;
	int exit, signal;
};

struct rp_workers {
	unsigned n;
	/* Workers 1 to n_vital: without them the service makes no sense. */
	unsigned n_vital;
	/* A vital worker that ends well by itself ends the service; else it is done, and the others
	 * go on. */
	bool ends_with_vital;
	/* In the worker `number`, from 1 to n, which exits with the result. */
	int (*run)(void *arg, unsigned number);
	/* In the parent, at a SIGHUP: workers started later begin with the new settings. true: the
	 * signal is passed on to those that run. */
	bool (*reload)(void *arg);
	void (*log_end)(const struct rp_worker_end *end);
	void *arg;
};

/* Forks the workers. Returns when all have ended, and returns the exit code for the parent. 0: all
 * ended well, after a stop or by themselves. Else it is the code of a vital worker that a restart
 * would not help (configuration, permission, not an outbox). A worker that dies otherwise is
 * started again: at once when it had run for a second, else after a second.
 *
 * Workers begin with the signals of rp_stop_signals_hold held, so none is lost. */
int rp_supervise(const struct rp_workers *workers);

/* A signalfd for SIGTERM, SIGINT and SIGHUP, and with `children` for SIGCHLD. These signals no
 * longer end the process. The caller closes it. -1: errno says why. */
int rp_stop_signals(int children);

/* From now on SIGTERM, SIGINT and SIGHUP wait for rp_stop_signals; they do not end the process, nor
 * a program that it becomes. -1: errno says why. */
int rp_stop_signals_hold(void);

#endif
