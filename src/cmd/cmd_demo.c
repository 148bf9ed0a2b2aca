/* cmd_demo.c - the verb `demo`: becomes a shell that runs demo.sh, which the Makefile quotes for C.
 * It is apart from the other verbs because it uses the programs as a user does: it reads no
 * configuration and opens no outbox. */
#include "cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cli.h"
#include "cmd/program.h"

static const char script[] =
#include "src/cmd/demo.sh.inc"
    ;

/* A shell cannot trap a signal that was ignored when it began, as after & in a script. */
static void take_stop_signals(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

static int run_script(const char *runs, bool keep)
{
	char self[PATH_MAX];

	/* The programs beside this one, as they were just built, not those that PATH finds. */
	if (!rp_program_path("demo", self))
		return RP_EXIT_IO;
	take_stop_signals();
	execl("/bin/sh", "sh", "-c", script, "runpost demo", self, runs != NULL ? runs : "",
	      keep ? "keep" : "", (char *)NULL);
	rp_log_say("runpost demo: cannot run /bin/sh: %s", strerror(errno));
	return RP_EXIT_IO;
}

int rp_cmd_demo(int argc, char **argv)
{
	const char *runs = NULL;
	bool keep = false;
	const struct rp_cli_option options[] = {
	    {"runs", "FILE",
	     "completed runs to use, one JSON object a line (default: three of its own)", &runs,
	     NULL},
	    {"keep", NULL, "leave the folder with outbox, configuration and logs", NULL, &keep},
	};
	const struct rp_cli cli = {"demo",
				   "Shows the whole way of a run on this machine: ingest, two "
				   "senders, a receiver that fails at first, a "
				   "dead\n"
				   "letter and its replay, the operator's screens. It sends to "
				   "receivers of its own only, in a temporary "
				   "folder.\n"
				   "Exit: 0 if every step did what it says, 1 if one did not, 64 "
				   "usage, 66 a program or FILE is missing,\n73 or 74 the "
				   "temporary folder cannot be made or used.",
				   options, sizeof options / sizeof options[0]};
	int code = rp_cli_parse(&cli, argc, argv);

	return code == RP_CLI_GO_ON ? run_script(runs, keep) : code;
}
