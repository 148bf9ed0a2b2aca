#include "stop.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t asked;

static void on_signal(int sig)
{
	(void)sig;
	asked = 1;
}

void rp_stop_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool rp_stop_asked(void)
{
	return asked != 0;
}

int rp_stop_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
	sigset_t block, before;
	int got;

	/* Blocked but for the wait itself, so that none falls between the look at the flag and the wait. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	got = asked ? -1 : ppoll(fds, n, timeout_ms >= 0 ? &limit : NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return asked ? -1 : got;
}
