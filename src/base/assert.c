/* assert.c - ends the program for a bug of ours. It stands apart so that a signal handler can
 * ask whether one of our own assertions has failed. */

#include "base/assert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static _Thread_local volatile sig_atomic_t failed;

void rp_abort(const char *line)
{
	failed = 1;
	rp_log_last(line);
	abort();
}

void rp_assert_failed(const char *what, const char *file, int line)
{
	char text[512];

	snprintf(text, sizeof text, "%s:%d: assertion failed, which is a bug of runpost: %.300s\n",
		 file, line, what);
	rp_abort(text);
}

bool rp_assert_has_failed(void)
{
	return failed != 0;
}
