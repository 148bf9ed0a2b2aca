/* cli.h - options of the verbs. Each verb has one table, which parser and --help both read. */
#ifndef RP_CMD_CLI_H
#define RP_CMD_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"

struct rp_cli_option {
	const char *name;  /* without the dashes */
	const char *value; /* what its argument is called in the help; NULL: it takes none */
	const char *help;
	const char **text; /* set to the argument; used when there is a value */
	bool *flag;        /* set to true; used when there is none */
};

struct rp_cli {
	const char *verb;
	const char *summary; /* one or more sentences */
	const struct rp_cli_option *options;
	size_t n_options; /* at most RP_CLI_OPTIONS_MAX */
};
#define RP_CLI_OPTIONS_MAX 16

/* Reads argv. Options may stand anywhere after the verb, which is argv[0]. RP_CLI_GO_ON: go on.
 * Else the exit code to end with: 0 after --help, 64 after a usage error, which stderr has with a
 * hint. Operands are a usage error. */
#define RP_CLI_GO_ON (-1)
int rp_cli_parse(const struct rp_cli *cli, int argc, char **argv);

/* The same for a verb with operands, which the help calls `operands`. *first: where they begin in
 * argv, whose order is changed. */
int rp_cli_parse_operands(const struct rp_cli *cli, const char *operands, int argc, char **argv,
			  int *first);

/* "runpost VERB: message" and where to find help, on stderr. Returns 64. */
int rp_cli_usage_error(const char *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Loads the configuration and puts `outbox`, if given, in place of its directory. RP_CLI_GO_ON; or
 * the exit code, told on stderr. */
int rp_cli_settings(const char *verb, const char *config_path, const char *outbox,
		    struct rp_settings *out);

#endif
