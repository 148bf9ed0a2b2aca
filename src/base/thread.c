/* thread.c - starts a thread that blocks all signals but those of its own faults. It is apart
 * because every thread of ours needs exactly that. */

#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

int rp_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	sigset_t mask, before;
	size_t i;
	int rc;

	sigfillset(&mask);
	for (i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&mask, faults[i]);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	rc = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
