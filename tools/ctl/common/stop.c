/* stop.c - notes that the user asked for an end. Handlers cannot do more than that, so verbs ask
 * for it where they can stop. */

#include "ctl/common/stop.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* From the first signal to the next, and from there on: a reader that is only slow gets all that
 * is left to say. */
enum { AGAIN_AFTER_MS = 1000, AGAIN_EVERY_MS = 100 };

static volatile sig_atomic_t asked, can_repeat;
static timer_t again;

/* A signal that came just before a write has begun does not interrupt it, nor does it interrupt
 * the write after the one that it ended: where nobody reads, either would wait for ever. So it
 * comes again. */
static void on_signal(int sig)
{
	static const struct itimerspec when = {
	    .it_value = {.tv_sec = AGAIN_AFTER_MS / 1000},
	    .it_interval = {.tv_nsec = AGAIN_EVERY_MS * 1000000L}};

	(void)sig;
	if (!asked && can_repeat)
		timer_settime(again, 0, &when, NULL);
	asked = 1;
}

void rp_stop_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct sigevent repeat = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};

	if (!can_repeat)
		can_repeat = timer_create(CLOCK_MONOTONIC, &repeat, &again) == 0;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool rp_stop_asked(void)
{
	return asked != 0;
}

int rp_stop_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec limit = {.tv_sec = timeout_ms / 1000,
				 .tv_nsec = timeout_ms % 1000 * 1000000L};
	sigset_t block, before;
	int got;

	/* Blocked but for the wait itself, so that none falls between the look at the flag and the
	 * wait. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	got = asked ? -1 : ppoll(fds, n, timeout_ms >= 0 ? &limit : NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return asked ? -1 : got;
}
