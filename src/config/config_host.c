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

/* Who sets it for a host: the first of its sections that does, else the defaults. NULL: nobody.
 * first: NULL for hosts without a section. */
static const struct rp_policy *setter(const struct rp_config *config, const struct rp_policy *first,
				      const struct rp_setting *s)
{
	for (; first != NULL; first = first->next_of_host)
		if (own_line(config, first, s) != 0)
			return first;
	return own_line(config, &config->defaults, s) != 0 ? &config->defaults : NULL;
}

/* From the last section to the first, so that those of a host stay in the order of the file. */
static void group(struct rp_config *config)
{
	struct rp_policy *section, **at;
	size_t i;

	config->first_host = NULL;
	for (i = config->n_endpoints; i > 0; i--) {
		section = &config->endpoints[i - 1];
		at = &config->first_host;
		while (*at != NULL && !rp_config_is_of_host(*at, &section->prefix))
			at = &(*at)->next_host;
		section->next_of_host = *at;
		section->next_host = *at != NULL ? (*at)->next_host : NULL;
		*at = section;
	}
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

/* A host has one limit, so its sections must not differ in it. host: who sets it first; NULL:
 * nobody does. */
static bool agreement_check(struct rp_config_parser *p, const struct rp_policy *policy,
			    const struct rp_policy *host, const struct rp_setting *s)
{
	unsigned line = own_line(p->config, policy, s);
	char label[RP_CONFIG_LABEL_BYTES], other[RP_CONFIG_LABEL_BYTES];
	char ours[RP_RATE_TEXT_MAX], theirs[RP_RATE_TEXT_MAX];

	if (line == 0 || is_same(value_of(policy, s), value_of(host, s)))
		return true;
	return rp_config_fail_at(
	    p, line,
	    "%s %s = %s: %s is for the same host and sets %s on line %u; accepted: the same in "
	    "both, or in one of them alone",
	    rp_config_label_of(policy, label), s->info.name, text_of(policy, s, ours),
	    rp_config_label_of(host, other), text_of(host, s, theirs),
	    own_line(p->config, host, s));
}

/* What a section asks for must fit into what its host may have. */
static bool room_check(struct rp_config_parser *p, const struct rp_policy *policy,
		       const struct rp_setting *s, const struct rp_policy *host,
		       const struct rp_setting *of_host)
{
	unsigned line = own_line(p->config, policy, s);
	char label[RP_CONFIG_LABEL_BYTES], other[RP_CONFIG_LABEL_BYTES];
	char room_ours[RP_RATE_TEXT_MAX], room_theirs[RP_RATE_TEXT_MAX];
	const char *ours = text_of(policy, s, room_ours), *theirs;

	if (host == NULL || line == 0 || !is_less(value_of(host, of_host), value_of(policy, s)))
		return true;
	theirs = text_of(host, of_host, room_theirs);
	return rp_config_fail_at(
	    p, line,
	    "%s %s = %s: more than its host may have, %s %s = %s on line %u; accepted: at most %s, "
	    "or %s = %s or more %s",
	    rp_config_label_of(policy, label), s->info.name, ours, rp_config_label_of(host, other),
	    of_host->info.name, theirs, own_line(p->config, host, of_host), theirs,
	    of_host->info.name, ours,
	    policy->url != NULL && host->url == NULL ? "in this section" : "there");
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

static bool policy_check(struct rp_config_parser *p, const struct rp_policy *policy,
			 const struct rp_policy *const host[N_PAIRS])
{
	size_t i;

	for (i = 0; i < N_PAIRS; i++)
		if (!agreement_check(p, policy, host[i], setting(pairs[i][1])) ||
		    !room_check(p, policy, setting(pairs[i][0]), host[i], setting(pairs[i][1])))
			return false;
	return sharing_check(p, policy);
}

static bool host_check(struct rp_config_parser *p, const struct rp_policy *first)
{
	const struct rp_policy *host[N_PAIRS], *section;
	bool ok = true;
	size_t i;

	for (i = 0; i < N_PAIRS; i++)
		host[i] = setter(p->config, first, setting(pairs[i][1]));
	if (first == NULL)
		return policy_check(p, &p->config->defaults, host);
	for (section = first; ok && section != NULL; section = section->next_of_host)
		ok = policy_check(p, section, host);
	return ok;
}

bool rp_config_check_hosts(struct rp_config_parser *p)
{
	const struct rp_policy *first;
	bool ok = host_check(p, NULL);

	group(p->config);
	for (first = p->config->first_host; ok && first != NULL; first = first->next_host)
		ok = host_check(p, first);
	return ok;
}

/* ---- what holds ---- */

/* Of one setting: value and line of whoever sets it; nothing if nobody does. */
static void take_over(const struct rp_policy *host, const struct rp_setting *s, size_t bytes,
		      struct rp_policy *policy)
{
	if (host == NULL || host == policy)
		return;
	memcpy((char *)policy + s->offset, (const char *)host + s->offset, bytes);
	policy->line_of[rp_setting_index(s)] = host->line_of[rp_setting_index(s)];
}

/* What holds where nobody has set it: a receiver must still get its in_flight. */
static void derive(const struct rp_config *config, const struct rp_policy *first,
		   unsigned *in_flight, bool *breaker)
{
	*in_flight = RP_HOST_IN_FLIGHT;
	if (config->defaults.in_flight > *in_flight)
		*in_flight = config->defaults.in_flight;
	*breaker = config->defaults.breaker;
	for (; first != NULL; first = first->next_of_host) {
		if (first->in_flight > *in_flight)
			*in_flight = first->in_flight;
		*breaker = *breaker && first->breaker;
	}
}

static void host_settle(struct rp_config *config, struct rp_policy *first)
{
	const struct rp_setting *in_flight = setting("host_in_flight"),
				*rate = setting("host_rate");
	const struct rp_policy *sets_in_flight = setter(config, first, in_flight);
	const struct rp_policy *sets_rate = setter(config, first, rate);
	struct rp_policy *policy = first != NULL ? first : &config->defaults;
	unsigned unset;
	bool breaker;

	derive(config, first, &unset, &breaker);
	for (; policy != NULL; policy = policy->next_of_host) {
		if (sets_in_flight == NULL)
			policy->host_in_flight = unset;
		take_over(sets_in_flight, in_flight, sizeof policy->host_in_flight, policy);
		take_over(sets_rate, rate, sizeof policy->host_rate, policy);
		policy->host_breaker = breaker;
	}
}

static void sharing_settle(const struct rp_config *config, struct rp_policy *section)
{
	section->shares_in_flight =
	    section->shared_limits && own_line(config, section, setting("in_flight")) != 0;
	section->shares_rate = section->shared_limits && section->rate.count > 0 &&
			       own_line(config, section, setting("rate")) != 0;
}

void rp_config_settle_hosts(struct rp_config *config)
{
	struct rp_policy *first;
	size_t i;

	host_settle(config, NULL);
	for (first = config->first_host; first != NULL; first = first->next_host)
		host_settle(config, first);
	for (i = 0; i < config->n_endpoints; i++)
		sharing_settle(config, &config->endpoints[i]);
}
