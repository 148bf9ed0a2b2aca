/* sender_main.c - the program `runpost-sender`: the verbs that need keys, certificates or libcurl.
 * `runpost` becomes it, see exec_sender.c, and hands its own words on. */

#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/program.h"

/* Parts of two installations: what one verb accepts the other may not know. */
static bool is_of_another_version(char **argv)
{
	const char *version = rp_program_marked();

	if (version == NULL || strcmp(version, rp_program_version) == 0)
		return false;
	rp_log_say("runpost %s: runpost is of version %s, but %s of version %s; "
		   "install runpost again",
		   argv[1], version, (const char *)getauxval(AT_EXECFN), rp_program_version);
	return true;
}

static int run(int argc, char **argv)
{
	if (argc > 1 && is_of_another_version(argv))
		return RP_EXIT_IO;
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
