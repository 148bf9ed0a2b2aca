/* cli.c - parses options and prints help, both from the verb's table. It is apart so that a
 * verb's file has only what the verb does. */

#include "cmd/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "config/database_url.h"

#define HELP_KEY 1000

int rp_cli_usage_error(const char *verb, const char *fmt, ...)
{
	char text[RP_ERROR_TEXT_MAX + 100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	rp_log_say("runpost %s: %s; see `runpost %s --help`", verb, text, verb);
	return RP_EXIT_USAGE;
}

static void print_option(const char *name, const char *value, const char *help)
{
	char left[64];

	snprintf(left, sizeof left, "--%s%s%s", name, value != NULL ? " " : "",
		 value != NULL ? value : "");
	printf("  %-18s %s\n", left, help);
}

static void print_help(const struct rp_cli *cli, const char *operands)
{
	size_t i;

	printf("usage: runpost %s", cli->verb);
	for (i = 0; i < cli->n_options; i++)
		printf(" [--%s%s%s]", cli->options[i].name,
		       cli->options[i].value != NULL ? " " : "",
		       cli->options[i].value != NULL ? cli->options[i].value : "");
	if (operands != NULL)
		printf(" [%s ...]", operands);
	printf("\n\n%s\n\n", cli->summary);
	for (i = 0; i < cli->n_options; i++)
		print_option(cli->options[i].name, cli->options[i].value, cli->options[i].help);
	print_option("help", NULL, "print this text");
}

/* A mistyped --webhook=URL must not put the URL's token on the screen: values are not repeated. */
static int parse_error(const struct rp_cli *cli, int key, char **argv)
{
	const char *option = argv[optind - 1];
	int n = (int)strcspn(option, "=");

	if (key == ':')
		return rp_cli_usage_error(cli->verb, "%.*s needs a value", n, option);
	return rp_cli_usage_error(cli->verb,
				  "%.*s is not one of its options, or has a value it does not take",
				  n, option);
}

int rp_cli_parse_operands(const struct rp_cli *cli, const char *operands, int argc, char **argv,
			  int *first)
{
	struct option table[RP_CLI_OPTIONS_MAX + 2] = {{0}};
	size_t i;
	int key;

	assert(cli->n_options <= RP_CLI_OPTIONS_MAX);
	for (i = 0; i < cli->n_options; i++) {
		table[i].name = cli->options[i].name;
		table[i].has_arg = cli->options[i].value != NULL ? required_argument : no_argument;
		table[i].val = (int)i + 1;
	}
	table[i].name = "help";
	table[i].val = HELP_KEY;
	opterr = 0;
	optind = 0;
	while ((key = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (key == HELP_KEY) {
			print_help(cli, operands);
			return RP_EXIT_OK;
		}
		if (key == '?' || key == ':')
			return parse_error(cli, key, argv);
		i = (size_t)key - 1;
		if (cli->options[i].value != NULL)
			*cli->options[i].text = optarg;
		else
			*cli->options[i].flag = true;
	}
	*first = optind;
	return RP_CLI_GO_ON;
}

int rp_cli_parse(const struct rp_cli *cli, int argc, char **argv)
{
	int first = argc, code = rp_cli_parse_operands(cli, NULL, argc, argv, &first);

	if (code == RP_CLI_GO_ON && first < argc)
		return rp_cli_usage_error(cli->verb,
					  "it takes only options, and %d of the arguments %s none",
					  argc - first, argc - first == 1 ? "is" : "are");
	return code;
}

int rp_cli_settings(const char *verb, const char *config_path, const char *outbox,
		    struct rp_settings *out)
{
	struct rp_error err = {0};

	if (outbox != NULL && rp_database_url_is(outbox) && rp_database_url_has_password(outbox))
		return rp_cli_usage_error(verb, "--outbox: " RP_DATABASE_URL_PASSWORD);
	if (rp_settings_load(config_path, out, &err) != RP_OK) {
		rp_log_say("runpost %s: %s", verb, err.text);
		return rp_settings_exit_code(err.code);
	}
	if (outbox != NULL) {
		out->config.outbox_dir = outbox;
		out->config.outbox_url = NULL;
	}
	return RP_CLI_GO_ON;
}
