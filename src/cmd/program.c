/* program.c - begins and ends the programs. It is apart because there are two of them. */

#include "cmd/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/sys.h"
#include "store/outbox.h"

#define MARK "RUNPOST_BECOMES"

const char rp_program_version[] = RP_VERSION;

int rp_program(int (*run)(int argc, char **argv), int argc, char **argv)
{
	int code;

	if (!rp_sys_hold_stdio())
		return RP_EXIT_IO; /* there is nowhere to say it */
	rp_outbox_end_on_damage("runpost");
	code = run(argc, argv);

	if (fflush(stdout) != 0) {
		rp_log_say("runpost: cannot write to standard output: %s", strerror(errno));
		return code == RP_EXIT_OK ? RP_EXIT_IO : code;
	}
	return code;
}

bool rp_program_mark(void)
{
	char mark[64];

	snprintf(mark, sizeof mark, "%ld %s", (long)getpid(), rp_program_version);
	return setenv(MARK, mark, 1) == 0;
}

const char *rp_program_marked(void)
{
	static char version[32];
	const char *mark = getenv(MARK);
	long pid;
	bool own =
	    mark != NULL && sscanf(mark, "%ld %31s", &pid, version) == 2 && pid == (long)getpid();

	unsetenv(MARK);
	return own ? version : NULL;
}

bool rp_program_path(const char *verb, char *out)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	if (n >= 0) {
		out[n] = '\0';
		return true;
	}
	/* Without /proc, as in a bare chroot: what it was started by, from the same folder. */
	if (realpath((const char *)getauxval(AT_EXECFN), out) != NULL)
		return true;
	rp_log_say("runpost %s: cannot tell where this program is (/proc is not there): %s", verb,
		   strerror(errno));
	return false;
}
