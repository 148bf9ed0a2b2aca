/* config_limits.c - finds what holds for a URL: its policy, and its limits on each level. It is
 * asked for each path that a sender meets, so everything else was worked out with the file. */

#include "config/config.h"

#include "config/config_host.h"

/* NULL: no section is for this host. */
static const struct rp_policy *first_of_host(const struct rp_config *config,
					     const struct rp_url *url)
{
	const struct rp_policy *first = config->first_host;

	while (first != NULL && !rp_config_is_of_host(first, url))
		first = first->next_host;
	return first;
}

static const struct rp_policy *longest_match(const struct rp_config *config,
					     const struct rp_policy *first,
					     const struct rp_url *url)
{
	const struct rp_policy *best = &config->defaults, *section;
	size_t n, longest = 0;

	for (section = first; section != NULL; section = section->next_of_host) {
		n = rp_url_match_prefix(&section->prefix, url);
		if (n > longest) {
			best = section;
			longest = n;
		}
	}
	return best;
}

const struct rp_policy *rp_config_policy(const struct rp_config *config, const struct rp_url *url)
{
	return longest_match(config, first_of_host(config, url), url);
}

const struct rp_policy *rp_config_host(const struct rp_config *config, const struct rp_url *url)
{
	const struct rp_policy *first = first_of_host(config, url);

	return first != NULL ? first : &config->defaults;
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
	const struct rp_policy *first = first_of_host(config, url);
	const struct rp_policy *host = first != NULL ? first : &config->defaults;
	const struct rp_policy *policy = longest_match(config, first, url);

	*out = (struct rp_level_limits){
	    .at[RP_LEVEL_PATH] = {.in_flight = policy->in_flight,
				  .start = RP_WINDOW_START,
				  .rate = policy->rate,
				  .breaker = policy->breaker},
	    .at[RP_LEVEL_HOST] = {.in_flight = host->host_in_flight,
				  .start = RP_HOST_WINDOW_START,
				  .rate = host->host_rate,
				  .breaker = host->host_breaker},
	};
	if (!policy->shares_in_flight && !policy->shares_rate)
		return;
	out->section = rp_span_of(policy->name);
	out->at[RP_LEVEL_SECTION] = limits_of_section(policy);
	if (policy->shares_rate)
		out->at[RP_LEVEL_PATH].rate = (struct rp_rate){0};
}
