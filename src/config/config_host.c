/* config_host.c - brings together what is said of one host in several places of a file, and
 * complains of what does not fit. It is apart from the sections, which can be judged one by one. */

#include "config/config_host.h"

#include <stdio.h>

#include "base/assert.h"
#include "config/config_error.h"

/* A limit of each level below the host, and the one of the host that it must fit under. */
static const char *const pairs[][2] = {{"in_flight", "host_in_flight"}, {"rate", "host_rate"}};
#define N_PAIRS (sizeof pairs / sizeof pairs[0])

static const struct rp_setting *setting(const char *name)
{
	const struct rp_setting *s = rp_setting_find(RP_SECTION_ENDPOINT, name);

	assert(s != NULL);
	return s;
}

bool rp_config_is_of_host(const struct rp_policy *section, const struct rp_url *url)
{
	struct rp_url root = section->prefix;

	root.path.len = 0;
	return rp_url_match_prefix(&root, url) != 0;
}

/* The line on which the section itself sets it; 0: it inherits it, or nobody sets it. */
static unsigned own_line(const struct rp_config *config, const struct rp_policy *policy,
			 const struct rp_setting *s)
{
	bool inherited;
	unsigned line = rp_config_line_of_value(config, policy, rp_setting_index(s), 0, &inherited);

	return inherited ? 0 : line;
}

/* The first section of the host that sets it, else the defaults if they do. NULL: nobody. */
static const struct rp_policy *setter(const struct rp_config *config, const struct rp_policy *of,
				      const struct rp_setting *s)
{
	size_t i;

	for (i = 0; of != &config->defaults && i < config->n_endpoints; i++)
		if (own_line(config, &config->endpoints[i], s) != 0 &&
		    rp_config_is_of_host(&config->endpoints[i], &of->prefix))
			return &config->endpoints[i];
	return own_line(config, &config->defaults, s) != 0 ? &config->defaults : NULL;
}

/* ---- what contradicts ---- */

/* A number of requests at once is compared as so many in one unit of time. */
static struct rp_rate value_of(const struct rp_policy *policy, const struct rp_setting *s)
{
	const void *at = (const char *)policy + s->offset;

	if (s->kind == RP_KIND_RATE)
		return *(const struct rp_rate *)at;
	assert(s->kind == RP_KIND_COUNT);
	return (struct rp_rate){*(const unsigned *)at, 1};
}

/* Count 0 is no limit: for a host more than anything, for a section nothing that it asks for. */
static bool is_less(struct rp_rate a, struct rp_rate b)
{
	return a.count > 0 && (uint64_t)a.count * b.period_ms < (uint64_t)b.count * a.period_ms;
}

static bool is_same(struct rp_rate a, struct rp_rate b)
{
	if (a.count == 0 || b.count == 0)
		return a.count == b.count;
	return !is_less(a, b) && !is_less(b, a);
}

static const char *text_of(const struct rp_policy *policy, const struct rp_setting *s,
			   char out[RP_RATE_TEXT_MAX])
{
	struct rp_rate v = value_of(policy, s);

	if (s->kind == RP_KIND_RATE)
		return v.count > 0 ? rp_rate_format(v, out) : "none";
	snprintf(out, RP_RATE_TEXT_MAX, "%u", v.count);
	return out;
}

/* A host has one limit, so its sections must not differ in it. */
static bool agreement_check(struct rp_config_parser *p, const struct rp_policy *policy,
			    const struct rp_setting *s)
{
	const struct rp_config *c = p->config;
	const struct rp_policy *first = setter(c, policy, s);
	char label[RP_CONFIG_LABEL_BYTES], other[RP_CONFIG_LABEL_BYTES];
	char ours[RP_RATE_TEXT_MAX], theirs[RP_RATE_TEXT_MAX];

	if (own_line(c, policy, s) == 0 || is_same(value_of(policy, s), value_of(first, s)))
		return true;
	return rp_config_fail_at(
	    p, own_line(c, policy, s),
	    "%s %s = %s: %s is for the same host and sets %s on line %u; accepted: the same in "
	    "both, or in one of them alone",
	    rp_config_label_of(policy, label), s->info.name, text_of(policy, s, ours),
	    rp_config_label_of(first, other), text_of(first, s, theirs), own_line(c, first, s));
}

/* What a section asks for must fit into what its host may have. */
static bool room_check(struct rp_config_parser *p, const struct rp_policy *policy,
		       const struct rp_setting *s, const struct rp_setting *of_host)
{
	const struct rp_config *c = p->config;
	const struct rp_policy *host = setter(c, policy, of_host);
	char label[RP_CONFIG_LABEL_BYTES], other[RP_CONFIG_LABEL_BYTES];
	char room_ours[RP_RATE_TEXT_MAX], room_theirs[RP_RATE_TEXT_MAX];
	const char *ours = text_of(policy, s, room_ours), *theirs;

	if (host == NULL || own_line(c, policy, s) == 0 ||
	    !is_less(value_of(host, of_host), value_of(policy, s)))
		return true;
	theirs = text_of(host, of_host, room_theirs);
	return rp_config_fail_at(
	    p, own_line(c, policy, s),
	    "%s %s = %s: more than its host may have, %s %s = %s on line %u; accepted: at most %s, "
	    "or %s = %s or more %s",
	    rp_config_label_of(policy, label), s->info.name, ours, rp_config_label_of(host, other),
	    of_host->info.name, theirs, own_line(c, host, of_host), theirs, of_host->info.name,
	    ours, host != policy && host == &c->defaults ? "in this section" : "there");
}

static bool sharing_check(struct rp_config_parser *p, const struct rp_policy *policy)
{
	unsigned line = own_line(p->config, policy, setting("shared_limits"));
	char label[RP_CONFIG_LABEL_BYTES];
	size_t i;

	if (line == 0 || !policy->shared_limits)
		return true;
	for (i = 0; i < N_PAIRS; i++)
		if (own_line(p->config, policy, setting(pairs[i][0])) != 0)
			return true;
	return rp_config_fail_at(
	    p, line,
	    "%s shared_limits = yes: the section, which begins on line %u, sets neither in_flight "
	    "nor rate; accepted: shared_limits beside one of them",
	    rp_config_label_of(policy, label), policy->section_line);
}

static bool policy_check(struct rp_config_parser *p, const struct rp_policy *policy)
{
	size_t i;

	for (i = 0; i < N_PAIRS; i++)
		if (!agreement_check(p, policy, setting(pairs[i][1])) ||
		    !room_check(p, policy, setting(pairs[i][0]), setting(pairs[i][1])))
			return false;
	return sharing_check(p, policy);
}

bool rp_config_check_hosts(struct rp_config_parser *p)
{
	bool ok = policy_check(p, &p->config->defaults);
	size_t i;

	for (i = 0; ok && i < p->config->n_endpoints; i++)
		ok = policy_check(p, &p->config->endpoints[i]);
	return ok;
}

/* ---- what holds ---- */

/* Nobody has set it: a receiver must still get the in_flight that holds for it. */
static unsigned host_in_flight_unset(const struct rp_config *config, const struct rp_policy *of)
{
	unsigned most = RP_HOST_IN_FLIGHT, own;
	size_t i;

	for (i = 0; of != &config->defaults && i < config->n_endpoints; i++) {
		own = config->endpoints[i].in_flight;
		if (own > most && rp_config_is_of_host(&config->endpoints[i], &of->prefix))
			most = own;
	}
	return config->defaults.in_flight > most ? config->defaults.in_flight : most;
}

static bool host_breaker(const struct rp_config *config, const struct rp_policy *of)
{
	size_t i;

	for (i = 0; of != &config->defaults && i < config->n_endpoints; i++)
		if (!config->endpoints[i].breaker &&
		    rp_config_is_of_host(&config->endpoints[i], &of->prefix))
			return false;
	return config->defaults.breaker;
}

static void policy_settle(const struct rp_config *config, struct rp_policy *policy)
{
	const struct rp_setting *in_flight = setting("host_in_flight"),
				*rate = setting("host_rate");
	const struct rp_policy *host = setter(config, policy, in_flight);

	policy->host_in_flight =
	    host != NULL ? host->host_in_flight : host_in_flight_unset(config, policy);
	if (host != NULL)
		policy->line_of[rp_setting_index(in_flight)] =
		    host->line_of[rp_setting_index(in_flight)];
	host = setter(config, policy, rate);
	if (host != NULL) {
		policy->host_rate = host->host_rate;
		policy->line_of[rp_setting_index(rate)] = host->line_of[rp_setting_index(rate)];
	}
	policy->host_breaker = host_breaker(config, policy);
	policy->shares_in_flight = policy != &config->defaults && policy->shared_limits &&
				   own_line(config, policy, setting("in_flight")) != 0;
	policy->shares_rate = policy != &config->defaults && policy->shared_limits &&
			      own_line(config, policy, setting("rate")) != 0 &&
			      policy->rate.count > 0;
}

void rp_config_settle_hosts(struct rp_config *config)
{
	size_t i;

	policy_settle(config, &config->defaults);
	for (i = 0; i < config->n_endpoints; i++)
		policy_settle(config, &config->endpoints[i]);
}
