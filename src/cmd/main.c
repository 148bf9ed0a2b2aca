/* main.c - the program `runpost`. It only finds the verb; each verb has a file of its own. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cli.h"
#include "cmd/cmd.h"
#include "cmd/program.h"

static int cmd_settings(int argc, char **argv)
{
	const struct rp_cli cli = {"settings",
				   "Prints every setting of the configuration file: its section, "
				   "name, unit, default and meaning.",
				   NULL, 0};
	const struct rp_setting_info *s;
	const char *section = "";
	int code = rp_cli_parse(&cli, argc, argv);
	size_t i;

	if (code != RP_CLI_GO_ON)
		return code;
	for (i = 0; (s = rp_config_setting(i)) != NULL; i++) {
		if (strcmp(section, s->section) != 0)
			printf("%s[%s]\n", i > 0 ? "\n" : "", s->section);
		section = s->section;
		printf("  %-22s %-10s %-18s %s\n", s->name, s->unit, s->default_text, s->help);
	}
	return RP_EXIT_OK;
}

static const struct {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} verbs[] = {
    {"init", "create an empty outbox", rp_cmd_init},
    {"ingest", "store completed runs from standard input, print a receipt for each", rp_cmd_ingest},
    {"serve", "take completed runs over HTTP, from an engine that POSTs webhooks", rp_cmd_serve},
    {"send", "deliver what is in the outbox", rp_cmd_send},
    {"demo", "show all of it at work on this machine", rp_cmd_demo},
    {"check-config", "check the configuration and the secrets, show what holds for a URL",
     rp_cmd_check_config},
    {"sign-url", "make the URL by which the front door takes runs for another one",
     rp_cmd_sign_url},
    {"settings", "print the settings of the configuration file", cmd_settings},
};

static void print_help(void)
{
	size_t i;

	printf("usage: runpost VERB [OPTION ...]\n\nA durable outbox for the webhooks of completed "
	       "runs.\n\n");
	for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		printf("  %-12s %s\n", verbs[i].name, verbs[i].summary);
	printf("\n`runpost VERB --help` tells the options of a verb; `runpost --version` the "
	       "version.\n");
}

static int run_verb(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(argv[0], verbs[i].name) == 0)
			return verbs[i].run(argc, argv);
	rp_log_say("runpost: there is no verb \"%s\"; see `runpost --help`", argv[0]);
	return RP_EXIT_USAGE;
}

static int run_program(int argc, char **argv)
{
	char help[] = "--help", *help_argv[3] = {NULL, help, NULL};

	if (argc < 2) {
		rp_log_say("runpost: a verb is missing; see `runpost --help`");
		return RP_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("runpost %s\n", RP_VERSION);
		return RP_EXIT_OK;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2) {
		help_argv[0] = argv[2];
		return run_verb(2, help_argv);
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
		print_help();
		return RP_EXIT_OK;
	}
	return run_verb(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	return rp_program(run_program, argc, argv);
}
