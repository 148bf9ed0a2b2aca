/* config_limits.c - finds what holds for a URL: its policy, and its limits on each level. It is
 * asked for each path that a sender meets, so everything else was worked out with the file. */

#include "config/config.h"

#include "config/config_host.h"

struct place {
	const struct rp_policy *policy, *host;
};

static struct place place_of(const struct rp_config *config, const struct rp_url *url)
{
	struct place found = {&config->defaults, &config->defaults};
	size_t i, n, longest = 0;

	for (i = 0; i < config->n_endpoints; i++) {
		const struct rp_policy *section = &config->endpoints[i];

		if (!rp_config_is_of_host(section, url))
			continue;
		found.host = section;
		n = rp_url_match_prefix(&section->prefix, url);
		if (n > longest) {
			found.policy = section;
			longest = n;
		}
	}
	return found;
}

const struct rp_policy *rp_config_policy(const struct rp_config *config, const struct rp_url *url)
{
	return place_of(config, url).policy;
}

const struct rp_policy *rp_config_host(const struct rp_config *config, const struct rp_url *url)
{
	return place_of(config, url).host;
}

/* A window of its own would tell nothing that those of the paths and of the host do not. */
static struct rp_limits limits_of_section(const struct rp_policy *policy)
{
	unsigned in_flight = policy->shares_in_flight ? policy->in_flight : RP_CONFIG_IN_FLIGHT_MAX;

	return (struct rp_limits){.in_flight = in_flight,
				  .start = in_flight,
				  .rate = policy->shares_rate ? policy->rate : (struct rp_rate){0}};
}

void rp_config_limits(const struct rp_config *config, const struct rp_url *url,
		      struct rp_level_limits *out)
{
	struct place place = place_of(config, url);
	const struct rp_policy *policy = place.policy;

	*out = (struct rp_level_limits){
	    .at[RP_LEVEL_PATH] = {.in_flight = policy->in_flight,
				  .start = RP_WINDOW_START,
				  .rate = policy->rate,
				  .breaker = policy->breaker},
	    .at[RP_LEVEL_HOST] = {.in_flight = place.host->host_in_flight,
				  .start = RP_HOST_WINDOW_START,
				  .rate = place.host->host_rate,
				  .breaker = place.host->host_breaker},
	};
	if (!policy->shares_in_flight && !policy->shares_rate)
		return;
	out->section = rp_span_of(policy->name);
	out->at[RP_LEVEL_SECTION] = limits_of_section(policy);
	if (policy->shares_rate)
		out->at[RP_LEVEL_PATH].rate = (struct rp_rate){0};
}
