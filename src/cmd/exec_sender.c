/* exec_sender.c - the verbs `send` and `check-config` of the program `runpost`: becomes the program
 * `runpost-sender`. Of all programs that one alone loads libcurl and libssl: loading them takes
 * longer than the ingest of a line. */

#include "cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/program.h"
#include "cmd/supervisor.h"

#define SENDER "runpost-sender"

/* The process stays, with its number and its words. Returns if it cannot; errno says why. */
static void become(const char *path, int argc, char **argv)
{
	char **words = calloc((size_t)argc + 2, sizeof words[0]);

	if (words == NULL)
		return;
	words[0] = program_invocation_name;
	memcpy(words + 1, argv, (size_t)argc * sizeof argv[0]);
	execv(path, words);
	free(words);
}

/* A copy of `runpost`, or a link to it, in the place of the sender would become itself for ever. */
static bool may_become(const char *verb)
{
	if (rp_program_marked() != NULL)
		rp_log_say("runpost %s: %s is not " SENDER ", but runpost once more; install "
			   "runpost again",
			   verb, (const char *)getauxval(AT_EXECFN));
	else if (!rp_program_mark())
		rp_log_say("runpost %s: %s", verb, strerror(errno));
	else
		return true;
	return false;
}

static int become_sender(int argc, char **argv)
{
	/* beside this program as in a build, or as `make install` lays it */
	static const char *const places[] = {"", "../libexec/runpost/"};
	char own[PATH_MAX], path[PATH_MAX + 64];
	int folder;
	size_t i;

	if (!may_become(argv[0]) || !rp_program_path(argv[0], own))
		return RP_EXIT_IO;
	folder = (int)(strrchr(own, '/') - own) + 1;
	for (i = 0; i < sizeof places / sizeof places[0]; i++) {
		snprintf(path, sizeof path, "%.*s%s%s", folder, own, places[i], SENDER);
		become(path, argc, argv);
		if (errno != ENOENT) {
			const int sys = errno;

			rp_log_say("runpost %s: cannot run %s: %s", argv[0], path, strerror(sys));
			return rp_err_exit_code(rp_err_of_errno(sys));
		}
		if (access(path, F_OK) == 0) {
			rp_log_say("runpost %s: cannot run %s: it is there, but the loader that it "
				   "names is not",
				   argv[0], path);
			return RP_EXIT_IO;
		}
	}
	rp_log_say("runpost %s: the program for it is not there: %.*s%s, nor %s; install "
		   "runpost again",
		   argv[0], folder, own, SENDER, path);
	return RP_EXIT_IO;
}

/* A signal that comes before the sender reads its signals is for the sender: it waits for it. */
int rp_cmd_send(int argc, char **argv)
{
	if (rp_stop_signals_hold() != 0) {
		rp_log_say("runpost send: cannot set up signals: %s", strerror(errno));
		return RP_EXIT_IO;
	}
	return become_sender(argc, argv);
}

int rp_cmd_check_config(int argc, char **argv)
{
	return become_sender(argc, argv);
}
