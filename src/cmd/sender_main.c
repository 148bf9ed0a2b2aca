/* sender_main.c - the program `runpost-sender`: the verbs that need keys, certificates or libcurl.
 * `runpost` becomes it, see exec_sender.c, and hands its own words on. */

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/program.h"

static int run(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "send") == 0)
		return rp_cmd_send(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "check-config") == 0)
		return rp_cmd_check_config(argc - 1, argv + 1);
	rp_log_say("runpost-sender: `runpost send` starts this program; see `runpost send --help`");
	return RP_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	return rp_program(run, argc, argv);
}
