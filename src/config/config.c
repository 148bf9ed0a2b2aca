/* config.c - owns the settings: their memory and their defaults. The files beside it parse, store,
 * look up, show and complain. */

#include "config/config.h"

#include <stdlib.h>

#include "config/config_door.h"
#include "config/config_file.h"
#include "config/config_host.h"
#include "config/config_value.h"

static void policy_finish(struct rp_policy *policy)
{
	policy->guard.allow = policy->allow;
	policy->guard.n_allow = policy->n_allow;
}

void rp_config_init(struct rp_config *config)
{
	const struct rp_setting *s;
	size_t i;

	memset(config, 0, sizeof *config);
	for (i = 0; (s = rp_setting_at(i)) != NULL; i++)
		rp_setting_reset(s, config);
	config->outbox_dir = rp_setting_find(RP_SECTION_OUTBOX, "dir")->info.default_text;
	rp_config_init_door(&config->door);
	config->defaults.name = rp_section_names[RP_SECTION_DEFAULTS];
	policy_finish(&config->defaults);
	rp_config_settle_hosts(config);
}

void rp_config_release(struct rp_config *config)
{
	rp_config_free_copies(config);
	free(config->endpoints);
	memset(config, 0, sizeof *config);
}

static void config_reset(struct rp_config *config)
{
	rp_config_release(config);
	rp_config_init(config);
}

enum rp_err rp_config_parse(struct rp_config *config, const char *file, struct rp_span text,
			    struct rp_error *err)
{
	struct rp_config_parser p = {.config = config, .file = file, .err = err};
	size_t i;

	config_reset(config);
	if (rp_config_read(&p, rp_span_after_bom(text)) != RP_OK) {
		config_reset(config);
		return p.code;
	}
	policy_finish(&config->defaults);
	config->redacts = config->defaults.redact_path;
	config->drops = config->defaults.drop.n > 0;
	for (i = 0; i < config->n_endpoints; i++) {
		policy_finish(&config->endpoints[i]);
		config->redacts = config->redacts || config->endpoints[i].redact_path;
		config->drops = config->drops || config->endpoints[i].drop.n > 0;
	}
	rp_config_settle_hosts(config);
	return RP_OK;
}

static const struct rp_cuts *find_cuts(const void *config, const struct rp_url *url)
{
	return &rp_config_policy(config, url)->drop;
}

struct rp_run_cuts rp_config_cuts(const struct rp_config *config)
{
	return (struct rp_run_cuts){config->drops ? find_cuts : NULL, config};
}

bool rp_policy_is_signed(const struct rp_policy *policy)
{
	return policy->secret_file != NULL || policy->secret_env != NULL ||
	       policy->secret_credential != NULL;
}
