/* cmd_init.c - the verb `init`: creates an outbox, or brings that in a database up to date. Other
 * verbs create one too, but change none that others may be working with. */

#include "cmd/cmd.h"

#include <stdio.h>

#include "cmd/cli.h"
#include "store/outbox.h"

static int init_outbox(const struct rp_config *config)
{
	struct rp_outbox_options options = {
	    .map_bytes = config->map_bytes,
	    .quota_bytes = config->quota_bytes,
	    .disk_reserve_bytes = config->disk_reserve_bytes,
	};
	struct rp_outbox *ob = NULL;
	struct rp_error err = {0};
	enum rp_err rc = rp_outbox_open(rp_config_outbox(config), &options, &ob, &err);

	if (rc == RP_OK)
		fprintf(stderr, "runpost init: the outbox exists already, nothing was changed\n");
	if (rc == RP_ERR_NOTFOUND ||
	    (rc == RP_ERR_FORMAT && rp_outbox_is_database(rp_config_outbox(config)))) {
		options.create = options.upgrade = true;
		rc = rp_outbox_open(rp_config_outbox(config), &options, &ob, &err);
	}
	if (rc != RP_OK) {
		fprintf(stderr, "runpost init: %s\n", err.text);
		return rp_err_exit_code(rc);
	}
	printf("%s\n", rp_outbox_address(ob));
	rp_outbox_close(ob);
	return RP_EXIT_OK;
}

int rp_cmd_init(int argc, char **argv)
{
	const char *outbox = NULL, *config = NULL;
	const struct rp_cli_option options[] = {
	    {"outbox", "DIR", "where the outbox is to be (default: [outbox] dir)", &outbox, NULL},
	    {"config", "FILE", "configuration (default: " RP_SETTINGS_PATH " if it exists)",
	     &config, NULL},
	};
	const struct rp_cli cli = {
	    "init", "Creates an empty outbox, unless there is one already, and prints its path.",
	    options, sizeof options / sizeof options[0]};
	struct rp_settings settings;
	int code = rp_cli_parse(&cli, argc, argv);

	if (code == RP_CLI_GO_ON)
		code = rp_cli_settings("init", config, outbox, &settings);
	if (code != RP_CLI_GO_ON)
		return code;
	code = init_outbox(&settings.config);
	rp_settings_release(&settings);
	return code;
}
